//! Traces: W3C trace context in and out, spans as plain values beside the work that they describe, export as OTLP.
//!
//! - [`Context`]: `traceparent`, the place of a span in its trace.
//! - [`Active`]: the span of a request under way. [`Queued`]: its wait in a queue. [`batch`]: what a batch of them took.
//! - [`Tracer`]: which requests are traced. `buffer`: the finished spans that wait for export.
//! - `export`: the thread that sends them; no request waits for it. `otlp`: their JSON.
//!
//! Nothing here is kept in thread-local variables, which a coroutine could leave behind on another thread.

mod active;
mod buffer;
mod context;
mod endpoint;
mod export;
mod otlp;
mod span;
mod tracer;

pub use active::{Active, Queued, batch};
pub use context::Context;
pub use endpoint::Endpoint;
pub use tracer::{Share, Tracer};
