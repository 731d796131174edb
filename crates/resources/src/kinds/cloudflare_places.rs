//! Where the tunnel and the DNS record of a stack are at Cloudflare, as the configuration wants it and as the parameter
//! `cloudflare` records it.

use std::fmt;

use crate::stack::Stack;
use peersync_engine::Address;

/// The names of the kinds at Cloudflare.
pub(super) const TUNNEL_KIND: &str = "cloudflare_tunnel";
pub(super) const RECORD_KIND: &str = "cloudflare_record";
/// The most domains that are recorded; earlier ones are forgotten.
const MOST: usize = 8;

/// Returns the address of the tunnel.
pub(super) fn tunnel() -> Address {
    Address::new(TUNNEL_KIND, "signal")
}

/// Where a tunnel and its record are: a domain, whose zone and account are looked up, and the account if two have a zone
/// of that name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) account: Option<String>,
    pub(super) domain: String,
}

impl Place {
    /// Returns the place that the configuration wants; `None` if it wants no tunnel that `up` creates.
    pub(super) fn wanted(stack: &Stack) -> Option<Self> {
        let domain = stack.config.managed_tunnel()?.to_owned();
        Some(Self { account: stack.config.signaling.cloudflare_account.clone(), domain })
    }

    /// Returns whether it can be in this account.
    pub(super) fn is_in(&self, account: &str) -> bool {
        self.account.as_ref().is_none_or(|own| own == account)
    }

    fn parse(text: &str) -> Option<Self> {
        let (account, domain) = match text.split_once('/') {
            Some((account, domain)) => (Some(account.to_owned()), domain),
            None => (None, text),
        };
        (!domain.is_empty()).then(|| Self { account, domain: domain.to_owned() })
    }
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.account {
            Some(account) => write!(formatter, "{account}/{}", self.domain),
            None => formatter.write_str(&self.domain),
        }
    }
}

/// Returns the recorded places, the present one first.
pub(super) fn recorded(value: &str) -> Vec<Place> {
    value.split(',').filter_map(|text| Place::parse(text.trim())).collect()
}

/// Returns the present place of a record.
pub(super) fn present(value: &str) -> String {
    recorded(value).first().map(Place::to_string).unwrap_or_default()
}

/// Returns the record with another present place. Earlier ones stay in it, because what is there is deleted only later.
pub(super) fn recorded_with(place: &Place, before: &str) -> String {
    let mut places = vec![place.clone()];
    places.extend(recorded(before).into_iter().filter(|one| one != place));
    places.iter().take(MOST).map(Place::to_string).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(account: Option<&str>, domain: &str) -> Place {
        Place { account: account.map(str::to_owned), domain: domain.to_owned() }
    }

    #[test]
    fn record_keeps_earlier_places_behind_the_present_one() {
        let first = recorded_with(&place(None, "a.example.org"), "");
        assert_eq!(first, "a.example.org");
        let second = recorded_with(&place(Some("0a"), "b.example.net"), &first);
        assert_eq!(second, "0a/b.example.net,a.example.org");
        assert_eq!(recorded(&second), [place(Some("0a"), "b.example.net"), place(None, "a.example.org")]);
        assert_eq!(recorded_with(&place(None, "a.example.org"), &second), "a.example.org,0a/b.example.net");
        assert_eq!((present(&second).as_str(), present("").as_str()), ("0a/b.example.net", ""));
    }
}
