//! Tickets for the signaling server: short-lived proofs that it verifies without a call to the API.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::crypto::{CryptoProvider, JwtSigner, JwtVerifier, KeyUtils};
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::signature::{self, Signer, Verifier};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use ring::{digest, hmac};
use serde::{Deserialize, Serialize};

/// The lifetime of a ticket in seconds.
pub const TICKET_SECONDS: i64 = 60;
/// The audience of a ticket.
const AUDIENCE: &str = "signal";
/// The lifetime of a re-entry in seconds. A server gives a new one long before, and whoever has lost the server longer than
/// that asks for a ticket.
pub const REENTRY_SECONDS: i64 = 300;
/// The audience of a re-entry, so that neither it nor a ticket is taken for the other.
const REENTRY_AUDIENCE: &str = "reentry";

/// The audience of what tells a signaling server that its host is about to be replaced.
const HANDOVER_AUDIENCE: &str = "handover";
/// The header of a request to `/ws` that carries it.
pub const HANDOVER_HEADER: &str = "x-peersync-handover";

/// The claims of a ticket, or of a re-entry: what a signaling server states about the holder of a session, so that its
/// successor opens one for the same holder without a ticket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// The issuer: the stack's name.
    pub iss: String,
    /// The audience: `signal` for a ticket, `reentry` for a re-entry.
    pub aud: String,
    /// The subject: the key of the user's address, or `guest:` and a random id.
    pub sub: String,
    /// The user's address as people are shown it, if it differs from the key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// The name that others see.
    pub name: String,
    /// Whether the bearer has no account.
    #[serde(default)]
    pub guest: bool,
    /// The generation of the user's account when it was issued. Guests have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generation: Option<String>,
    /// The sign-in session by which it was issued, as [`crate::store::session_id`] names it. Guests have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// The room for which the API issued it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub room: Option<String>,
    /// The signaling server that states a re-entry, and never accepts it itself. Tickets have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server: Option<String>,
    /// The public id that the holder of a re-entry has in rooms. Tickets have none, nor do re-entries of an earlier version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peer: Option<String>,
    /// The ticket's id, or the one that all re-entries of a session and its successors share. A signaling server accepts
    /// each id once.
    pub jti: String,
    /// When it was issued, in seconds since 1970.
    pub iat: i64,
    /// When it expires, in seconds since 1970.
    pub exp: i64,
}

/// The holder of a ticket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bearer {
    /// See [`Claims::sub`].
    pub subject: String,
    /// See [`Claims::address`].
    pub address: Option<String>,
    /// See [`Claims::name`].
    pub name: String,
    /// See [`Claims::guest`].
    pub guest: bool,
    /// See [`Claims::generation`].
    pub generation: Option<String>,
    /// See [`Claims::session`].
    pub session: Option<String>,
    /// See [`Claims::room`].
    pub room: Option<String>,
}

/// What a signaling server states about a session in a re-entry, besides its holder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stated<'a> {
    /// See [`Claims::jti`].
    pub lineage: &'a str,
    /// See [`Claims::server`].
    pub server: &'a str,
    /// See [`Claims::peer`].
    pub peer: String,
}

/// Why a ticket is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TicketError {
    /// It was not issued by this stack, or was changed.
    #[error("the ticket is not valid")]
    Invalid,
    /// It has expired.
    #[error("the ticket has expired")]
    Expired,
    /// It names a key that is not known: a stranger's, or one that is newer than the known ones.
    #[error("the ticket was signed with an unknown key")]
    UnknownKey,
}

/// A key for tickets: 32 random bytes.
#[derive(Clone, PartialEq, Eq)]
pub struct TicketKey {
    id: String,
    bytes: Vec<u8>,
}

impl TicketKey {
    /// Decodes base64url (with or without padding) of at least 32 bytes.
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

/// The keys of a stack: the one that signs, and all that are accepted. After a rotation these are two: the new one
/// until everybody knows it, the previous one as long as tickets signed with it may be in use.
#[derive(Clone, Debug)]
pub struct TicketKeys {
    issuer: String,
    signing: TicketKey,
    accepted: Vec<TicketKey>,
}

impl TicketKeys {
    /// Returns the keys for tickets of the stack `issuer`: `signing` signs, it and the `other` keys are accepted.
    pub fn new(issuer: &str, signing: TicketKey, other: impl IntoIterator<Item = TicketKey>) -> Self {
        // A second installation fails and keeps the first, which is identical.
        let _ = RING.install_default();
        let accepted = [signing.clone()].into_iter().chain(other).collect();
        Self { issuer: issuer.to_owned(), signing, accepted }
    }

    /// Issues a ticket that expires [`TICKET_SECONDS`] after `now` (in seconds since 1970).
    ///
    /// # Errors
    /// None is known; the library's signature has an error.
    pub fn issue(&self, bearer: Bearer, now: i64) -> Result<String, TicketError> {
        let jti = URL_SAFE_NO_PAD.encode(rand::random::<[u8; 16]>());
        self.sign(self.claims(bearer, AUDIENCE, jti, now, TICKET_SECONDS))
    }

    /// Issues a re-entry of a session that expires [`REENTRY_SECONDS`] after `now` (in seconds since 1970).
    ///
    /// # Errors
    /// As for a ticket.
    pub fn issue_reentry(&self, bearer: Bearer, stated: Stated<'_>, now: i64) -> Result<String, TicketError> {
        let claims = self.claims(bearer, REENTRY_AUDIENCE, stated.lineage.to_owned(), now, REENTRY_SECONDS);
        self.sign(Claims { server: Some(stated.server.to_owned()), peer: Some(stated.peer), ..claims })
    }

    /// Issues what tells a signaling server that its host is about to be replaced. It expires as a ticket does.
    ///
    /// # Errors
    /// As for a ticket.
    pub fn issue_handover(&self, now: i64) -> Result<String, TicketError> {
        let (subject, name) = ("up".to_owned(), String::new());
        let (address, generation, session, room) = (None, None, None, None);
        let bearer = Bearer { subject, address, name, guest: false, generation, session, room };
        let jti = URL_SAFE_NO_PAD.encode(rand::random::<[u8; 16]>());
        self.sign(self.claims(bearer, HANDOVER_AUDIENCE, jti, now, TICKET_SECONDS))
    }

    /// Verifies it, as [`TicketKeys::verify`] does a ticket.
    ///
    /// # Errors
    /// See [`TicketError`].
    pub fn verify_handover(&self, handover: &str, now: i64) -> Result<Claims, TicketError> {
        self.verify_for(HANDOVER_AUDIENCE, handover, now)
    }

    fn claims(&self, bearer: Bearer, audience: &str, jti: String, now: i64, seconds: i64) -> Claims {
        Claims {
            iss: self.issuer.clone(),
            aud: audience.to_owned(),
            address: bearer.address.filter(|address| *address != bearer.subject),
            sub: bearer.subject,
            name: bearer.name,
            guest: bearer.guest,
            generation: bearer.generation,
            session: bearer.session,
            room: bearer.room,
            server: None,
            peer: None,
            jti,
            iat: now,
            exp: now + seconds,
        }
    }

    fn sign(&self, claims: Claims) -> Result<String, TicketError> {
        let header = Header { kid: Some(self.signing.id.clone()), ..Header::new(Algorithm::HS256) };
        let key = EncodingKey::from_secret(&self.signing.bytes);
        jsonwebtoken::encode(&header, &claims, &key).map_err(|_| TicketError::Invalid)
    }

    /// Verifies a ticket at the time `now` (in seconds since 1970). The caller must ensure that it is used only once.
    ///
    /// # Errors
    /// See [`TicketError`].
    pub fn verify(&self, ticket: &str, now: i64) -> Result<Claims, TicketError> {
        self.verify_for(AUDIENCE, ticket, now)
    }

    /// Verifies a re-entry, as [`TicketKeys::verify`] does a ticket. The caller must also ensure that it was not stated by
    /// itself.
    ///
    /// # Errors
    /// See [`TicketError`].
    pub fn verify_reentry(&self, reentry: &str, now: i64) -> Result<Claims, TicketError> {
        self.verify_for(REENTRY_AUDIENCE, reentry, now)
    }

    fn verify_for(&self, audience: &str, token: &str, now: i64) -> Result<Claims, TicketError> {
        let header = jsonwebtoken::decode_header(token).map_err(|_| TicketError::Invalid)?;
        let id = header.kid.as_deref().ok_or(TicketError::Invalid)?;
        let key = self.accepted.iter().find(|key| key.id == id).ok_or(TicketError::UnknownKey)?;
        let key = DecodingKey::from_secret(&key.bytes);
        let mut validation = Validation::new(Algorithm::HS256);
        validation.set_audience(&[audience]);
        validation.set_issuer(&[&self.issuer]);
        validation.set_required_spec_claims(&["exp", "aud", "iss", "sub"]);
        // Checked below with the caller's clock and without the library's leeway of a minute.
        validation.validate_exp = false;
        let claims = jsonwebtoken::decode::<Claims>(token, &key, &validation);
        let claims = claims.map_err(|_| TicketError::Invalid)?.claims;
        if now >= claims.exp { Err(TicketError::Expired) } else { Ok(claims) }
    }
}

/// Provides HMAC-SHA256 by `ring`, so that `jsonwebtoken` needs no second cryptography library. No other algorithm is
/// offered, so a ticket with another one in its header has no verifier.
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
        let (subject, name) = ("ada@example.org".to_owned(), "Ada".to_owned());
        Bearer { subject, address: None, name, guest: false, generation: None, session: None, room: None }
    }

    #[test]
    fn ticket_expires_after_a_minute() {
        let keys = TicketKeys::new("peersync-dev", key(1), None);
        let ticket = keys.issue(ada(), 1000).unwrap();
        let claims = keys.verify(&ticket, 1059).unwrap();
        assert_eq!((claims.sub.as_str(), claims.exp), ("ada@example.org", 1060));
        assert_eq!(keys.verify(&ticket, 1060), Err(TicketError::Expired));
    }

    #[test]
    fn previous_key_is_accepted_only_while_it_is_kept() {
        let ticket = TicketKeys::new("s", key(1), None).issue(ada(), 0).unwrap();
        assert!(TicketKeys::new("s", key(2), Some(key(1))).verify(&ticket, 0).is_ok());
        assert_eq!(TicketKeys::new("s", key(2), None).verify(&ticket, 0), Err(TicketError::UnknownKey));
    }

    #[test]
    fn other_issuer_changed_claim_and_other_algorithm_are_refused() {
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
    fn reentry_is_no_ticket_and_a_ticket_is_no_reentry() {
        let keys = TicketKeys::new("s", key(1), None);
        let stated = Stated { lineage: "session", server: "server", peer: "0f1e2d3c4b5a6978".to_owned() };
        let reentry = keys.issue_reentry(ada(), stated, 1000).unwrap();
        let claims = keys.verify_reentry(&reentry, 1299).unwrap();
        assert_eq!(claims.peer.as_deref(), Some("0f1e2d3c4b5a6978"));
        assert_eq!((claims.jti.as_str(), claims.server.as_deref()), ("session", Some("server")));
        assert_eq!(keys.verify_reentry(&reentry, 1300), Err(TicketError::Expired));
        assert_eq!(keys.verify(&reentry, 1000), Err(TicketError::Invalid));
        assert_eq!(keys.verify_reentry(&keys.issue(ada(), 1000).unwrap(), 1000), Err(TicketError::Invalid));
        assert_eq!(TicketKeys::new("s", key(2), None).verify_reentry(&reentry, 1000), Err(TicketError::UnknownKey));
    }

    #[test]
    fn keys_below_32_bytes_are_refused() {
        assert!(TicketKey::parse(&URL_SAFE_NO_PAD.encode([1; 31])).is_none());
        assert!(TicketKey::parse("not base64!").is_none());
    }
}
