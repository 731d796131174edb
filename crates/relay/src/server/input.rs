//! What was read of a connection: messages, one behind the other, and the part of the next.

use crate::data::CHANNEL_HEADER;

/// The size of a message's header (RFC 8489, section 5).
const MESSAGE_HEADER: usize = 20;
/// The size of the buffer for reading, in bytes, if nothing is in it.
const READ: usize = 2048;

/// The buffer of a connection. It never has room for more than the largest message.
pub(super) struct Input {
    bytes: Vec<u8>,
    /// The maximum size of a message, in bytes.
    most: usize,
}

impl Input {
    /// Creates it. `first` is what was read before.
    pub(super) fn new(first: Vec<u8>, most: usize) -> Self {
        Self { bytes: first, most }
    }

    /// Returns the buffer, with room to read into.
    pub(super) fn room(&mut self) -> &mut Vec<u8> {
        let size = if self.bytes.is_empty() { READ.min(self.most) } else { self.most };
        self.bytes.reserve_exact(size.saturating_sub(self.bytes.len()));
        &mut self.bytes
    }

    /// Takes the complete messages out. Returns false if it is none, or too large.
    pub(super) fn take(&mut self, mut each: impl FnMut(&[u8])) -> bool {
        let mut rest = self.bytes.as_slice();
        let valid = loop {
            let Some(header) = rest.first_chunk::<CHANNEL_HEADER>() else { break true };
            let Some(size) = message_size(*header).filter(|size| *size <= self.most) else { break false };
            let Some((message, following)) = rest.split_at_checked(size) else { break true };
            each(message);
            rest = following;
        };
        let taken = self.bytes.len() - rest.len();
        self.bytes.drain(..taken);
        if self.bytes.is_empty() {
            self.bytes = Vec::new();
        }
        self.bytes.shrink_to(self.most);
        valid
    }
}

/// Returns the size of a message on a connection, padding included (RFC 8656, section 12.5), by its first bytes; `None`
/// if it is neither a message nor data of a channel.
fn message_size(header: [u8; CHANNEL_HEADER]) -> Option<usize> {
    let [kind, _, high, low] = header;
    let length = usize::from(u16::from_be_bytes([high, low]));
    match kind >> 6 {
        0 => Some(MESSAGE_HEADER + length),
        1 => Some(CHANNEL_HEADER + length.next_multiple_of(4)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::Limits;

    /// Reads as a socket does that has all of this: as much as the buffer has room for.
    fn read(input: &mut Input, from: &mut &[u8]) {
        let room = input.room();
        let (now, later) = from.split_at(from.len().min(room.capacity() - room.len()));
        room.extend_from_slice(now);
        *from = later;
    }

    fn channel_data(length: usize) -> Vec<u8> {
        let [high, low] = u16::try_from(length).map_or([0xff; 2], u16::to_be_bytes);
        [&[0x40, 0, high, low][..], &vec![0; length.next_multiple_of(4)]].concat()
    }

    #[test]
    fn part_of_a_message_holds_no_more_than_the_largest_message() {
        let most = Limits::default().message_bytes;
        let largest = channel_data(most - CHANNEL_HEADER);
        for part in [1, 3, CHANNEL_HEADER, 100, READ - 1, READ, READ + 1, most - 1] {
            let mut input = Input::new(Vec::new(), most);
            let mut from = &largest[..part];
            while !from.is_empty() {
                read(&mut input, &mut from);
                assert!(input.take(|_| panic!("it is not complete")));
                assert!(input.room().capacity() <= most, "{} bytes after {part}", input.bytes.capacity());
            }
            assert_eq!(input.bytes.len(), part);
        }
    }

    #[test]
    fn what_was_read_before_keeps_no_more_either() {
        let mut first = Vec::with_capacity(8192);
        first.extend(channel_data(1000));
        first.extend_from_slice(&channel_data(1000)[..500]);
        let mut input = Input::new(first, 4096);
        assert!(input.take(|message| assert_eq!(message, channel_data(1000))));
        assert!(input.bytes.len() == 500 && input.bytes.capacity() <= 4096, "{}", input.bytes.capacity());
    }

    #[test]
    fn messages_are_complete_however_they_are_read() {
        let sizes: Vec<usize> = (0..400).map(|n| n * 37 % 1300).chain([4092, 1, 4092]).collect();
        let sent: Vec<u8> = sizes.iter().flat_map(|size| channel_data(*size)).collect();
        let (mut from, mut input, mut taken) = (sent.as_slice(), Input::new(Vec::new(), 4096), Vec::new());
        while !from.is_empty() {
            read(&mut input, &mut from);
            assert!(input.take(|message| taken.extend_from_slice(message)));
            assert!(input.bytes.capacity() <= 4096);
        }
        assert!(taken == sent, "{} of {} bytes", taken.len(), sent.len());
    }

    #[test]
    fn message_that_is_too_large_is_refused_by_its_header() {
        let mut input = Input::new(channel_data(Limits::default().message_bytes)[..CHANNEL_HEADER].to_vec(), 4096);
        assert!(!input.take(|_| panic!("it is too large")));
    }
}
