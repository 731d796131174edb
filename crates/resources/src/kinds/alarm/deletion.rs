//! Deletes alarms, all of a stack with one call: CloudWatch takes three such calls a second.

use std::collections::BTreeSet;

use aws_sdk_cloudwatch::Client;
use parking_lot::Mutex;

use peersync_aws::NotFound as _;
use peersync_engine::ResourceError;

/// The error codes for an alarm that does not exist.
pub(super) const GONE: &[&str] = &["ResourceNotFound", "ResourceNotFoundException"];
/// The number of names that one call takes at most.
const AT_ONCE: usize = 100;
const SUMMARY: &str = "failed to delete an alarm";

/// The alarms of a stack that are to be deleted.
#[derive(Default)]
pub(super) struct Deletions {
    names: Mutex<BTreeSet<String>>,
    /// Held during a call, so that further names gather meanwhile.
    calling: tokio::sync::Mutex<()>,
}

impl Deletions {
    /// Deletes an alarm, with all others that are to be deleted at the same time. Succeeds if it does not exist.
    ///
    /// # Errors
    /// The call failed. Whoever wanted another of these alarms to be deleted tries again.
    pub(super) async fn delete(&self, cloudwatch: &Client, name: &str) -> Result<(), ResourceError> {
        self.names.lock().insert(name.to_owned());
        // Everybody who is ready now comes before the first call.
        tokio::task::yield_now().await;
        let _calling = self.calling.lock().await;
        let names: Vec<String> = {
            let mut all = self.names.lock();
            // A call for another one has deleted this one too.
            if !all.remove(name) {
                return Ok(());
            }
            let others: Vec<String> = all.iter().take(AT_ONCE - 1).cloned().collect();
            all.retain(|other| !others.contains(other));
            others.into_iter().chain([name.to_owned()]).collect()
        };
        let answer = cloudwatch.delete_alarms().set_alarm_names(Some(names.clone())).send().await;
        let failure = match answer.found(GONE, SUMMARY) {
            Ok(Some(_)) => return Ok(()),
            Ok(None) => None,
            Err(error) => Some(error),
        };
        // If one does not exist, AWS deletes none.
        self.names.lock().extend(names.into_iter().filter(|other| other != name));
        if let Some(error) = failure {
            return Err(error);
        }
        let answer = cloudwatch.delete_alarms().alarm_names(name).send().await;
        answer.found(GONE, SUMMARY).map(|_| ())
    }
}
