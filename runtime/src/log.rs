//! The log of a program, one line of JSON for each event, in which errors are counted.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use peersync_server::metrics::{Measured, Metric, as_number};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::layer::{Context, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer};

/// The number of errors that were logged, panics included, since it was last asked.
#[derive(Clone, Debug, Default)]
pub struct Errors(Arc<AtomicU64>);

impl Errors {
    /// Returns it as a metric, if there were any.
    pub fn take(&self) -> Option<Measured> {
        let errors = self.0.swap(0, Ordering::Relaxed);
        (errors > 0).then(|| (Metric::Errors, vec![as_number(errors)]))
    }

    fn count(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

impl<S: Subscriber> Layer<S> for Errors {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        if *event.metadata().level() == Level::ERROR {
            self.count();
        }
    }
}

/// Begins the log of a function. A line names the request to which it belongs.
pub fn of_function() -> Errors {
    let errors = Errors::default();
    let log = tracing_subscriber::fmt().json().with_env_filter(filter("info"));
    log.with_current_span(true).with_span_list(false).finish().with(errors.clone()).init();
    counting_panics(errors)
}

/// Begins the log of a program on the host. `logged` is what is logged if the environment says nothing else.
pub fn of_host(logged: &str) -> Errors {
    let errors = Errors::default();
    let log = tracing_subscriber::fmt().json().flatten_event(true).with_env_filter(filter(logged));
    // The log is a file, and the disk may be full: telling that on the error output, which is the same file, would panic.
    log.log_internal_errors(false).finish().with(errors.clone()).init();
    counting_panics(errors)
}

fn filter(logged: &str) -> EnvFilter {
    EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(logged))
}

fn counting_panics(errors: Errors) -> Errors {
    let (counted, tell) = (errors.clone(), std::panic::take_hook());
    std::panic::set_hook(Box::new(move |panic| {
        counted.count();
        tell(panic);
    }));
    errors
}
