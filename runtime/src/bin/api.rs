//! The API as a Lambda function: reads its environment, then answers the events of API Gateway one after the other.

use std::convert::Infallible;

use lambda_http::request::RequestContext;
use lambda_http::{Request, RequestExt, Service as _, service_fn};
use peersync_api::{RequestId, SecretSource, SourceAddress, State, router};
use peersync_server::settings::Settings;
use peersync_server::store::Store;
use tracing_subscriber::EnvFilter;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt().json().with_env_filter(filter).with_current_span(true).with_span_list(false).init();
    let settings = Settings::from_environment()?;
    let config = peersync_server::aws::from_environment();
    let store = Store::lazy(config.clone(), settings.tables.clone());
    let router = router(State::new(settings, store, SecretSource::ParameterStore(Box::new(config))));
    lambda_http::run(service_fn(move |request: Request| {
        let mut router = router.clone();
        async move {
            let answer: Result<_, Infallible> = router.call(with_source(request)).await;
            Ok::<_, lambda_http::Error>(answer.unwrap_or_else(|never| match never {}))
        }
    }))
    .await
}

/// Adds what only the event contains: the peer's address, and the id under which AWS logs the request.
fn with_source(mut request: Request) -> Request {
    let source = match request.request_context_ref() {
        Some(RequestContext::ApiGatewayV1(context)) => {
            context.identity.source_ip.as_deref().and_then(|address| address.parse().ok())
        }
        _ => None,
    };
    let id = request.lambda_context_ref().map(|context| context.request_id.clone());
    if let Some(source) = source {
        request.extensions_mut().insert(SourceAddress(source));
    }
    if let Some(id) = id {
        request.extensions_mut().insert(RequestId(id));
    }
    request
}
