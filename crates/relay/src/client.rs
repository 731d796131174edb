//! The client's side of the protocol, without sockets: for a look at whether a relay answers, for tests and benchmarks.

use std::net::SocketAddr;

use stun_types::attribute::{AttributeWrite, ErrorCode, MessageIntegrity, Nonce, Realm, Username, XorMappedAddress};
use stun_types::message::{
    BINDING, IntegrityAlgorithm, LongTermKeyCredentials, Message, MessageClass, MessageType, MessageWrite as _,
    MessageWriteExt as _, MessageWriteVec, Method, TransactionId,
};
use stun_types::prelude::AttributeStaticType as _;
use turn_types::attribute::{ChannelNumber, Data, Lifetime, RequestedTransport, XorPeerAddress, XorRelayedAddress};
use turn_types::message::{ALLOCATE, CHANNEL_BIND, CREATE_PERMISSION, REFRESH, SEND};

/// The protocol number of UDP.
const UDP: u8 = 17;

/// What a client asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ask {
    /// Its own address, as the server sees it (STUN).
    Binding,
    /// An allocation, for this many seconds if given.
    Allocate(Option<u32>),
    /// More time for the allocation, in seconds; 0 ends it.
    Refresh(u32),
    /// That these peers may send to it.
    Permit(Vec<SocketAddr>),
    /// A channel with this number to a peer.
    Channel(u16, SocketAddr),
}

/// The credentials of a client, and what the server has told it about proving them.
#[derive(Clone, Debug)]
pub struct Asker {
    username: String,
    password: String,
    /// The realm and the nonce.
    challenge: Option<(String, String)>,
}

/// What a server answers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// Whether the server has proved that it knows the password.
    pub signed: bool,
    /// The code and the reason, if the request was refused.
    pub refused: Option<(u16, String)>,
    /// The client's address, as the server sees it.
    pub mapped: Option<SocketAddr>,
    /// The relayed address.
    pub relayed: Option<SocketAddr>,
    /// The lifetime in seconds.
    pub lifetime: Option<u32>,
}

impl Answer {
    /// Returns the code with which the request was refused.
    pub fn code(&self) -> Option<u16> {
        self.refused.as_ref().map(|(code, _)| *code)
    }
}

impl Asker {
    /// Returns a client with these credentials. Neither is needed for [`Ask::Binding`].
    pub fn new(username: &str, password: &str) -> Self {
        Self { username: username.to_owned(), password: password.to_owned(), challenge: None }
    }

    /// Writes a request. It is signed once the server has told how ([`Self::read`]).
    pub fn ask(&self, ask: &Ask) -> Vec<u8> {
        let transaction = TransactionId::generate();
        match ask {
            Ask::Binding => {
                let mut request = Message::builder_request(BINDING, MessageWriteVec::new());
                // An attribute that cannot be added is left out, and the server refuses the request.
                let _ = request.add_fingerprint();
                request.finish()
            }
            Ask::Allocate(lifetime) => {
                let lifetime = lifetime.map(Lifetime::new);
                let mut attributes: Vec<&dyn AttributeWrite> = Vec::new();
                let transport = RequestedTransport::new(UDP);
                attributes.push(&transport);
                attributes.extend(lifetime.as_ref().map(|lifetime| lifetime as &dyn AttributeWrite));
                self.signed(ALLOCATE, transaction, &attributes)
            }
            Ask::Refresh(seconds) => self.signed(REFRESH, transaction, &[&Lifetime::new(*seconds)]),
            Ask::Permit(peers) => {
                let peers: Vec<_> = peers.iter().map(|peer| XorPeerAddress::new(*peer, transaction)).collect();
                let attributes: Vec<_> = peers.iter().map(|peer| peer as &dyn AttributeWrite).collect();
                self.signed(CREATE_PERMISSION, transaction, &attributes)
            }
            Ask::Channel(number, peer) => {
                let peer = XorPeerAddress::new(*peer, transaction);
                self.signed(CHANNEL_BIND, transaction, &[&ChannelNumber::new(*number), &peer])
            }
        }
    }

    /// Writes a request of any kind with these attributes.
    pub fn signed(&self, method: Method, transaction: TransactionId, attributes: &[&dyn AttributeWrite]) -> Vec<u8> {
        let kind = MessageType::from_class_method(MessageClass::Request, method);
        let mut request = Message::builder(kind, transaction, MessageWriteVec::with_capacity(256));
        for attribute in attributes {
            let _ = request.add_attribute(*attribute);
        }
        if let Some((realm, nonce)) = &self.challenge {
            let texts = (Username::new(&self.username), Realm::new(realm), Nonce::new(nonce));
            if let (Ok(username), Ok(realm), Ok(nonce)) = &texts {
                let _ = request.add_attribute(username);
                let _ = request.add_attribute(realm);
                let _ = request.add_attribute(nonce);
            }
            let key = self.credentials(realm).make_key(IntegrityAlgorithm::Sha1);
            let _ = request.add_message_integrity_with_key(&key, IntegrityAlgorithm::Sha1);
        }
        let _ = request.add_fingerprint();
        request.finish()
    }

    fn credentials(&self, realm: &str) -> LongTermKeyCredentials {
        LongTermKeyCredentials::new(self.username.clone(), self.password.clone(), realm.to_owned())
    }

    /// Reads an answer, and remembers what it says about proving the credentials. Returns `None` if it is none.
    pub fn read(&mut self, packet: &[u8]) -> Option<Answer> {
        let answer = Message::from_bytes(packet).ok().filter(Message::is_response)?;
        if let (Ok(realm), Ok(nonce)) = (answer.attribute::<Realm>(), answer.attribute::<Nonce>()) {
            self.challenge = Some((realm.realm().to_owned(), nonce.nonce().to_owned()));
        }
        let transaction = answer.transaction_id();
        let error = answer.attribute::<ErrorCode>().ok();
        Some(Answer {
            signed: answer.has_attribute(MessageIntegrity::TYPE) && self.proves(&answer),
            refused: error.map(|error| (error.code(), error.reason().to_owned())),
            mapped: answer.attribute::<XorMappedAddress>().ok().map(|address| address.addr(transaction)),
            relayed: answer.attribute::<XorRelayedAddress>().ok().map(|address| address.addr(transaction)),
            lifetime: answer.attribute::<Lifetime>().ok().map(|lifetime| lifetime.seconds()),
        })
    }

    fn proves(&self, answer: &Message<'_>) -> bool {
        let realm = self.challenge.as_ref().map(|(realm, _)| realm.as_str());
        realm.is_some_and(|realm| answer.validate_integrity(&self.credentials(realm).into()).is_ok())
    }
}

/// Returns whether a packet is the successful answer to this request.
pub fn is_answer(packet: &[u8], request: &[u8]) -> bool {
    let (Ok(packet), Ok(request)) = (Message::from_bytes(packet), Message::from_bytes(request)) else { return false };
    packet.has_class(MessageClass::Success)
        && packet.method() == request.method()
        && packet.transaction_id() == request.transaction_id()
}

/// Writes data for a peer as a message, which needs no channel.
pub fn indication(peer: SocketAddr, data: &[u8]) -> Vec<u8> {
    let mut message = Message::builder_indication(SEND, MessageWriteVec::with_capacity(data.len() + 40));
    let peer = XorPeerAddress::new(peer, message.transaction_id());
    let _ = message.add_attribute(&peer);
    let _ = message.add_attribute(&Data::new(data));
    message.finish()
}

/// Reads data that came as a message, and from whom.
pub fn read_indication(packet: &[u8]) -> Option<(SocketAddr, Vec<u8>)> {
    let message = Message::from_bytes(packet).ok()?;
    let peer = message.attribute::<XorPeerAddress>().ok()?.addr(message.transaction_id());
    Some((peer, message.attribute::<Data<'_>>().ok()?.data().to_vec()))
}

/// Writes data for the peer of a channel. The length must fit into 16 bits; what is longer is cut off.
pub fn channel_data(channel: u16, data: &[u8]) -> Vec<u8> {
    let length = u16::try_from(data.len()).unwrap_or(u16::MAX);
    let data = data.iter().take(length.into());
    channel.to_be_bytes().into_iter().chain(length.to_be_bytes()).chain(data.copied()).collect()
}
