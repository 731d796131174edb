//! Nonces that need no memory: the second at which one was given, and a proof that this relay gave it to this address.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::hmac;

/// The number of bytes of the proof. Whoever guesses one still needs credentials.
const PROOF: usize = 8;

/// Gives and checks nonces. They are valid for one relay: a restart makes clients ask again.
#[derive(Debug)]
pub(crate) struct Nonces {
    key: hmac::Key,
    begin: Instant,
    lifetime: Duration,
}

impl Nonces {
    /// Returns the source of nonces that begins at `now`.
    pub(crate) fn new(now: Instant, lifetime: Duration) -> Self {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &rand::random::<[u8; 32]>());
        Self { key, begin: now, lifetime }
    }

    /// Returns the nonce for a client's address.
    pub(crate) fn give(&self, now: Instant, address: IpAddr) -> String {
        self.at(self.second(now), address)
    }

    /// Returns whether a nonce was given to this address and is not too old.
    pub(crate) fn accepts(&self, nonce: &str, now: Instant, address: IpAddr) -> bool {
        let Ok(bytes) = URL_SAFE_NO_PAD.decode(nonce) else { return false };
        let Some(second) = bytes.first_chunk::<4>().map(|second| u32::from_be_bytes(*second)) else { return false };
        let age = u64::from(self.second(now).saturating_sub(second));
        age < self.lifetime.as_secs() && self.at(second, address) == nonce
    }

    fn second(&self, now: Instant) -> u32 {
        u32::try_from(now.saturating_duration_since(self.begin).as_secs()).unwrap_or(u32::MAX)
    }

    fn at(&self, second: u32, address: IpAddr) -> String {
        let mut context = hmac::Context::with_key(&self.key);
        context.update(&second.to_be_bytes());
        match address.to_canonical() {
            IpAddr::V4(address) => context.update(&address.octets()),
            IpAddr::V6(address) => context.update(&address.octets()),
        }
        let mut nonce = second.to_be_bytes().to_vec();
        nonce.extend(context.sign().as_ref().iter().take(PROOF));
        URL_SAFE_NO_PAD.encode(nonce)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ADA: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));
    const BOB: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 2));

    #[test]
    fn nonce_is_valid_for_its_address_until_it_is_too_old() {
        let begin = Instant::now();
        let nonces = Nonces::new(begin, Duration::from_secs(10));
        let nonce = nonces.give(begin + Duration::from_secs(5), ADA);
        assert!(nonces.accepts(&nonce, begin + Duration::from_secs(14), ADA));
        assert!(!nonces.accepts(&nonce, begin + Duration::from_secs(15), ADA));
        assert!(!nonces.accepts(&nonce, begin + Duration::from_secs(5), BOB));
        assert!(!Nonces::new(begin, Duration::from_secs(10)).accepts(&nonce, begin, ADA));
    }

    #[test]
    fn anything_else_is_no_nonce() {
        let begin = Instant::now();
        let nonces = Nonces::new(begin, Duration::from_secs(10));
        for text in ["", "AAAA", "not base64!", "AAAAAAAAAAAAAAAA"] {
            assert!(!nonces.accepts(text, begin, ADA), "{text}");
        }
    }
}
