//! What is fuzzed: each target is a function of bytes that panics when a parser does not keep its promises.
//!
//! [`TARGETS`] lists them. `cargo fuzz run --features libfuzzer head` drives one with coverage; the program `mutate` drives
//! all of them with random damage to the conformance cases, on any toolchain.

pub mod body;
pub mod head;
pub mod reply;
pub mod seeds;
pub mod session;

/// A target's name and its function.
pub type Target = (&'static str, fn(&[u8]));

/// Every target; the names are those of the binaries in `fuzz_targets`.
pub const TARGETS: [Target; 4] =
    [("head", head::run), ("body", body::run), ("session", session::run), ("reply", reply::run)];

/// Takes the first byte off the data: which of the variants a target tries.
fn choice(data: &[u8]) -> (u8, &[u8]) {
    data.split_first().map_or((0, data), |(&first, rest)| (first, rest))
}

/// Cuts `data` into pieces whose lengths follow from `seed`: the same ones each time, mostly short.
fn pieces(data: &[u8], seed: u8) -> impl Iterator<Item = &[u8]> {
    let mut rest = data;
    let mut state = u32::from(seed) | 1;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let length = match state >> 28 {
            0..8 => 1,
            8..14 => 1 + (state >> 20) as usize % 16,
            _ => 1 + (state >> 12) as usize % 4096,
        };
        let (piece, after) = rest.split_at(length.min(rest.len()));
        rest = after;
        Some(piece)
    })
}
