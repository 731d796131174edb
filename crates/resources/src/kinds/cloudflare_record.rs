//! The DNS record at Cloudflare that leads the domain of the host to its named tunnel.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::{Value, json};

use super::cloudflare::{self, Found, FoundRecord, mark, tunnel_host};
use super::cloudflare_places::{Place, RECORD_KIND};
use super::{Kind, cloudflare_tunnel, signal_instance};
use crate::permission::Permission;
use crate::stack::Stack;
use peersync_cloudflare::{CONFLICTING_RECORD, RecordSettings};
use peersync_engine::{
    Address, ApplyContext, Changes, Field, FieldName, Fields, Live, LiveField, LiveFields, OutputMap, Outputs,
    Ownership, Progress, Resource, ResourceError, SharedReads, rule,
};

/// The entry of this kind in `KINDS`.
pub const KIND: Kind = Kind { name: NAME, permissions, instances, search: None };
const NAME: &str = RECORD_KIND;

const DOMAIN: FieldName = FieldName::new("domain");
const TYPE: FieldName = FieldName::new("type");
/// The tunnel's name in DNS.
const CONTENT: FieldName = FieldName::new("content");
/// Whether browsers connect to Cloudflare.
const PROXIED: FieldName = FieldName::new("proxied");
/// The comment, which names the stack.
const COMMENT: FieldName = FieldName::new("comment");
/// The ids of the stack's records at domains that it has had before.
const LEFTOVERS: FieldName = FieldName::new("leftovers");
const FIELDS: [FieldName; 6] = [DOMAIN, TYPE, CONTENT, PROXIED, COMMENT, LEFTOVERS];

/// Returns the address of the record.
pub fn address() -> Address {
    Address::new(NAME, "signal")
}

/// Returns whether the record is that of a domain.
pub fn is_at(record: &Live, domain: &str) -> bool {
    matches!(record.fields.field(DOMAIN), Some(LiveField::Known(Value::String(name))) if name.eq_ignore_ascii_case(domain))
}

struct CloudflareRecord {
    stack: Arc<Stack>,
    address: Address,
}

fn instances(stack: &Arc<Stack>) -> Vec<Arc<dyn Resource>> {
    vec![Arc::new(CloudflareRecord { stack: stack.clone(), address: address() })]
}

/// AWS is not asked.
fn permissions(_: &Stack) -> Vec<Permission> {
    Vec::new()
}

#[async_trait]
impl Resource for CloudflareRecord {
    fn address(&self) -> &Address {
        &self.address
    }

    fn name(&self) -> Option<String> {
        Place::wanted(&self.stack).map(|place| place.domain)
    }

    fn highlights(&self) -> &'static [FieldName] {
        &[CONTENT]
    }

    fn dependencies(&self) -> Vec<Address> {
        rule!("cloudflare-record-after-tunnel", vec![cloudflare_tunnel::address()])
    }

    fn enabled(&self) -> bool {
        Place::wanted(&self.stack).is_some()
    }

    fn leads_to(&self) -> Vec<Address> {
        rule!("cloudflare-record-leads-to-a-host-that-answers", vec![signal_instance::address()])
    }

    /// The record of another domain is a new one, which is created first.
    fn leads_elsewhere(&self, _: &Live, changes: &Changes) -> bool {
        changes.has_any(&[TYPE, CONTENT]) && !changes.has(DOMAIN)
    }

    fn taggable(&self) -> bool {
        false
    }

    fn replace_on(&self) -> &'static [(FieldName, &'static str)] {
        &[(DOMAIN, "the record of the new domain is created first")]
    }

    fn create_before_destroy(&self) -> bool {
        true
    }

    async fn observe(&self, reads: &SharedReads) -> Result<Option<Live>, ResourceError> {
        let found = cloudflare::found(&self.stack, reads).await?;
        if found.is_unread {
            return Ok(found.unread(&FIELDS));
        }
        let domain = Place::wanted(&self.stack).map(|place| place.domain).unwrap_or_default();
        let is_at_domain = |one: &FoundRecord| one.record.name.eq_ignore_ascii_case(&domain);
        let is_ours = |one: &FoundRecord| self.is_ours(&found, one);
        // What others have at domains that are no longer the stack's is no concern of it.
        let relevant = || found.records.iter().filter(|one| is_at_domain(one) || is_ours(one));
        let mut in_order: Vec<&FoundRecord> = relevant().filter(|one| is_at_domain(one)).collect();
        let at_domain = in_order.len();
        in_order.sort_by_key(|one| !is_ours(one));
        in_order.extend(relevant().filter(|one| !is_at_domain(one)));
        let Some((current, others)) = in_order.split_first() else { return Ok(None) };
        let leftovers: Vec<String> = others.iter().filter(|one| is_ours(one)).map(|one| id(one)).collect();
        let record = &current.record;
        Ok(Some(Live {
            id: id(current),
            fields: LiveFields::new()
                .with(DOMAIN, record.name.to_lowercase())
                .with(TYPE, record.r#type.as_str())
                .with(CONTENT, record.content.as_str())
                .with(PROXIED, record.proxied)
                .with(COMMENT, record.comment.clone().unwrap_or_default())
                .with(LEFTOVERS, leftovers),
            ownership: ownership(current, is_ours(current), at_domain),
            outputs: OutputMap::new(),
            tags: None,
        }))
    }

    fn desired(&self, outputs: &Outputs) -> Fields {
        let wanted = Place::wanted(&self.stack);
        if wanted.is_some() && !self.stack.cloudflare.has_token() {
            let not_read = || Field::NotGiven("Cloudflare was not asked, because there is no API token".to_owned());
            return FIELDS.into_iter().fold(Fields::new(), |all, name| all.with(name, not_read()));
        }
        Fields::new()
            .with(DOMAIN, wanted.map(|place| place.domain).unwrap_or_default())
            .with(TYPE, "CNAME")
            .with(CONTENT, Field::known_or_unknown(outputs.get(&cloudflare_tunnel::address(), "host")))
            .with(PROXIED, true)
            .with(COMMENT, mark(&self.stack))
            .with(LEFTOVERS, json!([]))
    }

    async fn create(&self, context: &ApplyContext<'_>) -> Result<OutputMap, ResourceError> {
        let place = self.place()?;
        let zone = cloudflare::zone_of(&self.stack, &place).await?;
        let content = context.outputs.require(&cloudflare_tunnel::address(), "host")?;
        let comment = mark(&self.stack);
        let settings = RecordSettings { name: &place.domain, content, comment: &comment };
        match self.stack.cloudflare.create_record(&zone.id, &settings).await {
            // The answer to an earlier attempt was lost, if the record is the same.
            Err(error) if rule!("cloudflare-record-create-survives-lost-answer", error.is(CONFLICTING_RECORD)) => {
                let records = self.stack.cloudflare.records(&zone.id, &place.domain).await?;
                let is_created =
                    records.iter().any(|one| one.content == content && one.comment.as_ref() == Some(&comment));
                if is_created { Ok(OutputMap::new()) } else { Err(error) }
            }
            created => created.map(|_| OutputMap::new()),
        }
    }

    async fn update(
        &self,
        context: &ApplyContext<'_>,
        live: &Live,
        changes: &Changes,
    ) -> Result<OutputMap, ResourceError> {
        if changes.has_any(&[TYPE, CONTENT, PROXIED, COMMENT])
            && let Some((zone, record)) = live.id.split_once('/')
        {
            let content = context.outputs.require(&cloudflare_tunnel::address(), "host")?;
            let (domain, comment) = (self.place()?.domain, mark(&self.stack));
            let settings = RecordSettings { name: &domain, content, comment: &comment };
            self.stack.cloudflare.change_record(zone, record, &settings).await?;
        }
        if changes.has(LEFTOVERS) {
            self.delete_all(live.fields.texts(LEFTOVERS)).await?;
        }
        Ok(OutputMap::new())
    }

    async fn delete(&self, _: &Progress, live: &Live) -> Result<(), ResourceError> {
        if !self.stack.cloudflare.has_token() {
            return Err(cloudflare::not_deleted(&self.stack));
        }
        self.delete_all(live.fields.texts(LEFTOVERS).into_iter().chain([live.id.clone()]).collect()).await
    }
}

impl CloudflareRecord {
    fn place(&self) -> Result<Place, ResourceError> {
        Place::wanted(&self.stack).ok_or_else(|| ResourceError::new("the configuration wants no named tunnel"))
    }

    /// Returns whether a record is the stack's: by its comment or, if somebody has changed that, by the tunnel that it leads
    /// to, which is the stack's.
    fn is_ours(&self, found: &Found, one: &FoundRecord) -> bool {
        let leads_to = |id: &str| one.record.content == tunnel_host(id);
        one.record.comment.as_deref() == Some(&mark(&self.stack))
            || (found.is_recorded && found.tunnels.iter().any(|tunnel| leads_to(&tunnel.tunnel.id)))
    }

    async fn delete_all(&self, ids: Vec<String>) -> Result<(), ResourceError> {
        for (zone, record) in ids.iter().filter_map(|id| id.split_once('/')) {
            self.stack.cloudflare.delete_record(zone, record).await?;
        }
        Ok(())
    }
}

/// Returns the id of a record with its zone, which its deletion needs.
fn id(found: &FoundRecord) -> String {
    format!("{}/{}", found.zone, found.record.id)
}

fn ownership(current: &FoundRecord, is_ours: bool, at_domain: usize) -> Ownership {
    let record = &current.record;
    if is_ours {
        Ownership::Ours
    } else if at_domain > 1 {
        Ownership::OutOfReach(
            "several A, AAAA or CNAME records have the name, and a tunnel needs it for itself".to_owned(),
        )
    } else {
        Ownership::Foreign(format!("its comment does not name this stack, and it leads to {}", record.content))
    }
}
