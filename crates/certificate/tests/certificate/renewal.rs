//! The authority says when it wants a certificate to be renewed, or does not.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use parking_lot::Mutex;
use peersync_certificate::{Certificates, Keeper, KeeperError, KeptCertificate, Settings};
use peersync_server::clock::Clock;
use rcgen::{CertificateParams, IsCa, Issuer, KeyPair, SerialNumber, date_time_ymd};
use serde_json::{Value, json};

use super::{Memory, Refusing, host};

/// The renewal of a certificate as its authority knows it.
#[derive(Clone, Default)]
pub(super) struct Renewals(Arc<Mutex<Known>>);

#[derive(Default)]
struct Known {
    /// The window that is suggested.
    window: Option<[&'static str; 2]>,
    /// For how many seconds it holds, if that is not an hour.
    holds: Option<&'static str>,
    /// Whether the authority tells windows, whatever it answers.
    are_told: bool,
    /// The certificates that it was asked about.
    asked: Vec<String>,
    /// The certificates that the orders replace.
    replaced: Vec<Value>,
}

impl Renewals {
    pub(super) fn are_told(&self) -> bool {
        self.0.lock().are_told
    }

    /// Notes which certificate is replaced by an order that was asked for by this signed request.
    pub(super) fn note(&self, request: &Value) {
        let payload = URL_SAFE_NO_PAD.decode(request["payload"].as_str().unwrap()).unwrap();
        let mut payload: Value = serde_json::from_slice(&payload).unwrap();
        self.0.lock().replaced.push(payload["replaces"].take());
    }

    fn suggest(&self, window: Option<[&'static str; 2]>) {
        let mut state = self.0.lock();
        (state.window, state.are_told) = (window, true);
    }

    fn asked(&self) -> Vec<String> {
        self.0.lock().asked.clone()
    }

    fn replaced(&self) -> Vec<Value> {
        self.0.lock().replaced.clone()
    }
}

/// Answers with the window, and for how long it holds.
pub(super) async fn answer(State(authority): State<Refusing>, Path(certificate): Path<String>) -> Response {
    let mut state = authority.renewals.0.lock();
    state.asked.push(certificate);
    let Some([start, end]) = state.window else {
        let problem = json!({ "type": "urn:ietf:params:acme:error:serverInternal", "detail": "out of order" });
        return (StatusCode::INTERNAL_SERVER_ERROR, Json(problem)).into_response();
    };
    let mut answer = Json(json!({ "suggestedWindow": { "start": start, "end": end } })).into_response();
    answer.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static(state.holds.unwrap_or("3600")));
    answer
}

/// The id of the certificate below, from its issuer's key id and its own serial number.
const ID: &str = "BAUG.AQIDBA";
const PAST: [&str; 2] = ["2020-01-01T00:00:00Z", "2020-01-02T00:00:00Z"];
const FUTURE: [&str; 2] = ["2090-01-01T00:00:00Z", "2090-01-02T00:00:00Z"];
/// The middle of 2026, in seconds since 1970.
const MIDDLE: i64 = 1_782_864_000;

/// Keeps a certificate of the year 2026 in a stack whose account this authority knows, and returns the keeper of a host.
async fn keeping(authority: &Refusing, clock: &Clock) -> (Keeper, Memory, Arc<Certificates>) {
    let (memory, certificates) = (Memory::default(), Arc::new(Certificates::default()));
    let port = host(&certificates).await;
    let settings = Settings { domain: "localhost".to_owned(), port, email: None, authority: authority.authority() };
    let mut keeper = Keeper::new(settings, Box::new(memory.clone()), Arc::clone(&certificates), clock.clone());
    keeper.check().await.unwrap_err();
    assert!(memory.stored.lock().account.is_some() && authority.renewals.replaced() == [Value::Null]);

    let mut issuer = CertificateParams::default();
    issuer.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    issuer.key_identifier_method = rcgen::KeyIdMethod::PreSpecified(vec![4, 5, 6]);
    let issuer = Issuer::new(issuer, KeyPair::generate().unwrap());
    let mut own = CertificateParams::new(["localhost".to_owned()]).unwrap();
    (own.not_before, own.not_after) = (date_time_ymd(2026, 1, 1), date_time_ymd(2027, 1, 1));
    own.serial_number = Some(SerialNumber::from_slice(&[1, 2, 3, 4]));
    own.use_authority_key_identifier_extension = true;
    let key = KeyPair::generate().unwrap();
    let signed = own.signed_by(&key, &issuer).unwrap();
    let directory = authority.authority().directory;
    let kept = KeptCertificate::issued("localhost", &directory, &signed.pem(), &key.serialize_pem()).unwrap();
    memory.stored.lock().certificate = Some(kept.text());
    (keeper, memory, certificates)
}

async fn refusing(kind: &'static str) -> Refusing {
    Refusing::start(StatusCode::CONFLICT, kind, None).await
}

#[tokio::test]
async fn certificate_is_ordered_when_the_authority_wants_it_renewed() {
    let (authority, clock) = (refusing("alreadyReplaced").await, Clock::fixed(MIDDLE));
    authority.renewals.suggest(Some(PAST));
    let (mut keeper, _, certificates) = keeping(&authority, &clock).await;
    let error = keeper.check().await.unwrap_err();
    assert!(matches!(error, KeeperError::Order(_)), "{error}");
    assert!(certificates.is_ready(), "it is shown until another one is there");
    // An authority that refuses to count the order as a replacement is asked for another certificate.
    assert_eq!(authority.renewals.replaced(), [Value::Null, json!(ID), Value::Null]);
    assert_eq!(authority.renewals.asked(), [ID]);
    keeper.check().await.unwrap_err();
    assert_eq!(authority.renewals.asked(), [ID], "what it has said holds for an hour");
    assert_eq!(authority.renewals.replaced().len(), 5);
}

#[tokio::test]
async fn certificate_that_the_authority_wants_later_is_not_ordered_yet() {
    let (authority, clock) = (refusing("unauthorized").await, Clock::fixed(MIDDLE));
    authority.renewals.suggest(Some(FUTURE));
    let (mut keeper, _, _) = keeping(&authority, &clock).await;
    assert_eq!(keeper.check().await.unwrap(), Duration::from_secs(6 * 3600));
    // Two thirds of it are over.
    clock.forward(70 * 86_400);
    assert_eq!(keeper.check().await.unwrap(), Duration::from_secs(6 * 3600));
    assert_eq!(authority.renewals.asked(), [ID, ID]);
    // The authority changes its mind.
    authority.renewals.suggest(Some(PAST));
    clock.forward(3590);
    keeper.check().await.unwrap();
    clock.forward(20);
    keeper.check().await.unwrap_err();
    assert_eq!(authority.renewals.asked().len(), 3);
}

#[tokio::test]
async fn authority_that_says_nothing_leaves_the_renewal_to_the_lifetime() {
    for is_supported in [true, false] {
        let (authority, clock) = (refusing("unauthorized").await, Clock::fixed(MIDDLE));
        if is_supported {
            authority.renewals.suggest(None);
        }
        let (mut keeper, _, certificates) = keeping(&authority, &clock).await;
        assert_eq!(keeper.check().await.unwrap(), Duration::from_secs(6 * 3600));
        assert!(certificates.is_ready());
        clock.forward(70 * 86_400);
        keeper.check().await.unwrap_err();
        assert_eq!(authority.renewals.asked().len(), if is_supported { 2 } else { 0 });
    }
}

#[tokio::test]
async fn what_the_authority_has_said_holds_while_it_does_not_answer() {
    let (authority, clock) = (refusing("unauthorized").await, Clock::fixed(MIDDLE));
    authority.renewals.suggest(Some(FUTURE));
    let (mut keeper, memory, _) = keeping(&authority, &clock).await;
    keeper.check().await.unwrap();
    authority.renewals.suggest(None);
    clock.forward(70 * 86_400);
    keeper.check().await.expect("it is not due");
    // Without an account it is not asked.
    memory.stored.lock().account = None;
    keeper.check().await.unwrap_err();
    assert_eq!(authority.renewals.asked().len(), 2);
}

#[tokio::test]
async fn authority_that_wants_never_to_be_asked_again_is_asked_the_next_day() {
    let (authority, clock) = (refusing("unauthorized").await, Clock::fixed(MIDDLE));
    authority.renewals.suggest(Some(FUTURE));
    authority.renewals.0.lock().holds = Some("18446744073709551615");
    let (mut keeper, _, _) = keeping(&authority, &clock).await;
    for (hours, asked) in [(0, 1), (23, 1), (2, 2)] {
        clock.forward(hours * 3600);
        keeper.check().await.unwrap();
        assert_eq!(authority.renewals.asked().len(), asked);
    }
}
