//! Whether the owner's DNS lets Let's Encrypt issue a certificate for a domain: CAA records (RFC 8659), of the domain or of
//! one above it, name the authorities that may. The host would learn of it only after the former way in has ended.

mod dns;

use std::time::Duration;

use peersync_engine::ResourceError;
use tokio::time::timeout;

/// How long all of it may take.
const DEADLINE: Duration = Duration::from_secs(10);
/// By what Let's Encrypt is named in CAA records (<https://letsencrypt.org/docs/caa/>).
const AUTHORITY: &str = "letsencrypt.org";
/// The challenge that the host answers, as the parameter `validationmethods` names it (RFC 8657).
const METHOD: &str = "tls-alpn-01";
/// The properties that Let's Encrypt understands. A critical record with another one forbids every certificate.
const KNOWN: [&str; 4] = ["issue", "issuewild", "issuemail", "iodef"];

/// A CAA record.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Record {
    is_critical: bool,
    /// The property, in lower case.
    tag: String,
    value: String,
}

/// Looks the records of a domain up, and returns why Let's Encrypt would refuse a certificate for it. What cannot be looked up
/// is no reason.
pub(super) async fn refusal(domain: &str) -> Option<ResourceError> {
    let servers = dns::servers();
    let looked_up = timeout(DEADLINE, forbidding(domain, async |name: &str| dns::records(&servers, name).await)).await;
    looked_up.ok().flatten()
}

/// Returns why a certificate for a domain would be refused, by the records that `look_up` returns for a name; `None` if it
/// cannot.
async fn forbidding(domain: &str, look_up: impl AsyncFn(&str) -> Option<Vec<Record>>) -> Option<ResourceError> {
    let mut name = domain;
    // The records of the nearest name that has any count, and no others.
    let records = loop {
        let found = look_up(name).await?;
        if !found.is_empty() {
            break found;
        }
        (_, name) = name.split_once('.')?;
    };
    let (cause, fix) = fault(name, &records)?;
    // A record of the domain's own counts before those above it.
    let fix = fix
        .filter(|_| name == domain)
        .unwrap_or_else(|| format!("add the DNS record `{domain}. CAA 0 issue \"{AUTHORITY}\"`"));
    Some(
        ResourceError::new("Let's Encrypt would refuse the certificate that the new way in needs")
            .caused_by(cause)
            .hint(format!(
                "{fix}, and run the command again once that is in force; until then nothing is changed, unless by \
             `peersync-deploy up --no-check`"
            )),
    )
}

/// Returns what these records of a name forbid, and what to do about it if another record does not help.
fn fault(name: &str, records: &[Record]) -> Option<(String, Option<String>)> {
    let is_unknown = |record: &&Record| record.is_critical && !KNOWN.contains(&record.tag.as_str());
    if let Some(unknown) = records.iter().find(is_unknown) {
        let tag = readable(&unknown.tag);
        let cause =
            format!("{name} has a critical CAA record with the property {tag}, which Let's Encrypt does not know");
        return Some((cause, Some(format!("remove the CAA record of {name} with the property {tag}"))));
    }
    let issuers: Vec<&str> =
        records.iter().filter(|record| record.tag == "issue").map(|record| record.value.as_str()).collect();
    if issuers.is_empty() || issuers.iter().any(|issuer| is_allowing(issuer)) {
        return None;
    }
    let allowed: Vec<String> = issuers
        .iter()
        .map(|issuer| readable(issuer))
        .filter(|issuer| !issuer.trim_matches([';', ' ']).is_empty())
        .collect();
    let allowed = if allowed.is_empty() { "nobody".to_owned() } else { allowed.join(", ") };
    Some((format!("{name} has CAA records, which allow {allowed} to issue certificates"), None))
}

/// Returns whether the value of a property `issue` allows Let's Encrypt, by the host's challenge. Which account it has is not
/// compared: the stack's may be the one that is named.
fn is_allowing(value: &str) -> bool {
    let (issuer, parameters) = value.split_once(';').unwrap_or((value, ""));
    let mut methods = parameters.split(';').filter_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        name.trim().eq_ignore_ascii_case("validationmethods").then_some(value.trim())
    });
    issuer.trim().eq_ignore_ascii_case(AUTHORITY)
        && methods.all(|methods| methods.split(',').any(|one| one.trim().eq_ignore_ascii_case(METHOD)))
}

/// Returns a text of the DNS without what could be a command to a terminal.
fn readable(text: &str) -> String {
    text.chars().filter(|one| one.is_ascii_graphic() || *one == ' ').take(100).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::DeployError;

    const DOMAIN: &str = "signal.example.org";

    fn record(tag: &str, value: &str) -> Record {
        Record { is_critical: false, tag: tag.to_owned(), value: value.to_owned() }
    }

    /// Returns the refusal if these names have these records.
    async fn refused(records: &[(&str, Record)]) -> Option<String> {
        let look_up = async |name: &str| {
            let own = records.iter().filter(|(of, _)| *of == name);
            Some(own.map(|(_, record)| record.clone()).collect::<Vec<_>>())
        };
        let problem = DeployError::Call(forbidding(DOMAIN, look_up).await?).problem();
        Some(format!("{}\n{}\n{}", problem.summary, problem.causes.join("\n"), problem.hint.unwrap()))
    }

    #[tokio::test]
    async fn domain_whose_records_forbid_the_authority_is_refused_with_the_one_to_add() {
        insta::assert_snapshot!(refused(&[("example.org", record("issue", "ca.example\u{1b}[2J"))]).await.unwrap(), @r#"
        Let's Encrypt would refuse the certificate that the new way in needs
        example.org has CAA records, which allow ca.example[2J to issue certificates
        add the DNS record `signal.example.org. CAA 0 issue "letsencrypt.org"`, and run the command again once that is in force; until then nothing is changed, unless by `peersync-deploy up --no-check`
        "#);
        for nobody in [";", "", " ; "] {
            let refusal = refused(&[(DOMAIN, record("issue", nobody))]).await.unwrap();
            assert!(refusal.contains("signal.example.org has CAA records, which allow nobody"), "{refusal}");
        }
    }

    #[tokio::test]
    async fn domain_whose_records_allow_the_authority_is_right() {
        for allowed in
            ["letsencrypt.org", " LetsEncrypt.org ;", "letsencrypt.org; validationmethods=dns-01,tls-alpn-01"]
        {
            assert_eq!(
                refused(&[(DOMAIN, record("issue", "ca.example")), (DOMAIN, record("issue", allowed))]).await,
                None
            );
        }
        let of_an_account =
            record("issue", "letsencrypt.org; accounturi=https://acme-v02.api.letsencrypt.org/acme/acct/1");
        assert_eq!(refused(&[(DOMAIN, of_an_account)]).await, None);
        assert_eq!(refused(&[]).await, None, "no record at all");
        let others = [record("issuewild", ";"), record("iodef", "mailto:a@example.org"), record("contactemail", "a@b")];
        assert_eq!(refused(&others.map(|one| (DOMAIN, one))).await, None, "they say nothing about it");
    }

    #[tokio::test]
    async fn other_challenges_alone_do_not_help() {
        let refusal = refused(&[("org", record("issue", "letsencrypt.org;validationmethods=dns-01"))]).await.unwrap();
        assert!(
            refusal.contains("org has CAA records, which allow letsencrypt.org;validationmethods=dns-01"),
            "{refusal}"
        );
    }

    #[tokio::test]
    async fn nearest_name_with_records_decides() {
        let (allowing, forbidding) = (record("issue", AUTHORITY), record("issue", "ca.example"));
        assert_eq!(refused(&[(DOMAIN, allowing.clone()), ("example.org", forbidding.clone())]).await, None);
        assert!(refused(&[(DOMAIN, forbidding), ("example.org", allowing)]).await.is_some());
    }

    #[tokio::test]
    async fn critical_record_that_the_authority_does_not_know_is_refused() {
        let critical = |tag| Record { is_critical: true, ..record(tag, "x") };
        let refusal = refused(&[(DOMAIN, critical("future"))]).await.unwrap();
        assert!(refusal.contains("remove the CAA record of signal.example.org with the property future"), "{refusal}");
        let above = refused(&[("example.org", critical("future"))]).await.unwrap();
        assert!(above.contains("add the DNS record `signal.example.org. CAA 0"), "{above}");
        assert_eq!(refused(&[(DOMAIN, critical("iodef"))]).await, None);
    }

    #[tokio::test]
    async fn what_cannot_be_looked_up_is_no_refusal() {
        assert!(forbidding(DOMAIN, async |_: &str| None).await.is_none());
        let above = async |name: &str| (name == DOMAIN).then(Vec::new);
        assert!(forbidding(DOMAIN, above).await.is_none());
    }
}
