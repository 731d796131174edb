//! The API as a Lambda function: reads its environment, then answers the events of API Gateway one after the other.

use std::convert::Infallible;

use lambda_http::request::RequestContext;
use lambda_http::{Request, RequestExt, Service as _, service_fn};
use peersync_api::{RequestId, SecretSource, SourceAddress, State, router};
use peersync_runtime::log;
use peersync_server::metrics;
use peersync_server::settings::Settings;
use peersync_server::store::Store;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    let errors = log::of_function();
    let settings = Settings::from_environment()?;
    let config = peersync_server::aws::from_environment();
    let store = Store::lazy(config.clone(), settings.tables.clone());
    let state = State::new(settings, store, SecretSource::ParameterStore(Box::new(config)));
    let router = router(state.clone());
    lambda_http::run(service_fn(move |request: Request| {
        let (mut router, state, errors) = (router.clone(), state.clone(), errors.clone());
        async move {
            let answer: Result<_, Infallible> = router.call(with_source(request)).await;
            // Before the answer: after it, Lambda suspends the function.
            let measured: Vec<_> = state.tally().take().into_iter().chain(errors.take()).collect();
            metrics::write(&state.settings().stack, &measured, state.now());
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
