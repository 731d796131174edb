//! The URLs and names of a stack, by stable keys.

use std::collections::BTreeMap;

use peersync_engine::Outputs;
use peersync_resources::stack::Stack;

/// Returns the URLs and names of a stack. Those of resources that do not exist are left out.
pub fn places(stack: &Stack, outputs: &Outputs, expires_at: Option<String>) -> BTreeMap<&'static str, String> {
    let mut places = BTreeMap::from([
        ("stack", stack.name()),
        ("stage", stack.config.stage.clone()),
        ("region", stack.clients.region.clone()),
        ("account", stack.identity.account.clone()),
    ]);
    let bucket = find(outputs, "s3_bucket", "name");
    places.extend(bucket.map(|bucket| ("bucket", bucket.to_owned())));
    let site = stack.site_url(outputs);
    places.extend(site.as_ref().map(|site| ("api_url", format!("{site}/api"))));
    places.extend(site.map(|site| ("site_url", site)));
    let signaling = stack.signal_url(outputs).filter(|url| !url.is_empty());
    places.extend(signaling.map(|url| ("signaling_url", url)));
    places.extend(distribution(outputs).map(|domain| ("distribution_domain", domain.to_owned())));
    places.extend(gateway_url(stack, outputs).map(|url| ("gateway_url", url)));
    places.extend(site_page(stack, outputs).map(|url| ("page_url", url)));
    places.extend(expires_at.map(|moment| ("expires_at", moment)));
    places
}

/// Returns the distribution's own domain name, which works without the owner's DNS.
pub(super) fn distribution(outputs: &Outputs) -> Option<&str> {
    find(outputs, "cloudfront_distribution", "edge_domain")
}

/// Returns the URL of the API without the edge.
pub(super) fn gateway_url(stack: &Stack, outputs: &Outputs) -> Option<String> {
    let id = find(outputs, "rest_api", "id")?;
    Some(match &stack.clients.endpoint_url {
        Some(endpoint) => format!("{}/restapis/{id}/api/_user_request_", endpoint.trim_end_matches('/')),
        None => format!("https://{id}.execute-api.{}.{}/api", stack.clients.region, domain_suffix(stack)),
    })
}

/// Returns the URL of the page on an AWS emulator, whose distribution has no name that resolves.
pub(super) fn site_page(stack: &Stack, outputs: &Outputs) -> Option<String> {
    let endpoint = stack.clients.endpoint_url.as_ref()?;
    let bucket = find(outputs, "s3_bucket", "name")?;
    Some(format!("{}/{bucket}/index.html", endpoint.trim_end_matches('/')))
}

fn domain_suffix(stack: &Stack) -> &'static str {
    if stack.identity.partition == "aws-cn" { "amazonaws.com.cn" } else { "amazonaws.com" }
}

/// Returns the output with this name of the first resource of this kind.
fn find<'a>(outputs: &'a Outputs, kind: &str, name: &str) -> Option<&'a str> {
    let of_kind = outputs.iter().filter(|(address, _)| address.kind == kind);
    of_kind.filter_map(|(_, map)| map.get(name)).find(|output| !output.is_secret()).map(|output| output.value())
}
