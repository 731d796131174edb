//! The place in the SDK's clients where requests wait for their turn: right before they go onto the wire, and without the
//! time counting as that of the attempt.

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::connector_metadata::ConnectorMetadata;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::interceptors::context::{
    BeforeTransmitInterceptorContextMut, FinalizerInterceptorContextRef,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse, Metadata};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;
use tokio::time::{Duration, timeout};

use super::Pacer;
use crate::moment::Moment;
use crate::write_guard::{WriteGuard, is_read};

/// The timeout of one attempt from when it is sent to the beginning of the answer; the SDK watches over the rest.
const ATTEMPT_DEADLINE: Duration = Duration::from_secs(30);

/// How AWS says that requests come too fast, in any of its services.
const REFUSALS: [&str; 7] = [
    "RequestLimitExceeded",
    "RequestThrottled",
    "SlowDown",
    "Throttling",
    "ThrottlingException",
    "ThrottledException",
    "TooManyRequestsException",
];

/// The name of a request's operation, which the request itself does not tell in every protocol.
#[derive(Clone, Debug)]
struct Operation(String);

/// Whether the requests of a client wait.
#[derive(Clone, Debug)]
pub(crate) enum Turn {
    /// They wait, and are not sent if the lease has ended meanwhile.
    Waits(WriteGuard),
    /// They are only counted: the lease ends at its time.
    AtOnce,
    /// The endpoint has no rates.
    Free,
}

/// Returns the HTTP client of one service, whose requests keep to its rates.
pub(crate) fn paced(inner: SharedHttpClient, pacer: &Pacer, service: &'static str, turn: Turn) -> SharedHttpClient {
    SharedHttpClient::new(Paced { inner, line: Line { pacer: pacer.clone(), service, turn } })
}

/// What requests of one client pass.
#[derive(Clone, Debug)]
struct Line {
    pacer: Pacer,
    service: &'static str,
    turn: Turn,
}

#[derive(Debug)]
struct Paced {
    inner: SharedHttpClient,
    line: Line,
}

impl HttpClient for Paced {
    fn http_connector(&self, settings: &HttpConnectorSettings, components: &RuntimeComponents) -> SharedHttpConnector {
        let inner = self.inner.http_connector(settings, components);
        SharedHttpConnector::new(PacedConnector { inner, line: self.line.clone() })
    }

    fn connector_metadata(&self) -> Option<ConnectorMetadata> {
        self.inner.connector_metadata()
    }
}

#[derive(Debug)]
struct PacedConnector {
    inner: SharedHttpConnector,
    line: Line,
}

impl HttpConnector for PacedConnector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let (inner, line) = (self.inner.clone(), self.line.clone());
        HttpConnectorFuture::new(async move {
            let operation = request.extension::<Operation>().map(|operation| operation.0.clone()).unwrap_or_default();
            line.pass(&operation).await?;
            match timeout(ATTEMPT_DEADLINE, inner.call(request)).await {
                Ok(answer) => answer,
                Err(late) => Err(ConnectorError::timeout(Box::new(late))),
            }
        })
    }
}

impl Line {
    async fn pass(&self, operation: &str) -> Result<(), ConnectorError> {
        let guard = match &self.turn {
            Turn::Waits(guard) => guard,
            Turn::AtOnce => {
                self.pacer.count(self.service, operation);
                return Ok(());
            }
            Turn::Free => return Ok(()),
        };
        let waited = self.pacer.admit(self.service, operation).await;
        if waited && !is_read(operation) {
            guard.check(Moment::now()).map_err(|refused| ConnectorError::user(Box::new(refused)))?;
        }
        Ok(())
    }
}

/// Tells the operation to the connection, and refusals to the pacer.
#[derive(Clone, Debug)]
pub(crate) struct ReportRefusals {
    pub(crate) pacer: Pacer,
    pub(crate) service: &'static str,
}

impl Intercept for ReportRefusals {
    fn name(&self) -> &'static str {
        "ReportRefusals"
    }

    fn modify_before_transmit(
        &self,
        context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        configuration: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        context.request_mut().add_extension(Operation(operation(configuration).to_owned()));
        Ok(())
    }

    fn read_after_attempt(
        &self,
        context: &FinalizerInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        configuration: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if context.response().is_some_and(is_refusal) {
            self.pacer.refused(self.service, operation(configuration));
        }
        Ok(())
    }
}

fn operation(configuration: &ConfigBag) -> &str {
    configuration.load::<Metadata>().map_or("", Metadata::name)
}

/// Returns whether AWS says that requests come too fast. Error codes are in a header, or in a body of JSON or XML.
fn is_refusal(answer: &HttpResponse) -> bool {
    let status = answer.status().as_u16();
    let body = || answer.body().bytes().map(String::from_utf8_lossy).unwrap_or_default();
    let code = || answer.headers().get("x-amzn-errortype").unwrap_or_default().split(':').next().unwrap_or_default();
    let is_in = |body: &str, code: &str| body.contains(&format!(">{code}<")) || body.contains(&format!("{code}\""));
    let names_one = || REFUSALS.contains(&code()) || REFUSALS.iter().any(|code| is_in(&body(), code));
    status == 429 || (status >= 400 && names_one())
}

#[cfg(test)]
mod tests {
    use aws_smithy_types::body::SdkBody;

    use super::*;

    fn answer(status: u16, header: Option<&'static str>, body: &'static str) -> HttpResponse {
        let status = status.try_into().expect("a status");
        let mut answer = HttpResponse::new(status, SdkBody::from(body));
        header.into_iter().for_each(|code| drop(answer.headers_mut().insert("x-amzn-errortype", code)));
        answer
    }

    #[test]
    fn refusals_are_recognized_in_every_protocol() {
        for (status, header, body) in [
            (429, None, ""),
            (400, None, "<ErrorResponse><Error><Code>Throttling</Code></Error></ErrorResponse>"),
            (503, None, "<Response><Errors><Error><Code>RequestLimitExceeded</Code></Error></Errors></Response>"),
            (503, None, "<Error><Code>SlowDown</Code></Error>"),
            (400, None, r#"{"__type":"ThrottlingException","message":"Rate exceeded"}"#),
            (400, None, r#"{"__type":"com.amazon.coral.availability#ThrottlingException"}"#),
            (400, Some("TooManyRequestsException:http://internal.amazon.com/"), "{}"),
        ] {
            assert!(is_refusal(&answer(status, header, body)), "{status} {header:?} {body}");
        }
        for (status, body) in [(200, r#"{"Name":"Throttling"}"#), (400, r#"{"message":"Throttling of it"}"#), (500, "")]
        {
            assert!(!is_refusal(&answer(status, None, body)), "{status} {body}");
        }
    }
}
