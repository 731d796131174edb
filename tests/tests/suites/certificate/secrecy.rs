//! The keys of account and certificate: encrypted in the stack, and nowhere else.

use std::fs;
use std::path::Path;

use aws_sdk_ssm::types::ParameterType;
use peersync_tests::stage::{Stage, UP};
use serde_json::Value;

/// Checks that the account and the certificate of a stack are encrypted, that the deployer keeps them and does not print their
/// keys, and that none is in a log of the host, whose files are below `root`.
pub(super) async fn is_kept(stage: &Stage, root: &Path) {
    let before = [kept(stage, "acme-account").await, kept(stage, "acme-certificate").await];
    let keys = [&before[0]["credentials"]["key_pkcs8"], &before[1]["key"]];
    let keys = keys.map(|key| key.as_str().filter(|key| key.len() > 100).expect("a key"));
    let logs =
        fs::read_dir(root.join("var/log")).expect("the host has logs").map(|entry| entry.expect("an entry").path());
    let logs: Vec<_> = logs.filter(|path| path.is_file()).collect();
    assert!(logs.iter().any(|path| path.ends_with("peersync-relay.log")), "{logs:?}");
    for path in logs {
        let text = String::from_utf8_lossy(&fs::read(&path).expect("it can be read")).into_owned();
        assert!(!keys.iter().any(|key| text.contains(key)), "{}", path.display());
    }
    for command in [&["plan"][..], &UP, &["secrets", "list"], &["outputs"]] {
        let printed = stage.run(command).await.expect(0).printed();
        assert!(!keys.iter().any(|key| printed.contains(key)), "{command:?}: {printed}");
    }
    let after = [kept(stage, "acme-account").await, kept(stage, "acme-certificate").await];
    assert!(before == after, "`up` has replaced what the host keeps");
}

/// Reads what the host keeps in a parameter.
async fn kept(stage: &Stage, part: &str) -> Value {
    let name = format!("/peersync/{}/{part}", stage.stack());
    let answer = stage.clients.ssm.get_parameter().name(name).with_decryption(true).send().await;
    let parameter = answer.ok().and_then(|answer| answer.parameter).expect("the parameter exists");
    assert_eq!(parameter.r#type(), Some(&ParameterType::SecureString), "{part}");
    serde_json::from_str(parameter.value().unwrap_or_default()).expect("something is kept")
}
