//! Starts and terminates hosts.

use aws_sdk_ec2::types::InstanceStateName;

use super::{GONE, SignalInstance, instance, launch};
use peersync_aws::{Context as _, NotFound as _, retry};
use peersync_engine::{Progress, ResourceError, rule};

impl SignalInstance {
    pub(super) async fn start(&self, progress: &Progress, id: &str) -> Result<(), ResourceError> {
        // A host that is stopping can be started once it has stopped.
        retry::while_failing(
            progress,
            retry::Schedule::INSTANCE,
            |error| rule!("instance-stopped-before-start", error.is(&["IncorrectInstanceState"])),
            || async {
                let call = self.stack.clients.ec2.start_instances().instance_ids(id);
                call.send().await.context("failed to start the signaling host")
            },
        )
        .await?;
        rule!("instance-running-after-start" => {
            launch::until_running(&self.stack, progress, id).await?;
        });
        Ok(())
    }

    /// Terminates these hosts and waits until they have ended, because what they use can be deleted only then.
    pub(super) async fn terminate(&self, progress: &Progress, mut ids: Vec<String>) -> Result<(), ResourceError> {
        ids.sort();
        ids.dedup();
        for id in ids {
            let answer = self.stack.clients.ec2.terminate_instances().instance_ids(&id).send().await;
            if answer.found(GONE, "failed to terminate the signaling host")?.is_none() {
                continue;
            }
            let reason = "the signaling host to terminate";
            retry::until(progress, retry::Schedule::INSTANCE, reason, || async {
                let state = instance::read(&self.stack, &id).await?.and_then(|instance| instance.state?.name);
                let has_ended = matches!(state, None | Some(InstanceStateName::Terminated));
                Ok(rule!("instance-terminated-after-delete", has_ended, without: true).then_some(()))
            })
            .await?;
        }
        Ok(())
    }
}
