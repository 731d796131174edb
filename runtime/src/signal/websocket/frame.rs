//! Frames: what clients send is checked and unmasked where it lies; what the server sends is a head and the payload.

use std::str::from_utf8;

/// Most that a control frame may carry (RFC 6455, 5.5).
const CONTROL: usize = 125;

/// What a client sent, whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Frame<'a> {
    /// A text, put together where it came in fragments.
    Text(&'a str),
    /// Something else than text.
    Binary,
    /// To be answered with the same payload.
    Ping(&'a [u8]),
    /// Answers our ping.
    Pong(&'a [u8]),
    /// The client closes, with this code where it gave one.
    Close(Option<u16>),
}

/// Why what came is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Broken {
    /// Against RFC 6455.
    Protocol,
    /// A text that is not UTF-8.
    NotUtf8,
    /// More than a message may have.
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
struct Head {
    last: bool,
    kind: Kind,
    mask: [u8; 4],
    /// Bytes of the head itself, and of the payload behind it.
    head: usize,
    payload: usize,
}

/// Puts fragments together.
#[derive(Debug, Default)]
pub struct Assembly {
    /// Those that came so far, and whether they are of a text.
    fragments: Option<(bool, Vec<u8>)>,
    /// The message that was put together last, until it has been looked at.
    done: Vec<u8>,
}

impl Assembly {
    /// Takes one frame off the front: how many bytes it has, and what it says unless it is a fragment with more to
    /// come. Nothing where it is not there to its end. Messages of more than `limit` bytes are refused by their head.
    ///
    /// # Errors
    /// It must not be.
    pub fn take<'a>(
        &'a mut self,
        bytes: &'a mut [u8],
        limit: usize,
    ) -> Result<Option<(usize, Option<Frame<'a>>)>, Broken> {
        self.done = Vec::new();
        let before = self.fragments.as_ref().map_or(0, |(_, fragments)| fragments.len());
        let Some(head) = head(bytes, before, limit)? else { return Ok(None) };
        let length = head.head + head.payload;
        let Some(payload) = bytes.get_mut(head.head..length) else { return Ok(None) };
        unmask(payload, head.mask);
        self.frame(head, payload).map(|frame| Some((length, frame)))
    }

    fn frame<'a>(&'a mut self, head: Head, payload: &'a [u8]) -> Result<Option<Frame<'a>>, Broken> {
        let message = match (head.kind, &mut self.fragments) {
            (Kind::Ping, _) => return Ok(Some(Frame::Ping(payload))),
            (Kind::Pong, _) => return Ok(Some(Frame::Pong(payload))),
            (Kind::Close, _) => return close_code(payload).map(|code| Some(Frame::Close(code))),
            (Kind::Text, None) if head.last => (true, payload),
            (Kind::Binary, None) if head.last => (false, payload),
            (Kind::Text | Kind::Binary, fragments @ None) => {
                *fragments = Some((head.kind == Kind::Text, payload.to_vec()));
                return Ok(None);
            }
            (Kind::Continuation, Some((text, fragments))) => {
                fragments.extend_from_slice(payload);
                if !head.last {
                    return Ok(None);
                }
                let text = *text;
                self.done = self.fragments.take().map(|(_, fragments)| fragments).unwrap_or_default();
                (text, self.done.as_slice())
            }
            (Kind::Continuation, None) | (Kind::Text | Kind::Binary, Some(_)) => return Err(Broken::Protocol),
        };
        match message {
            (true, payload) => from_utf8(payload).map(|text| Some(Frame::Text(text))).map_err(|_| Broken::NotUtf8),
            (false, _) => Ok(Some(Frame::Binary)),
        }
    }
}

/// Reads the head of a frame; `before` bytes of its message came in earlier fragments.
fn head(bytes: &[u8], before: usize, limit: usize) -> Result<Option<Head>, Broken> {
    let [first, second, rest @ ..] = bytes else { return Ok(None) };
    // Nobody has agreed on extensions, and clients mask.
    if first & 0b0111_0000 != 0 || second & 0b1000_0000 == 0 {
        return Err(Broken::Protocol);
    }
    let kind = match first & 0b0000_1111 {
        0 => Kind::Continuation,
        1 => Kind::Text,
        2 => Kind::Binary,
        8 => Kind::Close,
        9 => Kind::Ping,
        10 => Kind::Pong,
        _ => return Err(Broken::Protocol),
    };
    let last = first & 0b1000_0000 != 0;
    let short = usize::from(second & 0b0111_1111);
    if matches!(kind, Kind::Close | Kind::Ping | Kind::Pong) && (!last || short > CONTROL) {
        return Err(Broken::Protocol);
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
        return Err(Broken::TooLarge);
    }
    let Some((mask, rest)) = rest.split_first_chunk() else { return Ok(None) };
    Ok(Some(Head { last, kind, mask: *mask, head: bytes.len() - rest.len(), payload }))
}

fn unmask(payload: &mut [u8], mask: [u8; 4]) {
    let [a, b, c, d] = mask;
    let wide = u64::from_ne_bytes([a, b, c, d, a, b, c, d]);
    let (chunks, rest) = payload.as_chunks_mut();
    for chunk in chunks {
        *chunk = (u64::from_ne_bytes(*chunk) ^ wide).to_ne_bytes();
    }
    rest.iter_mut().zip(mask.into_iter().cycle()).for_each(|(byte, key)| *byte ^= key);
}

/// The code of a close, which may have none (RFC 6455, 7.4).
fn close_code(payload: &[u8]) -> Result<Option<u16>, Broken> {
    let Some((code, reason)) = payload.split_first_chunk() else {
        return if payload.is_empty() { Ok(None) } else { Err(Broken::Protocol) };
    };
    let code = u16::from_be_bytes(*code);
    if !matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999) {
        return Err(Broken::Protocol);
    }
    from_utf8(reason).map(|_| Some(code)).map_err(|_| Broken::NotUtf8)
}

/// The head of a text frame of the server, and how many bytes of it count.
pub fn text_head(payload: usize) -> ([u8; 10], usize) {
    head_of(0x81, payload)
}

fn head_of(first: u8, payload: usize) -> ([u8; 10], usize) {
    let mut head = [first, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let length = (payload as u64).to_be_bytes();
    let [.., high, low] = length;
    let [_, second, rest @ ..] = &mut head;
    match payload {
        0..126 => {
            *second = low;
            (head, 2)
        }
        126..0x1_0000 => {
            let [left, right, ..] = rest;
            (*second, *left, *right) = (126, high, low);
            (head, 4)
        }
        _ => {
            (*second, *rest) = (127, length);
            (head, 10)
        }
    }
}

fn frame_of(first: u8, payload: &[&[u8]]) -> Vec<u8> {
    let length = payload.iter().map(|part| part.len()).sum();
    let (head, size) = head_of(first, length);
    let mut frame = Vec::with_capacity(size + length);
    frame.extend(head.iter().take(size));
    payload.iter().for_each(|part| frame.extend_from_slice(part));
    frame
}

/// A text.
pub fn text_frame(text: &str) -> Vec<u8> {
    frame_of(0x81, &[text.as_bytes()])
}

/// A ping; the payload comes back in the pong.
pub fn ping_frame(payload: &[u8; 16]) -> Vec<u8> {
    frame_of(0x89, &[payload])
}

/// Answers a ping.
pub fn pong_frame(payload: &[u8]) -> Vec<u8> {
    frame_of(0x8a, &[payload])
}

/// A close; reasons of ours are short.
pub fn close_frame(code: u16, reason: &str) -> Vec<u8> {
    let reason = reason.get(..CONTROL - 2).unwrap_or(reason);
    frame_of(0x88, &[&code.to_be_bytes(), reason.as_bytes()])
}

#[cfg(test)]
#[path = "frame_tests.rs"]
mod tests;
