use super::config::{self, Origins};
use super::*;
use peersync_config::Config;
use peersync_engine::FieldMap;
use serde_json::Value;

async fn stack(text: &str) -> Arc<Stack> {
    let mut config: Config = toml::from_str(text).unwrap();
    config.stage = "test".to_owned();
    Stack::for_tests(config).await
}

fn views(config: &DistributionConfig) -> FieldMap<Value> {
    config::views(config)
}

fn origins(signal: Option<&str>) -> Origins {
    Origins {
        api: "abc123".to_owned(),
        access_control: "OAC".to_owned(),
        headers_policy: "RHP".to_owned(),
        signal: signal.map(str::to_owned),
    }
}

#[tokio::test]
async fn distribution_forwards_api_and_websocket_without_caching() {
    let stack = stack("").await;
    let built =
        config::build(&stack, &origins(Some("ec2-192-0-2-1.eu-central-1.compute.amazonaws.com")), "key").unwrap();
    let views = views(&built);
    let behaviors = views["behaviors"].as_array().unwrap();
    let paths: Vec<&str> = behaviors.iter().map(|one| one["path"].as_str().unwrap()).collect();
    assert_eq!(paths, ["/api/*", "/ws"]);
    assert!(behaviors.iter().all(|one| one["cache_policy"] == "4135ea2d-6df8-44a3-9df3-4b5a84be39ad"));
    assert_eq!(views["pages"]["viewers"], "redirect-to-https");
    assert_eq!(views["http_version"], "http2and3");
    assert_eq!(views["origins"][0]["domain"], "abc123.execute-api.eu-central-1.amazonaws.com");
    assert_eq!(views["origins"][2]["custom"]["http_port"], 8080);
    assert_eq!(config::origin_key(&built), "key");
}

#[tokio::test]
async fn host_with_a_domain_is_reached_by_tls_alone_under_it() {
    let stack = stack("[signaling]\ndomain = \"signal.example.org\"").await;
    let distribution = Distribution { stack: stack.clone(), address: address() };
    let mut outputs = Outputs::default();
    for (address, output) in [
        (rest_api::address(), OutputMap::new().with("id", "abc123")),
        (origin_access_control::address(), OutputMap::new().with("id", "OAC")),
        (response_headers_policy::address(), OutputMap::new().with("id", "RHP")),
        (elastic_ip::address(), OutputMap::new().with("dns", "ec2.example")),
    ] {
        outputs.insert(address, output);
    }
    let built = config::build(&stack, &distribution.origins(&outputs).unwrap(), "key").unwrap();
    let views = views(&built);
    let paths: Vec<&str> =
        views["behaviors"].as_array().unwrap().iter().map(|one| one["path"].as_str().unwrap()).collect();
    assert_eq!(paths, ["/api/*", "/ws"]);
    let expected = serde_json::json!({
        "id": "signal",
        "domain": "signal.example.org",
        "path": "",
        "access_control": "",
        "custom": {
            "protocol": "https-only",
            "http_port": 80,
            "https_port": 8080,
            "tls": ["TLSv1.2"],
            "read_timeout_s": 60,
            "keepalive_s": 60,
        },
    });
    assert_eq!(views["origins"][2], expected);
    assert_eq!(config::origin_key(&built), "key", "it proves itself as without a domain");
}

#[tokio::test]
async fn other_ingress_has_no_websocket_behaviour() {
    let stack = stack("[signaling]\ningress = \"direct\"\ndomain = \"s.example.org\"").await;
    let built = config::build(&stack, &origins(None), "key").unwrap();
    assert_eq!(views(&built)["behaviors"].as_array().unwrap().len(), 1);
    assert_eq!(config::origin_key(&built), "key");
}

#[tokio::test]
async fn custom_domain_sets_certificate_and_minimum_tls_1_2() {
    let text = "[site]\ndomain = \"call.example.org\"\ncertificate_arn = \"arn:aws:acm:us-east-1:1:certificate/x\"";
    let views = views(&config::build(&*stack(text).await, &origins(Some("x")), "key").unwrap());
    assert_eq!(views["aliases"][0], "call.example.org");
    assert_eq!(views["certificate"]["least"], "TLSv1.2_2021");
}

#[tokio::test]
async fn merge_keeps_unmanaged_settings_and_restores_managed_ones() {
    let stack = stack("").await;
    let ours = config::build(&stack, &origins(Some("x")), "key").unwrap();
    let mut live = ours.clone();
    live.web_acl_id = Some("arn:aws:wafv2:firewall".to_owned());
    live.enabled = false;
    live.default_root_object = Some("other.html".to_owned());
    let merged = config::merged(live, ours.clone());
    assert_eq!(merged.web_acl_id.as_deref(), Some("arn:aws:wafv2:firewall"));
    assert_eq!(views(&merged), views(&ours));
}

#[tokio::test]
async fn missing_origin_key_is_a_difference_and_keys_are_not_shown() {
    let stack = stack("").await;
    let mut built = config::build(&stack, &origins(Some("x")), "key").unwrap();
    if let Some(origins) = &mut built.origins {
        origins.items.iter_mut().for_each(|origin| origin.custom_headers = None);
    }
    assert_ne!(config::origin_key(&built), "key");
    let mut one_without = config::build(&stack, &origins(Some("x")), "key").unwrap();
    if let Some(last) = one_without.origins.as_mut().and_then(|origins| origins.items.last_mut()) {
        last.custom_headers = None;
    }
    assert_ne!(config::origin_key(&one_without), "key");
    let views = format!("{:?}", views(&config::build(&stack, &origins(Some("x")), "sekret").unwrap()));
    assert!(!views.contains("sekret"));
}

#[tokio::test]
async fn only_fields_that_depend_on_missing_origins_are_unknown() {
    let stack = stack("").await;
    let distribution = Distribution { stack, address: address() };
    let fields = distribution.desired(&Outputs::default());
    let unknown: Vec<&String> =
        fields.iter().filter(|(_, field)| **field == Field::Unknown).map(|(name, _)| name).collect();
    assert_eq!(unknown, [ORIGIN_KEY, ORIGINS, PAGES].map(FieldName::as_str));
}

#[tokio::test]
async fn distribution_changes_before_the_previous_key_is_deleted() {
    let distribution = Distribution { stack: stack("").await, address: address() };
    let previous = parameter_store::address(&parameter_store::previous(parameter_store::ORIGIN_KEY));
    assert!(distribution.dependencies().contains(&previous));
}
