//! Bytes of a client, read as frames: at once and byte by byte they give the same frames and the same error.
#![no_main]

use libfuzzer_sys::fuzz_target;
use peersync_websocket::{Assembly, InvalidFrame};

/// Small, so that the fuzzer reaches it.
const LIMIT: usize = 512;

/// Reads the frames of `bytes`, of which `step` more arrive at a time.
fn frames(bytes: &[u8], step: usize) -> (Vec<String>, Option<InvalidFrame>) {
    let (mut assembly, mut frames, mut unread) = (Assembly::default(), Vec::new(), Vec::new());
    for arrived in bytes.chunks(step.max(1)) {
        unread.extend_from_slice(arrived);
        loop {
            match assembly.take(&mut unread, LIMIT) {
                Ok(Some((length, frame))) => {
                    frames.push(format!("{frame:?}"));
                    unread.drain(..length);
                }
                Ok(None) => break,
                Err(error) => return (frames, Some(error)),
            }
        }
    }
    (frames, None)
}

fuzz_target!(|bytes: &[u8]| {
    assert_eq!(frames(bytes, bytes.len()), frames(bytes, 1));
});
