//! What the relay counts for its owner.

/// What has happened since the relay began, and how much there is now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// The number of allocations that exist.
    pub allocations: usize,
    /// The number of allocations that were ever made.
    pub allocated: u64,
    /// The bytes that were sent to receivers, with the header of TURN but without those of UDP and IP.
    pub relayed_bytes: u64,
    /// The packets that were sent to receivers.
    pub relayed_packets: u64,
    /// The packets that were dropped because somebody sent more than allowed.
    pub dropped_packets: u64,
    /// The requests that were refused, by reason.
    pub refused: Refused,
}

/// The number of refused requests by reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Refused {
    /// The credentials are expired, forged or unknown.
    pub credentials: u64,
    /// The holder, the address or the relay has as many allocations as it may have.
    pub quota: u64,
    /// The traffic of the month is used up.
    pub budget: u64,
    /// A request that proves nothing came too often, and was not answered.
    pub strangers: u64,
}

impl Refused {
    /// Returns the number over all reasons.
    pub fn total(&self) -> u64 {
        self.credentials + self.quota + self.budget + self.strangers
    }
}
