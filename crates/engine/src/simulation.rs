//! A simulated provider for the engine's tests: resources that fail, hang and lose their answers on demand.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use async_trait::async_trait;
use parking_lot::Mutex;

use super::*;

/// The one field of every resource.
const SETTING: FieldName = FieldName::new("setting");

/// What happens to one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// The call takes effect and its answer arrives.
    Succeed,
    /// The call fails without an effect.
    FailBefore,
    /// The call takes effect, but its answer is lost.
    FailAfter,
    /// The call never returns. The run is aborted, as by a second Ctrl-C.
    Hang,
    /// The call succeeds, and the user asks to stop.
    Stop,
    /// The call succeeds, and the process is killed right after.
    Abort,
}

/// The fates of one run's calls, in order; all further calls succeed.
#[derive(Clone, Debug, Default)]
pub struct Fates(
    /// One fate for each call.
    pub Vec<Fate>,
);

/// One resource that exists in the world.
#[derive(Clone, Debug, PartialEq)]
pub struct Entity {
    /// Its fields, with their values.
    pub fields: BTreeMap<String, String>,
    /// Its tags.
    pub tags: Tags,
}

/// Everything that exists, and everything that was done.
#[derive(Default)]
pub struct World {
    /// What exists.
    pub entities: BTreeMap<Address, Entity>,
    /// The calls of the current run, in order.
    pub calls: Vec<(Address, &'static str)>,
    /// Calls that were made too early or too late.
    pub violations: Vec<String>,
    fates: Vec<Fate>,
    /// Stops the current run.
    pub interrupt: Interrupt,
}

impl World {
    /// Starts a run: forgets the calls of the previous one.
    pub fn begin(&mut self, fates: &Fates) -> Interrupt {
        self.calls.clear();
        self.fates = fates.0.iter().rev().copied().collect();
        self.interrupt = Interrupt::default();
        self.interrupt.clone()
    }
}

/// A resource of the simulated provider.
pub struct Simulated {
    /// Its address.
    pub address: Address,
    /// What it depends on.
    pub dependencies: Vec<Address>,
    /// The value of its one field of its own.
    pub setting: String,
    /// Whether the configuration wants it.
    pub enabled: bool,
    /// Whether a replacement is created before the old resource is deleted.
    pub create_before_destroy: bool,
    /// The world in which it is.
    pub world: Arc<Mutex<World>>,
}

impl Simulated {
    fn settled_fields(&self, outputs: &Outputs) -> BTreeMap<String, String> {
        let mut fields = BTreeMap::from([(SETTING.to_string(), self.setting.clone())]);
        for dependency in &self.dependencies {
            let value = outputs.get(dependency, "value").unwrap_or("absent");
            fields.insert(format!("from_{dependency}"), value.to_owned());
        }
        fields
    }

    fn output(&self, entity: &Entity) -> OutputMap {
        OutputMap::new().with(
            "value",
            format!("{}={}", self.address, entity.fields.get(SETTING.as_str()).map_or("", String::as_str)),
        )
    }

    async fn call(&self, name: &'static str, effect: impl FnOnce(&mut World)) -> Result<(), ResourceError> {
        let fate = {
            let mut world = self.world.lock();
            world.calls.push((self.address.clone(), name));
            world.fates.pop().unwrap_or(Fate::Succeed)
        };
        tokio::task::yield_now().await;
        self.settle(fate, effect);
        match fate {
            Fate::Hang => std::future::pending().await,
            Fate::FailBefore | Fate::FailAfter => Err(ResourceError::new("the simulated call failed")),
            _ => Ok(()),
        }
    }

    /// Lets the call take effect unless its fate forbids it, and stops the run if its fate says so.
    fn settle(&self, fate: Fate, effect: impl FnOnce(&mut World)) {
        let mut world = self.world.lock();
        if !matches!(fate, Fate::FailBefore | Fate::Hang) {
            effect(&mut world);
        }
        match fate {
            Fate::Stop => world.interrupt.stop.cancel(),
            Fate::Abort | Fate::Hang => world.interrupt.abort.cancel(),
            _ => {}
        }
    }

    fn put(&self, world: &mut World, fields: BTreeMap<String, String>, tags: &Tags) {
        for dependency in &self.dependencies {
            if !world.entities.contains_key(dependency) {
                world.violations.push(format!("{} was applied before {dependency}", self.address));
            }
        }
        world.entities.insert(self.address.clone(), Entity { fields, tags: tags.clone() });
    }
}

#[async_trait]
impl Resource for Simulated {
    fn address(&self) -> &Address {
        &self.address
    }

    fn dependencies(&self) -> Vec<Address> {
        self.dependencies.clone()
    }

    fn enabled(&self) -> bool {
        self.enabled
    }

    fn replace_on(&self) -> &'static [(FieldName, &'static str)] {
        if self.create_before_destroy { &[(SETTING, "it cannot be changed in place")] } else { &[] }
    }

    async fn observe(&self, _: &SharedReads) -> Result<Option<Live>, ResourceError> {
        let world = self.world.lock();
        Ok(world.entities.get(&self.address).map(|entity| Live {
            id: self.address.to_string(),
            fields: entity
                .fields
                .iter()
                .map(|(name, value)| (name.clone(), LiveField::known(value.as_str())))
                .collect(),
            ownership: if entity.tags.contains_key("stack") {
                Ownership::Ours
            } else {
                Ownership::Foreign("no tag".to_owned())
            },
            tags: Some(entity.tags.clone()),
            outputs: self.output(entity),
        }))
    }

    fn desired(&self, outputs: &Outputs) -> Fields {
        let mut fields: Fields = [(SETTING.to_string(), Field::known(self.setting.as_str()))].into();
        for dependency in &self.dependencies {
            let value = outputs.get(dependency, "value");
            fields.insert(format!("from_{dependency}"), Field::known_or_unknown(value));
        }
        fields
    }

    async fn create(&self, context: &ApplyContext<'_>) -> Result<OutputMap, ResourceError> {
        let fields = self.settled_fields(context.outputs);
        let tags = context.tags.clone();
        self.call("create", |world| self.put(world, fields, &tags)).await?;
        Ok(self.world.lock().entities.get(&self.address).map(|entity| self.output(entity)).unwrap_or_default())
    }

    async fn update(&self, context: &ApplyContext<'_>, _: &Live, _: &Changes) -> Result<OutputMap, ResourceError> {
        let fields = self.settled_fields(context.outputs);
        let tags = context.tags.clone();
        self.call("update", |world| self.put(world, fields, &tags)).await?;
        Ok(self.world.lock().entities.get(&self.address).map(|entity| self.output(entity)).unwrap_or_default())
    }

    async fn delete(&self, _: &Progress, _: &Live) -> Result<(), ResourceError> {
        self.call("delete", |world| {
            world.entities.remove(&self.address);
        })
        .await
    }

    fn create_before_destroy(&self) -> bool {
        self.create_before_destroy
    }

    async fn retire(&self, _: &Progress, _: &Live) -> Result<(), ResourceError> {
        self.call("retire", |_| {}).await
    }
}

/// Returns the calls that were made more than once for the same resource in a run.
pub fn repeated(calls: &[(Address, &'static str)]) -> Vec<String> {
    let mut seen = BTreeSet::new();
    calls.iter().filter(|call| !seen.insert(*call)).map(|(address, name)| format!("{name} {address}")).collect()
}
