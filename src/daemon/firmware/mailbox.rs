//! Questions to the firmware of a Raspberry Pi through `/dev/vcio`, as vcgencmd(1) asks them.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd as _, BorrowedFd};
use std::path::Path;

use rustix::ioctl::{Opcode, Updater, ioctl, opcode};

/// `IOCTL_MBOX_PROPERTY` of the kernel's `vcio.c`: `_IOWR(100, 0, char *)`.
const PROPERTY: Opcode = opcode::read_write::<*mut u8>(100, 0);
/// The property whose value is a command as text, and then its answer.
const GENCMD: u32 = 0x0003_0080;
/// Bytes of the longest command or answer.
const TEXT: usize = 1024;
/// Words before the text: size, code; tag, size of its value, its code, the error of the command.
const HEAD: usize = 6;
/// Words of a message; the last one, zero, ends the list of tags.
const WORDS: usize = HEAD + TEXT / 4 + 1;
/// The firmware understood the message.
const SUCCESS: u32 = 0x8000_0000;

/// A property message, which the firmware answers in place.
type Message = [u32; WORDS];

/// The open device.
#[derive(Debug)]
pub(super) struct Mailbox(File);

impl Mailbox {
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        File::open(path).map(Self)
    }

    /// What the firmware answers to `command`.
    pub(super) fn ask(&self, command: &str) -> io::Result<String> {
        let mut message = request(command)?;
        exchange(self.0.as_fd(), &mut message)?;
        answer(&message)
    }
}

#[allow(unsafe_code, reason = "the kernel offers the firmware's properties only as an ioctl")]
fn exchange(device: BorrowedFd<'_>, message: &mut Message) -> io::Result<()> {
    // SAFETY: the device's ioctl reads as many bytes as the message's first word says, which is the size of `Message`,
    // and writes no more than those back. Another device answers ENOTTY and touches nothing.
    unsafe { ioctl(device, Updater::<PROPERTY, Message>::new(message)) }.map_err(Into::into)
}

fn request(command: &str) -> io::Result<Message> {
    if command.len() >= TEXT {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let mut message = [0; WORDS];
    message[0] = size_of::<Message>() as u32;
    message[2] = GENCMD;
    message[3] = TEXT as u32;
    for (word, bytes) in message[HEAD..].iter_mut().zip(command.as_bytes().chunks(4)) {
        let mut padded = [0; 4];
        padded[..bytes.len()].copy_from_slice(bytes);
        *word = u32::from_ne_bytes(padded);
    }
    Ok(message)
}

fn answer(message: &Message) -> io::Result<String> {
    if message[1] != SUCCESS {
        return Err(io::Error::other(format!("the firmware answered {:#x}", message[1])));
    }
    let bytes = message[HEAD..WORDS - 1].iter().flat_map(|word| word.to_ne_bytes());
    let text: Vec<u8> = bytes.take_while(|byte| *byte != 0).collect();
    String::from_utf8(text).map_err(io::Error::other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_laid_out_as_the_firmware_expects() {
        let message = request("measure_clock arm").unwrap();
        assert_eq!(message[..HEAD], [WORDS as u32 * 4, 0, GENCMD, 1024, 0, 0]);
        assert_eq!(message[HEAD].to_ne_bytes(), *b"meas");
        assert_eq!(message[HEAD + 4].to_ne_bytes(), *b"m\0\0\0");
        assert_eq!(message[WORDS - 1], 0);
        assert!(request(&"x".repeat(TEXT)).is_err());
    }

    #[test]
    fn the_opcode_is_that_of_vcgencmd() {
        let pointer = size_of::<*mut u8>() as u32;
        assert_eq!(PROPERTY, 0xC000_6400 | pointer << 16);
    }

    #[test]
    fn an_answer_ends_at_its_first_zero() {
        let mut message = request("throttled=0x50005").unwrap();
        assert!(answer(&message).is_err(), "not answered");
        message[1] = SUCCESS;
        assert_eq!(answer(&message).unwrap(), "throttled=0x50005");
        message[HEAD..WORDS - 1].fill(u32::from_ne_bytes(*b"xxxx"));
        assert_eq!(answer(&message).unwrap().len(), TEXT);
    }

    #[test]
    fn what_is_no_mailbox_is_an_error() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let error = Mailbox::open(file.path()).unwrap().ask("get_throttled").unwrap_err();
        assert_eq!(rustix::io::Errno::from_io_error(&error), Some(rustix::io::Errno::NOTTY));
    }
}
