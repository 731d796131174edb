//! Response-headers policies: an account has at most twenty, and a distribution needs one that exists.
//! Source: "Quotas", CloudFront developer guide.

use std::collections::HashSet;
use std::sync::Mutex;

use super::Behave;
use crate::proxy::call::{Answer, Call, between, elements};
use crate::proxy::lock;

/// How many an account may have.
const QUOTA: usize = 20;

/// The policies that exist, as far as they were created or listed through this proxy.
#[derive(Default)]
pub(super) struct HeadersPolicies {
    ids: Mutex<HashSet<String>>,
}

impl Behave for HeadersPolicies {
    fn before(&self, call: &Call) -> Option<Answer> {
        let ids = lock(&self.ids);
        let (status, code) = match call.operation.as_str() {
            "CreateResponseHeadersPolicy" if ids.len() >= QUOTA => (400, "TooManyResponseHeadersPolicies"),
            "CreateDistribution" | "UpdateDistribution" => {
                let text = call.text();
                let mut used = elements(&text, "ResponseHeadersPolicyId").into_iter().filter(|id| !id.is_empty());
                used.find(|id| !ids.contains(*id))?;
                (404, "NoSuchResponseHeadersPolicy")
            }
            _ => return None,
        };
        Some(Answer::error(call, status, code, "See the quotas and identifiers of response headers policies."))
    }

    fn after(&self, call: &Call, answer: &mut Answer) {
        if call.service != "cloudfront" || !answer.ok() {
            return;
        }
        let (mut ids, text) = (lock(&self.ids), answer.text());
        match call.operation.as_str() {
            "CreateResponseHeadersPolicy" => ids.extend(between(&text, "<Id>", "</Id>").map(str::to_owned)),
            "DeleteResponseHeadersPolicy" => _ = ids.remove(&call.segment(2).unwrap_or_default()),
            "ListResponseHeadersPolicies" => {
                *ids = elements(&text, "Id").into_iter().map(str::to_owned).collect();
            }
            _ => {}
        }
    }
}
