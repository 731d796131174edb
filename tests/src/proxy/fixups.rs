//! Corrections of emulator bugs that cannot be avoided otherwise, applied to requests and answers. `tests/README.md`
//! lists the bugs.

pub(super) mod import;
pub(super) mod ministack;
mod moto;
pub(super) mod tag_index;

use std::sync::Arc;

use super::call::{Answer, Call};

/// The corrections for one emulator.
pub(super) trait Fixup: std::fmt::Debug + Send + Sync {
    /// Returns the request that the emulator receives.
    fn request(&self, call: &Call) -> Call {
        call.clone()
    }

    /// Returns a request to send after a call.
    fn following(&self, call: &Call, answer: &Answer) -> Option<Call> {
        let _ = (call, answer);
        None
    }

    /// Changes the answer to the one that AWS would have given.
    fn answer(&self, call: &Call, answer: &mut Answer);
}

/// Returns the body of RunInstances with the groups and the subnet of its network interface as those of the instance:
/// emulators read them only there.
fn without_interface(call: &Call) -> String {
    let text = call.text();
    let moved = text.split('&').filter_map(|pair| match pair.strip_prefix("NetworkInterface.1.") {
        None => Some(pair),
        Some(rest) => ["SecurityGroupId.", "SubnetId="].iter().any(|kept| rest.starts_with(kept)).then_some(rest),
    });
    moved.collect::<Vec<_>>().join("&")
}

/// Returns the fixups of an emulator: those of moto, or those that harm no other emulator.
pub(super) fn of(is_moto: bool) -> Arc<dyn Fixup> {
    if is_moto { Arc::new(moto::Moto::default()) } else { Arc::new(ministack::MiniStack::default()) }
}
