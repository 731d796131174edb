//! Behaviours of AWS that the lenient and instant emulators lack; each is one switch.

mod api_gateway;
mod capacity;
mod cloudfront;
mod dynamodb;
mod earlier_profile;
mod ec2;
mod fresh;
mod headers_policies;
mod host;
mod iam;
mod lambda;
mod late_lines;
mod rates;
mod s3;
mod tag_index;
mod twice;

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::time::{Duration, Instant};

pub use self::host::REFUSED;
use super::call::{Answer, Call};

/// One behaviour of AWS that the emulators lack.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Behaviour {
    /// Lambda refuses a role that does not exist, and one that was just created.
    RoleNotAssumable,
    /// EC2 refuses an instance profile that does not exist, has no role, or was just created; the first instance that
    /// gets one has none.
    InvalidInstanceProfile,
    /// A role with policies or in a profile, and a profile with a role, cannot be deleted; nor for a moment after these
    /// were detached.
    DeleteConflict,
    /// Instances take time to start, to become healthy and to stop; what they use cannot be deleted before.
    DependencyViolation,
    /// Instances run their user data, and report in a tag when they are ready.
    HostReports,
    /// The same client token returns the same instance.
    ClientToken,
    /// Only the last of the region's zones has capacity for an instance, and EC2's own choice is another.
    CapacityByZone,
    /// A table's point-in-time recovery cannot be set right after it has become active.
    ContinuousBackupsUnavailable,
    /// A backup is CREATING for a while.
    BackupInProgress,
    /// A table is CREATING, UPDATING or DELETING for a while and refuses changes meanwhile; its index takes longer.
    TableInProgress,
    /// A function is Pending or being updated for a while and refuses changes; once, another client's comes first.
    FunctionInProgress,
    /// The last update of a function has failed, until the next one.
    FailedUpdate,
    /// A distribution is InProgress for a while; one that is enabled or in progress cannot be deleted.
    DistributionInProgress,
    /// What a distribution uses cannot be deleted.
    AccessControlInUse,
    /// A resource that was just created is not found.
    NotFoundAfterCreate,
    /// S3 refuses concurrent changes of a bucket, and a bucket's name right after its deletion.
    OperationAborted,
    /// Each service refuses what comes faster than it documents, by service and operation.
    Rates,
    /// API Gateway refuses a change of an API while another one is under way.
    ApiGatewayConcurrent,
    /// API Gateway deploys no API without methods, nor one with a method that has no integration.
    EmptyDeployment,
    /// A stage's log is refused until the account has a role for it, and that role until it has propagated.
    GatewayLogRole,
    /// Tables are created, changed and deleted one at a time.
    SimultaneousTables,
    /// Another client changes a resource of CloudFront between the deployer's read and its change.
    ChangedMeanwhile,
    /// A function that still exists writes a line into its log, and so re-creates its log group.
    LateLog,
    /// The last lines of a stage's access log are late, and create its log group again.
    LateAccessLog,
    /// The first instance has the previous profile of the same name.
    EarlierProfile,
    /// An account has at most twenty response-headers policies, and a distribution needs one that exists.
    HeadersPolicies,
    /// Methods, stages and distributions that exist are not created again, nor is the expiry of a table enabled twice.
    AlreadyThere,
    /// The index of tags learns of changes later.
    LateTagIndex,
}

impl Behaviour {
    /// All of them.
    pub const ALL: [Self; 28] = [
        Self::RoleNotAssumable,
        Self::InvalidInstanceProfile,
        Self::DeleteConflict,
        Self::DependencyViolation,
        Self::HostReports,
        Self::ClientToken,
        Self::CapacityByZone,
        Self::ContinuousBackupsUnavailable,
        Self::BackupInProgress,
        Self::TableInProgress,
        Self::FunctionInProgress,
        Self::FailedUpdate,
        Self::DistributionInProgress,
        Self::AccessControlInUse,
        Self::NotFoundAfterCreate,
        Self::OperationAborted,
        Self::Rates,
        Self::ApiGatewayConcurrent,
        Self::EmptyDeployment,
        Self::GatewayLogRole,
        Self::SimultaneousTables,
        Self::ChangedMeanwhile,
        Self::LateLog,
        Self::LateAccessLog,
        Self::EarlierProfile,
        Self::HeadersPolicies,
        Self::AlreadyThere,
        Self::LateTagIndex,
    ];

    fn make(self, times: &Times) -> Box<dyn Behave> {
        match self {
            Self::RoleNotAssumable => Box::new(iam::RoleNotAssumable::new(times.role)),
            Self::InvalidInstanceProfile => Box::new(iam::InvalidInstanceProfile::new(times.role)),
            Self::DeleteConflict => Box::new(iam::DeleteConflict::new(times.fresh)),
            Self::DependencyViolation => Box::new(ec2::DependencyViolation::new(times.instance)),
            Self::HostReports => Box::new(host::HostReports::new(times.host, times.certificate)),
            Self::ClientToken => Box::new(ec2::ClientToken::default()),
            Self::CapacityByZone => Box::new(capacity::CapacityByZone::default()),
            Self::ContinuousBackupsUnavailable => Box::new(dynamodb::BackupsUnavailable::new(times.table * 2)),
            Self::BackupInProgress => Box::new(dynamodb::BackupInProgress::new(times.table)),
            Self::TableInProgress => Box::new(dynamodb::TableInProgress::new(times.table)),
            Self::FunctionInProgress => Box::new(lambda::FunctionInProgress::new(times.function)),
            Self::FailedUpdate => Box::new(lambda::FailedUpdate::default()),
            Self::DistributionInProgress => Box::new(cloudfront::DistributionInProgress::new(times.distribution)),
            Self::AccessControlInUse => Box::new(cloudfront::InUse::default()),
            Self::NotFoundAfterCreate => Box::new(fresh::NotFoundAfterCreate::new(times.fresh)),
            Self::OperationAborted => Box::new(s3::OperationAborted::new(times.fresh)),
            Self::Rates => Box::new(rates::Rates::default()),
            Self::ApiGatewayConcurrent => Box::new(api_gateway::Concurrent::default()),
            Self::EmptyDeployment => Box::new(api_gateway::EmptyDeployment::default()),
            Self::GatewayLogRole => Box::new(api_gateway::LogRole::new(times.role, times.fresh)),
            Self::SimultaneousTables => Box::new(dynamodb::Simultaneous::new(times.table)),
            Self::ChangedMeanwhile => Box::new(cloudfront::ChangedMeanwhile::default()),
            Self::LateLog => Box::new(lambda::LateLog::default()),
            Self::LateAccessLog => Box::new(late_lines::LateAccessLog::default()),
            Self::EarlierProfile => Box::new(earlier_profile::EarlierProfile::default()),
            Self::HeadersPolicies => Box::new(headers_policies::HeadersPolicies::default()),
            Self::AlreadyThere => Box::new(twice::AlreadyThere::default()),
            Self::LateTagIndex => Box::new(tag_index::LateTagIndex::default()),
        }
    }
}

/// How long operations take. AWS takes up to a minute for a role and some for a distribution; only the order matters.
#[derive(Clone, Debug)]
pub struct Times {
    /// Until a role or profile is known everywhere.
    pub role: Duration,
    /// Until an instance runs, or is terminated.
    pub instance: Duration,
    /// Until a host has installed its programs and is ready.
    pub host: Duration,
    /// From when a host has the address until it has a certificate.
    pub certificate: Duration,
    /// Until a table is active.
    pub table: Duration,
    /// Until a function's update is through.
    pub function: Duration,
    /// Until a distribution is deployed.
    pub distribution: Duration,
    /// Until something new is found.
    pub fresh: Duration,
}

impl Default for Times {
    fn default() -> Self {
        let milliseconds = Duration::from_millis;
        Self {
            role: milliseconds(1500),
            instance: milliseconds(1000),
            host: milliseconds(2500),
            certificate: milliseconds(1000),
            table: milliseconds(700),
            function: milliseconds(700),
            distribution: milliseconds(1500),
            fresh: milliseconds(400),
        }
    }
}

/// How a behaviour changes the traffic.
trait Behave: Send + Sync {
    /// Answers in place of the emulator.
    fn before(&self, call: &Call) -> Option<Answer> {
        let _ = call;
        None
    }

    /// Reads the emulator's answer, and may change it.
    fn after(&self, call: &Call, answer: &mut Answer) {
        let _ = (call, answer);
    }
}

/// The behaviours of one proxy.
pub(super) struct Behaviours {
    chosen: Vec<(Behaviour, Box<dyn Behave>)>,
}

impl fmt::Debug for Behaviours {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_list().entries(self.chosen.iter().map(|(behaviour, _)| behaviour)).finish()
    }
}

impl Behaviours {
    pub(super) fn new(chosen: &[Behaviour], times: &Times) -> Self {
        Self { chosen: chosen.iter().map(|behaviour| (*behaviour, behaviour.make(times))).collect() }
    }

    pub(super) fn before(&self, call: &Call) -> Option<(Behaviour, Answer)> {
        self.chosen.iter().find_map(|(behaviour, behave)| Some((*behaviour, behave.before(call)?)))
    }

    /// Passes the answer to each behaviour; returns the first one that changed it, for example to a state in
    /// progress.
    pub(super) fn after(&self, call: &Call, answer: &mut Answer) -> Option<Behaviour> {
        let mut shown = None;
        for (behaviour, behave) in &self.chosen {
            let before = answer.body.clone();
            behave.after(call, answer);
            if answer.body != before {
                shown = shown.or(Some(*behaviour));
            }
        }
        shown
    }
}

/// Times of events by name.
#[derive(Debug, Default)]
struct Moments(HashMap<String, Instant>);

impl Moments {
    fn set(&mut self, name: impl Into<String>) {
        self.0.insert(name.into(), Instant::now());
    }

    fn forget(&mut self, name: &str) {
        self.0.remove(name);
    }

    fn knows(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// Returns whether it was set less than `time` ago.
    fn within(&self, name: &str, time: Duration) -> bool {
        self.0.get(name).is_some_and(|moment| moment.elapsed() < time)
    }
}

/// What one service knows of the resources of another: nothing for a while, and nothing at the first request,
/// however long that takes.
#[derive(Debug, Default)]
struct Propagation {
    made: Moments,
    asked: HashSet<String>,
}

impl Propagation {
    /// Returns whether it has propagated, which takes `time`.
    fn is_known(&mut self, name: &str, time: Duration) -> bool {
        let again = !self.asked.insert(name.to_owned());
        again && self.made.knows(name) && !self.made.within(name, time)
    }
}

/// Returns the name at the end of an ARN.
fn last_part(arn: &str) -> &str {
    arn.rsplit(['/', ':']).next().unwrap_or(arn)
}
