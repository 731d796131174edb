//! Where text is written to. A reader that goes away, as `head` does, never stops the work and never causes a panic.

use parking_lot::Mutex;
use std::io::{self, Write};
use std::sync::Arc;

/// A writer that several reporters share.
#[derive(Clone)]
pub struct Sink(Arc<Mutex<Box<dyn Write + Send>>>);

impl Sink {
    /// Creates a sink for this writer.
    pub fn new(writer: impl Write + Send + 'static) -> Self {
        Self(Arc::new(Mutex::new(Box::new(writer))))
    }

    /// Returns a sink for standard output.
    pub fn stdout() -> Self {
        Self::new(io::stdout())
    }

    /// Returns a sink for standard error.
    pub fn stderr() -> Self {
        Self::new(io::stderr())
    }

    /// Writes the whole text and a newline. A failure is ignored, because nobody is left to notify.
    pub fn line(&self, text: &str) {
        let _ = self.try_line(text);
    }

    /// Writes the whole text and a newline.
    ///
    /// # Errors
    /// Fails if the reader is gone or the disk is full.
    pub fn try_line(&self, text: &str) -> io::Result<()> {
        let mut writer = self.0.lock();
        writer.write_all(format!("{text}\n").as_bytes())?;
        writer.flush()
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A writer that keeps what was written, for tests.
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

    /// A writer whose reader has gone away.
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
    fn closed_pipe_is_an_error_only_for_try_line() {
        let sink = Sink::new(Closed);
        sink.line("unread");
        assert_eq!(sink.try_line("unread").map_err(|error| error.kind()), Err(io::ErrorKind::BrokenPipe));
    }
}
