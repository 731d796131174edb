//! The limits of the API. They are counted in DynamoDB and so apply to all instances of a function together.

const MINUTE: i64 = 60;
const QUARTER: i64 = 15 * MINUTE;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// At most `most` events in a window of `seconds`, which begins with the first event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// The name of the counter.
    pub name: &'static str,
    /// The maximum number of events.
    pub most: i64,
    /// The length of the window in seconds.
    pub seconds: i64,
}

const fn limit(name: &'static str, most: i64, seconds: i64) -> Limit {
    Limit { name, most, seconds }
}

/// All limits of the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Sign-in mails to one address. 3 in 15 minutes.
    pub mail_per_address: Limit,
    /// Sign-in mails requested from one client address, which an office shares. 100 in 15 minutes.
    pub mail_per_client: Limit,
    /// Mails of all kinds. 1000 an hour; Gmail's own limit is 500 a day.
    pub mail_total: Limit,
    /// Tries at links and codes from one client address. 200 in 15 minutes.
    pub verify_per_client: Limit,
    /// Tries at codes for one address over all its mails. 30 a day: guessing six digits succeeds once in 90 years.
    pub codes_per_address: Limit,
    /// Searches by one user. 60 a minute.
    pub searches: Limit,
    /// Searches by one user. 1000 a day.
    pub searches_per_day: Limit,
    /// Friend requests by one user to strangers. 20 a day.
    pub friend_requests: Limit,
    /// Mails about friend requests of one user to another. 1 a day.
    pub friend_mail_per_pair: Limit,
    /// Mails about friend requests to one address. 10 a day.
    pub friend_mail_per_address: Limit,
    /// Rooms created by one user. 60 an hour.
    pub rooms: Limit,
    /// Tickets for one client address. 300 a minute: every reconnection needs one, and an office shares an address.
    pub tickets: Limit,
    /// Reports of failed connections from one client address. 20 an hour.
    pub reports: Limit,
    /// Reports that are logged. 300 an hour; a larger failure is visible in them, and the log stays small.
    pub reports_in_all: Limit,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            mail_per_address: limit("mail-address", 3, QUARTER),
            mail_per_client: limit("mail-client", 100, QUARTER),
            mail_total: limit("mail", 1000, HOUR),
            verify_per_client: limit("verify", 200, QUARTER),
            codes_per_address: limit("code", 30, DAY),
            searches: limit("search", 60, MINUTE),
            searches_per_day: limit("search-day", 1000, DAY),
            friend_requests: limit("ask", 20, DAY),
            friend_mail_per_pair: limit("ask-pair", 1, DAY),
            friend_mail_per_address: limit("ask-mail", 10, DAY),
            rooms: limit("room", 60, HOUR),
            tickets: limit("ticket", 300, MINUTE),
            reports: limit("report", 20, HOUR),
            reports_in_all: limit("reports", 300, HOUR),
        }
    }
}
