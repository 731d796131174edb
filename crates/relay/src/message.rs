//! Reads requests and writes answers, by `stun-types` and `turn-types`.

use stun_types::attribute::{Attribute as _, AttributeType, AttributeWrite, ErrorCode, Nonce, Realm, Software};
use stun_types::message::{
    IntegrityAlgorithm, IntegrityKey, Message, MessageClass, MessageWrite, MessageWriteExt as _, MessageWriteVec,
};

/// The name of the program in its answers, without a version that would tell attackers what to try.
const SOFTWARE: &str = "PeerSync";

/// Why a request is refused: the code of RFC 8489 or RFC 8656, and a reason that a person may see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) code: u16,
    pub(crate) reason: &'static str,
}

impl Refusal {
    pub(crate) const BAD_REQUEST: Self = Self::new(ErrorCode::BAD_REQUEST, "Bad Request");
    pub(crate) const UNAUTHORIZED: Self = Self::new(ErrorCode::UNAUTHORIZED, "Unauthorized");
    pub(crate) const STALE_NONCE: Self = Self::new(ErrorCode::STALE_NONCE, "Stale Nonce");
    pub(crate) const FORBIDDEN: Self =
        Self::new(ErrorCode::FORBIDDEN, "This relay sends only to addresses that it has given");
    pub(crate) const MISMATCH: Self = Self::new(ErrorCode::ALLOCATION_MISMATCH, "Allocation Mismatch");
    pub(crate) const WRONG_CREDENTIALS: Self = Self::new(ErrorCode::WRONG_CREDENTIALS, "Wrong Credentials");
    pub(crate) const ONLY_UDP: Self =
        Self::new(ErrorCode::UNSUPPORTED_TRANSPORT_PROTOCOL, "Unsupported Transport Protocol");
    pub(crate) const ADDRESS_FAMILY: Self =
        Self::new(ErrorCode::ADDRESS_FAMILY_NOT_SUPPORTED, "Address Family not Supported");
    pub(crate) const PEER_FAMILY: Self =
        Self::new(ErrorCode::PEER_ADDRESS_FAMILY_MISMATCH, "Peer Address Family Mismatch");
    pub(crate) const QUOTA: Self = Self::new(ErrorCode::ALLOCATION_QUOTA_REACHED, "Allocation Quota Reached");
    pub(crate) const CAPACITY: Self = Self::new(ErrorCode::INSUFFICIENT_CAPACITY, "Insufficient Capacity");
    pub(crate) const BUDGET: Self =
        Self::new(ErrorCode::INSUFFICIENT_CAPACITY, "The relay's traffic of this month is used up");

    const fn new(code: u16, reason: &'static str) -> Self {
        Self { code, reason }
    }
}

/// Returns the message in a packet, which must fill it exactly.
pub(crate) fn parse(packet: &[u8]) -> Option<Message<'_>> {
    let length = packet.get(2..4).and_then(|length| length.first_chunk::<2>())?;
    if usize::from(u16::from_be_bytes(*length)) + 20 != packet.len() {
        return None;
    }
    Message::from_bytes(packet).ok()
}

/// Returns whether a message is a request, which must be answered.
pub(crate) fn is_request(message: &Message<'_>) -> bool {
    message.has_class(MessageClass::Request)
}

/// Returns the attributes of a request that must be understood and are not among `known`.
pub(crate) fn unknown(request: &Message<'_>, known: &[AttributeType]) -> Vec<AttributeType> {
    let types = request.iter_attributes().map(|(_, attribute)| attribute.get_type());
    types.filter(|kind| kind.comprehension_required() && !known.contains(kind)).collect()
}

/// Who may read an answer, and how it proves where it comes from.
pub(crate) enum Seal<'a> {
    /// Nobody has proved anything yet.
    None,
    /// The client is asked to prove itself with this realm and nonce.
    Challenge { realm: &'a str, nonce: &'a str },
    /// The client has proved itself with this key, and can check the answer with it.
    Key(&'a IntegrityKey),
}

/// Writes the answer to a request that succeeds.
pub(crate) fn success(request: &Message<'_>, attributes: &[&dyn AttributeWrite], seal: &Seal<'_>) -> Option<Vec<u8>> {
    finish(Message::builder_success(request, MessageWriteVec::with_capacity(128)), attributes, seal)
}

/// Writes the answer to a request that is refused.
pub(crate) fn refuse(request: &Message<'_>, refusal: Refusal, seal: &Seal<'_>) -> Option<Vec<u8>> {
    let code = ErrorCode::new(refusal.code, refusal.reason).ok()?;
    finish(Message::builder_error(request, MessageWriteVec::with_capacity(128)), &[&code], seal)
}

/// Writes the answer to a request with attributes that are not understood.
pub(crate) fn refuse_unknown(request: &Message<'_>, unknown: &[AttributeType], seal: &Seal<'_>) -> Option<Vec<u8>> {
    finish(Message::unknown_attributes(request, unknown, MessageWriteVec::with_capacity(128)), &[], seal)
}

fn finish(mut answer: MessageWriteVec, attributes: &[&dyn AttributeWrite], seal: &Seal<'_>) -> Option<Vec<u8>> {
    for attribute in attributes {
        answer.add_attribute(*attribute).ok()?;
    }
    if let Seal::Challenge { realm, nonce } = seal {
        answer.add_attribute(&Realm::new(realm).ok()?).ok()?;
        answer.add_attribute(&Nonce::new(nonce).ok()?).ok()?;
    }
    answer.add_attribute(&Software::new(SOFTWARE).ok()?).ok()?;
    if let Seal::Key(key) = seal {
        answer.add_message_integrity_with_key(key, IntegrityAlgorithm::Sha1).ok()?;
    }
    answer.add_fingerprint().ok()?;
    Some(answer.finish())
}
