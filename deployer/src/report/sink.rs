//! Where text goes. A reader that went away, as `head` does, never stops the work and never causes a panic.

use parking_lot::Mutex;
use std::io::{self, Write};
use std::sync::Arc;

/// A writer that several renderers share.
#[derive(Clone)]
pub struct Sink(Arc<Mutex<Box<dyn Write + Send>>>);

impl Sink {
    /// Writes to this.
    pub fn new(writer: impl Write + Send + 'static) -> Self {
        Self(Arc::new(Mutex::new(Box::new(writer))))
    }

    /// Standard output.
    pub fn stdout() -> Self {
        Self::new(io::stdout())
    }

    /// Standard error.
    pub fn stderr() -> Self {
        Self::new(io::stderr())
    }

    /// Writes the text with a line's end, whole. Nobody is left to tell where it cannot be written.
    pub fn line(&self, text: &str) {
        let _ = self.try_line(text);
    }

    /// Writes the text with a line's end, whole.
    ///
    /// # Errors
    /// The reader is gone, or the disk is full.
    pub fn try_line(&self, text: &str) -> io::Result<()> {
        let mut writer = self.0.lock();
        writer.write_all(format!("{text}\n").as_bytes())?;
        writer.flush()
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Keeps what was written.
    #[derive(Clone, Default)]
    pub(crate) struct Written(Arc<Mutex<Vec<u8>>>);

    impl Written {
        pub(crate) fn sink(&self) -> Sink {
            Sink::new(self.clone())
        }

        pub(crate) fn text(&self) -> String {
            String::from_utf8_lossy(&self.0.lock()).into_owned()
        }
    }

    impl Write for Written {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// A reader that went away.
    struct Closed;

    impl Write for Closed {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_closed_pipe_is_told_to_who_asks_and_to_nobody_else() {
        let sink = Sink::new(Closed);
        sink.line("unread");
        assert_eq!(sink.try_line("unread").map_err(|error| error.kind()), Err(io::ErrorKind::BrokenPipe));
    }
}
