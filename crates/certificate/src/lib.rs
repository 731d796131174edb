//! The certificate of a host that ends TLS itself: obtained by ACME (RFC 8555) through the challenge TLS-ALPN-01 (RFC 8737),
//! which needs no other port than 443, and renewed in the background.
//!
//! **A new host costs no certificate.** The account at the authority and the certificate are kept in the stack
//! ([`Storage`], [`Parameters`]), and only if that surely has no valid one is another ordered. Nothing is ordered either
//! unless what is obtained can be kept, and unless the name leads to this host ([`Reach`]): authorities count what fails,
//! and refuse after a few.
//!
//! **Who has issued a certificate may want it back.** The keeper asks the authority when to renew (RFC 9773), which
//! answers "now" about one that it has revoked. If it does not say, two thirds of the lifetime decide.
//!
//! **A failure never ends what works.** [`Keeper::keep`] goes on for ever, logs each failure and tries again, at growing
//! intervals; meanwhile the certificate at hand is served by [`Certificates`].

mod authority;
mod certificates;
mod keeper;
mod kept;
mod order;
mod pauses;
mod reach;
mod renewal_info;
mod storage;

pub use authority::{Authority, Http, LETS_ENCRYPT};
pub use certificates::Certificates;
pub use keeper::{Keeper, KeeperError, Settings};
pub use kept::{KeptCertificate, Unusable};
pub use storage::{Parameters, Storage, StorageError, Stored};
