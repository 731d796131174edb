//! The rules of friendship, without the database. A pair of users has two rows, one for each. Both change in one
//! transaction that is conditional on the statuses that were read, so the two sides always agree:
//!
//! | row (A, B) | row (B, A) |
//! |---|---|
//! | none | none |
//! | `requested` | `received` |
//! | `accepted` | `accepted` |
//! | `rejected` | `rejected` |
//! | `blocked` | none, `requested`, `rejected` or `blocked` |
//!
//! A user who is blocked is not told: what that user sees of the own row changes as it would if the other one had not
//! answered, or had ended the friendship.

/// What one user's row says about another user.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Status {
    /// The owner of the row asked and has no answer yet.
    Requested,
    /// The owner of the row was asked.
    Received,
    /// They are friends.
    Accepted,
    /// A request was rejected. A new one may be sent.
    Rejected,
    /// The owner of the row has blocked the other user, who is not told.
    Blocked,
}

impl Status {
    /// Returns the status as it is stored and shown.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Requested => "requested",
            Self::Received => "received",
            Self::Accepted => "accepted",
            Self::Rejected => "rejected",
            Self::Blocked => "blocked",
        }
    }

    pub(super) fn parse(text: &str) -> Option<Self> {
        [Self::Requested, Self::Received, Self::Accepted, Self::Rejected, Self::Blocked]
            .into_iter()
            .find(|status| status.as_str() == text)
    }
}

/// The two rows of a pair, that of the acting user first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pair {
    /// The row of the acting user.
    pub mine: Option<Status>,
    /// The row of the other user.
    pub theirs: Option<Status>,
}

impl Pair {
    /// Returns whether they are friends.
    pub fn are_friends(self) -> bool {
        self.mine == Some(Status::Accepted) && self.theirs == Some(Status::Accepted)
    }
}

/// What a user does about another user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Sends a friend request.
    Ask,
    /// Accepts a request.
    Accept,
    /// Rejects a request.
    Reject,
    /// Ends a friendship, withdraws a request, or lifts a block.
    Remove,
    /// Blocks the other user.
    Block,
    /// Removes the connection because the account is being deleted.
    Forget,
}

/// The outcome of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The rows change to these.
    Change(Pair),
    /// The rows stay as they are: nothing to change, or no permission to.
    Keep,
    /// No request exists to accept or reject.
    NoRequest,
}

/// Returns the outcome of an operation on a pair.
pub fn transition(operation: Operation, pair: Pair) -> Outcome {
    use Status::{Accepted, Blocked, Received, Rejected, Requested};
    let change = |mine, theirs| Outcome::Change(Pair { mine, theirs });
    let both = |status| change(Some(status), Some(status));
    let theirs_if_blocked = pair.theirs.filter(|status| *status == Blocked);
    // A friendship ends and a request of the blocking user is withdrawn, which can happen without a block too.
    let theirs_if_not_told = pair.theirs.filter(|status| matches!(status, Blocked | Requested | Rejected));
    match (operation, pair.mine, pair.theirs) {
        (Operation::Ask, None | Some(Rejected | Blocked), Some(Blocked)) => change(Some(Requested), Some(Blocked)),
        (Operation::Ask, _, Some(Blocked)) => Outcome::Keep,
        (Operation::Ask, Some(Received), _) | (Operation::Ask, Some(Blocked), Some(Requested)) => both(Accepted),
        (Operation::Ask, Some(Requested | Accepted), _) => Outcome::Keep,
        (Operation::Ask, None | Some(Rejected | Blocked), _) => change(Some(Requested), Some(Received)),
        (Operation::Accept, Some(Received), _) => both(Accepted),
        (Operation::Accept, Some(Accepted), _) => Outcome::Keep,
        (Operation::Reject, Some(Received), _) => both(Rejected),
        (Operation::Reject, Some(Rejected), _) => Outcome::Keep,
        (Operation::Accept | Operation::Reject, _, _) => Outcome::NoRequest,
        (Operation::Remove | Operation::Forget, None, _) => Outcome::Keep,
        (Operation::Remove | Operation::Forget, Some(_), _) => change(None, theirs_if_blocked),
        (Operation::Block, Some(Blocked), _) => Outcome::Keep,
        (Operation::Block, _, _) => change(Some(Blocked), theirs_if_not_told),
    }
}

/// Returns the rows of one pair in place of those of two, whose people turned out to be the same. A block by either side
/// stays; friends are friends; requests in both directions are a friendship; and a request outlives a rejection.
pub(super) fn united(one: Pair, other: Pair) -> Pair {
    use Status::{Accepted, Blocked, Rejected, Requested};
    let has = |status: Status| [one.mine, other.mine, one.theirs, other.theirs].contains(&Some(status));
    let asked = |pair: Pair| pair.mine == Some(Requested);
    let was_asked = |pair: Pair| pair.theirs == Some(Requested);
    let both = |status| Pair { mine: Some(status), theirs: Some(status) };
    if has(Blocked) {
        // Who is blocked goes on seeing what tells nothing of it.
        let first = |rows: [Option<Status>; 2]| {
            [Blocked, Requested, Rejected].into_iter().find(|status| rows.contains(&Some(*status)))
        };
        return Pair { mine: first([one.mine, other.mine]), theirs: first([one.theirs, other.theirs]) };
    }
    match (has(Accepted), asked(one) || asked(other), was_asked(one) || was_asked(other)) {
        (true, _, _) | (_, true, true) => both(Accepted),
        (_, true, _) => Pair { mine: Some(Requested), theirs: Some(Status::Received) },
        (_, _, true) => Pair { mine: Some(Status::Received), theirs: Some(Requested) },
        _ if has(Rejected) => both(Rejected),
        _ => Pair { mine: None, theirs: None },
    }
}

#[cfg(test)]
mod tests {
    use super::Status::{Accepted, Blocked, Received, Rejected, Requested};
    use super::*;

    const AGREEING: [(Option<Status>, Option<Status>); 12] = [
        (None, None),
        (Some(Requested), Some(Received)),
        (Some(Received), Some(Requested)),
        (Some(Accepted), Some(Accepted)),
        (Some(Rejected), Some(Rejected)),
        (Some(Blocked), None),
        (None, Some(Blocked)),
        (Some(Blocked), Some(Blocked)),
        (Some(Blocked), Some(Requested)),
        (Some(Requested), Some(Blocked)),
        (Some(Blocked), Some(Rejected)),
        (Some(Rejected), Some(Blocked)),
    ];
    const OPERATIONS: [Operation; 6] =
        [Operation::Ask, Operation::Accept, Operation::Reject, Operation::Remove, Operation::Block, Operation::Forget];

    #[test]
    fn both_sides_agree_after_every_operation() {
        for (mine, theirs) in AGREEING {
            for operation in OPERATIONS {
                if let Outcome::Change(after) = transition(operation, Pair { mine, theirs }) {
                    assert!(AGREEING.contains(&(after.mine, after.theirs)), "{operation:?} on {mine:?}, {theirs:?}");
                    assert_ne!((after.mine, after.theirs), (mine, theirs), "{operation:?} changes nothing");
                }
            }
        }
    }

    #[test]
    fn repeated_operation_changes_nothing() {
        for (mine, theirs) in AGREEING {
            for operation in OPERATIONS {
                if let Outcome::Change(after) = transition(operation, Pair { mine, theirs }) {
                    assert_eq!(transition(operation, after), Outcome::Keep, "{operation:?} on {mine:?}, {theirs:?}");
                }
            }
        }
    }

    #[test]
    fn no_operation_overrides_a_block_of_the_other() {
        for operation in OPERATIONS {
            for mine in [None, Some(Blocked), Some(Requested), Some(Rejected)] {
                if let Outcome::Change(after) = transition(operation, Pair { mine, theirs: Some(Blocked) }) {
                    assert_eq!(after.theirs, Some(Blocked), "{operation:?}");
                }
            }
        }
    }

    #[test]
    fn only_the_user_who_was_asked_creates_a_friendship() {
        for (mine, theirs) in AGREEING {
            for operation in OPERATIONS {
                let outcome = transition(operation, Pair { mine, theirs });
                let made = matches!(outcome, Outcome::Change(Pair { mine: Some(Accepted), .. }));
                let asked = mine == Some(Received) || theirs == Some(Requested);
                assert!(!made || asked, "{operation:?} on {mine:?}, {theirs:?}");
            }
        }
    }

    #[test]
    fn blocked_user_sees_the_own_row_change_as_without_the_block() {
        // What the other side sees if the user who blocked had done nothing.
        for operation in [Operation::Ask, Operation::Reject, Operation::Remove, Operation::Block] {
            for mine in [None, Some(Requested), Some(Rejected)] {
                let theirs = match mine {
                    Some(Requested) => Some(Received),
                    other => other,
                };
                let after = |theirs| match transition(operation, Pair { mine, theirs }) {
                    Outcome::Change(after) => Ok(after.mine),
                    Outcome::Keep => Ok(mine),
                    Outcome::NoRequest => Err(()),
                };
                assert_eq!(after(Some(Blocked)), after(theirs), "{operation:?} on {mine:?}");
            }
        }
    }

    #[test]
    fn united_pairs_agree_and_no_block_is_lost() {
        for (mine, theirs) in AGREEING {
            for (other_mine, other_theirs) in AGREEING {
                let (one, other) = (Pair { mine, theirs }, Pair { mine: other_mine, theirs: other_theirs });
                let pair = united(one, other);
                assert!(AGREEING.contains(&(pair.mine, pair.theirs)), "{one:?} and {other:?} give {pair:?}");
                assert_eq!(pair, united(other, one));
                assert_eq!(united(pair, Pair { mine: None, theirs: None }), pair);
                let blocks = |mine: Option<Status>, other: Option<Status>| [mine, other].contains(&Some(Blocked));
                assert_eq!(pair.mine == Some(Blocked), blocks(one.mine, other.mine));
                assert_eq!(pair.theirs == Some(Blocked), blocks(one.theirs, other.theirs));
                let friends = [mine, other_mine].contains(&Some(Accepted));
                let blocked = [mine, theirs, other_mine, other_theirs].contains(&Some(Blocked));
                assert!(!friends || blocked || pair.mine == Some(Accepted), "{one:?} and {other:?} lose a friend");
            }
        }
    }
}
