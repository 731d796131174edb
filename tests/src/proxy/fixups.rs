//! What emulators get wrong and nothing else can go around, put right on its way to and from them. `tests/README.md`
//! lists what it is.

mod ministack;
mod moto;

use super::call::{Answer, Call};

/// What is put right in one emulator.
pub(super) trait Fixup: Send + Sync {
    /// The request as the emulator shall see it.
    fn request(&self, call: &Call) -> Call {
        call.clone()
    }

    /// What is sent after a call.
    fn following(&self, call: &Call, answer: &Answer) -> Option<Call> {
        let _ = (call, answer);
        None
    }

    /// The answer as AWS would have given it.
    fn answer(&self, call: &Call, answer: &mut Answer);
}

/// The mends of an emulator: moto, or those that harm no other.
pub(super) fn of(is_moto: bool) -> Box<dyn Fixup> {
    if is_moto { Box::new(moto::Moto::default()) } else { Box::new(ministack::Tags::default()) }
}
