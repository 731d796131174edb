//! The mail of `local`: an SMTP server that accepts what the API sends, the mailbox that keeps it, and a page to read it.

mod mailbox;
mod page;
mod parse;
mod sink;

pub use mailbox::{Mailbox, Message};
pub use page::router;
pub use sink::{Sink, converse, serve};
