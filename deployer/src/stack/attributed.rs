//! Attributes SDK calls to the resource that makes them, so that the SDK's own retries are reported as retries of it.

use std::sync::Arc;

use async_trait::async_trait;

use crate::aws::{for_resource, with_progress};
use crate::engine::{
    Address, ApplyContext, Changes, Fields, Live, OutputMap, Outputs, Progress, Resource, ResourceError,
};

/// Wraps a resource so that its SDK calls are attributed to it.
pub(super) struct Attributed(pub(super) Arc<dyn Resource>);

#[async_trait]
impl Resource for Attributed {
    fn address(&self) -> &Address {
        self.0.address()
    }

    fn dependencies(&self) -> Vec<Address> {
        self.0.dependencies()
    }

    fn wanted(&self) -> bool {
        self.0.wanted()
    }

    fn taggable(&self) -> bool {
        self.0.taggable()
    }

    fn replace_on(&self) -> &'static [(&'static str, &'static str)] {
        self.0.replace_on()
    }

    fn create_before_destroy(&self) -> bool {
        self.0.create_before_destroy()
    }

    async fn observe(&self) -> Result<Option<Live>, ResourceError> {
        for_resource(self.address(), self.0.observe()).await
    }

    fn desired(&self, outputs: &Outputs) -> Fields {
        self.0.desired(outputs)
    }

    async fn create(&self, context: &ApplyContext<'_>) -> Result<OutputMap, ResourceError> {
        with_progress(context.progress.clone(), self.0.create(context)).await
    }

    async fn update(
        &self,
        context: &ApplyContext<'_>,
        live: &Live,
        changes: &Changes,
    ) -> Result<OutputMap, ResourceError> {
        with_progress(context.progress.clone(), self.0.update(context, live, changes)).await
    }

    async fn delete(&self, progress: &Progress, live: &Live) -> Result<(), ResourceError> {
        with_progress(progress.clone(), self.0.delete(progress, live)).await
    }

    async fn retire(&self, progress: &Progress, live: &Live) -> Result<(), ResourceError> {
        with_progress(progress.clone(), self.0.retire(progress, live)).await
    }
}
