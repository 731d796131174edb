//! Finds the parameters of PeerSync's stacks.

use async_trait::async_trait;
use aws_sdk_ssm::types::ParameterStringFilter;

use super::read_tags;
use crate::search::{Candidate, Scope, Search};
use peersync_aws::Context as _;
use peersync_engine::{ResourceError, Tags};

pub(super) struct Parameters;

#[async_trait]
impl Search for Parameters {
    async fn candidates(&self, scope: &Scope<'_>) -> Result<Vec<Candidate>, ResourceError> {
        const SUMMARY: &str = "failed to list the parameters";
        let filter = ParameterStringFilter::builder().key("Name").option("BeginsWith").values("/peersync/");
        let call = scope.clients.ssm.describe_parameters().parameter_filters(filter.build().context(SUMMARY)?);
        let pages = call.into_paginator().send().collect::<Result<Vec<_>, _>>().await.context(SUMMARY)?;
        let found = pages.into_iter().flat_map(|page| page.parameters.unwrap_or_default());
        let candidate = |name: String| {
            let (stack, _) = name.strip_prefix("/peersync/")?.split_once('/')?;
            Some(Candidate::named(name.clone(), stack))
        };
        Ok(found.filter_map(|parameter| candidate(parameter.name?)).collect())
    }

    async fn tags(&self, scope: &Scope<'_>, id: &str) -> Result<Option<Tags>, ResourceError> {
        read_tags(scope.clients, id).await
    }

    fn actions(&self) -> &'static [&'static str] {
        &["ssm:DescribeParameters", "ssm:ListTagsForResource"]
    }
}
