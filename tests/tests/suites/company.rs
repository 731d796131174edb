//! The network of a company: a proxy that asks for a password and opens TLS, an authority of its own, roles to which an
//! organisation attaches its policies.

pub(crate) mod forward;

use std::path::PathBuf;
use std::sync::Arc;

use peersync_tests::census::{census, difference};
use peersync_tests::clients::REGION;
use peersync_tests::deployer::{self, Run};
use peersync_tests::emulator::Emulator;
use peersync_tests::proxy::Settings;
use peersync_tests::proxy::log::mutating;
use peersync_tests::stage::{DOWN, Stage, UP};
use tokio::process::Command;

use self::forward::{Authority, Forward, in_tls};

/// Name and password as the proxy gets them, and as they are in the URL.
const PASSWORD: (&str, &str) = ("ada:p@ss:word", "ada:p%40ss:word");
/// A policy that an organisation attaches to every role.
const THEIRS: &str = "arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore";

/// A company's network around a stage.
struct Company {
    stage: Stage,
    authority: Arc<Authority>,
    proxy: Forward,
}

impl Company {
    async fn new() -> Self {
        Self::around(Stage::new(Emulator::shared()).await).await
    }

    async fn around(stage: Stage) -> Self {
        let authority = Authority::new();
        let proxy = Forward::start(&authority, &stage.proxy().url, PASSWORD.0).await;
        std::fs::write(stage.folder().join("authority.pem"), &authority.pem).unwrap();
        Self { stage, authority, proxy }
    }

    fn bundle(&self) -> PathBuf {
        self.stage.folder().join("authority.pem")
    }

    fn proxy_url(&self) -> String {
        format!("http://{}@{}", PASSWORD.1, self.proxy.address)
    }

    /// The deployer on the way to AWS itself, by its real names, with these variables.
    fn command(&self, arguments: &[&str], variables: &[(&str, &str)]) -> Command {
        let mut command = self.stage.command(arguments);
        command.env_remove("AWS_ENDPOINT_URL").env_remove("NO_PROXY").envs(variables.iter().copied());
        command
    }

    async fn run(&self, arguments: &[&str], variables: &[(&str, &str)]) -> Run {
        deployer::run(self.command(arguments, variables)).await
    }
}

/// Returns what a check of `doctor` found, and its verdict.
fn check(run: &Run, name: &str) -> (String, String) {
    let checks = run.events_of("check");
    let check = checks.iter().find(|check| check["check"] == name);
    let text = |field: &str| check.and_then(|check| check[field].as_str()).unwrap_or_default().to_owned();
    (text("verdict"), format!("{} {}", text("found"), text("hint")))
}

#[tokio::test(flavor = "multi_thread")]
async fn every_request_goes_through_the_proxy_and_trusts_its_authority() {
    let company = Company::new().await;
    let (url, bundle) = (company.proxy_url(), company.bundle());
    for variable in ["HTTPS_PROXY", "https_proxy"] {
        let variables = [(variable, url.as_str()), ("AWS_CA_BUNDLE", bundle.to_str().unwrap())];
        let run = company.run(&["doctor"], &variables).await;
        let found = check(&run, "endpoint");
        assert!(
            found.0 == "ok" && found.1.contains(&format!("through the proxy http://{}", company.proxy.address)),
            "{found:?}"
        );
        assert!(check(&run, "credentials").1.contains(&company.stage.account), "{}", run.printed());
        // One of the SDK's clients and the one for everything else.
        let asked = company.proxy.asked();
        for service in ["sts", "iam", "ec2", "dynamodb", "ssm"] {
            assert!(asked.iter().any(|host| host.starts_with(service)), "{service}: {asked:?}");
        }
        assert!(!run.printed().contains("p@ss") && !run.printed().contains("p%40ss"), "{}", run.printed());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn stack_is_planned_and_removed_by_the_real_names_of_aws() {
    let company = Company::new().await;
    let (url, bundle) = (company.proxy_url(), company.bundle());
    let variables = [("HTTPS_PROXY", url.as_str()), ("AWS_CA_BUNDLE", bundle.to_str().unwrap())];
    let plan = company.run(&["plan"], &variables).await.expect(0);
    assert!(plan.steps().iter().all(|step| step.action == "create"), "{:#?}", plan.steps());
    assert!(plan.steps().len() > 40);
    company.run(&DOWN, &variables).await.expect(0);
}

#[tokio::test(flavor = "multi_thread")]
async fn region_without_the_prefix_list_is_named_and_removing_needs_none() {
    let nothing = vec!["DescribeManagedPrefixLists"];
    let company =
        Company::around(Stage::with(Emulator::shared(), Settings { nothing, ..Settings::default() }).await).await;
    let (url, bundle) = (company.proxy_url(), company.bundle());
    let variables = [("HTTPS_PROXY", url.as_str()), ("AWS_CA_BUNDLE", bundle.to_str().unwrap())];
    for command in [&["plan"][..], &UP, &["doctor"]] {
        let text = company.run(command, &variables).await.expect(1).printed();
        assert!(
            text.contains("the region does not have CloudFront's prefix list") && text.contains("`ingress`"),
            "{text}"
        );
    }
    company.run(&DOWN, &variables).await.expect(0);
    assert_eq!(mutating(&company.stage.proxy().log.all()), Vec::<String>::new());
    company.stage.configure("[signaling]\ningress = \"cloudflare\"\n");
    company.run(&["plan"], &variables).await.expect(0);
}

#[tokio::test(flavor = "multi_thread")]
async fn proxy_that_refuses_is_named_without_its_password() {
    let company = Company::new().await;
    let bundle = company.bundle();
    let url = format!("http://ada:wrong-word@{}", company.proxy.address);
    let variables = [("HTTPS_PROXY", url.as_str()), ("AWS_CA_BUNDLE", bundle.to_str().unwrap())];
    let run = company.run(&["doctor"], &variables).await.expect(1);
    let (verdict, found) = check(&run, "endpoint");
    assert!(verdict == "fail" && found.contains("NAME:PASSWORD"), "{found}");
    assert!(found.contains(&company.proxy.address) && !run.printed().contains("wrong-word"), "{}", run.printed());

    let run = company.run(&["plan"], &[("https_proxy", "socks5://ada:word@127.0.0.1:1")]).await.expect(1);
    assert!(run.printed().contains("https_proxy") && !run.printed().contains("ada:word"), "{}", run.printed());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_no_proxy_names_and_this_computer_are_requested_directly() {
    let company = Company::new().await;
    let (url, bundle) = (company.proxy_url(), company.bundle());
    // Nobody is there: the names of AWS are not resolved here, or lead to AWS itself, which refuses the credentials.
    let excepted = "localhost, .amazonaws.com";
    let variables =
        [("HTTPS_PROXY", url.as_str()), ("AWS_CA_BUNDLE", bundle.to_str().unwrap()), ("no_proxy", excepted)];
    company.run(&["doctor"], &variables).await.expect(1);
    assert!(company.proxy.asked().is_empty());

    let mut command = company.stage.command(&["plan"]);
    let dead = "http://127.0.0.1:9";
    command.env_remove("NO_PROXY").envs([("HTTPS_PROXY", dead), ("HTTP_PROXY", dead), ("ALL_PROXY", dead)]);
    deployer::run(command).await.expect(0);
}

#[tokio::test(flavor = "multi_thread")]
async fn authority_of_the_company_is_trusted_if_it_is_named() {
    let company = Company::new().await;
    let endpoint = in_tls(&company.authority, &company.stage.proxy().url).await;
    let run = async |variables: &[(&str, &str)]| {
        let mut command = company.command(&["plan"], variables);
        command.env("AWS_ENDPOINT_URL", &endpoint);
        deployer::run(command).await
    };
    let unknown = run(&[]).await.expect(1);
    assert!(unknown.printed().contains("UnknownIssuer"), "{}", unknown.printed());
    let bundle = company.bundle();
    run(&[("AWS_CA_BUNDLE", bundle.to_str().unwrap())]).await.expect(0);

    let config = company.stage.folder().join(".aws");
    std::fs::create_dir(&config).unwrap();
    std::fs::write(config.join("config"), format!("[default]\nca_bundle = {}\n", bundle.display())).unwrap();
    run(&[]).await.expect(0);

    let missing = run(&[("AWS_CA_BUNDLE", "/nowhere/at-all.pem")]).await.expect(1);
    assert!(
        missing.printed().contains("/nowhere/at-all.pem, named by the variable AWS_CA_BUNDLE"),
        "{}",
        missing.printed()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn policies_that_an_organisation_attaches_are_left_alone_and_go_with_the_role() {
    let stage = Stage::new(Emulator::shared()).await;
    let before = census(&stage.clients).await;
    stage.up().await;
    let role = |part: &str| format!("{}-{REGION}-{part}", stage.stack());
    let iam = &stage.clients.iam;
    for part in ["signal", "login"] {
        iam.attach_role_policy().role_name(role(part)).policy_arn(THEIRS).send().await.unwrap();
    }
    let none = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"iam:*","Resource":"*"}]}"#;
    iam.put_role_policy().role_name(role("login")).policy_name("guardrail").policy_document(none).send().await.unwrap();

    stage.plan(0).await;
    stage.configure("[api]\nmemory_mb = 512\n");
    stage.up().await;
    let attached = iam.list_attached_role_policies().role_name(role("signal")).send().await.unwrap();
    assert_eq!(attached.attached_policies().first().and_then(|policy| policy.policy_arn()), Some(THEIRS));
    let inline = iam.list_role_policies().role_name(role("login")).send().await.unwrap();
    assert!(inline.policy_names().contains(&"guardrail".to_owned()));

    let down = stage.down().await;
    let reasons: Vec<String> =
        down.events_of("waiting").iter().filter_map(|event| Some(event["reason"].as_str()?.to_owned())).collect();
    assert!(reasons.iter().any(|reason| reason.contains(THEIRS)), "{reasons:#?}");
    assert!(reasons.iter().any(|reason| reason.contains("guardrail")), "{reasons:#?}");
    assert_eq!(difference(&before, &census(&stage.clients).await), Vec::<String>::new());
}
