//! Checks a JSON text (RFC 8259) as it arrives, in constant memory: nothing of it is kept.

/// Nesting deeper than this is refused.
pub(super) const MAX_DEPTH: u32 = 64;

/// A JSON text of which part has arrived.
#[derive(Debug, Clone)]
pub(super) struct JsonCheck {
    state: State,
    /// One bit for each open bracket, the innermost lowest: set for an object.
    objects: u64,
    depth: u32,
    /// Of a character of several bytes: how many are still to come.
    continuation: u8,
    /// The range that the next of them must lie in.
    range: (u8, u8),
}

/// What may come next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// A value.
    Value,
    /// A value, or the end of an array that has just begun.
    FirstItem,
    /// A name, or the end of an object that has just begun.
    FirstName,
    /// A name.
    Name,
    /// The colon after a name.
    Colon,
    /// A comma, the end of the innermost bracket, or of the text.
    AfterValue,
    /// In a string; whether it is a name.
    Text { name: bool },
    /// After a backslash.
    Escape { name: bool },
    /// In `\uXXXX`, with so many digits to come.
    Unicode { name: bool, left: u8 },
    /// In `true`, `false` or `null`: what is still to come.
    Word(&'static [u8]),
    /// After a minus sign.
    Minus,
    /// After a leading zero.
    Zero,
    /// In the digits before a point.
    Integer,
    /// After the point.
    Point,
    /// In the digits after it.
    Fraction,
    /// After `e` or `E`.
    Exponent,
    /// After its sign.
    ExponentSign,
    /// In its digits.
    ExponentDigits,
    /// Not JSON, for this reason.
    Wrong(&'static str),
}

const NOT_JSON: State = State::Wrong("the body is not valid JSON");
const NOT_UTF8: State = State::Wrong("the body is not valid UTF-8");
const TOO_DEEP: State = State::Wrong("the JSON body is nested too deeply");

impl JsonCheck {
    /// Nothing has arrived.
    pub(super) fn new() -> Self {
        Self { state: State::Value, objects: 0, depth: 0, continuation: 0, range: (0, 0) }
    }

    /// Takes the next bytes.
    pub(super) fn receive(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            if matches!(self.state, State::Wrong(_)) {
                return;
            }
            self.state = self.step(byte);
        }
    }

    /// Whether what has arrived is one whole JSON value.
    pub(super) fn finish(&self) -> Result<(), &'static str> {
        match self.state {
            State::Wrong(reason) => Err(reason),
            State::AfterValue | State::Zero | State::Integer | State::Fraction | State::ExponentDigits
                if self.depth == 0 =>
            {
                Ok(())
            }
            _ => Err("the body is not valid JSON"),
        }
    }

    fn step(&mut self, byte: u8) -> State {
        match (self.state, byte) {
            (State::Text { name }, _) => self.text(name, byte),
            (State::Escape { name }, b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => State::Text { name },
            (State::Escape { name }, b'u') => State::Unicode { name, left: 4 },
            (State::Unicode { name, left }, b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F') => match left - 1 {
                0 => State::Text { name },
                left => State::Unicode { name, left },
            },
            (State::Word([last]), _) if byte == *last => State::AfterValue,
            (State::Word([next, rest @ ..]), _) if byte == *next => State::Word(rest),
            (State::Minus, b'0') => State::Zero,
            (State::Minus | State::Integer, b'1'..=b'9') | (State::Integer, b'0') => State::Integer,
            (State::Zero | State::Integer, b'.') => State::Point,
            (State::Point | State::Fraction, b'0'..=b'9') => State::Fraction,
            (State::Zero | State::Integer | State::Fraction, b'e' | b'E') => State::Exponent,
            (State::Exponent, b'+' | b'-') => State::ExponentSign,
            (State::Exponent | State::ExponentSign | State::ExponentDigits, b'0'..=b'9') => State::ExponentDigits,
            // A number ends with what follows it.
            (State::AfterValue | State::Zero | State::Integer | State::Fraction | State::ExponentDigits, _) => {
                self.after_value(byte)
            }
            (State::Value | State::FirstItem | State::FirstName | State::Name | State::Colon, _) if is_space(byte) => {
                self.state
            }
            (State::FirstItem, b']') | (State::FirstName, b'}') => self.close(),
            (State::FirstName | State::Name, b'"') => State::Text { name: true },
            (State::Colon, b':') => State::Value,
            (State::Value | State::FirstItem, _) => self.value(byte),
            _ => wrong(byte),
        }
    }

    /// The first byte of a value.
    fn value(&mut self, byte: u8) -> State {
        match byte {
            b'{' => self.open(true),
            b'[' => self.open(false),
            b'"' => State::Text { name: false },
            b't' => State::Word(b"rue"),
            b'f' => State::Word(b"alse"),
            b'n' => State::Word(b"ull"),
            b'-' => State::Minus,
            b'0' => State::Zero,
            b'1'..=b'9' => State::Integer,
            _ => wrong(byte),
        }
    }

    fn after_value(&mut self, byte: u8) -> State {
        let in_object = self.objects & 1 == 1;
        match byte {
            _ if is_space(byte) => State::AfterValue,
            b',' if self.depth > 0 => {
                if in_object {
                    State::Name
                } else {
                    State::Value
                }
            }
            b'}' if self.depth > 0 && in_object => self.close(),
            b']' if self.depth > 0 && !in_object => self.close(),
            _ => wrong(byte),
        }
    }

    fn open(&mut self, object: bool) -> State {
        if self.depth == MAX_DEPTH {
            return TOO_DEEP;
        }
        self.depth += 1;
        self.objects = self.objects << 1 | u64::from(object);
        if object { State::FirstName } else { State::FirstItem }
    }

    fn close(&mut self) -> State {
        self.depth -= 1;
        self.objects >>= 1;
        State::AfterValue
    }

    /// A byte inside a string: the end, an escape, or UTF-8 (RFC 3629 §4).
    fn text(&mut self, name: bool, byte: u8) -> State {
        if self.continuation > 0 {
            if byte < self.range.0 || byte > self.range.1 {
                return NOT_UTF8;
            }
            self.continuation -= 1;
            self.range = (0x80, 0xBF);
            return State::Text { name };
        }
        (self.continuation, self.range) = match byte {
            b'"' => return if name { State::Colon } else { State::AfterValue },
            b'\\' => return State::Escape { name },
            b' '..=0x7F => return State::Text { name },
            0x00..=0x1F => return NOT_JSON,
            0xC2..=0xDF => (1, (0x80, 0xBF)),
            0xE0 => (2, (0xA0, 0xBF)),
            0xED => (2, (0x80, 0x9F)),
            0xE1..=0xEF => (2, (0x80, 0xBF)),
            0xF0 => (3, (0x90, 0xBF)),
            0xF1..=0xF3 => (3, (0x80, 0xBF)),
            0xF4 => (3, (0x80, 0x8F)),
            0x80..=0xC1 | 0xF5.. => return NOT_UTF8,
        };
        State::Text { name }
    }
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

/// The state after a byte that cannot stand where it does.
fn wrong(byte: u8) -> State {
    if byte.is_ascii() { NOT_JSON } else { NOT_UTF8 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &[u8], split: usize) -> Result<(), &'static str> {
        let mut check = JsonCheck::new();
        text.chunks(split).for_each(|piece| check.receive(piece));
        check.finish()
    }

    /// The library's parser, which this one must agree with wherever nesting is bearable.
    fn reference(text: &[u8]) -> bool {
        serde_json::from_slice::<serde::de::IgnoredAny>(text).is_ok() && std::str::from_utf8(text).is_ok()
    }

    #[test]
    fn agrees_with_a_parser_that_has_the_whole_text() {
        let texts: [&[u8]; 12] = [
            br#"{"name":"[[[[\"[[[","courses":[1,2,{"a":null}],"b":true,"c":false}"#,
            br#" [ -0.5e+10 , 1E9, 0, -1, 12.25, "\u00e9\n\\", "" , [ ], { } ] "#,
            br#"{"a" : {"b" : [ ] , "c" : "d"} }"#,
            "\"žluťoučký 🦀 \u{7ff}\u{800}\u{ffff}\u{10000}\"".as_bytes(),
            b"true",
            b"0",
            b"-",
            b"01",
            b"1.",
            b"nul",
            b"",
            b"[1,]",
        ];
        let mut seed = 1_u64;
        let mut random = move |bound: usize| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (seed >> 33) as usize % bound
        };
        let bytes = b"{}[]\",:\\u0e1-+.tfn \t\n\x00\x1f\x7f\x80\xc0\xc3\xa9\xe0\xed\xf4\xff";
        let (mut valid, mut invalid) = (0, 0);
        for round in 0..200_000 {
            let mut text = texts[round % texts.len()].to_vec();
            for _ in 0..random(3) {
                let at = random(text.len() + 1);
                match random(3) {
                    0 if at < text.len() => drop(text.remove(at)),
                    1 if at < text.len() => text[at] = bytes[random(bytes.len())],
                    _ => text.insert(at, bytes[random(bytes.len())]),
                }
            }
            let verdict = check(&text, 1 + random(5)).is_ok();
            assert_eq!(verdict, reference(&text), "{}", text.escape_ascii());
            *(if verdict { &mut valid } else { &mut invalid }) += 1;
        }
        assert!(valid > 10_000 && invalid > 10_000, "{valid} {invalid}");
    }

    #[test]
    fn depth_is_bounded() {
        let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
        assert_eq!(check(nested(MAX_DEPTH as usize).as_bytes(), 7), Ok(()));
        assert_eq!(check(nested(MAX_DEPTH as usize + 1).as_bytes(), 7), Err("the JSON body is nested too deeply"));
        assert_eq!(check(b"[\"\xff\"]", 1), Err("the body is not valid UTF-8"));
    }
}
