//! Refuses every request that changes something in AWS unless this process holds the lease on the stack.
//!
//! It is part of the clients, so that no resource and no command can forget the lease: without one, whatever is not
//! certainly a read is not sent. Each attempt of a call is checked right before it is sent.

use std::sync::Arc;
use std::time::Duration;

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::interceptors::context::BeforeTransmitInterceptorContextRef;
use aws_smithy_runtime_api::client::orchestrator::Metadata;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;
use parking_lot::Mutex;

use super::moment::Moment;
use peersync_engine::rule;

/// How the names of the operations begin that only read.
const READS: [&str; 9] = ["Get", "List", "Describe", "Head", "Query", "Scan", "BatchGet", "Filter", "Lookup"];

/// Why a request was not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WriteRefused {
    /// The command has not taken the lease, which is a bug in it.
    #[error("the request would change something, and this run has no lease on the stack")]
    NoLease,
    /// The lease has expired, so that another run may have it.
    #[error("the lease of this run on the stack has expired, so nothing more was changed")]
    Expired,
}

/// Decides whether requests that change something may be sent. The clients of one [`Clients`](crate::Clients) and their
/// clones share one.
#[derive(Clone, Debug, Default)]
pub struct WriteGuard {
    state: Arc<Mutex<State>>,
}

#[derive(Clone, Copy, Debug, Default)]
enum State {
    /// No lease is held.
    #[default]
    Locked,
    /// No lease is needed.
    Open,
    /// The lease lasts this long from a moment on.
    Held { from: Moment, lasts: Duration },
    /// The lease has expired. Only a new one makes up for that, because in between another run may have worked.
    Expired,
}

impl State {
    fn is_over(self, now: Moment) -> bool {
        matches!(self, Self::Held { from, lasts } if now.at_most_since(from) >= lasts)
    }
}

impl WriteGuard {
    /// Allows everything from now on: for an endpoint that nobody else uses, or that has no place for a lease.
    pub fn open(&self) {
        *self.state.lock() = State::Open;
    }

    /// Allows nothing from now on.
    pub(crate) fn lock(&self) {
        *self.state.lock() = State::Locked;
    }

    /// Begins a lease that lasts this long from a moment on.
    pub(crate) fn begin(&self, from: Moment, lasts: Duration) {
        *self.state.lock() = State::Held { from, lasts };
    }

    /// Extends the lease, unless it has expired.
    pub(crate) fn extend(&self, from: Moment, lasts: Duration, now: Moment) -> Result<(), WriteRefused> {
        self.check(now)?;
        self.begin(from, lasts);
        Ok(())
    }

    /// Returns how long the lease still lasts, zero if it has expired or none is held.
    pub(crate) fn remaining(&self, now: Moment) -> Duration {
        match *self.state.lock() {
            State::Held { from, lasts } => lasts.saturating_sub(now.at_most_since(from)),
            _ => Duration::ZERO,
        }
    }

    /// Checks whether a request of another kind that changes something may be sent now.
    ///
    /// # Errors
    /// No lease is held, or it has expired.
    pub fn check_now(&self) -> Result<(), WriteRefused> {
        self.check(Moment::now())
    }

    /// Checks whether a request that changes something may be sent at this moment.
    ///
    /// # Errors
    /// No lease is held, or it has expired.
    pub(crate) fn check(&self, now: Moment) -> Result<(), WriteRefused> {
        let mut state = self.state.lock();
        if state.is_over(now) {
            *state = State::Expired;
        }
        match *state {
            State::Open | State::Held { .. } => Ok(()),
            State::Locked => Err(WriteRefused::NoLease),
            State::Expired => Err(WriteRefused::Expired),
        }
    }
}

impl Intercept for WriteGuard {
    fn name(&self) -> &'static str {
        "WriteGuard"
    }

    fn read_before_transmit(
        &self,
        _: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        configuration: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let operation = configuration.load::<Metadata>().map_or("", Metadata::name);
        if rule!("write-needs-lease", !is_read(operation)) {
            self.check(Moment::now())?;
        }
        Ok(())
    }
}

/// Returns whether an operation certainly changes nothing.
pub(crate) fn is_read(operation: &str) -> bool {
    READS.iter().any(|read| operation.starts_with(read))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Clients, ConnectOptions, Context as _};
    use peersync_engine::Failure;

    fn moment(monotonic: u64, wall: u64) -> Moment {
        Moment { monotonic: Duration::from_secs(monotonic), wall: Duration::from_secs(wall) }
    }

    #[tokio::test]
    async fn nothing_that_changes_anything_is_sent_without_lease() -> std::io::Result<()> {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        let endpoint_url = Some(format!("http://{}", listener.local_addr()?));
        let asked = Arc::new(Mutex::new(Vec::new()));
        let seen = asked.clone();
        let app = axum::Router::new().fallback(move |headers: axum::http::HeaderMap| {
            let target = headers.get("x-amz-target").and_then(|target| target.to_str().ok()).map(str::to_owned);
            seen.lock().push(target.unwrap_or_default());
            async { (axum::http::StatusCode::BAD_REQUEST, "") }
        });
        tokio::spawn(async move { axum::serve(listener, app).await });
        let options = ConnectOptions { region: Some("eu-central-1".to_owned()), endpoint_url, emulated: true };
        let Ok(clients) = Clients::connect(&options).await else { panic!("a region is set") };
        let change = || clients.ssm.delete_parameter().name("a").send();
        let refused = change().await.context("failed to delete the parameter");
        let error = refused.err().map(|error| (error.mentions("no lease"), error.failure));
        assert_eq!(error, Some((true, Failure::Other)));
        // Reads, and changes under a lease, get there; that the endpoint refuses them does not matter.
        let _ = clients.ssm.get_parameter().name("a").send().await;
        clients.write_guard.begin(Moment::now(), Duration::from_secs(60));
        let _ = change().await;
        clients.write_guard.begin(Moment::now(), Duration::ZERO);
        let late = change().await.context("failed to delete the parameter");
        assert!(late.is_err_and(|error| error.mentions("has expired")));
        assert_eq!(*asked.lock(), ["AmazonSSM.GetParameter", "AmazonSSM.DeleteParameter"]);
        Ok(())
    }

    #[test]
    fn only_reads_need_no_lease() {
        for operation in ["GetCallerIdentity", "HeadObject", "DescribeInstances", "FilterLogEvents", "Scan"] {
            assert!(is_read(operation), "{operation}");
        }
        for operation in ["PutObject", "CreateTable", "RunInstances", "TagResource", "UntagRole", "SomethingNew", ""] {
            assert!(!is_read(operation), "{operation}");
        }
    }

    #[test]
    fn expired_lease_is_not_revived_by_a_late_extension() {
        let guard = WriteGuard::default();
        assert_eq!(guard.check(moment(0, 0)), Err(WriteRefused::NoLease));
        guard.begin(moment(0, 1_000), Duration::from_secs(10));
        assert_eq!(guard.check(moment(9, 1_009)), Ok(()));
        // The computer was suspended for ten minutes, which its monotonic clock does not count.
        let awake = moment(9, 1_600);
        assert_eq!(guard.extend(awake, Duration::from_secs(10), awake), Err(WriteRefused::Expired));
        assert_eq!(guard.check(awake), Err(WriteRefused::Expired));
        guard.begin(awake, Duration::from_secs(10));
        assert_eq!(guard.check(awake), Ok(()), "a new lease counts");
    }
}
