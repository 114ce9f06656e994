//! Which requests are traced.

use std::io;

use super::buffer::Buffer;
use super::context::Context;
use super::endpoint::Endpoint;
use super::export;

/// The share of traces that begin here and are recorded.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Share(f64);

impl Share {
    /// What a value must look like.
    pub const EXPECTED: &str = "a number from 0 to 1";

    /// A number from 0 to 1.
    pub fn parse(text: &str) -> Option<Self> {
        text.parse().ok().filter(|share| (0.0..=1.0).contains(share)).map(Self)
    }

    /// Every trace.
    pub const ALL: Self = Self(1.0);
}

/// The traces of one server. It lives as long as the process.
#[derive(Debug)]
pub struct Tracer {
    share: Share,
    buffer: Buffer,
}

impl Tracer {
    /// A tracer, and the thread that sends its spans to `endpoint` in the name of `service`.
    ///
    /// # Errors
    /// The thread cannot be started.
    pub fn start(endpoint: Endpoint, share: Share, service: String) -> io::Result<&'static Self> {
        let tracer: &'static Self = Box::leak(Box::new(Self::new(share)));
        std::thread::Builder::new()
            .name("traces".into())
            .spawn(move || export::run(&tracer.buffer, &endpoint, &service))?;
        Ok(tracer)
    }

    pub(super) fn new(share: Share) -> Self {
        Self { share, buffer: Buffer::default() }
    }

    /// Its finished spans.
    pub fn buffer(&self) -> &Buffer {
        &self.buffer
    }

    /// The same trace as one to be recorded, or nothing. The decision depends on the id alone, so that every server that
    /// has the same share decides alike.
    pub(super) fn sample(&self, context: Context) -> Option<Context> {
        let chance = (context.trace as u64 >> 11) as f64 / (1_u64 << 53) as f64;
        (chance < self.share.0).then_some(Context { sampled: true, ..context })
    }
}
