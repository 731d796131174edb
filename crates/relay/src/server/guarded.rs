//! The TCP connection below TLS. It bounds what TLS has to keep because a part of it is missing.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

use super::unfinished::Part;

/// The size of a record's header (RFC 8446, section 5.1).
const HEADER: usize = 5;
/// The maximum number of bytes of records of which nothing came out yet: one of the largest size (RFC 8446, section 5.2: 16 KB
/// and 256 bytes), and some before it without data, such as an update of the keys.
const RECORDS: usize = 18 * 1024;

/// What was read of records.
#[derive(Debug, Default)]
struct Records {
    /// The bytes of the record of which a part is missing.
    read: usize,
    /// The size of that one behind its header, as far as the header was read.
    length: usize,
    /// The bytes of complete records since something came out of them.
    complete: usize,
}

impl Records {
    fn bytes(&self) -> usize {
        self.read + self.complete
    }

    fn take(&mut self, mut bytes: &[u8]) {
        while let Some((first, behind)) = bytes.split_first() {
            if self.read < HEADER {
                // The last two bytes of the header.
                if self.read >= HEADER - 2 {
                    self.length = self.length << 8 | usize::from(*first);
                }
                (self.read, bytes) = (self.read + 1, behind);
            } else {
                let part = bytes.len().min(HEADER + self.length - self.read);
                (self.read, bytes) = (self.read + part, bytes.get(part..).unwrap_or_default());
            }
            if self.read >= HEADER && self.read == HEADER + self.length {
                *self = Self { complete: self.complete + self.read, ..Self::default() };
            }
        }
    }
}

/// A TCP connection with TLS in it.
#[derive(Debug)]
pub(super) struct Guarded {
    stream: TcpStream,
    records: Records,
    /// The maximum number of bytes of which nothing came out yet.
    most: usize,
    part: Part,
}

impl Guarded {
    /// Creates one that reads at most `handshake` bytes until [`Decrypted::new`].
    pub(super) fn new(stream: TcpStream, part: Part, handshake: usize) -> Self {
        Self { stream, records: Records::default(), most: handshake, part }
    }

    /// Records that of the complete records only this many bytes are left.
    fn came_out(&mut self, left: usize) {
        self.records.complete = left;
        self.part.hold(self.records.bytes());
    }
}

impl AsyncRead for Guarded {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.part.poll_displaced(context).is_ready() {
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::QuotaExceeded, "others need the memory")));
        }
        let room = this.most.saturating_sub(this.records.bytes());
        if room == 0 {
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, "a message of TLS is too large")));
        }
        let mut part = ReadBuf::new(buffer.initialize_unfilled_to(room.min(buffer.remaining())));
        ready!(Pin::new(&mut this.stream).poll_read(context, &mut part))?;
        let read = part.filled().len();
        this.records.take(part.filled());
        buffer.advance(read);
        this.part.hold(this.records.bytes());
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Guarded {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write(context, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(context)
    }
}

/// What is in TLS, after the handshake.
#[derive(Debug)]
pub(super) struct Decrypted(Box<TlsStream<Guarded>>);

impl Decrypted {
    /// Creates it from a connection whose handshake is complete.
    pub(super) fn new(stream: TlsStream<Guarded>) -> Self {
        let mut stream = Box::new(stream);
        let guarded = stream.get_mut().0;
        guarded.most = RECORDS;
        guarded.came_out(0);
        Self(stream)
    }

    /// Returns the address of this host that the client has connected to.
    ///
    /// # Errors
    /// The connection is gone.
    pub(super) fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.get_ref().0.stream.local_addr()
    }
}

impl AsyncRead for Decrypted {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let stream = &mut self.get_mut().0;
        ready!(Pin::new(&mut *stream).poll_read(context, buffer))?;
        let (guarded, session) = stream.get_mut();
        // Nothing new is there to be processed: this only tells what waits to be read.
        let left = session.process_new_packets().map_or(0, |state| state.plaintext_bytes_to_read());
        guarded.came_out(left);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Decrypted {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().0).poll_write(context, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().0).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().0).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_told_apart_however_they_are_read() {
        let record = |size: u16| [&[23, 3, 3][..], &size.to_be_bytes(), &vec![0; usize::from(size)]].concat();
        let (first, second) = (record(300), record(1000));
        let sent = [&first[..], &record(0), &second, &first].concat();
        for size in [1, 2, 3, 7, 305, 306, 311, 4096] {
            let (mut records, mut read) = (Records::default(), 0);
            for part in sent.chunks(size) {
                records.take(part);
                read += part.len();
                assert_eq!(records.bytes(), read);
            }
            assert_eq!((records.complete, records.read), (sent.len(), 0));
        }
        let mut records = Records::default();
        records.take(&sent[..400]);
        records.complete = 0;
        assert_eq!(records.bytes(), 400 - first.len() - HEADER, "of what came out nothing is kept");
    }
}
