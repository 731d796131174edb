//! A simulated provider for the engine's tests: resources that fail, hang and lose their answers on demand.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use async_trait::async_trait;
use parking_lot::Mutex;

use super::*;

/// The one field of every resource.
const SETTING: FieldName = FieldName::new("setting");
/// The setting of before, which an update may keep until it is finished.
const FORMER: FieldName = FieldName::new("former");

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
    /// The settings that the resources are to have, unless everything is to be deleted.
    pub wanted: BTreeMap<Address, String>,
    /// The resources that lead to others, each with these.
    pub leads: BTreeMap<Address, Vec<Address>>,
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

    /// Returns whether a resource that exists has another setting than it is to have.
    fn is_late(&self, address: &Address) -> bool {
        let setting = self.entities.get(address).and_then(|entity| entity.fields.get(SETTING.as_str()));
        setting.zip(self.wanted.get(address)).is_some_and(|(setting, wanted)| setting != wanted)
    }

    /// Records that this resource leads elsewhere before what it leads to has changed.
    fn check_leading(&mut self, address: &Address) {
        for target in self.leads.get(address).cloned().unwrap_or_default() {
            let is_absent = self.wanted.contains_key(&target) && !self.entities.contains_key(&target);
            if is_absent || self.is_late(&target) {
                self.violations.push(format!("{address} leads elsewhere before {target} has changed"));
            }
        }
    }

    /// Records that what others still lead to goes.
    fn check_led(&mut self, address: &Address) {
        let leading = self.leads.iter().filter(|(one, leads)| leads.contains(address) && self.is_late(one));
        let late: Vec<String> = leading.map(|(one, _)| format!("{address} goes while {one} leads to it")).collect();
        self.violations.extend(late);
    }

    /// Records that an update is finished while others use what it has kept.
    fn check_finished(&mut self, address: &Address, value: &str) {
        let field = format!("from_{address}");
        let late = self.entities.iter().filter(|(_, one)| one.fields.get(&field).is_some_and(|used| used != value));
        let late: Vec<String> =
            late.map(|(one, _)| format!("{address} is finished before {one} has changed")).collect();
        self.violations.extend(late);
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
    /// What it leads to.
    pub leads_to: Vec<Address>,
    /// Whether its updates keep the setting of before.
    pub keeps_former: bool,
    /// The world in which it is.
    pub world: Arc<Mutex<World>>,
}

impl Simulated {
    fn settled_fields(&self, outputs: &Outputs) -> BTreeMap<String, String> {
        let mut fields = BTreeMap::from([(SETTING.to_string(), self.setting.clone())]);
        if self.keeps_former {
            fields.insert(FORMER.to_string(), String::new());
        }
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
        let setting = |fields: &BTreeMap<String, String>| fields.get(SETTING.as_str()).cloned();
        if world.entities.get(&self.address).is_some_and(|former| setting(&former.fields) != setting(&fields)) {
            world.check_leading(&self.address);
        }
        world.entities.insert(self.address.clone(), Entity { fields, tags: tags.clone() });
    }

    /// Changes the fields and keeps the setting of before, and the tags, by which the next run notices that.
    fn put_beside(&self, world: &mut World, mut fields: BTreeMap<String, String>) {
        let former = world.entities.get(&self.address).cloned();
        let former = former.unwrap_or(Entity { fields: BTreeMap::new(), tags: Tags::new() });
        let of = |name: FieldName| former.fields.get(name.as_str()).cloned().unwrap_or_default();
        let kept = if of(SETTING) == self.setting { of(FORMER) } else { of(SETTING) };
        fields.insert(FORMER.to_string(), kept);
        self.put(world, fields, &former.tags);
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
        if self.keeps_former {
            fields.insert(FORMER.to_string(), Field::known(""));
        }
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

    async fn update(
        &self,
        context: &ApplyContext<'_>,
        _: &Live,
        changes: &Changes,
    ) -> Result<OutputMap, ResourceError> {
        let fields = self.settled_fields(context.outputs);
        let tags = context.tags.clone();
        let effect = |world: &mut World| match self.keeps_former(changes) {
            true => self.put_beside(world, fields),
            false => self.put(world, fields, &tags),
        };
        self.call("update", effect).await?;
        Ok(self.world.lock().entities.get(&self.address).map(|entity| self.output(entity)).unwrap_or_default())
    }

    async fn finish(&self, context: &ApplyContext<'_>, _: &Live, _: &Changes) -> Result<(), ResourceError> {
        let fields = self.settled_fields(context.outputs);
        let effect = |world: &mut World| {
            world.check_finished(&self.address, &format!("{}={}", self.address, self.setting));
            self.put(world, fields, context.tags);
        };
        self.call("finish", effect).await
    }

    async fn delete(&self, _: &Progress, _: &Live) -> Result<(), ResourceError> {
        self.call("delete", |world| {
            world.check_led(&self.address);
            if !self.enabled {
                world.check_leading(&self.address);
            }
            world.entities.remove(&self.address);
        })
        .await
    }

    fn create_before_destroy(&self) -> bool {
        self.create_before_destroy
    }

    fn leads_to(&self) -> Vec<Address> {
        self.leads_to.clone()
    }

    fn leads_elsewhere(&self, _: &Live, changes: &Changes) -> bool {
        changes.has(SETTING)
    }

    fn keeps_former(&self, changes: &Changes) -> bool {
        self.keeps_former && changes.has_any(&[SETTING, FORMER])
    }

    async fn retire(&self, _: &Progress, _: &Live) -> Result<(), ResourceError> {
        self.call("retire", |world| world.check_led(&self.address)).await
    }
}

/// Returns the calls that were made more than once for the same resource in a run.
pub fn repeated(calls: &[(Address, &'static str)]) -> Vec<String> {
    let mut seen = BTreeSet::new();
    calls.iter().filter(|call| !seen.insert(*call)).map(|(address, name)| format!("{name} {address}")).collect()
}
