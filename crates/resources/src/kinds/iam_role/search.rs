//! Finds the roles of PeerSync's stacks.

use super::ABSENT;
use crate::search::{Candidate, Scope, Search};
use crate::stack::marked;
use async_trait::async_trait;
use aws_sdk_iam::types::Role;
use peersync_aws::{Clients, Context as _, NotFound as _};
use peersync_engine::{ResourceError, Tags};

pub(super) struct Roles;

#[async_trait]
impl Search for Roles {
    /// Roles are global to the account; the tags tell the region, and for those of earlier versions the name does.
    async fn candidates(&self, scope: &Scope<'_>) -> Result<Vec<Candidate>, ResourceError> {
        let roles = scope.global.get("roles", list(scope.clients)).await?;
        let candidate = |role: Role| {
            let stack = marked(role.description()?)?;
            let in_our_region = role.role_name.get(stack.len()..)?.starts_with(&format!("-{}-", scope.clients.region));
            let candidate = Candidate::named(role.role_name.clone(), stack).created(Some(&role.create_date));
            in_our_region.then_some(candidate)
        };
        Ok(roles.into_iter().filter_map(candidate).collect())
    }

    async fn tags(&self, scope: &Scope<'_>, id: &str) -> Result<Option<Tags>, ResourceError> {
        let answer = scope.clients.iam.get_role().role_name(id).send().await;
        let role = answer.found(ABSENT, "failed to read a role")?.and_then(|answer| answer.role);
        Ok(role.map(|role| role.tags.unwrap_or_default().into_iter().map(|tag| (tag.key, tag.value)).collect()))
    }

    fn actions(&self) -> &'static [&'static str] {
        &["iam:GetRole", "iam:ListRoles"]
    }
}

async fn list(clients: &Clients) -> Result<Vec<Role>, ResourceError> {
    let roles = clients.iam.list_roles().into_paginator().items().send();
    roles.collect::<Result<Vec<_>, _>>().await.context("failed to list the roles")
}
