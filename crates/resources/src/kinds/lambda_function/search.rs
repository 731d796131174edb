//! Finds the functions of PeerSync's stacks.

use async_trait::async_trait;

use super::ABSENT;
use crate::search::{Candidate, Scope, Search};
use crate::stack::{FUNCTIONS, stack_of};
use peersync_aws::{Context as _, NotFound as _};
use peersync_engine::{ResourceError, Tags};

pub(super) struct Functions;

#[async_trait]
impl Search for Functions {
    async fn candidates(&self, scope: &Scope<'_>) -> Result<Vec<Candidate>, ResourceError> {
        let functions = scope.clients.lambda.list_functions().into_paginator().items().send();
        let functions = functions.collect::<Result<Vec<_>, _>>().await.context("failed to list the functions")?;
        let candidate = |name: String| Some(Candidate::named(name.clone(), stack_of(&name, FUNCTIONS)?));
        Ok(functions.into_iter().filter_map(|function| candidate(function.function_name?)).collect())
    }

    async fn tags(&self, scope: &Scope<'_>, id: &str) -> Result<Option<Tags>, ResourceError> {
        let arn = scope.arn("lambda", &format!("function:{id}"));
        let answer = scope.clients.lambda.list_tags().resource(arn).send().await;
        let answer = answer.found(ABSENT, "failed to read the tags of a function")?;
        Ok(answer.map(|answer| answer.tags.unwrap_or_default().into_iter().collect()))
    }

    fn actions(&self) -> &'static [&'static str] {
        &["lambda:ListFunctions", "lambda:ListTags"]
    }
}
