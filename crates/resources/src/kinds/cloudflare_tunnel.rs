//! The named Cloudflare Tunnel of the host, with its ingress rules, which are at Cloudflare: its one domain leads to the
//! signaling server.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::{Value, json};

use super::cloudflare::{self, Found, FoundTunnel, tunnel_host, tunnel_name};
use super::cloudflare_places::{self, Place, TUNNEL_KIND};
use super::{Kind, parameter_store};
use crate::permission::Permission;
use crate::stack::Stack;
use peersync_engine::{
    Address, ApplyContext, Changes, Field, FieldName, Fields, Live, LiveFields, OutputMap, Outputs, Ownership,
    Progress, Resource, ResourceError, SharedReads, rule,
};

/// The entry of this kind in `KINDS`.
pub const KIND: Kind = Kind { name: NAME, permissions, instances, search: None };
const NAME: &str = TUNNEL_KIND;

/// The ingress rules, each as `domain: service`.
const INGRESS: FieldName = FieldName::new("ingress");
/// Whether it is in the account of the domain's zone, where alone the record can lead to it.
const ACCOUNT: FieldName = FieldName::new("account");
/// The paths of tunnels with the stack's name in other accounts.
const LEFTOVERS: FieldName = FieldName::new("leftovers");

/// The value of the field `account` of a tunnel that the record can lead to.
const SAME_ACCOUNT: &str = "that of the domain";
/// Where the signaling server listens behind a tunnel.
pub(super) const SERVICE: &str = "http://127.0.0.1:8081";
/// What answers every other domain: Cloudflare wants a last rule without one.
const NOTHING_ELSE: &str = "http_status:404";

/// Returns the address of the tunnel.
pub fn address() -> Address {
    cloudflare_places::tunnel()
}

struct CloudflareTunnel {
    stack: Arc<Stack>,
    address: Address,
}

fn instances(stack: &Arc<Stack>) -> Vec<Arc<dyn Resource>> {
    vec![Arc::new(CloudflareTunnel { stack: stack.clone(), address: address() })]
}

/// AWS is not asked.
fn permissions(_: &Stack) -> Vec<Permission> {
    Vec::new()
}

#[async_trait]
impl Resource for CloudflareTunnel {
    fn address(&self) -> &Address {
        &self.address
    }

    fn name(&self) -> Option<String> {
        Some(tunnel_name(&self.stack))
    }

    fn highlights(&self) -> &'static [FieldName] {
        &[INGRESS]
    }

    fn dependencies(&self) -> Vec<Address> {
        rule!("cloudflare-tunnel-after-its-record", vec![parameter_store::address(parameter_store::CLOUDFLARE)])
    }

    fn enabled(&self) -> bool {
        Place::wanted(&self.stack).is_some()
    }

    fn taggable(&self) -> bool {
        false
    }

    fn replace_on(&self) -> &'static [(FieldName, &'static str)] {
        &[(ACCOUNT, "a tunnel cannot be moved to another account")]
    }

    fn create_before_destroy(&self) -> bool {
        true
    }

    /// Pages are told the former domain until the functions have changed.
    fn keeps_former(&self, changes: &Changes) -> bool {
        rule!("former-domain-leads-to-the-host", changes.has(INGRESS))
    }

    async fn observe(&self, reads: &SharedReads) -> Result<Option<Live>, ResourceError> {
        let found = cloudflare::found(&self.stack, reads).await?;
        if found.is_unread {
            return Ok(found.unread(&[INGRESS, ACCOUNT, LEFTOVERS]));
        }
        let Some(current) = found.tunnels.first() else { return Ok(None) };
        let leftovers: Vec<String> = found.tunnels.iter().skip(1).map(id).collect();
        let is_same = found.zone.as_ref().is_some_and(|zone| zone.account.id == current.account);
        let account = if is_same { SAME_ACCOUNT.to_owned() } else { current.account.clone() };
        Ok(Some(Live {
            id: id(current),
            fields: LiveFields::new()
                .with(INGRESS, view(&found.ingress))
                .with(ACCOUNT, account)
                .with(LEFTOVERS, leftovers),
            ownership: ownership(&found, current),
            outputs: outputs(&current.tunnel.id, found.token.as_deref()),
            tags: None,
        }))
    }

    fn desired(&self, _: &Outputs) -> Fields {
        let wanted = Place::wanted(&self.stack);
        if wanted.is_some() && !self.stack.cloudflare.has_token() {
            let not_read = || Field::NotGiven("Cloudflare was not asked, because there is no API token".to_owned());
            return Fields::new().with(INGRESS, not_read()).with(ACCOUNT, not_read()).with(LEFTOVERS, not_read());
        }
        let domain = wanted.map(|place| place.domain).unwrap_or_default();
        let fields = Fields::new().with(INGRESS, view(&rules(&domain, &[])));
        fields.with(ACCOUNT, SAME_ACCOUNT).with(LEFTOVERS, json!([]))
    }

    async fn create(&self, _: &ApplyContext<'_>) -> Result<OutputMap, ResourceError> {
        let place = self.place()?;
        let zone = cloudflare::zone_of(&self.stack, &place).await?;
        let tunnel = self.stack.cloudflare.create_tunnel(&zone.account.id, &tunnel_name(&self.stack)).await?;
        self.put_ingress(&zone.account.id, &tunnel.id, &place.domain, &[]).await?;
        let token = self.stack.cloudflare.tunnel_token(&zone.account.id, &tunnel.id).await?;
        Ok(outputs(&tunnel.id, token.as_deref()))
    }

    async fn update(
        &self,
        context: &ApplyContext<'_>,
        live: &Live,
        changes: &Changes,
    ) -> Result<OutputMap, ResourceError> {
        if changes.has(INGRESS)
            && let Some((account, tunnel)) = parts(&live.id)
        {
            let former = former_domains(&live.fields.texts(INGRESS));
            let kept = if self.keeps_former(changes) { former.as_slice() } else { &[] };
            self.put_ingress(account, tunnel, &self.place()?.domain, kept).await?;
        }
        if changes.has(LEFTOVERS) {
            self.delete_all(context.progress, live.fields.texts(LEFTOVERS)).await?;
        }
        Ok(live.outputs.clone())
    }

    async fn finish(&self, _: &ApplyContext<'_>, live: &Live, _: &Changes) -> Result<(), ResourceError> {
        let domain = self.place()?.domain;
        let former = former_domains(&live.fields.texts(INGRESS));
        match parts(&live.id).filter(|_| former.iter().any(|former| *former != domain)) {
            Some((account, tunnel)) => self.put_ingress(account, tunnel, &domain, &[]).await,
            None => Ok(()),
        }
    }

    async fn delete(&self, progress: &Progress, live: &Live) -> Result<(), ResourceError> {
        if !self.stack.cloudflare.has_token() {
            return Err(cloudflare::not_deleted(&self.stack));
        }
        let all = live.fields.texts(LEFTOVERS).into_iter().chain([live.id.clone()]);
        self.delete_all(progress, all.collect()).await
    }
}

impl CloudflareTunnel {
    fn place(&self) -> Result<Place, ResourceError> {
        Place::wanted(&self.stack).ok_or_else(|| ResourceError::new("the configuration wants no named tunnel"))
    }

    async fn put_ingress(
        &self,
        account: &str,
        tunnel: &str,
        domain: &str,
        former: &[String],
    ) -> Result<(), ResourceError> {
        self.stack.cloudflare.put_ingress(account, tunnel, &Value::Array(rules(domain, former))).await
    }

    async fn delete_all(&self, progress: &Progress, ids: Vec<String>) -> Result<(), ResourceError> {
        for (account, tunnel) in ids.iter().filter_map(|id| parts(id)) {
            self.stack.cloudflare.delete_tunnel(progress, account, tunnel).await?;
        }
        Ok(())
    }
}

/// A tunnel with the stack's name is the stack's if that has recorded that it creates one.
fn ownership(found: &Found, current: &FoundTunnel) -> Ownership {
    if found.is_recorded {
        Ownership::Ours
    } else if current.tunnel.is_local() {
        Ownership::OutOfReach("its ingress rules are in a file of the host that runs it".to_owned())
    } else {
        Ownership::Foreign("the stack has no record of having created it".to_owned())
    }
}

/// Returns the id of a tunnel with its account, which its deletion needs.
fn id(found: &FoundTunnel) -> String {
    format!("{}/{}", found.account, found.tunnel.id)
}

fn parts(id: &str) -> Option<(&str, &str)> {
    id.split_once('/')
}

fn outputs(id: &str, token: Option<&str>) -> OutputMap {
    let outputs = OutputMap::new().with("id", id).with("host", tunnel_host(id));
    match token {
        Some(token) => outputs.with_secret("token", token),
        None => outputs,
    }
}

/// Returns the ingress rules for a domain, and former ones that lead to the signaling server too.
pub(super) fn rules(domain: &str, former: &[String]) -> Vec<Value> {
    let former = former.iter().map(String::as_str).filter(|former| *former != domain);
    let domains = std::iter::once(domain).chain(former).map(|one| json!({ "hostname": one, "service": SERVICE }));
    domains.chain([json!({ "service": NOTHING_ELSE })]).collect()
}

/// Returns the domains that lead to the signaling server, of rules as a plan shows them.
fn former_domains(shown: &[String]) -> Vec<String> {
    let domains = shown.iter().filter_map(|rule| rule.strip_suffix(SERVICE)?.strip_suffix(": "));
    domains.filter(|domain| !domain.contains(['/', ' '])).map(str::to_owned).collect()
}

/// Returns the rules as a plan shows them. Cloudflare returns more members than were written, which are empty.
fn view(rules: &[Value]) -> Value {
    let text = |rule: &Value, member: &str| rule.get(member).and_then(Value::as_str).unwrap_or_default().to_owned();
    let shown = |rule: &Value| {
        let domain = Some(text(rule, "hostname")).filter(|domain| !domain.is_empty());
        let domain = domain.unwrap_or_else(|| "everything else".to_owned());
        let settings =
            rule.get("originRequest").filter(|settings| settings.as_object().is_some_and(|all| !all.is_empty()));
        let settings = settings.map(|settings| format!(" {settings}")).unwrap_or_default();
        format!("{domain}{}: {}{settings}", text(rule, "path"), text(rule, "service"))
    };
    rules.iter().map(shown).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_as_cloudflare_returns_them_are_the_same_rules() {
        let returned = [
            json!({ "id": "1", "hostname": "signal.example.org", "service": SERVICE, "originRequest": {} }),
            json!({ "service": NOTHING_ELSE, "path": "" }),
        ];
        assert_eq!(view(&returned), view(&rules("signal.example.org", &[])));
        let changed =
            json!({ "hostname": "signal.example.org", "service": SERVICE, "originRequest": { "noTLSVerify": true } });
        assert_ne!(view(&[changed, json!({ "service": NOTHING_ELSE })]), view(&rules("signal.example.org", &[])));
        assert_ne!(view(&[]), view(&rules("signal.example.org", &[])));
    }

    #[test]
    fn former_domain_is_known_from_what_a_plan_shows() {
        let both = rules("new.example.org", &["old.example.org".to_owned()]);
        let shown =
            view(&both).as_array().unwrap().iter().map(|rule| rule.as_str().unwrap().to_owned()).collect::<Vec<_>>();
        assert_eq!(former_domains(&shown), ["new.example.org", "old.example.org"]);
        let others =
            ["everything else: http_status:404", "a.example.org/x: http://127.0.0.1:8081", "b: http://10.0.0.1"];
        assert_eq!(former_domains(&others.map(str::to_owned)), Vec::<String>::new());
    }
}
