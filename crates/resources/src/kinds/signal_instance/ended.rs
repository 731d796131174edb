//! Why a host ended before it ran. EC2 accepts the launch first, and says later, in the reason of the state, that it failed.

use peersync_engine::ResourceError;

/// Parts of EC2's reasons ("Troubleshoot Amazon EC2 instance terminates immediately", EC2 user guide), and what helps.
const REASONS: &[(&str, &str)] = &[
    (
        "Client.InternalError",
        "if the disks of the region are encrypted with a key of your own (`aws ec2 get-ebs-default-kms-key-id`), your role \
         may not use it: give the role what `peersync-deploy policy --ebs-key KEY_ARN` prints, let the policy of the key \
         allow it, and run the command again",
    ),
    (
        "Client.InvalidSnapshot.NotFound",
        "the snapshot of the image is gone or shared no longer: choose another `image` under [signaling]",
    ),
    (
        "Client.VolumeLimitExceeded",
        "the account's quota for EBS volumes is used up: delete some, or request a quota increase in the AWS console under \
         Service Quotas",
    ),
    ("Server.InsufficientInstanceCapacity", "choose another `instance_type` under [signaling], or try again later"),
    ("Server.InternalError", "this is a fault of EC2: run the command again"),
];

/// Returns the error that the host ended before it ran. `code` and `message` are those of the reason.
pub(super) fn error(code: &str, message: &str) -> ResourceError {
    let why = if message.is_empty() { "EC2 gave no reason" } else { message };
    let error = ResourceError::new("the signaling host terminated before it was running").caused_by(why.to_owned());
    match REASONS.iter().find(|(reason, _)| code == *reason || message.contains(reason)) {
        Some((_, hint)) => error.hint(*hint),
        None => error,
    }
}

#[cfg(test)]
mod tests {
    use super::error;

    /// Codes and messages as `DescribeInstances` returns them, from public reports.
    #[test]
    fn each_reason_of_ec2_gets_advice_that_can_help() {
        let hint = |code, message| error(code, message).hint.unwrap_or_default();
        assert!(hint("Client.InternalError", "Client.InternalError: Client error on launch").contains("--ebs-key"));
        assert!(hint("", "Client.InternalError: Client error on launch").contains("get-ebs-default-kms-key-id"));
        let limit = "Client.VolumeLimitExceeded: Volume limit exceeded";
        assert!(hint("Client.VolumeLimitExceeded", limit).contains("Service Quotas"));
        assert!(hint("Server.InternalError", "Server.InternalError: Internal error on launch").contains("again"));
        assert_eq!(hint("Client.UserInitiatedShutdown", "Client.UserInitiatedShutdown: User initiated shutdown"), "");
        assert!(error("", "").causes().join("").contains("no reason"));
    }
}
