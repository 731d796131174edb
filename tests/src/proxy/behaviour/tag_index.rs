//! The index of tags, which learns of changes minutes later.

use std::sync::Mutex;

use super::Behave;
use crate::proxy::call::{Answer, Call};
use crate::proxy::lock;

/// What the index has told once, it tells for ever.
#[derive(Default)]
pub(super) struct LateTagIndex {
    told: Mutex<Option<Answer>>,
}

fn is_one(call: &Call) -> bool {
    call.is("tagging", "GetResources")
}

impl Behave for LateTagIndex {
    fn before(&self, call: &Call) -> Option<Answer> {
        if is_one(call) { lock(&self.told).clone() } else { None }
    }

    fn after(&self, call: &Call, answer: &mut Answer) {
        if is_one(call) && answer.text().contains("ResourceARN") {
            *lock(&self.told) = Some(answer.clone());
        }
    }
}
