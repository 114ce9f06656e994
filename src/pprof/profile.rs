//! Writes samples as the protobuf that `go tool pprof` and flame graph tools read.
//!
//! The message is `perftools.profiles.Profile` of github.com/google/pprof (`proto/profile.proto`), compressed with gzip
//! as that file asks. Field numbers below are its.

use std::collections::HashMap;
use std::io::{self, Write};
use std::ops::Range;
use std::path::Path;
use std::time::UNIX_EPOCH;

use flate2::Compression;
use flate2::write::GzEncoder;
use procfs::process::{MMPermissions, MMapPath, Process};

use super::sampler::{Samples, Stack};
use super::symbols;

/// The profile, ready to be sent.
///
/// Two values per sample: how many, and the CPU time they stand for in nanoseconds. Each has its thread's name as the
/// label `thread`. Functions are named as far as the running binary has symbols; the rest keeps its addresses and the
/// binary's mapping, so that `go tool pprof UNSTRIPPED-BINARY PROFILE` can name it elsewhere.
pub(super) fn encode(samples: &Samples) -> io::Result<Vec<u8>> {
    let mut profile = Profile::default();
    let interval = samples.interval().as_nanos() as u64;
    let cpu = [profile.strings.id("cpu"), profile.strings.id("nanoseconds")];
    let count = [profile.strings.id("samples"), profile.strings.id("count")];
    for [kind, unit] in [count, cpu] {
        profile.out.message(1, &Message::of(&[(1, kind), (2, unit)]));
    }
    for (stack, count) in &samples.stacks {
        profile.sample(stack, *count, interval);
    }
    profile.mappings_and_locations();
    let started = samples.started.duration_since(UNIX_EPOCH).unwrap_or_default();
    profile.out.number(9, started.as_nanos() as u64);
    profile.out.number(10, samples.took.as_nanos() as u64);
    profile.out.message(11, &Message::of(&[(1, cpu[0]), (2, cpu[1])]));
    profile.out.number(12, interval);
    if samples.dropped > 0 {
        let comment = profile.strings.id(&format!("{} samples found no room and are missing", samples.dropped));
        profile.out.number(13, comment);
    }
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(&profile.finish())?;
    gzip.finish()
}

#[derive(Default)]
struct Profile {
    out: Message,
    strings: Strings,
    /// Address to the id of its location.
    locations: HashMap<u64, u64>,
    /// Name to the id of its function.
    functions: HashMap<u64, u64>,
    /// Thread to its name.
    threads: HashMap<i32, u64>,
}

impl Profile {
    fn sample(&mut self, stack: &Stack, count: u64, interval: u64) {
        let label = self.strings.id("thread");
        let thread = self.thread(stack.thread);
        let mut sample = Message::default();
        for (place, &address) in stack.frames.iter().enumerate() {
            // All but the innermost are return addresses: one less lies within the call.
            let address = if place == 0 { address } else { address - 1 } as u64;
            let next = self.locations.len() as u64 + 1;
            sample.number(1, *self.locations.entry(address).or_insert(next));
        }
        sample.number(2, count);
        sample.number(2, count * interval);
        sample.message(3, &Message::of(&[(1, label), (2, thread)]));
        self.out.message(2, &sample);
    }

    fn thread(&mut self, id: i32) -> u64 {
        *self.threads.entry(id).or_insert_with(|| {
            let name = std::fs::read_to_string(format!("/proc/self/task/{id}/comm"));
            let name = name.unwrap_or_else(|_| format!("thread {id}, gone"));
            self.strings.id(name.trim_end())
        })
    }

    fn mappings_and_locations(&mut self) {
        let mut locations = std::mem::take(&mut self.locations);
        for (place, mapping) in executable_mappings().into_iter().enumerate() {
            let inside: Vec<_> = locations.extract_if(|address, _| mapping.addresses.contains(address)).collect();
            let offsets = inside.iter().map(|(address, _)| mapping.offset_of(*address));
            let names = symbols::resolve(mapping.to_open(), offsets);
            let file = self.strings.id(&mapping.file);
            let (number, resolved) = (place as u64 + 1, u64::from(!names.is_empty()));
            let Range { start, end } = mapping.addresses;
            let fields = [(1, number), (2, start), (3, end), (4, mapping.offset), (5, file), (7, resolved)];
            self.out.message(3, &Message::of(&fields));
            for (address, id) in inside {
                let mut location = Message::of(&[(1, id), (2, number), (3, address)]);
                if let Some(name) = names.get(&mapping.offset_of(address)) {
                    location.message(4, &Message::of(&[(1, self.function(name))]));
                }
                self.out.message(4, &location);
            }
        }
        // Outside every file: generated code, or the kernel's part of each process.
        for (address, id) in locations {
            self.out.message(4, &Message::of(&[(1, id), (3, address)]));
        }
    }

    fn function(&mut self, name: &str) -> u64 {
        let name = self.strings.id(name);
        let next = self.functions.len() as u64 + 1;
        *self.functions.entry(name).or_insert_with(|| {
            self.out.message(5, &Message::of(&[(1, next), (2, name), (3, name)]));
            next
        })
    }

    fn finish(mut self) -> Vec<u8> {
        for text in &self.strings.in_order {
            self.out.bytes(6, text.as_bytes());
        }
        self.out.0
    }
}

/// A part of a file that is mapped to be executed.
struct Mapping {
    addresses: Range<u64>,
    /// Of its first byte in the file.
    offset: u64,
    file: String,
}

impl Mapping {
    fn offset_of(&self, address: u64) -> u64 {
        address - self.addresses.start + self.offset
    }

    /// Where the file is: our own binary by a path that leads to it even when it has been replaced.
    fn to_open(&self) -> &Path {
        Path::new(if self.file == own_binary() { "/proc/self/exe" } else { &self.file })
    }
}

/// Of this process, its own binary first, as the format requires.
fn executable_mappings() -> Vec<Mapping> {
    let Ok(maps) = Process::myself().and_then(|process| process.maps()) else {
        return Vec::new();
    };
    let executable = maps.into_iter().filter(|map| map.perms.contains(MMPermissions::EXECUTE));
    let mut mappings: Vec<_> = executable
        .filter_map(|map| match map.pathname {
            MMapPath::Path(path) => Some(Mapping {
                addresses: map.address.0..map.address.1,
                offset: map.offset,
                file: path.display().to_string(),
            }),
            _ => None,
        })
        .collect();
    let own = own_binary();
    mappings.sort_by_key(|mapping| mapping.file != own);
    mappings
}

/// As `/proc/self/maps` names it.
fn own_binary() -> String {
    std::env::current_exe().map(|path| path.display().to_string()).unwrap_or_default()
}

/// The string table: index 0 is the empty string.
struct Strings {
    in_order: Vec<String>,
    ids: HashMap<String, u64>,
}

impl Default for Strings {
    fn default() -> Self {
        Self { in_order: vec![String::new()], ids: HashMap::from([(String::new(), 0)]) }
    }
}

impl Strings {
    fn id(&mut self, text: &str) -> u64 {
        if let Some(&id) = self.ids.get(text) {
            return id;
        }
        let id = self.in_order.len() as u64;
        self.in_order.push(text.to_owned());
        self.ids.insert(text.to_owned(), id);
        id
    }
}

/// A protobuf message being written. Only what the format needs: varints and length-delimited fields.
#[derive(Default)]
struct Message(Vec<u8>);

impl Message {
    /// A message of numbers: field, value.
    fn of(fields: &[(u64, u64)]) -> Self {
        let mut message = Self::default();
        for &(field, value) in fields {
            message.number(field, value);
        }
        message
    }

    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }

    fn number(&mut self, field: u64, value: u64) {
        self.varint(field << 3);
        self.varint(value);
    }

    fn bytes(&mut self, field: u64, bytes: &[u8]) {
        self.varint(field << 3 | 2);
        self.varint(bytes.len() as u64);
        self.0.extend_from_slice(bytes);
    }

    fn message(&mut self, field: u64, message: &Self) {
        self.bytes(field, &message.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_follow_the_wire_format() {
        // The examples of protobuf.dev/programming-guides/encoding.
        let number = Message::of(&[(1, 150)]);
        assert_eq!(number.0, [0x08, 0x96, 0x01]);
        let mut message = Message::default();
        message.bytes(2, b"testing");
        assert_eq!(message.0, b"\x12\x07testing");
        let mut message = Message::default();
        message.message(3, &number);
        assert_eq!(message.0, [0x1a, 0x03, 0x08, 0x96, 0x01]);
    }

    #[test]
    fn strings_are_kept_once_and_begin_with_the_empty_one() {
        let mut strings = Strings::default();
        assert_eq!((strings.id(""), strings.id("a"), strings.id("b"), strings.id("a")), (0, 1, 2, 1));
        assert_eq!(strings.in_order, ["", "a", "b"]);
    }

    #[test]
    fn the_own_binary_is_the_first_mapping() {
        let mappings = executable_mappings();
        assert_eq!(mappings[0].file, std::env::current_exe().unwrap().display().to_string());
        let here = the_own_binary_is_the_first_mapping as *const () as u64;
        assert!(mappings[0].addresses.contains(&here));
    }
}
