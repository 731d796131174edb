//! Checks that the domain of the host leads to it, for which the owner's DNS has to name its address.

use std::net::{IpAddr, ToSocketAddrs as _};

use peersync_engine::Outputs;
use peersync_resources::kinds::elastic_ip;
use peersync_resources::stack::Stack;

use crate::DeployError;

/// The port that names are resolved for.
const HTTPS: u16 = 443;

/// Returns the domain under which browsers or CloudFront reach the host by TLS, and the host's address. In an emulator,
/// nothing runs on a host.
pub(super) fn of(stack: &Stack, outputs: &Outputs) -> Option<(String, IpAddr)> {
    let domain = stack.config.signaling.certified_domain().filter(|_| stack.runs_hosts)?;
    let address = outputs.get(&elastic_ip::address(), "ip")?.parse().ok()?;
    Some((domain.to_owned(), address))
}

/// Resolves the domain, and returns whether it leads to the host alone, without which `url` does not answer.
///
/// # Errors
/// It leads to another address, or nowhere.
pub(super) async fn leads_to(domain: &str, host: IpAddr, url: &str) -> Result<(), DeployError> {
    compare(domain, host, url, resolved(domain).await)
}

/// Returns the addresses that a domain has.
///
/// # Errors
/// It has none; the text says why.
pub(super) async fn resolved(domain: &str) -> Result<Vec<IpAddr>, String> {
    let name = domain.to_owned();
    let looked_up = tokio::task::spawn_blocking(move || (name.as_str(), HTTPS).to_socket_addrs());
    match looked_up.await {
        Ok(Ok(found)) => Ok(found.map(|address| address.ip()).collect()),
        Ok(Err(error)) => Err(error.to_string()),
        Err(error) => Err(error.to_string()),
    }
}

fn compare(domain: &str, host: IpAddr, url: &str, found: Result<Vec<IpAddr>, String>) -> Result<(), DeployError> {
    let Some(last) = fault(domain, host, found) else { return Ok(()) };
    let record = needed_record(domain, host);
    let hint = format!(
        "{record}; the host gets its certificate within minutes after that. Then run `peersync-deploy up` again"
    );
    Err(DeployError::Unanswered { url: url.to_owned(), last, hint })
}

/// Returns where a domain with these addresses leads instead of to the host alone, if it does.
pub(super) fn fault(domain: &str, host: IpAddr, found: Result<Vec<IpAddr>, String>) -> Option<String> {
    match found {
        Ok(found) if !found.is_empty() && found.iter().all(|address| *address == host) => None,
        Ok(found) => {
            let mut others: Vec<String> =
                found.iter().filter(|address| **address != host).map(ToString::to_string).collect();
            others.sort();
            others.dedup();
            Some(format!("{domain} resolves to {}, and the host has the address {host}", others.join(", ")))
        }
        Err(error) => Some(format!("{domain} does not resolve: {error}")),
    }
}

/// Returns what the owner has to do so that a domain leads to the host.
pub(super) fn needed_record(domain: &str, host: IpAddr) -> String {
    format!(
        "let {domain} have one DNS record, of type A with the value {host} (no AAAA record, and no proxy of the DNS provider)"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOST: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(203, 0, 113, 7));
    const URL: &str = "https://d111.cloudfront.net/ws";

    fn refusal(found: Result<Vec<&str>, &str>) -> Option<String> {
        let found = found.map(|all| all.into_iter().map(|one| one.parse().unwrap()).collect());
        let error = compare("signal.example.org", HOST, URL, found.map_err(str::to_owned)).err()?;
        let problem = error.problem();
        assert!(problem.hint.unwrap().contains("of type A with the value 203.0.113.7"));
        Some(format!("{}: {}", problem.summary, problem.causes.join("; ")))
    }

    #[test]
    fn domain_that_leads_to_the_host_alone_is_right() {
        assert_eq!(refusal(Ok(vec!["203.0.113.7"])), None);
        assert_eq!(refusal(Ok(vec!["203.0.113.7", "203.0.113.7"])), None);
    }

    #[test]
    fn domain_that_leads_elsewhere_is_refused_with_the_record_that_it_needs() {
        let prefix = "the stack is deployed, but https://d111.cloudfront.net/ws does not answer: signal.example.org";
        let elsewhere = refusal(Ok(vec!["2001:db8::1", "192.0.2.1", "203.0.113.7"])).unwrap();
        let expected = "resolves to 192.0.2.1, 2001:db8::1, and the host has the address 203.0.113.7";
        assert_eq!(elsewhere, format!("{prefix} {expected}"));
        assert_eq!(refusal(Err("no such host")).unwrap(), format!("{prefix} does not resolve: no such host"));
    }

    #[tokio::test]
    async fn names_are_resolved_by_the_system() {
        assert!(leads_to("localhost", HOST, URL).await.is_err());
        assert!(leads_to("203.0.113.7", HOST, URL).await.is_ok());
        let error = leads_to("signal.invalid", HOST, URL).await.unwrap_err();
        assert!(error.problem().causes.join("").contains("does not resolve"), "RFC 6761 reserves .invalid");
    }
}
