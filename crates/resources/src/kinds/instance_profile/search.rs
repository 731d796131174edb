//! Finds the instance profiles of PeerSync's stacks.

use async_trait::async_trait;
use aws_sdk_iam::types::InstanceProfile;

use super::ABSENT;
use crate::search::{Candidate, Scope, Search};
use peersync_aws::{Clients, Context as _, NotFound as _};
use peersync_engine::{ResourceError, Tags};

pub(super) struct Profiles;

#[async_trait]
impl Search for Profiles {
    /// Profiles are global to the account and have no description. Only a name that was shortened does not end with the
    /// region and the part; such a profile is found by the stack's own graph.
    async fn candidates(&self, scope: &Scope<'_>) -> Result<Vec<Candidate>, ResourceError> {
        let profiles = scope.global.get("instance profiles", list(scope.clients)).await?;
        let end = format!("-{}-signal", scope.clients.region);
        let candidate = |profile: InstanceProfile| {
            let stack = profile.instance_profile_name.strip_suffix(&end)?;
            Some(Candidate::named(&profile.instance_profile_name, stack).created(Some(&profile.create_date)))
        };
        Ok(profiles.into_iter().filter_map(candidate).collect())
    }

    async fn tags(&self, scope: &Scope<'_>, id: &str) -> Result<Option<Tags>, ResourceError> {
        let answer = scope.clients.iam.get_instance_profile().instance_profile_name(id).send().await;
        let answer = answer.found(ABSENT, "failed to read an instance profile")?;
        let profile = answer.and_then(|answer| answer.instance_profile);
        Ok(profile.map(|one| one.tags.unwrap_or_default().into_iter().map(|tag| (tag.key, tag.value)).collect()))
    }

    fn actions(&self) -> &'static [&'static str] {
        &["iam:GetInstanceProfile", "iam:ListInstanceProfiles"]
    }
}

async fn list(clients: &Clients) -> Result<Vec<InstanceProfile>, ResourceError> {
    let profiles = clients.iam.list_instance_profiles().into_paginator().items().send();
    profiles.collect::<Result<Vec<_>, _>>().await.context("failed to list the instance profiles")
}
