//! Region and endpoint: a malformed one is refused with a message that names its source.

use std::fs;

use insta::assert_snapshot;

use super::Folder;

#[test]
fn malformed_region_and_endpoint_are_refused_with_their_source() {
    let folder = Folder::empty();
    assert_snapshot!(folder.seen(&["status", "--region", "Frankfurt"]), @r"
    $ peersync-deploy status --region Frankfurt
    exit: 2
    --- stdout
    --- stderr
    error: invalid value 'Frankfurt' for '--region <REGION>': write the name of a region, such as eu-central-1

    For more information, try '--help'.
    ");
    assert_snapshot!(folder.seen(&["list", "--endpoint-url", ""]), @r"
    $ peersync-deploy list --endpoint-url 
    exit: 2
    --- stdout
    --- stderr
    error: invalid value '' for '--endpoint-url <URL>': write a URL with scheme and host, such as http://127.0.0.1:4566

    For more information, try '--help'.
    ");
    assert_snapshot!(folder.seen_with(&["list"], &[("AWS_REGION", "Frankfurt")]), @r#"
    $ peersync-deploy list
    exit: 2
    --- stdout
    --- stderr
    error: the variable AWS_REGION does not have a valid value
      Caused by: it is "Frankfurt"
    hint: write the name of a region, such as eu-central-1, or unset it
    "#);
    let region = ("AWS_REGION", "eu-central-1");
    assert_snapshot!(folder.seen_with(&["list"], &[("AWS_ENDPOINT_URL", ""), region]), @r"
    $ peersync-deploy list
    exit: 2
    --- stdout
    --- stderr
    error: the variable AWS_ENDPOINT_URL does not have a valid value
      Caused by: it is set, but empty
    hint: write a URL with scheme and host, such as http://127.0.0.1:4566, or unset it
    ");
    let local = folder.seen_with(&["local"], &[("AWS_ENDPOINT_URL", "127.0.0.1:4566"), region]);
    assert!(local.contains("exit: 2") && local.contains("the variable AWS_ENDPOINT_URL"), "{local}");
    // What is overridden does not count.
    let output = folder.run_with(&["graph", "--region", "eu-central-1"], &[("AWS_REGION", "")]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn malformed_region_of_a_file_is_refused_with_its_source() {
    let folder = Folder::with("[stack]\nregion = \"\"\n");
    let seen = folder.seen(&["list"]);
    assert!(seen.contains("exit: 2") && seen.contains("peersync.toml:2:"), "{seen}");
    let folder = Folder::empty();
    fs::create_dir(folder.path().join(".aws")).unwrap();
    fs::write(folder.path().join(".aws/config"), "[default]\nregion = Frankfurt\n").unwrap();
    assert_snapshot!(folder.seen(&["list"]), @r#"
    $ peersync-deploy list
    exit: 2
    --- stdout
    --- stderr
    error: the profile of the AWS settings does not name a region
      Caused by: its region is "Frankfurt"
    hint: write the name of a region, such as eu-central-1, with `aws configure set region`
    "#);
}
