//! The body of an answer, until whose end the connection does not count as silent.

use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes};
use axum::response::Response;
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use peersync_places::Busy;

/// A body that keeps its connection busy.
#[derive(Debug)]
pub struct Held {
    body: Body,
    _busy: Busy,
}

impl Held {
    /// Returns the answer with this body.
    pub fn response(response: Response, busy: Busy) -> hyper::Response<Self> {
        response.map(|body| Self { body, _busy: busy })
    }
}

impl HttpBody for Held {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
