//! Credentials from the shared AWS files: single sign-on, `aws login`, roles with an external id, MFA.

use std::collections::BTreeSet;
use std::fs;
use std::net::Ipv4Addr;
use std::time::{Duration, SystemTime};

use axum::Router;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::routing::get;
use peersync_tests::deployer::{self, Run};
use peersync_tests::emulator::Emulator;
use peersync_tests::proxy::call::Call;
use peersync_tests::proxy::{Denied, Settings};
use peersync_tests::stage::Stage;
use serde_json::json;

/// A session of `aws login`, and the file that keeps its token: the SHA-256 of it.
const LOGIN: &str = "arn:aws:sts::123456789012:assumed-role/Admin/ada";
const LOGIN_FILE: &str = "login/cache/5c5669bf80ced993fb1064e8990083531ae9ca33abd257c786db02b02b6cad49.json";
/// The file that keeps the token of the single sign-on `office`: the SHA-1 of that name.
const SSO_FILE: &str = "sso/cache/e6427457497fe0f4f93a7334d2203b8e17ee82df.json";
/// The key from the SDK's documentation, with which a token is renewed.
const KEY: &str = "-----BEGIN EC PRIVATE KEY-----\nMHcCAQEEIFDZHUzOG1Pzq+6F0mjMlOSp1syN9LRPBuHMoCFXTcXhoAoGCCqGSM49\nAwEHoUQDQgAE9qhj+KtcdHj1kVgwxWWWw++tqoh7H7UHs7oXh8jBbgF47rrYGC+t\ndjiIaHK3dBvvdE7MGj5HsepzLm3Kj91bqA==\n-----END EC PRIVATE KEY-----\n";
/// A role that is assumed with an external id.
const ROLE: &str = "arn:aws:iam::123456789012:role/deployer";

/// Writes one of the shared AWS files.
fn write(stage: &Stage, file: &str, text: &str) {
    let path = stage.folder().join(".aws").join(file);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

/// Runs `plan` with a profile, and without credentials in the environment.
async fn plan(stage: &Stage, profile: &str, variables: &[(&str, &str)]) -> Run {
    let mut command = stage.command(&["plan"]);
    command.env_remove("AWS_ACCESS_KEY_ID").env_remove("AWS_SECRET_ACCESS_KEY").env("AWS_PROFILE", profile);
    command.envs(variables.iter().copied());
    deployer::run(command).await
}

/// Returns a moment an hour from now, or before, as the AWS command line writes it.
fn moment(is_over: bool) -> String {
    let hour = Duration::from_secs(3600);
    let time = if is_over { SystemTime::now() - hour } else { SystemTime::now() + hour };
    humantime::format_rfc3339_seconds(time).to_string()
}

/// Starts the portal of single sign-on, which gives whoever has the token the keys of this account.
async fn portal(account: String) -> String {
    let answer = move |headers: HeaderMap, uri: Uri| async move {
        let asked = uri.query().unwrap_or_default().contains("role_name=Admin");
        if !asked || headers.get("x-amz-sso_bearer_token").is_none_or(|token| token != "token of ada") {
            return (StatusCode::UNAUTHORIZED, json!({ "message": "Session token not found or invalid" }).to_string());
        }
        let keys = json!({
            "accessKeyId": account, "secretAccessKey": "secret", "sessionToken": "session", "expiration": 4_102_444_800_000_u64,
        });
        (StatusCode::OK, json!({ "roleCredentials": keys }).to_string())
    };
    let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let app = Router::new().route("/federation/credentials", get(answer));
    tokio::spawn(async move { axum::serve(listener, app).await });
    url
}

#[tokio::test(flavor = "multi_thread")]
async fn single_sign_on_gives_credentials_and_an_ended_session_names_the_command() {
    let stage = Stage::new(Emulator::shared()).await;
    write(
        &stage,
        "config",
        "[profile work]\nsso_session = office\nsso_account_id = 123456789012\nsso_role_name = Admin\n\
         [sso-session office]\nsso_region = eu-central-1\nsso_start_url = https://example.awsapps.com/start\n",
    );
    let token = |is_over, token: &str| {
        json!({
            "accessToken": token, "expiresAt": moment(is_over), "region": "eu-central-1",
            "startUrl": "https://example.awsapps.com/start",
        })
        .to_string()
    };
    let portal = portal(stage.account.clone()).await;
    let variables = [("AWS_ENDPOINT_URL_SSO", portal.as_str())];
    write(&stage, SSO_FILE, &token(false, "token of ada"));
    plan(&stage, "work", &variables).await.expect(0);
    for ended in [token(true, "token of ada"), token(false, "revoked")] {
        write(&stage, SSO_FILE, &ended);
        let text = plan(&stage, "work", &variables).await.expect(1).printed();
        assert!(text.contains("sign in with `aws sso login --profile work`"), "{text}");
        assert!(!text.contains("token of ada"), "{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn session_of_aws_login_gives_credentials_and_an_ended_one_names_the_command() {
    let stage = Stage::new(Emulator::shared()).await;
    write(&stage, "config", &format!("[profile console]\nlogin_session = {LOGIN}\n"));
    let token = |is_over| {
        let keys = json!({
            "accessKeyId": stage.account, "secretAccessKey": "secret", "sessionToken": "session",
            "accountId": "123456789012", "expiresAt": moment(is_over),
        });
        json!({
            "accessToken": keys, "tokenType": "aws_sigv4", "refreshToken": "used", "idToken": "id",
            "clientId": "arn:aws:signin:::devtools/same-device", "dpopKey": KEY,
        })
        .to_string()
    };
    write(&stage, LOGIN_FILE, &token(false));
    plan(&stage, "console", &[]).await.expect(0);
    write(&stage, LOGIN_FILE, &token(true));
    let text = plan(&stage, "console", &[]).await.expect(1).printed();
    assert!(text.contains("sign in with `aws login --profile console`"), "{text}");
}

/// Refuses to let a role be assumed without the external id.
fn without_external_id(call: &Call) -> bool {
    call.operation == "AssumeRole" && call.parameter("ExternalId").as_deref() != Some("agreed word")
}

#[tokio::test(flavor = "multi_thread")]
async fn role_is_assumed_from_its_source_with_its_external_id() {
    let denied = Some(Denied { meant: without_external_id, allowed: BTreeSet::new() });
    let stage = Stage::with(Emulator::shared(), Settings { denied, ..Settings::default() }).await;
    let keys = format!("[base]\naws_access_key_id = {}\naws_secret_access_key = secret\n", stage.account);
    write(&stage, "credentials", &keys);
    let role = format!("[profile deployer]\nrole_arn = {ROLE}\nsource_profile = base\n");
    write(&stage, "config", &format!("{role}external_id = agreed word\n"));
    plan(&stage, "deployer", &[]).await.expect(0);
    assert!(stage.proxy().log.take().iter().any(|record| record.operation == "AssumeRole"));

    write(&stage, "config", &role);
    let text = plan(&stage, "deployer", &[]).await.expect(1).printed();
    assert!(
        text.contains(&format!("the profile deployer may not assume {ROLE}")) && text.contains("`external_id`"),
        "{text}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn role_that_needs_a_code_of_an_mfa_device_is_explained_before_any_request() {
    let stage = Stage::new(Emulator::shared()).await;
    write(&stage, "credentials", "[base]\naws_access_key_id = AKIDBASE\naws_secret_access_key = secret\n");
    let serial = "arn:aws:iam::123456789012:mfa/ada";
    let config = format!("[profile guarded]\nrole_arn = {ROLE}\nsource_profile = base\nmfa_serial = {serial}\n");
    write(&stage, "config", &config);
    let text = plan(&stage, "guarded", &[]).await.expect(1).printed();
    for words in [
        "the profile guarded",
        serial,
        "aws configure export-credentials --profile guarded",
        "aws sts get-session-token",
        "credential_process",
    ] {
        assert!(text.contains(words), "{words}: {text}");
    }
    assert!(stage.proxy().log.all().is_empty());
    // Keys in the environment count more than the profile.
    let run = deployer::run({
        let mut command = stage.command(&["plan"]);
        command.env("AWS_PROFILE", "guarded");
        command
    });
    run.await.expect(0);
}

#[tokio::test(flavor = "multi_thread")]
async fn expired_keys_name_their_profile() {
    let refusal = ("GetCallerIdentity".to_owned(), 403, "ExpiredToken".to_owned(), "The token has expired.".to_owned());
    let stage = Stage::with(Emulator::shared(), Settings { refuse: vec![refusal], ..Settings::default() }).await;
    write(&stage, "credentials", "[old]\naws_access_key_id = AKID\naws_secret_access_key = s\naws_session_token = t\n");
    let text = plan(&stage, "old", &[]).await.expect(1).printed();
    assert!(text.contains("the credentials of the profile old are missing, expired or wrong"), "{text}");
    let text = plan(&stage, "older", &[]).await.expect(1).printed();
    assert!(text.contains("no profile is called older"), "{text}");
}
