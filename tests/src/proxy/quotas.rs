//! Service Quotas, which the emulators lack: it says what a test wants the account to have.

use serde_json::json;

use super::call::{Answer, Call};

/// Answers in place of AWS. `quotas` are those that the account has, by their codes; it has no others.
pub(super) fn answer(quotas: &[(&'static str, f64)], call: &Call) -> Option<Answer> {
    if quotas.is_empty() || !call.is("servicequotas", "GetServiceQuota") {
        return None;
    }
    let code = call.json_text("QuotaCode")?;
    let Some((_, value)) = quotas.iter().find(|(known, _)| *known == code) else {
        return Some(Answer::error(
            call,
            400,
            "NoSuchResourceException",
            "The request failed because it does not exist.",
        ));
    };
    let mut answer = Answer::empty(call);
    answer.set_body(json!({ "Quota": { "QuotaCode": code, "Value": value } }).to_string());
    Some(answer)
}
