//! What no configuration makes wanted.

use peersync_engine::Address;

/// Resources that no setting makes wanted, so that only their deletion is of use; with the suite that tests it.
const NEVER_WANTED: &[(&str, &[&str], &str)] = &[
    ("iam_role", &["gateway"], "shared"),
    ("ssm_parameter", &["origin-key-previous"], "secrets"),
    ("metric_filter", &["former"], "changes"),
    ("s3_program", &["former"], "architectures"),
    (
        "alarm",
        &[
            "signup-errors",
            "signup-throttles",
            "login-errors",
            "login-throttles",
            "friends-errors",
            "friends-throttles",
            "rooms-errors",
            "rooms-throttles",
            "functions-log-errors",
            "signal-log-errors",
            "relay-traffic",
        ],
        "changes",
    ),
];

/// Returns their addresses.
pub fn addresses() -> impl Iterator<Item = Address> {
    NEVER_WANTED.iter().flat_map(|(kind, names, _)| names.iter().map(move |name| Address::new(kind, *name)))
}
