//! Zones: the domains that Cloudflare manages.

use futures::future::try_join_all;
use serde::Deserialize;

use super::Cloudflare;
use peersync_engine::ResourceError;

/// The account that a zone belongs to.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Account {
    /// Its id, 32 hexadecimal digits.
    pub id: String,
}

/// A zone.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Zone {
    /// Its id, 32 hexadecimal digits.
    pub id: String,
    /// Its domain, `example.org`.
    pub name: String,
    /// `active` once its domain's registrar names Cloudflare's name servers.
    #[serde(default)]
    pub status: String,
    /// The account that it belongs to.
    pub account: Account,
}

impl Cloudflare {
    /// Returns the zones that a domain is in, of those that the token shows; the most specific first. Two accounts can have
    /// a zone of the same name.
    ///
    /// # Errors
    /// Cloudflare does not answer, or refuses the token.
    pub async fn zones_of(&self, domain: &str) -> Result<Vec<Zone>, ResourceError> {
        let reads = parents(domain).map(|name| async move {
            let path = format!("zones?name={name}&per_page=50");
            let zones = self.get::<Vec<Zone>>("failed to find the zone of the domain at Cloudflare", &path).await?;
            Ok::<_, ResourceError>(zones.unwrap_or_default())
        });
        Ok(try_join_all(reads).await?.concat())
    }
}

/// Returns the domain and those above it, as far as they have two parts.
fn parents(domain: &str) -> impl Iterator<Item = &str> {
    let all = std::iter::successors(Some(domain), |domain| domain.split_once('.').map(|(_, above)| above));
    all.filter(|domain| domain.contains('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zone_may_be_any_domain_above_with_two_parts() {
        let all: Vec<&str> = parents("a.signal.example.org").collect();
        assert_eq!(all, ["a.signal.example.org", "signal.example.org", "example.org"]);
    }
}
