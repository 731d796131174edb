//! What a host that is ready says about its certificate. It can get its first one only once the address has moved to it, so
//! that being ready cannot wait for it: `host/install.sh` goes on to report why there is none.

use super::ready::{self, WITHOUT_CERTIFICATE};
use super::search::find;
use crate::stack::Stack;

/// The kinds of what may pass by itself, so that another attempt of the host may succeed: what has cost no order, such as an
/// address that has not moved yet, and of RFC 8555, section 6.7, what is the authority's own trouble, and what it has seen of
/// an address that has moved a moment ago. All others of that section are refusals.
const PASSING: [&str; 5] = ["waiting", "badNonce", "connection", "dns", "serverInternal"];

/// Why a host has no certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateTrouble {
    kind: String,
    /// When the host tries again, in RFC 3339 and UTC.
    again: String,
    text: String,
}

impl CertificateTrouble {
    /// Reads the report of a host.
    pub fn parse(report: &str) -> Option<Self> {
        let (kind, rest) = report.strip_prefix(WITHOUT_CERTIFICATE)?.split_once(": ")?;
        let (again, text) = rest.strip_prefix("again at ")?.split_once(": ")?;
        Some(Self { kind: kind.to_owned(), again: again.to_owned(), text: text.to_owned() })
    }

    /// Returns whether the authority has refused, so that nothing comes of waiting.
    pub fn is_refusal(&self) -> bool {
        !PASSING.contains(&self.kind.as_str())
    }

    /// Returns what the host says.
    pub fn reason(&self) -> String {
        format!("the host has no certificate, and tries again at {}: {}", self.again, self.text.trim_end())
    }

    /// Returns what to do about it.
    pub fn hint(&self, domain: &str) -> String {
        let fix = match self.kind.as_str() {
            "rateLimited" => "wait, or set another `domain` under [signaling]".to_owned(),
            "caa" => format!(
                "let the CAA records of {domain} and of the domains above it allow \"letsencrypt.org\", or remove them"
            ),
            "dns" | "connection" | "tls" | "unauthorized" | "incorrectResponse" => format!(
                "let {domain} have one DNS record, of type A with the address that `peersync-deploy outputs` shows as \
                 signaling_address (no AAAA record, and no proxy of the DNS provider)"
            ),
            "rejectedIdentifier" | "unsupportedIdentifier" => "set another `domain` under [signaling]".to_owned(),
            "invalidContact" | "unsupportedContact" => {
                "correct `acme_email` under [signaling], or remove it".to_owned()
            }
            "accountDoesNotExist" | "userActionRequired" | "externalAccountRequired" => {
                "delete the parameter acme-account of the stack, so that the host registers another account".to_owned()
            }
            _ => "check `peersync-deploy logs relay`".to_owned(),
        };
        format!(
            "{fix}; the host tries again by itself at {}: then run `peersync-deploy up` again. If another way in worked before, \
             `peersync-deploy up` with the former configuration brings it back",
            self.again
        )
    }
}

/// Returns why the host of the stack has no certificate, if it says so. What cannot be read says nothing.
pub async fn certificate_trouble(stack: &Stack) -> Option<CertificateTrouble> {
    let hosts = find(stack).await.ok()?;
    CertificateTrouble::parse(&ready::report(hosts.first()?)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_refusal_says_when_it_is_tried_again_and_what_to_do() {
        let record = "let a.example have one DNS record, of type A with the address that `peersync-deploy outputs` shows as \
                      signaling_address (no AAAA record, and no proxy of the DNS provider)";
        let forbidden =
            "let the CAA records of a.example and of the domains above it allow \"letsencrypt.org\", or remove them";
        let account = "delete the parameter acme-account of the stack, so that the host registers another account";
        for (kind, fix) in [
            ("rateLimited", "wait, or set another `domain` under [signaling]"),
            ("caa", forbidden),
            ("dns", record),
            ("connection", record),
            ("unauthorized", record),
            ("rejectedIdentifier", "set another `domain` under [signaling]"),
            ("invalidContact", "correct `acme_email` under [signaling], or remove it"),
            ("userActionRequired", account),
            ("serverInternal", "check `peersync-deploy logs relay`"),
        ] {
            let report = format!("{WITHOUT_CERTIFICATE}{kind}: again at 2026-11-29T22:10:00Z: API error: too many ");
            let trouble = CertificateTrouble::parse(&report).unwrap();
            assert_eq!(trouble.is_refusal(), !["dns", "connection", "serverInternal"].contains(&kind), "{kind}");
            let reason = "the host has no certificate, and tries again at 2026-11-29T22:10:00Z: API error: too many";
            assert_eq!(trouble.reason(), reason);
            let again = "the host tries again by itself at 2026-11-29T22:10:00Z: then run `peersync-deploy up` again. If another \
                         way in worked before, `peersync-deploy up` with the former configuration brings it back";
            assert_eq!(trouble.hint("a.example"), format!("{fix}; {again}"));
        }
    }

    #[test]
    fn what_may_pass_by_itself_is_no_refusal() {
        let text = "signal.example.org leads to another host point the name";
        for kind in ["waiting", "badNonce", "connection", "dns", "serverInternal"] {
            let report = format!("{WITHOUT_CERTIFICATE}{kind}: again at 2026-11-29T22:10:00Z: {text}");
            assert!(!CertificateTrouble::parse(&report).unwrap().is_refusal(), "{kind}");
        }
        for other in ["ready", "waiting for the relay to run: attempt 3", "ready without a certificate: "] {
            assert_eq!(CertificateTrouble::parse(other), None, "{other}");
        }
    }
}
