//! An instance profile that was created again under its name: the first instance that gets it has the previous one, which
//! gives no credentials (a comment in hashicorp/terraform issue 2037).

use std::sync::Mutex;

use super::Behave;
use crate::proxy::call::{Answer, Call, elements};
use crate::proxy::lock;

/// The id of the previous profile.
const PREVIOUS: &str = "AIPAPREVIOUSPROFILE00";

/// The first instance, which has the previous profile until it is given one again.
#[derive(Default)]
pub(super) struct EarlierProfile {
    has_it: Mutex<Option<(String, bool)>>,
}

impl Behave for EarlierProfile {
    fn after(&self, call: &Call, answer: &mut Answer) {
        if call.service != "ec2" || !answer.ok() {
            return;
        }
        let mut first = lock(&self.has_it);
        let text = answer.text();
        match call.operation.as_str() {
            "RunInstances" if first.is_none() => {
                *first = elements(&text, "instanceId").first().map(|id| ((*id).to_owned(), true));
            }
            "ReplaceIamInstanceProfileAssociation" => {
                if let Some((_, has_it)) = first.as_mut() {
                    *has_it = false;
                }
            }
            _ => {}
        }
        let Some((id, true)) = &*first else { return };
        if let Some((before, after)) = text.split_once(&format!("<instanceId>{id}<"))
            && let Some((between, rest)) = after.split_once("<iamInstanceProfile>")
            && let Some((profile, rest)) = rest.split_once("</iamInstanceProfile>")
            && let Some(real) = elements(profile, "id").first()
        {
            let profile = profile.replace(*real, PREVIOUS);
            answer.set_body(format!(
                "{before}<instanceId>{id}<{between}<iamInstanceProfile>{profile}</iamInstanceProfile>{rest}"
            ));
        }
    }
}
