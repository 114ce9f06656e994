//! Drives every target with random damage to its seeds, for a number of seconds each: fuzzing without coverage, for
//! machines that have no nightly toolchain. A panic ends it, after the bytes that caused it.
//!
//! Usage: `mutate SECONDS [SEED]`, or `mutate --corpus DIR` to write the seeds for cargo-fuzz.

use std::path::Path;
use std::time::{Duration, Instant};

use fastgo_fuzz::{TARGETS, seeds};

const TOKENS: [&[u8]; 16] = [
    b"\r\n",
    b"\n",
    b"\r",
    b" ",
    b"\t",
    b":",
    b",",
    b";",
    b"\0",
    b"\xff",
    b"0",
    b"f",
    b"chunked",
    b"\r\n\r\n",
    b"Content-Length: 4\r\n",
    b"HTTP/1.1",
];

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["--corpus", directory] => write_corpus(Path::new(directory)).expect("the corpus could not be written"),
        [seconds] => mutate(seconds, "1"),
        [seconds, seed] => mutate(seconds, seed),
        _ => {
            eprintln!("usage: mutate SECONDS [SEED] | mutate --corpus DIR");
            std::process::exit(2);
        }
    }
}

fn write_corpus(directory: &Path) -> std::io::Result<()> {
    for (name, _) in TARGETS {
        let folder = directory.join(name);
        std::fs::create_dir_all(&folder)?;
        for (number, seed) in seeds::of(name).iter().enumerate() {
            std::fs::write(folder.join(format!("seed-{number}")), seed)?;
        }
    }
    Ok(())
}

fn mutate(seconds: &str, seed: &str) {
    let limit = Duration::from_secs(seconds.parse().expect("SECONDS is a number"));
    let mut random = Random(seed.parse::<u64>().expect("SEED is a number") | 1);
    for (name, run) in TARGETS {
        let seeds = seeds::of(name);
        assert!(!seeds.is_empty(), "{name} has no seeds");
        for seed in &seeds {
            run(seed);
        }
        let started = Instant::now();
        let mut tried = 0_u64;
        while started.elapsed() < limit {
            let data = damage(&seeds, &mut random);
            let guard = ShowOnPanic(name, &data);
            run(&data);
            std::mem::forget(guard);
            tried += 1;
        }
        assert!(tried > 0, "{name}: nothing was tried");
        println!("{name}: {tried} inputs in {} s, no finding", limit.as_secs());
    }
}

/// Prints the input when a target panics over it.
struct ShowOnPanic<'a>(&'a str, &'a [u8]);

impl Drop for ShowOnPanic<'_> {
    fn drop(&mut self) {
        eprintln!("{}: {}", self.0, self.1.escape_ascii());
    }
}

/// A few of the seeds in a row, changed in a few places.
fn damage(seeds: &[Vec<u8>], random: &mut Random) -> Vec<u8> {
    let mut data = seeds[random.below(seeds.len())].clone();
    for _ in 0..random.below(3) {
        // A seed's first byte chooses a variant, once for all of the data.
        data.extend_from_slice(seeds[random.below(seeds.len())].get(1..).unwrap_or_default());
    }
    for _ in 0..random.below(6) {
        let at = random.below(data.len() + 1);
        let until = (at + random.below(8)).min(data.len());
        match random.below(6) {
            0 => drop(data.splice(at..until, TOKENS[random.below(TOKENS.len())].iter().copied())),
            1 => drop(data.splice(at..at, TOKENS[random.below(TOKENS.len())].iter().copied())),
            2 => drop(data.drain(at..until)),
            3 => data.truncate(at),
            4 => data[at..until].iter_mut().for_each(|byte| *byte ^= 1 << random.below(8)),
            _ => {
                let copy = data[at..until].to_vec();
                data.splice(at..at, copy);
            }
        }
    }
    data
}

/// A repeatable sequence of numbers (xorshift64*).
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) as usize % bound
    }
}
