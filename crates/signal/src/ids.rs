//! The identifiers that the server issues: peer ids and resume keys.

use std::fmt;
use std::str::FromStr;

/// The length of a resume key as text: 16 and 32 hexadecimal digits.
const KEY_LENGTH: usize = 48;

/// A session's public id, sent to the others in its room. It grants nothing: rooms decide who may send to whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PeerId(u64);

impl PeerId {
    /// Returns a new random id.
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

/// The key with which a client resumes its session: the session's id and 128 secret random bits.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct ResumeKey {
    /// The session.
    pub peer: PeerId,
    secret: u128,
}

impl ResumeKey {
    /// Returns the key of a new session.
    pub fn random(peer: PeerId) -> Self {
        Self { peer, secret: rand::random() }
    }
}

/// Hides the secret.
impl fmt::Debug for ResumeKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ResumeKey({})", self.peer)
    }
}

impl ResumeKey {
    /// Takes a client's `resume` apart: the key, and the re-entry behind it, if it has one.
    pub fn of_resume(resume: &str) -> (Option<Self>, Option<&str>) {
        let (key, reentry) = resume.split_at_checked(KEY_LENGTH).unwrap_or((resume, ""));
        (key.parse().ok(), Some(reentry).filter(|reentry| !reentry.is_empty()))
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
    fn ids_and_keys_round_trip_as_text() {
        let peer = PeerId::random();
        assert_eq!(peer.to_string().parse(), Ok(peer));
        let key = ResumeKey::random(peer);
        assert!(key.to_string().parse::<ResumeKey>().unwrap() == key);
        assert!(!format!("{key:?}").contains(&key.to_string()[16..]));
        let taken = |text: &str| {
            let (key, reentry) = ResumeKey::of_resume(text);
            (key.map(|key| key.to_string()), reentry.map(str::to_owned))
        };
        assert_eq!(taken(&key.to_string()), (Some(key.to_string()), None));
        assert_eq!(taken(&format!("{key}eyJ")), (Some(key.to_string()), Some("eyJ".to_owned())));
        for other in ["", "x", "ä", &"ä".repeat(40)] {
            assert_eq!(taken(other).0, None);
        }
    }

    #[test]
    fn malformed_ids_are_refused() {
        for text in ["", "0", "+000000000000001", "000000000000000g", "0000000000000000 ", "ä000000000000000"] {
            let parsed = text.parse::<PeerId>();
            assert!(parsed.is_err() || parsed.unwrap().to_string() == "0000000000000001", "{text}");
            assert!(text.parse::<ResumeKey>().is_err(), "{text}");
        }
    }
}
