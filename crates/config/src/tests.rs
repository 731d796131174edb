//! The loader as a user sees it: the texts of its errors, stages, and the example in the repository.

use std::collections::BTreeSet;

use insta::assert_snapshot;
use serde_json::Value;

use super::load::File;
use super::{Config, ConfigError, Ingress, Loaded, StageName, schema};

/// The example at the root of the repository.
const EXAMPLE: &str = include_str!("../../../peersync.toml");

fn load(text: &str, stage: &str) -> Result<Loaded, ConfigError> {
    let file = File { name: Some("peersync.toml".to_owned()), text: text.to_owned() };
    let stage: StageName = stage.parse().map_err(|error| panic!("{stage}: {error}")).unwrap_or_default();
    file.stages(|_| vec![stage]).map(|mut loaded| loaded.pop().unwrap_or_else(|| panic!("no stage was loaded")))
}

fn config(text: &str, stage: &str) -> Config {
    load(text, stage).map(|loaded| loaded.config).unwrap_or_else(|error| panic!("{}", error.render(false)))
}

/// Returns the rendered problems of a file for the stage dev.
fn problems(text: &str) -> String {
    match load(text, "dev") {
        Ok(_) => "no problem".to_owned(),
        Err(error) => error.render(false),
    }
}

fn summaries(text: &str) -> Vec<String> {
    let problems = load(text, "dev").err().map(|error| error.problems).unwrap_or_default();
    problems.into_iter().map(|problem| format!("{}: {}", problem.key, problem.summary)).collect()
}

#[test]
fn empty_file_means_defaults() {
    let expected = Config { stage: "dev".to_owned(), ..Config::default() };
    assert_eq!(config("", "dev"), expected);
    assert_eq!(config("# nothing\n[site]\n", "dev"), expected);
}

#[test]
fn stage_overrides_the_rest() {
    let text = r#"
        [api]
        memory_mb = 512
        allowed_origins = ["https://one.example.org", "https://two.example.org"]
        [stack.tags]
        team = "video"
        owner = "anna"
        [stages.prod.api]
        timeout = "20s"
        allowed_origins = ["https://prod.example.org"]
        [stages.prod.stack.tags]
        owner = "ben"
        [stages.prod.signaling]
        ingress = "cloudflare"
    "#;
    let (dev, prod) = (config(text, "dev"), config(text, "prod"));
    assert_eq!((dev.api.memory_mb, prod.api.memory_mb), (512, 512));
    assert_eq!((dev.api.timeout.0.as_secs(), prod.api.timeout.0.as_secs()), (10, 20));
    assert_eq!((dev.api.allowed_origins.len(), prod.api.allowed_origins.len()), (2, 1));
    assert_eq!((dev.signaling.ingress, prod.signaling.ingress), (Ingress::Cloudfront, Ingress::Cloudflare));
    let tags: Vec<(&str, &str)> = prod.stack.tags.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    assert_eq!(tags, [("owner", "ben"), ("team", "video")]);
    assert_eq!(prod.stack_name(), "peersync-prod");
}

#[test]
fn names_that_no_security_group_can_have_are_refused() {
    for name in ["sg", "sg-calls"] {
        assert_eq!(summaries(&format!("[stack]\nname = \"{name}\"\n")), ["stack.name: invalid name"]);
    }
    assert_eq!(summaries("[stack]\nname = \"sgcalls\"\n"), Vec::<String>::new());
    assert_eq!(summaries("[signaling]\nsubnet = \"eu-central-1a\"\n").len(), 1);
}

#[test]
fn stage_needs_no_section() {
    assert_eq!(config("[stages.prod.api]\nmemory_mb = 512", "feature-login").api.memory_mb, 256);
}

#[test]
fn unknown_keys_suggest_the_nearest() {
    assert_snapshot!(problems(
        "[api]\nmemory_mbb = 512\nretention_days = 14\ncolour = \"blue\"\n\n[sit]\n\n[prod.api]\nburst = 7\n\n[stages.prod.api]\nmemroy-mb = 512\n"
    ));
}

#[test]
fn wrong_types_explain_what_is_required() {
    assert_snapshot!(problems(
        "turn = \"turn:turn.example.org\"\n\n[api]\nmemory_mb = \"512\"\ntimeout = 10\nallowed_origins = \"https://a.example.org\"\n\n[stack]\nname = 7\nprotect = \"yes\"\nexpires = true\n\n[stages.prod]\nlogs = 14\n"
    ));
}

#[test]
fn values_out_of_range_explain_the_range() {
    assert_snapshot!(problems(
        "[api]\nmemory_mb = 64\ntimeout = \"30s\"\nrequests_per_second = nan\n\n[signaling]\nroom_capacity = 50\ningress = \"cloudfare\"\n\n[logs]\nretention_days = 10\n\n[site]\nprice_class = \"everywhere\"\n"
    ));
}

#[test]
fn malformed_values_explain_the_form() {
    assert_snapshot!(problems(
        "[stack]\nname = \"Peer_Sync\"\nregion = \"Frankfurt\"\nexpires = \"soon\"\n\n[site]\nbucket = \"My.Bucket\"\n\n[api]\ntimeout = \"10 parsecs\"\nallowed_origins = [\"https://a.example.org\", \"https://b.example.org/app\", \"*\"]\n\n[turn]\nurls = [\"https://turn.example.org\"]\n\n[stages.\"Feature/Login\".api]\nmemory_mb = 512\n"
    ));
}

#[test]
fn permissions_boundary_is_the_arn_of_a_policy() {
    let of = |value: &str| problems(&format!("[stack]\npermissions_boundary = \"{value}\"\n"));
    for arn in [
        "arn:aws:iam::123456789012:policy/boundary",
        "arn:aws-cn:iam::aws:policy/job-function/Support+User",
        "arn:aws:iam::123456789012:policy/a/path/to/it",
    ] {
        assert_eq!(of(arn), "no problem", "{arn}");
    }
    for other in [
        "",
        "boundary",
        "arn:aws:iam::123456789012:role/boundary",
        "arn:aws:iam::1:policy/boundary",
        "arn:aws:iam::aws:policy/",
    ] {
        assert_ne!(of(other), "no problem", "{other}");
    }
    assert_snapshot!(of("arn:aws:iam::123456789012:role/boundary"), @r#"
      × invalid value
       ╭─[peersync.toml:2:24]
     1 │ [stack]
     2 │ permissions_boundary = "arn:aws:iam::123456789012:role/boundary"
       ·                        ────────────────────┬────────────────────
       ·                                            ╰── this does not have the required form
       ╰────
      help: write the ARN of an IAM policy, "arn:aws:iam::123456789012:policy/boundary"
    "#);
}

#[test]
fn invalid_combinations_explain_what_is_missing() {
    assert_snapshot!(problems(
        "[stack]\nprotect = true\nexpires = \"48h\"\n\n[site]\ndomain = \"call.example.org\"\n\n[signaling]\ningress = \"direct\"\ninstance_type = \"t4g.micro\"\n\n[mail]\nprovider = \"smtp\"\n\n[turn]\nurls = [\"turn:turn.example.org:3478\"]\n\n[stack.tags]\n\"peersync:stack\" = \"mine\"\n"
    ));
}

#[test]
fn relay_of_the_host_needs_an_inbound_port() {
    assert_snapshot!(problems("[signaling]\ningress = \"cloudflare\"\n\n[turn]\nprovider = \"host\"\n"), @r#"
      × the relay on the host is not reachable
       ╭─[peersync.toml:5:12]
     4 │ [turn]
     5 │ provider = "host"
       ·            ───┬──
       ·               ╰── `signaling.ingress` is "cloudflare", which opens no inbound port
       ╰────
      help: write provider = "cloudflare" and the key of Cloudflare's TURN, or "own" and the `urls` of
            your server; or choose another `ingress`
    "#);
}

#[test]
fn turn_of_cloudflare_needs_the_key_and_its_token() {
    assert_snapshot!(problems("[turn]\nprovider = \"cloudflare\"\nkey_id = { env = \"ID\" }\n"), @r#"
      × a setting is missing
       ╭─[peersync.toml:2:12]
     1 │ [turn]
     2 │ provider = "cloudflare"
       ·            ──────┬─────
       ·                  ╰── this needs `turn.api_token`
     3 │ key_id = { env = "ID" }
       ╰────
      help: write `api_token = { env = "CLOUDFLARE_TURN_API_TOKEN" }` in [turn] and set the variable;
            the Cloudflare dashboard shows it under Realtime when you create a TURN key
    "#);
    assert_eq!(summaries("[turn]\nstun = [\"turn:turn.example.org\"]\n"), ["turn.stun.0: invalid value"]);
}

#[test]
fn settings_of_another_turn_provider_are_ignored_or_explained() {
    let own = "urls = [\"turn:turn.example.org\"]\nsecret = { env = \"X\" }\n";
    let cloudflare = "key_id = { env = \"X\" }\napi_token = { env = \"X\" }\n";
    for provider in ["host", "own", "cloudflare", "none"] {
        let text = format!("[turn]\nprovider = \"{provider}\"\n{own}{cloudflare}");
        assert_eq!(summaries(&text), [""; 0], "{provider}: a stage may choose another provider than the rest");
    }
    assert_eq!(summaries("[turn]\nprovider = \"own\"\n"), ["turn.provider: a setting is missing"]);
    let named = ["turn.key_id: a setting is missing", "turn.api_token: a setting is missing"];
    assert_eq!(summaries(&format!("[turn]\n{cloudflare}")), named);
}

#[test]
fn certificates_must_be_in_us_east_1() {
    assert_snapshot!(problems(
        "[site]\ndomain = \"call.example.org\"\ncertificate_arn = \"arn:aws:acm:eu-central-1:123456789012:certificate/0123\"\n"
    ));
}

#[test]
fn emailjs_needs_all_four_settings() {
    assert_snapshot!(problems("[mail]\nprovider = \"emailjs\"\n\n[mail.emailjs]\nservice_id = \"service_a\"\n"));
}

#[test]
fn invalid_toml_is_reported() {
    assert_snapshot!(problems("[api]\nmemory_mb = \ntimeout = 10s\n"));
}

#[test]
fn secrets_in_the_file_are_refused_and_masked() {
    let text = "[mail.smtp]\nuser = \"you@example.org\"\npassword = \"hunter2\"\npasword = \"hunter2\"\n\n[turn]\nsecret = { value = \"hunter2\" }\n";
    let shown = problems(text);
    assert!(!shown.contains("hunter2"), "{shown}");
    assert_snapshot!(shown);
    let broken = problems("[mail.smtp]\npassword = hunter2\n");
    assert!(!broken.contains("hunter2"), "{broken}");
}

#[test]
fn secret_without_its_variable_is_reported() {
    let text = "[turn]\nurls = [\"turn:turn.example.org\"]\nsecret = { env = \"PEERSYNC_TEST_NEVER_SET\" }\n\n[mail.smtp]\npassword = { env = \"PEERSYNC_TEST_NEVER_SET_2\" }\n";
    let loaded = load(text, "dev").unwrap_or_else(|error| panic!("{}", error.render(false)));
    let error = loaded.require_secrets().err().unwrap_or_else(|| panic!("the secret has no value"));
    assert_snapshot!(error.render(false));
}

#[test]
fn tunnel_for_a_domain_is_managed_unless_its_token_is_given_and_needs_the_api_token() {
    let text = "[signaling]\ningress = \"cloudflare\"\n";
    let named = format!("{text}domain = \"signal.example.org\"\n");
    let own = format!("{named}tunnel_token = {{ env = \"PATH\" }}\n");
    for (text, managed, quick) in
        [("", None, false), (text, None, true), (&named, Some("signal.example.org"), false), (&own, None, false)]
    {
        let config = config(text, "dev");
        assert_eq!((config.managed_tunnel(), config.has_quick_tunnel()), (managed, quick), "{text}");
    }
    let loaded = load(&named, "dev").unwrap_or_else(|error| panic!("{}", error.render(false)));
    let error = loaded.require_secrets().err().unwrap_or_else(|| panic!("the API token is not set"));
    assert_snapshot!(error.render(false));
    assert_eq!(summaries(&format!("{text}cloudflare_account = \"example\"\n")).len(), 1);
}

/// A problem of one key must not hide those of others, nor invent any: a misspelt certificate key is not a missing one.
#[test]
fn all_problems_are_reported_at_once_and_none_is_invented() {
    let text = "[site]\ndomain = \"call.example.org\"\ncertificate = 7\n\n[turn]\nsecret = { env = \"X\" }\n\n[api]\nburst = 0\n";
    assert_eq!(
        summaries(text),
        ["site.certificate: unknown key", "turn.secret: a setting is missing", "api.burst: value out of range"]
    );
}

/// A rule that a stage breaks is reported at the stage's line, and only if that stage is loaded.
#[test]
fn rules_apply_to_the_chosen_stage() {
    let text = "[stack]\nexpires = \"48h\"\n\n[stages.prod.stack]\nprotect = true\n";
    assert!(load(text, "dev").is_ok());
    assert!(load(&format!("{text}expires = \"never\"\n"), "prod").is_ok());
    let error = load(text, "prod").err().unwrap_or_else(|| panic!("prod cannot be protected and expire"));
    assert_snapshot!(error.render(false));
}

#[test]
fn json_problems_have_line_and_column() {
    let error = load("[api]\n  burst = 0\n", "dev").err().unwrap_or_else(|| panic!("0 is out of range"));
    let problem = error.to_json();
    assert_eq!(problem.pointer("/0/line"), Some(&Value::from(2)));
    assert_eq!(problem.pointer("/0/column"), Some(&Value::from(11)));
    assert_eq!(problem.pointer("/0/key"), Some(&Value::from("api.burst")));
}

#[test]
fn example_equals_the_defaults() {
    assert_eq!(config(EXAMPLE, "dev"), config("", "dev"));
}

/// Returns the example with every commented-out setting enabled. Prose never looks like a setting.
fn whole_example() -> String {
    let setting = regex_lite::Regex::new(r#"^# ([a-z_]+ = ["\[{0-9tf].*|\[stages\.[a-z.]+\])$"#);
    let setting = setting.unwrap_or_else(|error| panic!("{error}"));
    let named = |line: &str| line.split(" = ").next().map(str::to_owned).filter(|_| line.contains(" = "));
    let mut lines: Vec<String> = Vec::new();
    for line in EXAMPLE.lines() {
        let line = match setting.captures(line).and_then(|found| found.get(1)) {
            Some(found) => found.as_str(),
            None => line,
        };
        // If a setting appears twice, with its default and with an example, the example counts.
        if lines.last().is_some_and(|last| named(last).is_some() && named(last) == named(line)) {
            lines.pop();
        }
        lines.push(line.to_owned());
    }
    lines.join("\n")
}

#[test]
fn example_is_valid_with_every_setting_enabled() {
    let text = whole_example();
    for stage in ["dev", "prod"] {
        config(&text, stage);
    }
    assert!(config(&text, "prod").stack.protect);
    for (provider, found) in
        [("smtp", "mail.smtp.password"), ("emailjs", "mail.emailjs.private_key"), ("ses", "turn.secret")]
    {
        let config = config(&text.replace("provider = \"none\"", &format!("provider = \"{provider}\"")), "dev");
        assert!(config.secrets().iter().any(|(key, _)| *key == found), "{provider}");
    }
    for ingress in ["direct", "cloudflare"] {
        config(&text.replace("ingress = \"cloudfront\"", &format!("ingress = \"{ingress}\"")), "dev");
    }
}

#[test]
fn example_contains_every_key() {
    let table: toml::Table = whole_example().parse().unwrap_or_else(|error| panic!("{error}"));
    let value = serde_json::to_value(table).unwrap_or_default();
    let missing: BTreeSet<String> = keys(schema(), schema(), "")
        .into_iter()
        .filter(|key| value.pointer(&format!("/{}", key.replace('.', "/"))).is_none())
        .collect();
    assert_eq!(missing, BTreeSet::new());
}

/// Returns every key that the schema names, except stages and the keys inside secrets.
fn keys(root: &Value, node: &Value, prefix: &str) -> Vec<String> {
    let link = node.pointer("/allOf/0/$ref").or_else(|| node.get("$ref")).and_then(Value::as_str);
    let node = match link.and_then(|link| link.strip_prefix('#')) {
        Some(pointer) => root.pointer(pointer).unwrap_or(node),
        None => node,
    };
    let Some(properties) = node.get("properties").and_then(Value::as_object) else {
        return vec![prefix.trim_end_matches('.').to_owned()];
    };
    properties
        .iter()
        .filter(|(key, _)| *key != "stages")
        .flat_map(|(key, node)| keys(root, node, &format!("{prefix}{key}.")))
        .collect()
}
