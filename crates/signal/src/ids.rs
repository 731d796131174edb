//! Names that the server gives: peers and the keys to resume with.

use std::fmt;
use std::str::FromStr;

/// A session's public name, told to the others in its room. It opens nothing: who may send to whom is decided by rooms.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PeerId(u64);

impl PeerId {
    /// A new name at random.
    pub fn random() -> Self {
        Self(rand::random())
    }
}

impl fmt::Display for PeerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl FromStr for PeerId {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        if text.len() != 16 {
            return Err(());
        }
        u64::from_str_radix(text, 16).map(Self).map_err(|_| ())
    }
}

/// What a client continues its session with: the session's name and 128 secret random bits.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct ResumeKey {
    /// Whose session.
    pub peer: PeerId,
    secret: u128,
}

impl ResumeKey {
    /// The key of a new session.
    pub fn random(peer: PeerId) -> Self {
        Self { peer, secret: rand::random() }
    }
}

/// Without the secret.
impl fmt::Debug for ResumeKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ResumeKey({})", self.peer)
    }
}

impl fmt::Display for ResumeKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{:032x}", self.peer, self.secret)
    }
}

impl FromStr for ResumeKey {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (peer, secret) = text.split_at_checked(16).ok_or(())?;
        if secret.len() != 32 {
            return Err(());
        }
        Ok(Self { peer: peer.parse()?, secret: u128::from_str_radix(secret, 16).map_err(|_| ())? })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failure here is the test's failure")]
    use super::*;

    #[test]
    fn names_and_keys_survive_being_written() {
        let peer = PeerId::random();
        assert_eq!(peer.to_string().parse(), Ok(peer));
        let key = ResumeKey::random(peer);
        assert!(key.to_string().parse::<ResumeKey>().unwrap() == key);
        assert!(!format!("{key:?}").contains(&key.to_string()[16..]));
    }

    #[test]
    fn nonsense_is_no_name() {
        for text in ["", "0", "+000000000000001", "000000000000000g", "0000000000000000 ", "ä000000000000000"] {
            let parsed = text.parse::<PeerId>();
            assert!(parsed.is_err() || parsed.unwrap().to_string() == "0000000000000001", "{text}");
            assert!(text.parse::<ResumeKey>().is_err(), "{text}");
        }
    }
}
