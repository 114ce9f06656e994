//! Writes samples as the protobuf that `go tool pprof` and flame graph tools read.
//!
//! The message is `perftools.profiles.Profile` of github.com/google/pprof (`proto/profile.proto`), compressed with gzip
//! as that file asks. Field numbers below are its.

use std::collections::HashMap;
use std::ffi::c_void;
use std::io::{self, Write};
use std::time::UNIX_EPOCH;

use flate2::Compression;
use flate2::write::GzEncoder;
use procfs::process::{MMPermissions, MMapPath, Process};

use super::sampler::{Samples, Stack};

/// The profile, ready to be sent.
///
/// Two values per sample: how many, and the CPU time they stand for in nanoseconds. Each has its thread's name as the
/// label `thread`. Functions are resolved as far as the running binary has symbols; the rest keeps its addresses and the
/// binary's mapping, so that `go tool pprof UNSTRIPPED-BINARY PROFILE` can resolve it elsewhere.
pub(super) fn encode(samples: &Samples) -> io::Result<Vec<u8>> {
    let mut profile = Profile::new();
    let interval = samples.interval().as_nanos() as u64;
    let cpu = [profile.strings.id("cpu"), profile.strings.id("nanoseconds")];
    let count = [profile.strings.id("samples"), profile.strings.id("count")];
    for [kind, unit] in [count, cpu] {
        profile.out.message(1, &Message::of(&[(1, kind), (2, unit)]));
    }
    for (stack, count) in &samples.stacks {
        profile.sample(stack, *count, interval);
    }
    profile.mappings();
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

/// A part of a file that is mapped to be executed.
struct Mapping {
    start: u64,
    end: u64,
    offset: u64,
    file: String,
    /// Whether any of its functions could be resolved.
    resolved: bool,
}

struct Profile {
    out: Message,
    strings: Strings,
    mappings: Vec<Mapping>,
    /// Address to location; the id is the address's place in the order of arrival, from 1.
    locations: HashMap<usize, u64>,
    functions: HashMap<(u64, u64), u64>,
    threads: HashMap<i32, u64>,
}

impl Profile {
    fn new() -> Self {
        Self {
            out: Message::default(),
            strings: Strings::default(),
            mappings: executable_mappings(),
            locations: HashMap::new(),
            functions: HashMap::new(),
            threads: HashMap::new(),
        }
    }

    fn sample(&mut self, stack: &Stack, count: u64, interval: u64) {
        let mut locations = Vec::with_capacity(stack.frames.len());
        for (place, &address) in stack.frames.iter().enumerate() {
            // All but the innermost are return addresses: one less lies within the call.
            locations.push(self.location(if place == 0 { address } else { address - 1 }));
        }
        let label = self.strings.id("thread");
        let thread = self.thread(stack.thread);
        let mut sample = Message::default();
        for location in locations {
            sample.number(1, location);
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

    fn location(&mut self, address: usize) -> u64 {
        if let Some(&id) = self.locations.get(&address) {
            return id;
        }
        let id = self.locations.len() as u64 + 1;
        self.locations.insert(address, id);
        let mut lines = Vec::new();
        // It takes one off as well, for return addresses.
        backtrace::resolve((address + 1) as *mut c_void, |symbol| {
            if let Some(name) = symbol.name() {
                let file = symbol.filename().map(|file| file.display().to_string()).unwrap_or_default();
                lines.push((format!("{name:#}"), file, u64::from(symbol.lineno().unwrap_or(0))));
            }
        });
        let lines: Vec<_> = lines.iter().map(|(name, file, line)| (self.function(name, file), *line)).collect();
        let mapping = self.mappings.iter().position(|mapping| (mapping.start..mapping.end).contains(&(address as u64)));
        if let Some(mapping) = mapping {
            self.mappings[mapping].resolved |= !lines.is_empty();
        }
        let mapping = mapping.map_or(0, |place| place as u64 + 1);
        let mut location = Message::of(&[(1, id), (2, mapping), (3, address as u64)]);
        for (function, line) in lines {
            location.message(4, &Message::of(&[(1, function), (2, line)]));
        }
        self.out.message(4, &location);
        id
    }

    fn function(&mut self, name: &str, file: &str) -> u64 {
        let key = (self.strings.id(name), self.strings.id(file));
        let next = self.functions.len() as u64 + 1;
        *self.functions.entry(key).or_insert_with(|| {
            let (name, file) = key;
            self.out.message(5, &Message::of(&[(1, next), (2, name), (3, name), (4, file)]));
            next
        })
    }

    fn mappings(&mut self) {
        for (place, mapping) in self.mappings.iter().enumerate() {
            let file = self.strings.id(&mapping.file);
            let (id, resolved) = (place as u64 + 1, u64::from(mapping.resolved));
            let Mapping { start, end, offset, .. } = *mapping;
            self.out.message(3, &Message::of(&[(1, id), (2, start), (3, end), (4, offset), (5, file), (7, resolved)]));
        }
    }

    fn finish(mut self) -> Vec<u8> {
        for text in &self.strings.in_order {
            self.out.bytes(6, text.as_bytes());
        }
        self.out.0
    }
}

/// Of this process, its own binary first, as the format wants it.
fn executable_mappings() -> Vec<Mapping> {
    let Ok(maps) = Process::myself().and_then(|process| process.maps()) else {
        return Vec::new();
    };
    let executable = maps.into_iter().filter(|map| map.perms.contains(MMPermissions::EXECUTE));
    let mut mappings: Vec<_> = executable
        .filter_map(|map| match map.pathname {
            MMapPath::Path(path) => Some(Mapping {
                start: map.address.0,
                end: map.address.1,
                offset: map.offset,
                file: path.display().to_string(),
                resolved: false,
            }),
            _ => None,
        })
        .collect();
    let own = std::env::current_exe().map(|path| path.display().to_string()).unwrap_or_default();
    mappings.sort_by_key(|mapping| mapping.file != own);
    mappings
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
        assert!((mappings[0].start..mappings[0].end).contains(&here));
    }
}
