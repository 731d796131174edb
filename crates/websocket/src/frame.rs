//! Frames: those of clients are checked and unmasked in place; those of the server are a header and the payload.
//!
//! The functions on the path of every message are `#[inline]`, since the server that calls them is another crate.

use std::str::from_utf8;

/// The maximum payload of a control frame in bytes (RFC 6455, 5.5).
const CONTROL: usize = 125;

/// A complete message or control frame of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Frame<'a> {
    /// A text message, assembled if it arrived in fragments.
    Text(&'a str),
    /// A binary message.
    Binary,
    /// A fragment of a message with more to follow, which is kept until the message is complete. It is reported so that
    /// its cost can be counted: a client can send empty ones without end.
    Fragment,
    /// A ping, to be answered with the same payload.
    Ping(&'a [u8]),
    /// The answer to a ping of ours.
    Pong(&'a [u8]),
    /// The client closes the connection, with this code if it sent one.
    Close(Option<u16>),
}

/// Why a frame is invalid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InvalidFrame {
    /// It violates RFC 6455.
    Protocol,
    /// Its text is not UTF-8.
    NotUtf8,
    /// Its message exceeds the limit.
    TooLarge,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Continuation,
    Text,
    Binary,
    Close,
    Ping,
    Pong,
}

#[derive(Clone, Copy, Debug)]
struct Header {
    last: bool,
    kind: Kind,
    mask: [u8; 4],
    /// The length of the header itself in bytes.
    length: usize,
    /// The length of the payload that follows, in bytes.
    payload: usize,
}

/// Assembles messages from their fragments.
#[derive(Debug, Default)]
pub struct Assembly {
    /// The payloads received so far, and whether the message is a text.
    fragments: Option<(bool, Vec<u8>)>,
    /// The message that was assembled last, kept while the caller borrows it.
    done: Vec<u8>,
}

impl Assembly {
    /// Takes one frame off the front of `bytes`. Returns its length in bytes and its content. Returns `None` if the frame has not arrived completely. A message of more than
    /// `limit` bytes is refused as soon as its header shows it.
    ///
    /// # Errors
    /// The frame is invalid; nothing can be read after it.
    #[inline]
    pub fn take<'a>(
        &'a mut self,
        bytes: &'a mut [u8],
        limit: usize,
    ) -> Result<Option<(usize, Frame<'a>)>, InvalidFrame> {
        self.done = Vec::new();
        let before = self.fragments.as_ref().map_or(0, |(_, fragments)| fragments.len());
        let Some(header) = parse_header(bytes, before, limit)? else { return Ok(None) };
        let length = header.length + header.payload;
        let Some(payload) = bytes.get_mut(header.length..length) else { return Ok(None) };
        unmask(payload, header.mask);
        self.accept(header, payload).map(|frame| Some((length, frame)))
    }

    /// Returns the memory in bytes that the fragments of an incomplete message take.
    pub fn held(&self) -> usize {
        self.fragments.as_ref().map_or(0, |(_, fragments)| fragments.capacity().max(1))
    }

    #[inline]
    fn accept<'a>(&'a mut self, header: Header, payload: &'a [u8]) -> Result<Frame<'a>, InvalidFrame> {
        let message = match (header.kind, &mut self.fragments) {
            (Kind::Ping, _) => return Ok(Frame::Ping(payload)),
            (Kind::Pong, _) => return Ok(Frame::Pong(payload)),
            (Kind::Close, _) => return close_code(payload).map(Frame::Close),
            (Kind::Text, None) if header.last => (true, payload),
            (Kind::Binary, None) if header.last => (false, payload),
            (Kind::Text | Kind::Binary, fragments @ None) => {
                *fragments = Some((header.kind == Kind::Text, payload.to_vec()));
                return Ok(Frame::Fragment);
            }
            (Kind::Continuation, Some((text, fragments))) => {
                // Not twice as much as is needed: a client decides how long a part stays.
                fragments.reserve_exact(payload.len());
                fragments.extend_from_slice(payload);
                if !header.last {
                    return Ok(Frame::Fragment);
                }
                let text = *text;
                self.done = self.fragments.take().map(|(_, fragments)| fragments).unwrap_or_default();
                (text, self.done.as_slice())
            }
            (Kind::Continuation, None) | (Kind::Text | Kind::Binary, Some(_)) => return Err(InvalidFrame::Protocol),
        };
        match message {
            (true, payload) => from_utf8(payload).map(Frame::Text).map_err(|_| InvalidFrame::NotUtf8),
            (false, _) => Ok(Frame::Binary),
        }
    }
}

/// Parses the header of a frame; `before` bytes of its message arrived in earlier fragments.
#[inline]
fn parse_header(bytes: &[u8], before: usize, limit: usize) -> Result<Option<Header>, InvalidFrame> {
    let [first, second, rest @ ..] = bytes else { return Ok(None) };
    // No extension was negotiated, so reserved bits are invalid; and clients must mask.
    if first & 0b0111_0000 != 0 || second & 0b1000_0000 == 0 {
        return Err(InvalidFrame::Protocol);
    }
    let kind = match first & 0b0000_1111 {
        0 => Kind::Continuation,
        1 => Kind::Text,
        2 => Kind::Binary,
        8 => Kind::Close,
        9 => Kind::Ping,
        10 => Kind::Pong,
        _ => return Err(InvalidFrame::Protocol),
    };
    let last = first & 0b1000_0000 != 0;
    let short = usize::from(second & 0b0111_1111);
    if matches!(kind, Kind::Close | Kind::Ping | Kind::Pong) && (!last || short > CONTROL) {
        return Err(InvalidFrame::Protocol);
    }
    let (payload, rest) = match short {
        126 => match rest.split_first_chunk() {
            Some((length, rest)) => (usize::from(u16::from_be_bytes(*length)), rest),
            None => return Ok(None),
        },
        127 => match rest.split_first_chunk() {
            Some((length, rest)) => (usize::try_from(u64::from_be_bytes(*length)).unwrap_or(usize::MAX), rest),
            None => return Ok(None),
        },
        short => (short, rest),
    };
    let before = if kind == Kind::Continuation { before } else { 0 };
    if payload > limit.saturating_sub(before) {
        return Err(InvalidFrame::TooLarge);
    }
    let Some((mask, rest)) = rest.split_first_chunk() else { return Ok(None) };
    Ok(Some(Header { last, kind, mask: *mask, length: bytes.len() - rest.len(), payload }))
}

#[inline]
fn unmask(payload: &mut [u8], mask: [u8; 4]) {
    let [a, b, c, d] = mask;
    let wide = u64::from_ne_bytes([a, b, c, d, a, b, c, d]);
    let (chunks, rest) = payload.as_chunks_mut();
    for chunk in chunks {
        *chunk = (u64::from_ne_bytes(*chunk) ^ wide).to_ne_bytes();
    }
    rest.iter_mut().zip(mask.into_iter().cycle()).for_each(|(byte, key)| *byte ^= key);
}

/// Returns the code of a close frame, if it has one (RFC 6455, 7.4).
fn close_code(payload: &[u8]) -> Result<Option<u16>, InvalidFrame> {
    let Some((code, reason)) = payload.split_first_chunk() else {
        return if payload.is_empty() { Ok(None) } else { Err(InvalidFrame::Protocol) };
    };
    let code = u16::from_be_bytes(*code);
    if !matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999) {
        return Err(InvalidFrame::Protocol);
    }
    from_utf8(reason).map(|_| Some(code)).map_err(|_| InvalidFrame::NotUtf8)
}

/// Returns the header of a text frame with `payload` bytes, and how many bytes of the array it uses.
#[inline]
pub fn text_frame_header(payload: usize) -> ([u8; 10], usize) {
    header(0x81, payload)
}

#[inline]
fn header(first: u8, payload: usize) -> ([u8; 10], usize) {
    let mut bytes = [first, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let length = (payload as u64).to_be_bytes();
    let [.., high, low] = length;
    let [_, second, rest @ ..] = &mut bytes;
    match payload {
        0..126 => {
            *second = low;
            (bytes, 2)
        }
        126..0x1_0000 => {
            let [left, right, ..] = rest;
            (*second, *left, *right) = (126, high, low);
            (bytes, 4)
        }
        _ => {
            (*second, *rest) = (127, length);
            (bytes, 10)
        }
    }
}

fn frame_of(first: u8, payload: &[&[u8]]) -> Vec<u8> {
    let length = payload.iter().map(|part| part.len()).sum();
    let (header, size) = header(first, length);
    let mut frame = Vec::with_capacity(size + length);
    frame.extend(header.iter().take(size));
    payload.iter().for_each(|part| frame.extend_from_slice(part));
    frame
}

/// Returns a text frame.
pub fn text_frame(text: &str) -> Vec<u8> {
    frame_of(0x81, &[text.as_bytes()])
}

/// Returns a ping frame; the client sends the payload back in its pong.
pub fn ping_frame(payload: &[u8; 16]) -> Vec<u8> {
    frame_of(0x89, &[payload])
}

/// Returns a pong frame, the answer to a ping with this payload.
pub fn pong_frame(payload: &[u8]) -> Vec<u8> {
    frame_of(0x8a, &[payload])
}

/// Returns a close frame. A reason longer than a control frame allows is cut.
pub fn close_frame(code: u16, reason: &str) -> Vec<u8> {
    let reason = reason.get(..CONTROL - 2).unwrap_or(reason);
    frame_of(0x88, &[&code.to_be_bytes(), reason.as_bytes()])
}

#[cfg(test)]
mod tests;
