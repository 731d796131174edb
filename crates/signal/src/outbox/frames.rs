//! Frames as they wait in an outbox and go over the wire.

use std::collections::VecDeque;
use std::io::Write as _;

use peersync_websocket::text_frame_header;

/// What a frame adds to the pieces of a message at most: its header and its number, in bytes.
pub const FRAME: usize = 40;

/// Appends a text frame with `{"seq":7,` and the pieces. Returns its length in bytes.
pub fn append(frames: &mut VecDeque<u8>, number: u64, pieces: &[&str]) -> usize {
    const MAX_START: usize = r#"{"seq":18446744073709551615,"#.len();
    let mut start = [0; MAX_START];
    let mut rest = start.as_mut_slice();
    // The array is long enough for the largest number.
    let _ = write!(rest, r#"{{"seq":{number},"#);
    let unused = rest.len();
    let start = start.get(..MAX_START - unused).unwrap_or_default();
    let payload = start.len() + pieces.iter().map(|piece| piece.len()).sum::<usize>();
    let (header, size) = text_frame_header(payload);
    // A quarter more than is needed: doubling would leave half of a large queue unused.
    if frames.capacity() - frames.len() < size + payload {
        frames.reserve_exact((size + payload).max(frames.len() / 4));
    }
    frames.extend(header.iter().take(size));
    frames.extend(start);
    pieces.iter().for_each(|piece| frames.extend(piece.as_bytes()));
    size + payload
}

/// Frees an empty queue: an idle client keeps no buffer.
pub fn shrink(frames: &mut VecDeque<u8>) {
    if frames.is_empty() && frames.capacity() > 0 {
        *frames = VecDeque::new();
    }
}
