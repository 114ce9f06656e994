//! Records for systemd's journal in its native protocol, so that `journalctl FASTGO_ENGINE=may -p warning` finds them.
//!
//! The protocol: one datagram a record, `NAME=value` lines, and a length before any value that holds a newline
//! (systemd's `JOURNAL_NATIVE_PROTOCOL` document).

use std::fmt::Write as _;
use std::io;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

use super::log_record::Record;

/// Where journald listens.
const SOCKET: &str = "/run/systemd/journal/socket";
/// Bytes of one message: well under the kernel's limit of a datagram, which would refuse it whole.
const MAX_MESSAGE: usize = 32 * 1024;
/// How long a thread waits for a journal that does not take a record. Serving goes before logging.
const PATIENCE: Duration = Duration::from_millis(100);

/// Whether stderr goes to the journal: `JOURNAL_STREAM` holds the device and inode of the stream systemd connected
/// (systemd.exec(5)), which differ when stderr was redirected since.
pub(super) fn is_stderr() -> bool {
    let Ok(stat) = rustix::fs::fstat(std::io::stderr()) else { return false };
    std::env::var("JOURNAL_STREAM").is_ok_and(|stream| stream == format!("{}:{}", stat.st_dev, stat.st_ino))
}

/// Sends each record to journald.
#[derive(Debug)]
pub(super) struct Journal {
    socket: UnixDatagram,
    path: PathBuf,
    engine: Option<&'static str>,
    /// Records that journald did not take since the last one it took.
    lost: AtomicU64,
}

impl Journal {
    pub(super) fn new(engine: Option<&'static str>) -> io::Result<Self> {
        Self::at(Path::new(SOCKET), engine)
    }

    fn at(path: &Path, engine: Option<&'static str>) -> io::Result<Self> {
        let socket = UnixDatagram::unbound()?;
        socket.set_write_timeout(Some(PATIENCE))?;
        Ok(Self { socket, path: path.to_owned(), engine, lost: AtomicU64::new(0) })
    }

    fn datagram(&self, level: Level, record: &Record, lost: u64) -> Vec<u8> {
        // `journalctl -u 'fastgo@*'` shows the message alone.
        let engine = self.engine.map(|engine| format!("{engine}: ")).unwrap_or_default();
        let mut message = engine + &record.message + &record.fields;
        if message.len() > MAX_MESSAGE {
            let end = (0..=MAX_MESSAGE).rfind(|end| message.is_char_boundary(*end));
            message.truncate(end.unwrap_or_default());
        }
        if lost > 0 {
            let _ = write!(message, " ({lost} records before this one were lost)");
        }
        let mut datagram = Vec::with_capacity(message.len() + 128);
        let mut field = |name, value: &str| push_field(&mut datagram, name, value);
        field("MESSAGE", &message);
        field("PRIORITY", priority(level));
        field("SYSLOG_IDENTIFIER", "fastgo");
        if let Some(engine) = self.engine {
            field("FASTGO_ENGINE", engine);
        }
        if let Some(event) = &record.event {
            field("FASTGO_EVENT", event);
        }
        datagram
    }

    fn send(&self, level: Level, record: &Record) {
        let lost = self.lost.load(Relaxed);
        // By path each time, so that a journald that was restarted is found again.
        if self.socket.send_to(&self.datagram(level, record, lost), &self.path).is_err() {
            self.lost.fetch_add(1, Relaxed);
        } else if lost > 0 {
            // If more were lost meanwhile, the next record counts them.
            let _ = self.lost.compare_exchange(lost, 0, Relaxed, Relaxed);
        }
    }
}

impl<S: Subscriber> Layer<S> for Journal {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        self.send(*event.metadata().level(), &Record::of(event));
    }
}

/// syslog(3)'s numbers.
fn priority(level: Level) -> &'static str {
    match level {
        Level::ERROR => "3",
        Level::WARN => "4",
        Level::INFO => "6",
        Level::DEBUG | Level::TRACE => "7",
    }
}

fn push_field(datagram: &mut Vec<u8>, name: &str, value: &str) {
    datagram.extend_from_slice(name.as_bytes());
    if value.contains('\n') {
        datagram.push(b'\n');
        datagram.extend_from_slice(&(value.len() as u64).to_le_bytes());
    } else {
        datagram.push(b'=');
    }
    datagram.extend_from_slice(value.as_bytes());
    datagram.push(b'\n');
}

#[cfg(test)]
mod tests {
    use tracing_subscriber::layer::SubscriberExt;

    use super::*;

    fn receive(socket: &UnixDatagram) -> String {
        let mut bytes = vec![0; 64 * 1024];
        let length = socket.recv(&mut bytes).unwrap();
        String::from_utf8_lossy(&bytes[..length]).into_owned()
    }

    #[test]
    fn records_carry_the_fields_that_journalctl_filters_by() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("socket");
        let journald = UnixDatagram::bind(&path).unwrap();
        let subscriber = tracing_subscriber::registry().with(Journal::at(&path, Some("may")).unwrap());
        tracing::subscriber::with_default(subscriber, || {
            tracing::warn!(event = "accept", count = 3, reason = "no more files", "cannot accept");
            assert_eq!(
                receive(&journald),
                "MESSAGE=may: cannot accept count=3 reason=\"no more files\"\nPRIORITY=4\nSYSLOG_IDENTIFIER=fastgo\n\
                 FASTGO_ENGINE=may\nFASTGO_EVENT=accept\n"
            );
            tracing::error!("two\nlines \x1b[31m");
            assert_eq!(
                receive(&journald),
                "MESSAGE=may: two\\nlines \\u{1b}[31m\nPRIORITY=3\nSYSLOG_IDENTIFIER=fastgo\nFASTGO_ENGINE=may\n"
            );
            tracing::info!("{}", "x".repeat(100_000));
            assert_eq!(receive(&journald).find('\n'), Some("MESSAGE=".len() + MAX_MESSAGE));
        });
    }

    #[test]
    fn a_journal_that_was_away_hears_how_many_were_lost() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("socket");
        let journal = Journal::at(&path, None).unwrap();
        let record = Record { message: "hello".into(), ..Record::default() };
        journal.send(Level::INFO, &record);
        journal.send(Level::INFO, &record);
        let journald = UnixDatagram::bind(&path).unwrap();
        journal.send(Level::INFO, &record);
        assert!(receive(&journald).starts_with("MESSAGE=hello (2 records before this one were lost)\n"));
        journal.send(Level::INFO, &record);
        assert!(receive(&journald).starts_with("MESSAGE=hello\n"));
    }

    #[test]
    fn a_value_with_a_newline_is_sent_with_its_length() {
        let mut datagram = Vec::new();
        push_field(&mut datagram, "FASTGO_EVENT", "a\nb");
        assert_eq!(datagram, b"FASTGO_EVENT\n\x03\0\0\0\0\0\0\0a\nb\n");
    }
}
