//! Finds the REST APIs of PeerSync's stacks.

use async_trait::async_trait;
use aws_sdk_apigateway::types::RestApi;

use super::{PAGE, tags_of};
use crate::search::{Candidate, Scope, Search};
use peersync_aws::Context as _;
use peersync_engine::ResourceError;

pub(super) struct Apis;

#[async_trait]
impl Search for Apis {
    async fn candidates(&self, scope: &Scope<'_>) -> Result<Vec<Candidate>, ResourceError> {
        let call = scope.clients.api_gateway.get_rest_apis().limit(PAGE).into_paginator().items().send();
        let apis = call.collect::<Result<Vec<_>, _>>().await.context("failed to list the REST APIs")?;
        let candidate = |api: RestApi| {
            let (tags, created) = (tags_of(&api), api.created_date);
            Some(Candidate::tagged(api.id?, tags).created(created.as_ref()))
        };
        Ok(apis.into_iter().filter_map(candidate).collect())
    }

    fn actions(&self) -> &'static [&'static str] {
        &["apigateway:GET"]
    }
}
