//! What Cloudflare has of a stack with a named tunnel, read once for both kinds: the tunnel, and the DNS record.
//!
//! Neither can carry tags, and a command that has no configuration must find them. So a parameter of the stack records,
//! before anything is created, where they are: the domain, and all that the stack has had before. It also says whose a
//! tunnel with our name is.

use std::sync::Arc;

use super::cloudflare_places::{Place, RECORD_KIND, TUNNEL_KIND, recorded};
use super::parameter_store::{self, CLOUDFLARE};
use super::ssm_parameter;
use crate::stack::Stack;
use peersync_cloudflare::{Record, Tunnel, Zone, no_token};
use peersync_config::{CLOUDFLARE_API_TOKEN, CLOUDFLARE_PERMISSIONS};
use peersync_engine::{Failure, FieldName, Live, LiveField, LiveFields, Plan, ResourceError, SharedReads};
use serde_json::Value;

/// The name of the shared read.
const READ: &str = "cloudflare";
/// The status of a zone that Cloudflare's name servers answer for.
const ACTIVE: &str = "active";

/// A tunnel with the stack's name.
#[derive(Clone, Debug)]
pub(super) struct FoundTunnel {
    pub(super) account: String,
    pub(super) tunnel: Tunnel,
}

/// A record at one of the stack's domains.
#[derive(Clone, Debug)]
pub(super) struct FoundRecord {
    pub(super) zone: String,
    pub(super) record: Record,
}

/// What was found. It cannot be printed, because the token is secret.
#[derive(Clone, Default)]
pub(super) struct Found {
    /// Whether the stack has recorded that it has, or had, a tunnel.
    pub(super) is_recorded: bool,
    /// Whether nothing was read, because there is no API token.
    pub(super) is_unread: bool,
    /// The zone of the present domain.
    pub(super) zone: Option<Zone>,
    /// The tunnels, that of the zone's account first.
    pub(super) tunnels: Vec<FoundTunnel>,
    /// The ingress rules of the first tunnel, if it is in the zone's account.
    pub(super) ingress: Vec<Value>,
    /// The token of the first tunnel.
    pub(super) token: Option<String>,
    /// The records, those of the present domain first.
    pub(super) records: Vec<FoundRecord>,
}

impl Found {
    /// Returns the resource of which nothing could be read, with these fields: it exists if that is recorded.
    pub(super) fn unread(&self, fields: &[FieldName]) -> Option<Live> {
        let unreadable = |all: LiveFields, name: &FieldName| all.with(*name, LiveField::Unreadable);
        let fields = fields.iter().fold(LiveFields::new(), unreadable);
        self.is_recorded.then(|| Live { fields, ..Live::default() })
    }
}

/// Returns what Cloudflare has of the stack. Without a tunnel, wanted or recorded, Cloudflare is not asked.
pub(super) async fn found(stack: &Stack, reads: &SharedReads) -> Result<Arc<Found>, ResourceError> {
    let record = recorded_places(stack, reads).await?;
    reads.get(READ, find(stack, record.as_deref())).await
}

/// Returns what the stack has recorded of its tunnels; nothing at an emulator without parameters.
async fn recorded_places(stack: &Stack, reads: &SharedReads) -> Result<Option<String>, ResourceError> {
    if stack.clients.absent.contains_key("ssm") {
        return Ok(None);
    }
    match ssm_parameter::value_of(stack, reads, CLOUDFLARE).await {
        Err(error) if ssm_parameter::is_lacking(stack, &error) => Ok(None),
        record => record,
    }
}

async fn find(stack: &Stack, record: Option<&str>) -> Result<Arc<Found>, ResourceError> {
    let mut found = Found { is_recorded: record.is_some(), ..Found::default() };
    let wanted = Place::wanted(stack);
    let mut places: Vec<Place> = wanted.iter().cloned().collect();
    places.extend(record.map(recorded).unwrap_or_default().into_iter().filter(|place| wanted.as_ref() != Some(place)));
    let Some((present, earlier)) = places.split_first() else { return Ok(Arc::new(found)) };
    if !stack.cloudflare.has_token() {
        return Ok(Arc::new(Found { is_unread: true, ..found }));
    }
    let zone = zone_of(stack, present).await?;
    if wanted.is_some() && !zone.status.is_empty() && zone.status != ACTIVE {
        return Err(inactive(&zone));
    }
    let mut zones = vec![(zone.clone(), present.domain.clone())];
    for place in earlier {
        // What the token no longer shows was given away together with the domain.
        let all =
            stack.cloudflare.zones_of(&place.domain).await?.into_iter().filter(|zone| place.is_in(&zone.account.id));
        zones.extend(all.map(|zone| (zone, place.domain.clone())));
    }
    read_tunnels(stack, &zones, &mut found).await?;
    for (zone, domain) in &zones {
        let records = stack.cloudflare.records(&zone.id, domain).await?;
        found.records.extend(records.into_iter().map(|record| FoundRecord { zone: zone.id.clone(), record }));
    }
    found.zone = Some(zone);
    Ok(Arc::new(found))
}

async fn read_tunnels(stack: &Stack, zones: &[(Zone, String)], found: &mut Found) -> Result<(), ResourceError> {
    let name = tunnel_name(stack);
    let mut accounts: Vec<&str> = Vec::new();
    for (zone, _) in zones {
        if !accounts.contains(&zone.account.id.as_str()) {
            accounts.push(&zone.account.id);
        }
    }
    for account in &accounts {
        let tunnel = stack.cloudflare.tunnel(account, &name).await?;
        found.tunnels.extend(tunnel.map(|tunnel| FoundTunnel { account: (*account).to_owned(), tunnel }));
    }
    let present = found.tunnels.first().filter(|first| Some(&first.account.as_str()) == accounts.first());
    if let Some(FoundTunnel { account, tunnel }) = present {
        let ingress = stack.cloudflare.ingress(account, &tunnel.id);
        let token = stack.cloudflare.tunnel_token(account, &tunnel.id);
        (found.ingress, found.token) = futures::try_join!(ingress, token)?;
    }
    Ok(())
}

/// Returns the zone of a place, the most specific one.
pub(super) async fn zone_of(stack: &Stack, place: &Place) -> Result<Zone, ResourceError> {
    let mut zones = stack.cloudflare.zones_of(&place.domain).await?;
    zones.retain(|zone| place.is_in(&zone.account.id));
    let Some(first) = zones.first().cloned() else { return Err(no_zone(place)) };
    let same = || zones.iter().filter(|zone| zone.name == first.name);
    if same().count() > 1 {
        let accounts: Vec<&str> = same().map(|zone| zone.account.id.as_str()).collect();
        return Err(ResourceError::new("several Cloudflare accounts have the zone of the domain")
            .failure(Failure::Elsewhere)
            .caused_by(format!("{} is in the accounts {}", first.name, accounts.join(", ")))
            .hint("choose one: set `signaling.cloudflare_account` to its ID"));
    }
    Ok(first)
}

fn no_zone(place: &Place) -> ResourceError {
    let account = place.account.as_ref().map(|account| format!(" in the account {account}")).unwrap_or_default();
    ResourceError::new("Cloudflare shows no zone for the domain of the tunnel")
        .failure(Failure::Elsewhere)
        .caused_by(format!("neither {} nor a domain above it is a zone that the API token may read{account}", place.domain))
        .hint(format!(
            "add the domain to your Cloudflare account, or correct `signaling.domain`; the token in {CLOUDFLARE_API_TOKEN} \
             needs the permissions {CLOUDFLARE_PERMISSIONS}"
        ))
}

fn inactive(zone: &Zone) -> ResourceError {
    ResourceError::new("the zone of the tunnel's domain is not active at Cloudflare")
        .failure(Failure::Elsewhere)
        .caused_by(format!("{} is {}", zone.name, zone.status))
        .hint("name Cloudflare's name servers at the domain's registrar, as its dashboard shows, and wait until it is active")
}

/// The name of the stack's tunnel. It tells the account and the region, because the tunnels of several may be in one
/// account of Cloudflare.
pub(super) fn tunnel_name(stack: &Stack) -> String {
    format!("{}-{}-{}", stack.name(), stack.clients.region, stack.identity.account)
}

/// The comment of the stack's DNS record.
pub(super) fn mark(stack: &Stack) -> String {
    format!("{} of {}", stack.global_mark(), stack.identity.account)
}

/// Returns the name under which Cloudflare's DNS leads to a tunnel.
pub(super) fn tunnel_host(tunnel: &str) -> String {
    format!("{tunnel}.cfargotunnel.com")
}

/// Returns why nothing of a stack can be deleted at Cloudflare, and what to do about it.
pub(super) fn not_deleted(stack: &Stack) -> ResourceError {
    let (name, parameter) = (tunnel_name(stack), parameter_store::name(stack, CLOUDFLARE));
    no_token().hint(format!(
        "set {CLOUDFLARE_API_TOKEN} to an API token with the permissions {CLOUDFLARE_PERMISSIONS} and run the command again; or \
         delete in Cloudflare's dashboard the tunnel {name} (Zero Trust, Networks, Tunnels) and the DNS record that leads to \
         it, and then the parameter {parameter}"
    ))
}

/// Returns why a plan cannot be applied: it changes something at Cloudflare, and there is no API token.
pub fn refusal(stack: &Stack, plan: &Plan) -> Option<ResourceError> {
    let needs_token = plan.pending().any(|step| [TUNNEL_KIND, RECORD_KIND].contains(&step.address.kind));
    (needs_token && !stack.cloudflare.has_token()).then(|| not_deleted(stack))
}

#[cfg(test)]
mod tests {
    use super::*;
    use peersync_config::Config;

    /// Comments have at most 100 characters in Cloudflare's free plan.
    #[tokio::test]
    async fn mark_of_the_longest_name_fits_into_a_comment() {
        let mut config = Config { stage: "a-bcdefghijklmnopqrs".to_owned(), ..Config::default() };
        config.stack.name = "a-bcdefghijklmnopqrs".to_owned();
        let mut stack = Arc::unwrap_or_clone(Stack::for_tests(config).await);
        stack.clients.region = "ap-southeast-1".to_owned();
        assert!(mark(&stack).len() <= 100, "{} characters", mark(&stack).len());
    }
}
