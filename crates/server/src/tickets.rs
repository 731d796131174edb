//! Tickets for the signaling server, and credentials for the TURN server. Both are proofs with a short life that the
//! other side checks without asking us.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jsonwebtoken::crypto::{CryptoProvider, JwtSigner, JwtVerifier, KeyUtils};
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::signature::{self, Signer, Verifier};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use ring::{digest, hmac};
use serde::{Deserialize, Serialize};

/// How long a ticket is good for, in seconds.
pub const TICKET_SECONDS: i64 = 60;
/// How long TURN credentials are good for, in seconds. An open tab asks for new ones before.
pub const TURN_SECONDS: i64 = 3600;
/// Whom a ticket is for.
const AUDIENCE: &str = "signal";

/// What a ticket says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// The stack that issued it.
    pub iss: String,
    /// `signal`.
    pub aud: String,
    /// Address of the user, or `guest:` and a random id.
    pub sub: String,
    /// Name that others see.
    pub name: String,
    /// Whether the bearer has no account.
    #[serde(default)]
    pub guest: bool,
    /// The room that the API has checked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub room: Option<String>,
    /// Id of the ticket; the signaling server lets each in once.
    pub jti: String,
    /// When it was issued, seconds since 1970.
    pub iat: i64,
    /// When it ends, seconds since 1970.
    pub exp: i64,
}

/// Whom a ticket is issued to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bearer {
    /// See [`Claims::sub`].
    pub subject: String,
    /// See [`Claims::name`].
    pub name: String,
    /// See [`Claims::guest`].
    pub guest: bool,
    /// See [`Claims::room`].
    pub room: Option<String>,
}

/// Why a ticket is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TicketError {
    /// No ticket of ours, or changed on the way.
    #[error("the ticket is not valid")]
    Invalid,
    /// Its time is over.
    #[error("the ticket has expired")]
    Expired,
}

/// A key for tickets: 32 random bytes.
#[derive(Clone)]
pub struct TicketKey {
    id: String,
    bytes: Vec<u8>,
}

impl TicketKey {
    /// Reads base64url (with or without padding) of 32 bytes or more.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(text.trim().trim_end_matches('=')).ok()?;
        if bytes.len() < 32 {
            return None;
        }
        let digest = hex::encode(digest::digest(&digest::SHA256, &bytes));
        Some(Self { id: digest.get(..8)?.to_owned(), bytes })
    }
}

impl std::fmt::Debug for TicketKey {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("TicketKey").field("id", &self.id).finish_non_exhaustive()
    }
}

/// The keys of a stack: one that signs, and the one before it while tickets signed with it may still be about.
#[derive(Clone, Debug)]
pub struct TicketKeys {
    issuer: String,
    current: TicketKey,
    previous: Option<TicketKey>,
}

impl TicketKeys {
    /// Keys for tickets of the stack `issuer`.
    pub fn new(issuer: &str, current: TicketKey, previous: Option<TicketKey>) -> Self {
        // A second installation fails and leaves the first, which is the same.
        let _ = RING.install_default();
        Self { issuer: issuer.to_owned(), current, previous }
    }

    /// Signs a ticket that ends [`TICKET_SECONDS`] after `now` (seconds since 1970).
    ///
    /// # Errors
    /// None is known; the library's signature has one.
    pub fn issue(&self, bearer: Bearer, now: i64) -> Result<String, TicketError> {
        let claims = Claims {
            iss: self.issuer.clone(),
            aud: AUDIENCE.to_owned(),
            sub: bearer.subject,
            name: bearer.name,
            guest: bearer.guest,
            room: bearer.room,
            jti: URL_SAFE_NO_PAD.encode(rand::random::<[u8; 16]>()),
            iat: now,
            exp: now + TICKET_SECONDS,
        };
        let header = Header { kid: Some(self.current.id.clone()), ..Header::new(Algorithm::HS256) };
        let key = EncodingKey::from_secret(&self.current.bytes);
        jsonwebtoken::encode(&header, &claims, &key).map_err(|_| TicketError::Invalid)
    }

    /// Checks a ticket at the moment `now` (seconds since 1970). That it is used only once is the caller's to see to.
    ///
    /// # Errors
    /// [`TicketError`].
    pub fn verify(&self, ticket: &str, now: i64) -> Result<Claims, TicketError> {
        let header = jsonwebtoken::decode_header(ticket).map_err(|_| TicketError::Invalid)?;
        let keys = [Some(&self.current), self.previous.as_ref()];
        let key = keys.into_iter().flatten().find(|key| header.kid.as_deref() == Some(&key.id));
        let key = DecodingKey::from_secret(&key.ok_or(TicketError::Invalid)?.bytes);
        let mut validation = Validation::new(Algorithm::HS256);
        validation.set_audience(&[AUDIENCE]);
        validation.set_issuer(&[&self.issuer]);
        validation.set_required_spec_claims(&["exp", "aud", "iss", "sub"]);
        // Checked below against the caller's clock and without the library's leeway of a minute.
        validation.validate_exp = false;
        let claims = jsonwebtoken::decode::<Claims>(ticket, &key, &validation);
        let claims = claims.map_err(|_| TicketError::Invalid)?.claims;
        if now >= claims.exp { Err(TicketError::Expired) } else { Ok(claims) }
    }
}

/// What a browser needs to use the TURN server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TurnCredentials {
    /// When they end, and a random id, as the server expects it.
    pub username: String,
    /// The proof.
    pub credential: String,
}

/// Credentials as in draft-uberti-behave-turn-rest-00, section 2.2: `username` is `{end}:{id}`, `credential` is
/// base64 of HMAC-SHA1 over it.
pub fn turn_credentials(secret: &str, now: i64) -> TurnCredentials {
    let id = URL_SAFE_NO_PAD.encode(rand::random::<[u8; 9]>());
    let username = format!("{}:{id}", now + TURN_SECONDS);
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, secret.as_bytes());
    let credential = STANDARD.encode(hmac::sign(&key, username.as_bytes()));
    TurnCredentials { username, credential }
}

/// HMAC-SHA256 by `ring`, so that `jsonwebtoken` needs no second set of cryptography. Nothing else is offered: a ticket
/// with another algorithm in its header has no verifier.
static RING: CryptoProvider = CryptoProvider {
    signer_factory: |algorithm, key| match algorithm {
        Algorithm::HS256 => Ok(Box::new(Hs256(hmac::Key::new(hmac::HMAC_SHA256, key.as_bytes())))),
        _ => Err(ErrorKind::InvalidAlgorithm.into()),
    },
    verifier_factory: |algorithm, key| match algorithm {
        Algorithm::HS256 => Ok(Box::new(Hs256(hmac::Key::new(hmac::HMAC_SHA256, key.try_get_as_bytes()?)))),
        _ => Err(ErrorKind::InvalidAlgorithm.into()),
    },
    key_utils: KeyUtils::new_unimplemented(),
};

struct Hs256(hmac::Key);

impl Signer<Vec<u8>> for Hs256 {
    fn try_sign(&self, message: &[u8]) -> Result<Vec<u8>, signature::Error> {
        Ok(hmac::sign(&self.0, message).as_ref().to_vec())
    }
}

impl JwtSigner for Hs256 {
    fn algorithm(&self) -> Algorithm {
        Algorithm::HS256
    }
}

impl Verifier<Vec<u8>> for Hs256 {
    fn verify(&self, message: &[u8], signature: &Vec<u8>) -> Result<(), signature::Error> {
        hmac::verify(&self.0, message, signature).map_err(|_| signature::Error::new())
    }
}

impl JwtVerifier for Hs256 {
    fn algorithm(&self) -> Algorithm {
        Algorithm::HS256
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a failure here is the test's failure")]
    use super::*;

    fn key(byte: u8) -> TicketKey {
        TicketKey::parse(&URL_SAFE_NO_PAD.encode([byte; 32])).unwrap()
    }

    fn ada() -> Bearer {
        Bearer { subject: "ada@example.org".to_owned(), name: "Ada".to_owned(), guest: false, room: None }
    }

    #[test]
    fn a_ticket_is_good_for_a_minute() {
        let keys = TicketKeys::new("peersync-dev", key(1), None);
        let ticket = keys.issue(ada(), 1000).unwrap();
        let claims = keys.verify(&ticket, 1059).unwrap();
        assert_eq!((claims.sub.as_str(), claims.exp), ("ada@example.org", 1060));
        assert_eq!(keys.verify(&ticket, 1060), Err(TicketError::Expired));
    }

    #[test]
    fn after_a_rotation_both_keys_are_good_and_then_only_the_new_one() {
        let ticket = TicketKeys::new("s", key(1), None).issue(ada(), 0).unwrap();
        assert!(TicketKeys::new("s", key(2), Some(key(1))).verify(&ticket, 0).is_ok());
        assert_eq!(TicketKeys::new("s", key(2), None).verify(&ticket, 0), Err(TicketError::Invalid));
    }

    #[test]
    fn another_stack_a_changed_claim_and_no_algorithm_are_refused() {
        let keys = TicketKeys::new("s", key(1), None);
        let ticket = keys.issue(ada(), 0).unwrap();
        assert_eq!(TicketKeys::new("other", key(1), None).verify(&ticket, 0), Err(TicketError::Invalid));
        let parts: Vec<&str> = ticket.split('.').collect();
        let claims = URL_SAFE_NO_PAD.decode(parts[1]).unwrap();
        let claims = String::from_utf8(claims).unwrap().replace("ada@", "eve@");
        let forged = format!("{}.{}.{}", parts[0], URL_SAFE_NO_PAD.encode(claims), parts[2]);
        assert_eq!(keys.verify(&forged, 0), Err(TicketError::Invalid));
        let header = String::from_utf8(URL_SAFE_NO_PAD.decode(parts[0]).unwrap()).unwrap();
        for algorithm in ["none", "HS512", "RS256"] {
            let header = URL_SAFE_NO_PAD.encode(header.replace("HS256", algorithm));
            assert_eq!(keys.verify(&format!("{header}.{}.", parts[1]), 0), Err(TicketError::Invalid), "{algorithm}");
        }
        for nonsense in ["", ".", "..", "a.b.c", "\u{0}"] {
            assert_eq!(keys.verify(nonsense, 0), Err(TicketError::Invalid));
        }
    }

    #[test]
    fn short_keys_are_refused() {
        assert!(TicketKey::parse(&URL_SAFE_NO_PAD.encode([1; 31])).is_none());
        assert!(TicketKey::parse("not base64!").is_none());
    }

    #[test]
    fn turn_credentials_are_the_documented_hmac() {
        let credentials = turn_credentials("north", 1_700_000_000);
        assert!(credentials.username.starts_with("1700003600:"));
        let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, b"north");
        let proof = STANDARD.decode(&credentials.credential).unwrap();
        assert!(hmac::verify(&key, credentials.username.as_bytes(), &proof).is_ok());
    }
}
