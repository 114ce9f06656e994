//! The place of a span in its trace, as the header `traceparent` gives it (W3C Trace Context, level 2).

use std::fmt;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// A trace, a span of it, and whether it is recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Context {
    /// The trace; never zero.
    pub trace: u128,
    /// The span; never zero.
    pub span: u64,
    /// Whether the spans of this trace are recorded.
    pub sampled: bool,
}

/// Length of a `traceparent` of version 00.
const LENGTH: usize = 55;

impl Context {
    /// The root of a new trace, not sampled yet.
    pub(super) fn new() -> Self {
        let trace = (u128::from(random()) << 64) | u128::from(random());
        Self { trace, span: random(), sampled: false }
    }

    /// Another span of the same trace.
    pub(super) fn child(self) -> Self {
        Self { span: random(), ..self }
    }

    /// The trace as its 32 digits.
    pub fn trace_id(self) -> impl fmt::Display {
        fmt::from_fn(move |formatter| write!(formatter, "{:032x}", self.trace))
    }

    /// The value of a `traceparent` header; `None` if it is malformed. Of a later version its beginning counts.
    pub fn parse(value: &[u8]) -> Option<Self> {
        let fits = match (value.get(..2)?, value.len()) {
            (b"ff", _) => false,
            (b"00", length) => length == LENGTH,
            (_, length) => length == LENGTH || value.get(LENGTH) == Some(&b'-'),
        };
        let separated = [2, 35, 52].iter().all(|&at| value.get(at) == Some(&b'-'));
        if !fits || !separated {
            return None;
        }
        hex(&value[..2])?;
        let (trace, span) = (hex(&value[3..35])?, hex(&value[36..52])? as u64);
        let sampled = hex(&value[53..55])? & 1 == 1;
        (trace != 0 && span != 0).then_some(Self { trace, span, sampled })
    }
}

impl fmt::Display for Context {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = *b"00-................................-................-00";
        text[3..19].copy_from_slice(&digits((self.trace >> 64) as u64));
        text[19..35].copy_from_slice(&digits(self.trace as u64));
        text[36..52].copy_from_slice(&digits(self.span));
        text[LENGTH - 1] += u8::from(self.sampled);
        formatter.write_str(std::str::from_utf8(&text).map_err(|_| fmt::Error)?)
    }
}

/// The 16 lower-case hexadecimal digits of a number, all at once: a traced request has about ten numbers written.
pub(super) fn digits(number: u64) -> [u8; 16] {
    let mut digits = [0; 16];
    for (eight, half) in digits.chunks_exact_mut(8).zip([number >> 32, number & 0xFFFF_FFFF]) {
        // A byte for each nibble.
        let spread = (half | (half << 16)) & 0x0000_FFFF_0000_FFFF;
        let spread = (spread | (spread << 8)) & 0x00FF_00FF_00FF_00FF;
        let spread = (spread | (spread << 4)) & 0x0F0F_0F0F_0F0F_0F0F;
        // 1 in each byte that is a letter.
        let letters = ((spread + 0x0606_0606_0606_0606) >> 4) & 0x0101_0101_0101_0101;
        let text = spread + 0x3030_3030_3030_3030 + letters * u64::from(b'a' - b'0' - 10);
        eight.copy_from_slice(&text.to_be_bytes());
    }
    digits
}

/// A number in lower-case hexadecimal digits.
fn hex(digits: &[u8]) -> Option<u128> {
    digits.iter().try_fold(0, |number, digit| {
        let value = match digit {
            b'0'..=b'9' => digit - b'0',
            b'a'..=b'f' => digit - b'a' + 10,
            _ => return None,
        };
        Some((number << 4) | u128::from(value))
    })
}

/// A number other than zero that no other call in this process gives, and hardly one in another process.
fn random() -> u64 {
    static NEXT: LazyLock<AtomicU64> = LazyLock::new(|| {
        let mut seed = [0; 8];
        // Without the kernel's random numbers ids are only unique within this process.
        let _ = rustix::rand::getrandom(&mut seed, rustix::rand::GetRandomFlags::empty());
        AtomicU64::new(u64::from_ne_bytes(seed))
    });
    // SplitMix64: visits every number once, and neighbours have nothing in common.
    let mut number = NEXT.fetch_add(0x9E37_79B9_7F4A_7C15, Relaxed);
    number = (number ^ (number >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    number = (number ^ (number >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    (number ^ (number >> 31)).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn a_header_is_written_as_it_was_read() {
        let context = Context::parse(TEXT.as_bytes()).unwrap();
        assert_eq!(context.trace, 0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736);
        assert_eq!((context.span, context.sampled), (0x00f0_67aa_0ba9_02b7, true));
        assert_eq!(context.to_string(), TEXT);
        let unsampled = TEXT.replace("-01", "-00");
        assert!(!Context::parse(unsampled.as_bytes()).unwrap().sampled);
        // Only the lowest bit is about sampling.
        assert!(Context::parse(TEXT.replace("-01", "-ff").as_bytes()).unwrap().sampled);
    }

    #[test]
    fn later_versions_may_have_more_and_malformed_headers_count_as_none() {
        for good in [TEXT.replace("00-4", "01-4"), TEXT.replace("00-4", "cc-4") + "-what-the-future-will-be"] {
            assert!(Context::parse(good.as_bytes()).is_some(), "{good}");
        }
        for bad in [
            String::new(),
            "00".into(),
            TEXT[..54].into(),
            format!("{TEXT}-00"),
            format!("{TEXT} "),
            TEXT.replace("00-4", "ff-4"),
            TEXT.replace("00-4", "0x-4"),
            TEXT.replace("00-4", "01-4") + ".more",
            TEXT.to_uppercase(),
            TEXT.replace('-', "_"),
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01".into(),
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01".into(),
        ] {
            assert!(Context::parse(bad.as_bytes()).is_none(), "{bad}");
        }
        for end in 0..TEXT.len() {
            assert_eq!(Context::parse(&TEXT.as_bytes()[..end]), None);
        }
    }

    #[test]
    fn digits_are_those_of_the_number() {
        let context = Context::new();
        for number in [0, 1, 9, 10, 15, 16, 0x9A9A_9A9A_A9A9_A9A9, 0x0123_4567_89AB_CDEF, u64::MAX, context.span] {
            assert_eq!(digits(number), format!("{number:016x}").as_bytes());
        }
    }

    #[test]
    fn ids_are_distinct() {
        let (one, other) = (Context::new(), Context::new());
        assert!(one.trace != other.trace && one.span != other.span);
        let child = one.child();
        assert!(child.trace == one.trace && child.span != one.span);
    }
}
