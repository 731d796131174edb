//! The limits of the API. They are counted in DynamoDB and so apply to all instances of a function together.
//!
//! The rules, and what an attacker with one, a hundred or ten thousand addresses gets, are in `docs/limits.md`.

use peersync_server::client_address::Network;
use peersync_server::store::{Pace, Window};

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
    /// How fast events may follow each other; `None` for no wait.
    pub pace: Option<Pace>,
}

const fn limit(name: &'static str, most: i64, seconds: i64) -> Limit {
    Limit { name, most, seconds, pace: None }
}

/// Returns a limit with `at_once` events, and further ones after waits of which each is twice as long as the one before,
/// up to the end of the window.
const fn growing(name: &'static str, at_once: i64, first_wait: i64, most: i64, seconds: i64) -> Limit {
    Limit { name, most, seconds, pace: Some(Pace { at_once, first_wait }) }
}

impl Limit {
    /// Returns it as the database counts it.
    pub fn window(self) -> Window {
        Window { most: self.most, seconds: self.seconds, pace: self.pace }
    }

    /// Returns what a network may count of a limit per client: a /64 or one IPv4 address once, a /56 twice, a /48 or /24
    /// four times. So whoever has a whole network gets four times as much as one client, and not 65,536 times.
    pub fn for_network(self, network: Network) -> Self {
        let times = match network.prefix() {
            32 | 64 => 1,
            56 => 2,
            _ => 4,
        };
        let pace = self.pace.map(|pace| Pace { at_once: pace.at_once.saturating_mul(times), ..pace });
        Self { most: self.most.saturating_mul(times), pace, ..self }
    }

    /// Returns what a network may count of a total of which `used` are used: half of what is left as one client, three
    /// quarters as a /56, all of it as a /48 or /24. One client alone gets a third of the total, two get half, a
    /// hundred 98 %; each gets as much as the others, and something is left for the next one.
    pub fn share_for_network(self, network: Network, used: i64) -> Self {
        let left = self.most.saturating_sub(used).max(0);
        let most = match network.prefix() {
            32 | 64 => left / 2,
            56 => left * 3 / 4,
            _ => left,
        };
        // The last one of the total is nobody's share, so that the total decides.
        Self { most: most.max(1), ..self }
    }
}

/// All limits of the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Requests for sign-in mails from one client that rest on the newest mail. 3000 an hour: three by each pupil of a
    /// school.
    pub joins_per_client: Limit,
    /// Sign-in mails that unknown browsers of one client have caused: a share of `mail_total`.
    pub mail_per_client: Limit,
    /// Sign-in mails to one address that one client, a /24 or /48, has caused. 3 in 15 minutes. Further requests are answered in the
    /// same way and rest on the newest mail, which is valid as long.
    pub mail_per_pair: Limit,
    /// Sign-in mails to one address that unknown browsers have caused. 6 in 15 minutes, then as above. The window is as
    /// long as a mail is valid, so that a valid one exists whenever none is sent.
    pub mail_per_address: Limit,
    /// Sign-in mails to one address that unknown browsers have caused before only one in 15 minutes is sent. 20 a day, so
    /// a mailbox gets at most 20 + 96 a day.
    pub mail_per_address_and_day: Limit,
    /// Sign-in mails that unknown browsers have caused. 3600 an hour: a third is enough for the 1000 pupils of a school.
    /// Gmail's own limit is 500 a day.
    pub mail_total: Limit,
    /// Sign-in mails that a known browser has caused for its account. 5 in 15 minutes.
    pub mail_per_known_browser: Limit,
    /// Sign-in mails that known browsers have caused. 1000 an hour, which nobody else can use up.
    pub mail_known_total: Limit,
    /// Tries of unknown browsers without a proof from one client: unknown links, codes without a request. 200 in 15
    /// minutes, and seven more with waits of 5 s to 320 s.
    pub verify_per_client: Limit,
    /// Tries of one client at codes of one address that its browser has not requested. 3 at once, and six more in 15
    /// minutes, with waits of 10 s to 320 s.
    pub codes_per_pair: Limit,
    /// Tries of a browser at the code of the mail that it caused.
    pub code_tries: i64,
    /// The same for a short code, while codes are long because of an attack.
    pub late_code_tries: i64,
    /// Tries of a browser at the code of a mail that another one caused for the same address.
    pub asked_code_tries: i64,
    /// Wrong short codes for one address, of unknown browsers. After 10 a day its codes are long.
    pub wrong_per_address: Limit,
    /// Wrong short codes of unknown browsers of one client. After 50 a day its codes are long. 1000 pupils mistype 100.
    pub wrong_per_client: Limit,
    /// Wrong short codes of unknown browsers. After 200 a day all their codes are long: that some account falls has a
    /// probability of 1 to 5000 a day.
    pub wrong_total: Limit,
    /// Wrong short codes in the browsers that caused the mails, after one of the limits above. 20 a day for one client.
    pub late_per_client: Limit,
    /// The same in all: 300 a day. With `wrong_total` a probability of 1 to 2000 a day.
    pub late_total: Limit,
    /// Wrong codes in known browsers of one account. After 20 a day they are unknown ones.
    pub wrong_known: Limit,
    /// Searches by one user. 60 a minute.
    pub searches: Limit,
    /// Searches by one user. 1000 a day.
    pub searches_per_day: Limit,
    /// Friend requests by one user to strangers. 20 a day.
    pub friend_requests: Limit,
    /// Mails about friend requests of one user to another. 1 a day.
    pub friend_mail_per_pair: Limit,
    /// Mails about friend requests to one address that the users of one client have caused. 3 a day.
    pub friend_mail_per_client: Limit,
    /// Mails about friend requests to one address. 10 a day. Further requests are shown in the application.
    pub friend_mail_per_address: Limit,
    /// Mails about friend requests. 500 an hour, apart from those for signing in.
    pub friend_mail_total: Limit,
    /// Blocks by one user. 60 an hour.
    pub blocks: Limit,
    /// The number of people of whom one user's list consists, without those who have asked the user.
    pub rows_per_user: i64,
    /// Rooms created by one user. 60 an hour.
    pub rooms: Limit,
    /// Tickets for one user. 120 a minute: every reconnection of every tab needs one.
    pub tickets: Limit,
    /// Tickets for the guests of one client. 600 a minute.
    pub guest_tickets: Limit,
    /// Reports of failed connections by one user, or by the guests of one client. 20 an hour.
    pub reports: Limit,
    /// Reports that are logged. 300 an hour; a larger failure is visible in them, and the log stays small.
    pub reports_in_all: Limit,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            joins_per_client: limit("joins", 3000, HOUR),
            mail_per_client: limit("mail-client", 3600, HOUR),
            mail_per_pair: limit("mail-pair", 3, QUARTER),
            mail_per_address: limit("mail-to", 6, QUARTER),
            mail_per_address_and_day: limit("mail-to-day", 20, DAY),
            mail_total: limit("mail-in-all", 3600, HOUR),
            mail_per_known_browser: limit("mail-known", 5, QUARTER),
            mail_known_total: limit("mail-known-in-all", 1000, HOUR),
            verify_per_client: growing("verify", 200, 5, 207, QUARTER),
            codes_per_pair: growing("code-pair", 3, 10, 9, QUARTER),
            code_tries: 5,
            late_code_tries: 2,
            asked_code_tries: 5,
            wrong_per_address: limit("wrong", 10, DAY),
            wrong_per_client: limit("wrong-client", 50, DAY),
            wrong_total: limit("wrong-in-all", 200, DAY),
            late_per_client: limit("late-client", 20, DAY),
            late_total: limit("late-in-all", 300, DAY),
            wrong_known: limit("wrong-known", 20, DAY),
            searches: limit("search", 60, MINUTE),
            searches_per_day: limit("search-day", 1000, DAY),
            friend_requests: limit("ask", 20, DAY),
            friend_mail_per_pair: limit("ask-pair", 1, DAY),
            friend_mail_per_client: limit("ask-client", 3, DAY),
            friend_mail_per_address: limit("ask-mail", 10, DAY),
            friend_mail_total: limit("ask-mail-in-all", 500, HOUR),
            blocks: limit("block", 60, HOUR),
            rows_per_user: 1000,
            rooms: limit("room", 60, HOUR),
            tickets: limit("ticket-user", 120, MINUTE),
            guest_tickets: limit("ticket-guest", 600, MINUTE),
            reports: limit("report", 20, HOUR),
            reports_in_all: limit("reports", 300, HOUR),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

    use super::*;

    /// Lets clients take what they can of all mails, in turns, and returns how many each gets.
    fn mails_of(clients: &[IpAddr]) -> Vec<i64> {
        let limits = Limits::default();
        let (mut used, mut counts) = (0, std::collections::HashMap::new());
        let mut mails = vec![0; clients.len()];
        while used < limits.mail_total.most {
            let before = used;
            for (client, mails) in clients.iter().zip(&mut mails) {
                let networks: Vec<Network> = Network::enclosing(*client).collect();
                let within = |network: &Network| {
                    let share = limits.mail_per_client.share_for_network(*network, used).most;
                    counts.get(network).copied().unwrap_or(0) < share
                };
                if used < limits.mail_total.most && networks.iter().all(within) {
                    networks.iter().for_each(|network| *counts.entry(*network).or_insert(0) += 1);
                    (used, *mails) = (used + 1, *mails + 1);
                }
            }
            if used == before {
                break;
            }
        }
        mails
    }

    fn address(number: u32) -> IpAddr {
        Ipv4Addr::from(number * 256 + 1).into()
    }

    #[test]
    fn no_client_gets_more_than_a_third_of_all_mails_and_a_school_what_it_needs() {
        let sums = |clients: u32| mails_of(&(0..clients).map(address).collect::<Vec<_>>());
        assert_eq!(sums(1), [1200], "more than the pupils of a school");
        assert_eq!(sums(2), [900, 900]);
        let hundred: i64 = sums(100).iter().sum();
        assert!((3500..3560).contains(&hundred), "{hundred}");
        assert_eq!(sums(10_000).iter().sum::<i64>(), 3600, "all");
    }

    #[test]
    fn networks_of_ipv6_get_as_much_as_few_clients() {
        let in_network = |bits: u32| {
            let subnet = |number: u16| Ipv6Addr::new(0x2001, 0xdb8, 1, number << (16 - bits), 0, 0, 0, 1).into();
            mails_of(&(0..256).map(subnet).collect::<Vec<_>>()).iter().sum::<i64>()
        };
        assert_eq!(in_network(16), 1543, "256 networks of 64 bits in one of 56");
        assert_eq!(in_network(8), 1800, "256 networks of 56 bits in one of 48");
    }
}
