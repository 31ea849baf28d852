//! The body of an answer, handed to a guest piece by piece.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame};

use crate::plugin::capability::Held;

/// Bytes of one piece. Each is a copy: a guest that keeps one of them does not keep the whole body.
const PIECE_BYTES: usize = 16 << 10;

/// A body that is here as a whole, and the room that it takes until it is gone.
pub(super) struct Pieces {
    body: Vec<u8>,
    told_bytes: usize,
    _held: Held,
}

impl Pieces {
    pub(super) fn new(body: Vec<u8>, held: Held) -> Self {
        Self {
            body,
            told_bytes: 0,
            _held: held,
        }
    }
}

impl Body for Pieces {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let rest = &self.body[self.told_bytes..];
        let piece = Bytes::copy_from_slice(&rest[..rest.len().min(PIECE_BYTES)]);
        self.told_bytes += piece.len();
        Poll::Ready((!piece.is_empty()).then(|| Ok(Frame::data(piece))))
    }
}
