//! Who may become whose friend: the rules, without the database. A pair of people has two rows, one for each; both
//! change in one transaction whose conditions are the statuses that were read, so the two sides always agree:
//!
//! | row (A, B) | row (B, A) |
//! |---|---|
//! | none | none |
//! | `requested` | `received` |
//! | `accepted` | `accepted` |
//! | `rejected` | `rejected` |
//! | `blocked` | none or `blocked` |

/// What one person's row says about another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Status {
    /// Asked, no answer yet.
    Requested,
    /// Was asked.
    Received,
    /// Friends.
    Accepted,
    /// A request was rejected; a new one may be made.
    Rejected,
    /// The row's owner wants nothing from the other. The other is not told.
    Blocked,
}

impl Status {
    /// As it is stored and shown.
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

/// The two rows of a pair, the acting person's first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pair {
    /// The row of the acting person.
    pub mine: Option<Status>,
    /// The row of the other.
    pub theirs: Option<Status>,
}

/// What somebody does about another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Asks to be friends.
    Ask,
    /// Accepts a request.
    Accept,
    /// Rejects a request.
    Reject,
    /// Ends a friendship, takes a request back, or lifts a block.
    Remove,
    /// Wants nothing from the other any more.
    Block,
    /// Deletes the account.
    Forget,
}

/// What an operation comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The rows become these.
    Change(Pair),
    /// It is so already, or nothing may happen.
    Keep,
    /// There is nothing to accept or reject.
    NoRequest,
}

/// The rules, without the database.
pub fn transition(operation: Operation, pair: Pair) -> Outcome {
    use Status::{Accepted, Blocked, Received, Rejected, Requested};
    let change = |mine, theirs| Outcome::Change(Pair { mine, theirs });
    let both = |status| change(Some(status), Some(status));
    let theirs_if_blocked = pair.theirs.filter(|status| *status == Blocked);
    match (operation, pair.mine, pair.theirs) {
        (Operation::Ask, _, Some(Blocked)) => Outcome::Keep,
        (Operation::Ask, Some(Received), _) => both(Accepted),
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
        (Operation::Block, _, _) => change(Some(Blocked), theirs_if_blocked),
    }
}

#[cfg(test)]
mod tests {
    use super::Status::{Accepted, Blocked, Received, Rejected, Requested};
    use super::*;

    const AGREEING: [(Option<Status>, Option<Status>); 8] = [
        (None, None),
        (Some(Requested), Some(Received)),
        (Some(Received), Some(Requested)),
        (Some(Accepted), Some(Accepted)),
        (Some(Rejected), Some(Rejected)),
        (Some(Blocked), None),
        (None, Some(Blocked)),
        (Some(Blocked), Some(Blocked)),
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
    fn a_repeated_operation_changes_nothing_more() {
        for (mine, theirs) in AGREEING {
            for operation in OPERATIONS {
                if let Outcome::Change(after) = transition(operation, Pair { mine, theirs }) {
                    assert_eq!(transition(operation, after), Outcome::Keep, "{operation:?} on {mine:?}, {theirs:?}");
                }
            }
        }
    }

    #[test]
    fn nobody_gets_past_a_block() {
        for operation in OPERATIONS {
            for mine in [None, Some(Blocked)] {
                if let Outcome::Change(after) = transition(operation, Pair { mine, theirs: Some(Blocked) }) {
                    assert_eq!(after.theirs, Some(Blocked), "{operation:?}");
                }
            }
        }
    }

    #[test]
    fn only_the_one_who_was_asked_makes_a_friendship() {
        for (mine, theirs) in AGREEING {
            for operation in OPERATIONS {
                let outcome = transition(operation, Pair { mine, theirs });
                let made = matches!(outcome, Outcome::Change(Pair { mine: Some(Accepted), .. }));
                assert!(!made || mine == Some(Received), "{operation:?} on {mine:?}, {theirs:?}");
            }
        }
    }
}
