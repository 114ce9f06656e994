//! Between the socket and hyper: admits one request at a time and notes how far it has come.
//!
//! hyper asks for bytes when it wants the next request. The gate reads ahead no further than one buffer, checks the head
//! with the rules that all engines share and passes on what they admit. A chunked body is passed on in plain chunks
//! without extensions or trailers, so hyper never meets framing that it could judge differently.

use std::io::{self, Write as _};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use hyper::rt::{Read, ReadBufCursor, Write};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use super::exchange::{End, Exchange};
use crate::app::{App, Request};
use crate::http::{BodyDecoder, Decoded, Framing, Parsed, Reject, parse_head};
use crate::metrics::Endpoint;

/// Read from the socket at once.
pub(super) const READ_SIZE: usize = 4096;

/// The socket as hyper sees it.
pub(super) struct Gate {
    stream: TcpStream,
    app: Arc<App>,
    exchange: Arc<Exchange>,
    /// Received and not yet passed on.
    input: Vec<u8>,
    /// As much of the front of `input` may go to hyper as it is.
    admitted: usize,
    /// A chunked body's next piece, framed anew.
    reframed: Vec<u8>,
    /// The body of the request that hyper is reading.
    body: Option<(BodyDecoder, Framing)>,
    /// hyper's last write found the socket full.
    write_blocked: bool,
    /// hyper asked for a request while its writes were blocked.
    read_waits: bool,
}

/// What [`Gate::advance`] came to.
enum Progress {
    /// There is something to give to hyper.
    Give,
    /// More must be read from the socket.
    Read,
    /// hyper's part is over.
    Over,
}

impl Gate {
    /// A gate before `stream`, of which `input` was already read.
    pub(super) fn new(stream: TcpStream, input: Vec<u8>, app: Arc<App>, exchange: Arc<Exchange>) -> Self {
        Self {
            stream,
            app,
            exchange,
            input,
            admitted: 0,
            reframed: Vec::new(),
            body: None,
            write_blocked: false,
            read_waits: false,
        }
    }

    pub(super) fn into_stream(self) -> TcpStream {
        self.stream
    }

    /// Gives admitted bytes to hyper; `false` when there are none.
    fn give(&mut self, buf: &mut ReadBufCursor<'_>) -> bool {
        let from_input = self.reframed.is_empty();
        let (source, available) =
            if from_input { (&mut self.input, self.admitted) } else { (&mut self.reframed, usize::MAX) };
        let count = available.min(source.len()).min(buf.remaining());
        buf.put_slice(&source[..count]);
        source.drain(..count);
        if from_input {
            self.admitted -= count;
        }
        count > 0
    }

    /// Admits the next head or piece of a body.
    fn advance(&mut self) -> Result<Progress, Reject> {
        let Some((decoder, framing)) = &mut self.body else { return self.advance_head() };
        let mut rest = self.input.as_slice();
        let step = decoder.next(&mut rest)?;
        let taken = self.input.len() - rest.len();
        match (step, *framing) {
            (Decoded::NeedMore, _) => {
                self.input.clear();
                return Ok(Progress::Read);
            }
            (Decoded::Content(piece), Framing::Length(_)) => self.admitted = piece.len(),
            (Decoded::Content(piece), Framing::Chunked) => {
                write!(self.reframed, "{:x}\r\n", piece.len()).expect("writing to a Vec cannot fail");
                self.reframed.extend_from_slice(piece);
                self.reframed.extend_from_slice(b"\r\n");
                self.input.drain(..taken);
            }
            (Decoded::End, _) => {
                self.reframed.extend_from_slice(b"0\r\n\r\n");
                self.input.drain(..taken);
                self.received();
                return Ok(Progress::Give);
            }
        }
        if *framing != Framing::Chunked && decoder.is_ended() {
            self.received();
        }
        Ok(Progress::Give)
    }

    fn advance_head(&mut self) -> Result<Progress, Reject> {
        if self.input.is_empty() {
            return Ok(Progress::Read);
        }
        self.exchange.reading();
        let limits = &self.app.config.limits;
        let Parsed::Complete(head) = parse_head(&self.input, limits)? else { return Ok(Progress::Read) };
        let request = Request::new(&head);
        // A stream outlives hyper's part: its socket goes to the broadcaster.
        if request.is_stream() {
            self.exchange.end(End::Subscribe(self.app.subscribe(&request, head.framing)?));
            return Ok(Progress::Over);
        }
        let decoder = BodyDecoder::new(head.framing, limits);
        self.exchange.put_request(request, head.keep_alive);
        self.admitted = head.bytes;
        if decoder.is_ended() {
            self.received();
        } else {
            self.body = Some((decoder, head.framing));
        }
        Ok(Progress::Give)
    }

    /// The request is whole.
    fn received(&mut self) {
        self.body = None;
        self.exchange.received();
    }

    /// Reads once more from the socket; 0 at its end, broken or not.
    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<usize> {
        let start = self.input.len();
        self.input.resize(start + READ_SIZE, 0);
        let mut buf = ReadBuf::new(&mut self.input[start..]);
        let polled = Pin::new(&mut self.stream).poll_read(cx, &mut buf);
        let count = buf.filled().len();
        self.input.truncate(start + count);
        ready!(polled).map_or(Poll::Ready(0), |()| {
            self.app.metrics.counters.bytes_read(count);
            Poll::Ready(count)
        })
    }
}

impl Read for Gate {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, mut buf: ReadBufCursor<'_>) -> Poll<io::Result<()>> {
        let gate = self.get_mut();
        loop {
            if gate.give(&mut buf) {
                return Poll::Ready(Ok(()));
            }
            if !gate.exchange.next_may_come() {
                return Poll::Pending;
            }
            if gate.write_blocked {
                gate.read_waits = true;
                return Poll::Pending;
            }
            match gate.advance() {
                Ok(Progress::Give) => {}
                Ok(Progress::Over) => return Poll::Pending,
                Ok(Progress::Read) => {
                    if ready!(gate.poll_fill(cx)) == 0 {
                        gate.exchange.end(End::Closed);
                        return Poll::Pending;
                    }
                }
                Err(reject) => {
                    gate.app.metrics.counters.answered(Endpoint::Rejected, None, reject.status);
                    gate.exchange.end(End::Refuse(reject.response()));
                    return Poll::Pending;
                }
            }
        }
    }
}

impl Write for Gate {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let gate = self.get_mut();
        gate.exchange.unflushed();
        let polled = Pin::new(&mut gate.stream).poll_write(cx, buf);
        gate.write_blocked = polled.is_pending();
        if let Poll::Ready(Ok(count)) = polled {
            gate.app.metrics.counters.bytes_written(count);
        }
        polled
    }

    /// hyper calls this when its own buffer is empty.
    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let gate = self.get_mut();
        gate.exchange.flushed();
        if std::mem::take(&mut gate.read_waits) {
            cx.waker().wake_by_ref();
        }
        Poll::Ready(Ok(()))
    }

    /// The connection is closed where all engines close theirs, once hyper has given it back.
    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
