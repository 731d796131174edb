//! The URLs and names of a stack, by stable keys.

use std::collections::BTreeMap;

use peersync_engine::Outputs;
use peersync_resources::kinds::{cloudfront_distribution, elastic_ip, rest_api, s3_bucket};
use peersync_resources::stack::Stack;

/// Returns the URLs and names of a stack. Those of resources that do not exist are left out.
pub fn places(stack: &Stack, outputs: &Outputs, expires_at: Option<String>) -> BTreeMap<&'static str, String> {
    let mut places = BTreeMap::from([
        ("stack", stack.name()),
        ("stage", stack.config.stage.clone()),
        ("region", stack.clients.region.clone()),
        ("account", stack.identity.account.clone()),
    ]);
    let bucket = outputs.get(&s3_bucket::address(), "name");
    places.extend(bucket.map(|bucket| ("bucket", bucket.to_owned())));
    let site = stack.site_url(outputs);
    places.extend(site.as_ref().map(|site| ("api_url", format!("{site}/api"))));
    places.extend(site.map(|site| ("site_url", site)));
    let signaling = stack.signal_url(outputs).filter(|url| !url.is_empty());
    places.extend(signaling.map(|url| ("signaling_url", url)));
    let address = outputs.get(&elastic_ip::address(), "ip").filter(|_| stack.config.signaling.has_certificate());
    places.extend(address.map(|address| ("signaling_address", address.to_owned())));
    places.extend(distribution(outputs).map(|domain| ("distribution_domain", domain.to_owned())));
    places.extend(gateway_url(stack, outputs).map(|url| ("gateway_url", url)));
    places.extend(site_page(stack, outputs).map(|url| ("page_url", url)));
    places.extend(expires_at.map(|moment| ("expires_at", moment)));
    places
}

/// Returns the distribution's own domain name, which works without the owner's DNS.
pub(super) fn distribution(outputs: &Outputs) -> Option<&str> {
    outputs.get(&cloudfront_distribution::address(), "edge_domain")
}

/// Returns the URL of the API without the edge.
pub(super) fn gateway_url(stack: &Stack, outputs: &Outputs) -> Option<String> {
    let output = |name| outputs.get(&rest_api::address(), name);
    Some(match &stack.clients.endpoint_url {
        Some(endpoint) => format!("{}/restapis/{}/api/_user_request_", endpoint.trim_end_matches('/'), output("id")?),
        None => format!("https://{}/api", output("host")?),
    })
}

/// Returns the URL of the page on an AWS emulator, whose distribution has no name that resolves.
pub(super) fn site_page(stack: &Stack, outputs: &Outputs) -> Option<String> {
    let endpoint = stack.clients.endpoint_url.as_ref()?;
    let bucket = outputs.get(&s3_bucket::address(), "name")?;
    Some(format!("{}/{bucket}/index.html", endpoint.trim_end_matches('/')))
}
