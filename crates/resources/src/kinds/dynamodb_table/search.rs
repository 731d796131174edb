//! Finds the tables of PeerSync's stacks.

use async_trait::async_trait;

use super::{ABSENT, TABLES, read_tags};
use crate::search::{Candidate, Scope, Search};
use crate::stack::stack_of;
use peersync_aws::{Context as _, NotFound as _};
use peersync_engine::{ResourceError, Tags};

pub(super) struct Tables;

#[async_trait]
impl Search for Tables {
    async fn candidates(&self, scope: &Scope<'_>) -> Result<Vec<Candidate>, ResourceError> {
        let names = scope.clients.dynamodb.list_tables().into_paginator().items().send();
        let names = names.collect::<Result<Vec<_>, _>>().await.context("failed to list the tables")?;
        let parts = TABLES.iter().map(|layout| layout.part);
        let candidate = |name: String| Some(Candidate::named(name.clone(), stack_of(&name, parts.clone())?));
        Ok(names.into_iter().filter_map(candidate).collect())
    }

    async fn tags(&self, scope: &Scope<'_>, id: &str) -> Result<Option<Tags>, ResourceError> {
        // DynamoDB denies the access to the tags of a table that does not exist.
        let answer = scope.clients.dynamodb.describe_table().table_name(id).send().await;
        let answer = answer.found(ABSENT, "failed to read a table")?;
        let Some(arn) = answer.and_then(|answer| answer.table?.table_arn) else { return Ok(None) };
        read_tags(&scope.clients.dynamodb, &arn).await.found(ABSENT, "failed to read the tags of a table")
    }

    fn actions(&self) -> &'static [&'static str] {
        &["dynamodb:DescribeTable", "dynamodb:ListTables", "dynamodb:ListTagsOfResource"]
    }
}
