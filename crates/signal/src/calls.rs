//! Calls as their owner counts them: that one has begun, and how its members reached each other.
//!
//! Only browsers know that, and a browser can tell anything. So each way counts once for a call, whoever tells it, and
//! nothing but the numbers depends on it.

use serde::{Deserialize, Serialize};

use peersync_server::metrics::{Metric, Tally};

/// How a member reached another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Way {
    /// From browser to browser.
    Direct,
    /// By a relay.
    Relayed,
    /// Not at all, for a while.
    Failed,
}

impl Way {
    fn metric(self) -> Metric {
        match self {
            Self::Direct => Metric::CallsDirect,
            Self::Relayed => Metric::CallsRelayed,
            Self::Failed => Metric::CallsFailed,
        }
    }
}

/// The call in a room: what its members have told. It goes on counting until the next one begins, since failures are
/// told late. One that goes on from another server begins without being counted.
#[derive(Debug, Default)]
pub struct Call {
    told: Vec<Way>,
}

impl Call {
    /// Begins a call, and counts it.
    pub fn begin(tally: &Tally) -> Self {
        tally.count(Metric::CallsStarted);
        Self::default()
    }

    /// Counts a way that a member tells, unless it was told before.
    pub fn tell(&mut self, way: Way, tally: &Tally) {
        if !self.told.contains(&way) {
            self.told.push(way);
            tally.count(way.metric());
        }
    }
}
