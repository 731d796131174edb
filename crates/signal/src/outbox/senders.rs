//! What other members have sent to one client and has not arrived yet, by sender: who sends too much is refused, so that
//! a client whose line stands still is not thrown out for it.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::addresses::Account;
use crate::bounds::Bounds;
use crate::ids::PeerId;

/// Who sends a message.
#[derive(Clone, Copy, Debug)]
pub struct Sender<'a> {
    /// The session.
    pub peer: PeerId,
    /// The account of its network.
    pub account: &'a Arc<Account>,
}

/// The messages of other members in one outbox, from the first that has not arrived.
#[derive(Debug, Default)]
pub struct Senders {
    messages: VecDeque<Message>,
    shares: Vec<Share>,
}

#[derive(Debug)]
struct Message {
    number: u64,
    peer: PeerId,
    bytes: usize,
}

/// What one sender uses of the outbox. A room has few members, so there are few of them.
#[derive(Debug)]
struct Share {
    peer: PeerId,
    account: Arc<Account>,
    messages: usize,
    bytes: usize,
}

impl Senders {
    /// Returns whether a message of this size keeps within the shares of its sender, of the sender's network, and of all
    /// senders.
    pub fn admit(&self, sender: Sender<'_>, bytes: usize, bounds: &Bounds) -> bool {
        let [mut own, mut network, mut all] = [(1, bytes); 3];
        for share in &self.shares {
            let add = |sum: &mut (usize, usize)| *sum = (sum.0 + share.messages, sum.1 + share.bytes);
            add(&mut all);
            if Arc::ptr_eq(&share.account, sender.account) {
                add(&mut network);
            }
            if share.peer == sender.peer {
                add(&mut own);
            }
        }
        bounds.admit_signal([own, network, all], bytes, sender.account)
    }

    /// Records a message.
    pub fn add(&mut self, number: u64, sender: Sender<'_>, bytes: usize) {
        let peer = sender.peer;
        self.messages.push_back(Message { number, peer, bytes });
        if let Some(share) = self.shares.iter_mut().find(|share| share.peer == peer) {
            // A sender that has resumed from another network is charged to the first one until this has arrived.
            share.account.queue(bytes);
            (share.messages, share.bytes) = (share.messages + 1, share.bytes + bytes);
        } else {
            sender.account.queue(bytes);
            self.shares.push(Share { peer, account: Arc::clone(sender.account), messages: 1, bytes });
        }
    }

    /// Forgets the messages before `first`: they have arrived, or are lost.
    pub fn forget_before(&mut self, first: u64) {
        while let Some(message) = self.messages.pop_front_if(|message| message.number < first) {
            let Some(at) = self.shares.iter().position(|share| share.peer == message.peer) else { continue };
            let Some(share) = self.shares.get_mut(at) else { continue };
            share.account.release(message.bytes);
            (share.messages, share.bytes) = (share.messages - 1, share.bytes - message.bytes);
            if share.messages == 0 {
                self.shares.swap_remove(at);
            }
        }
        if self.messages.is_empty() && self.messages.capacity() > 0 {
            *self = Self::default();
        }
    }
}
