//! The command `list`: the stacks of the account and region, by what AWS tells about them.

use std::time::SystemTime;

use futures::future::{join_all, try_join_all};
use serde_json::{Value, json};

use super::run::Run;
use super::{CommandError, Context, Exit};
use crate::cli::ListArgs;
use crate::report::{Style, columns, words};
use peersync_aws::{Clients, ConnectOptions, Context as _};
use peersync_engine::{ResourceError, SharedReads};
use peersync_operations::{DeployedStack, Health, Overview, find_stacks, overview, until_stopped};

/// The characters of a build that are shown to people.
const SHORT_BUILD: usize = 12;
/// The heading of the table.
const HEADING: [&str; 9] = ["STACK", "STAGE", "REGION", "AGE", "EXPIRES", "PROTECTED", "BUILD", "HEALTH", "CREATED BY"];

/// One stack of the list.
struct Entry {
    region: String,
    stack: DeployedStack,
    overview: Overview,
}

/// Runs the command.
///
/// # Errors
/// Fails if AWS denies access, because a stack might be overlooked. With several regions, those that can be read are shown.
pub async fn run(context: &Context, args: &ListArgs) -> Result<Exit, CommandError> {
    let run = Run::new(context);
    let clients = context.clients().await?;
    let identity = until_stopped(&run.interrupt, run.report.attributed(clients.identity())).await??;
    run.name_place(context, (!args.all_regions).then_some(clients.region.as_str()), &identity)?;
    let places = match args.all_regions {
        true => until_stopped(&run.interrupt, run.report.attributed(everywhere(context, &clients))).await??,
        false => vec![clients],
    };
    let global = SharedReads::default();
    let lists = places.iter().map(|clients| async {
        let stacks = find_stacks(clients, &identity, &global).await?;
        try_join_all(stacks.into_iter().map(|stack| entry(clients, stack))).await
    });
    let found = run.report.attributed(join_all(lists));
    let found = until_stopped(&run.interrupt, found).await?;
    run.report.clear();
    let (entries, unread) = divided(&places, found)?;
    for (region, error) in &unread {
        run.report.warning(&unread_text(region, error));
    }
    run.report.event(&json!({
        "event": "result",
        "command": "list",
        "status": if unread.is_empty() { "done" } else { "failed" },
        "account": identity.account,
        "stacks": entries.iter().map(event).collect::<Vec<_>>(),
        "unread_regions": unread.iter().map(|(region, _)| region).collect::<Vec<_>>(),
        "elapsed_ms": run.report.elapsed_ms(),
    }));
    run.report.data(&text(&entries, &identity.account, SystemTime::now(), run.report.style()));
    Ok(if unread.is_empty() { Exit::Done } else { Exit::Failed })
}

/// A region that could not be read, and why.
type Unread = (String, ResourceError);

/// Divides what was found in each region into the stacks and the regions that could not be read: an organisation may forbid
/// some of those that an account has.
///
/// # Errors
/// None could be read.
fn divided(
    places: &[Clients],
    found: Vec<Result<Vec<Entry>, ResourceError>>,
) -> Result<(Vec<Entry>, Vec<Unread>), ResourceError> {
    let (mut entries, mut unread) = (Vec::new(), Vec::new());
    for (clients, result) in places.iter().zip(found) {
        match result {
            Ok(stacks) => entries.extend(stacks),
            Err(error) => unread.push((clients.region.clone(), error)),
        }
    }
    if unread.len() == places.len()
        && let Some((_, error)) = unread.pop()
    {
        return Err(error);
    }
    Ok((entries, unread))
}

fn unread_text(region: &str, error: &ResourceError) -> String {
    let causes: String = error.causes().iter().map(|cause| format!(": {cause}")).collect();
    format!("{region} could not be read, so stacks in it are missing here: {error}{causes}")
}

async fn entry(clients: &Clients, stack: DeployedStack) -> Result<Entry, ResourceError> {
    Ok(Entry { region: clients.region.clone(), overview: overview(clients, &stack).await?, stack })
}

/// Returns the clients of every region that the account has enabled.
async fn everywhere(context: &Context, clients: &Clients) -> Result<Vec<Clients>, CommandError> {
    let regions = clients.ec2.describe_regions().send().await.context("failed to list the regions")?;
    let mut regions: Vec<String> =
        regions.regions.unwrap_or_default().into_iter().filter_map(|region| region.region_name).collect();
    regions.sort();
    let options = context.connect_options()?;
    let connect = |region| async {
        let options = ConnectOptions { region: Some(region), ..options.clone() };
        Clients::connect(&options).await
    };
    Ok(try_join_all(regions.into_iter().map(connect)).await?)
}

fn event(entry: &Entry) -> Value {
    let Entry { region, stack, overview } = entry;
    let created = stack.created.map(|time| humantime::format_rfc3339_seconds(time).to_string());
    let (health, alarms, missing) = match &overview.health {
        Health::Ok => ("ok", None, None),
        Health::NotWatched => ("not_watched", None, None),
        Health::Alarms(alarms) => ("alarms", Some(alarms), None),
        Health::Incomplete(missing) => ("incomplete", None, Some(missing)),
    };
    json!({
        "stack": stack.name,
        "stage": stack.stage,
        "region": region,
        "created_at": created,
        "created_by": stack.created_by,
        "expires_at": stack.expires_at,
        "protected": stack.protected,
        "health": health,
        "alarms": alarms,
        "missing": missing,
        "build": overview.build,
        "resources": stack.resources.values().sum::<usize>(),
    })
}

fn text(entries: &[Entry], account: &str, now: SystemTime, style: Style) -> String {
    if entries.is_empty() {
        return format!("No stack in account {account}.");
    }
    let rows: Vec<[String; 9]> =
        std::iter::once(HEADING.map(str::to_owned)).chain(entries.iter().map(|entry| row(entry, now))).collect();
    let mut lines = columns(&rows);
    if let Some(heading) = lines.first_mut() {
        *heading = style.bold(heading);
    }
    lines.join("\n")
}

fn row(entry: &Entry, now: SystemTime) -> [String; 9] {
    let Entry { region, stack, overview } = entry;
    let age = stack.created.map(|created| words::age(created, now));
    let health = match &overview.health {
        Health::Ok => "ok".to_owned(),
        Health::NotWatched => "no alarms set".to_owned(),
        Health::Alarms(alarms) => format!("alarm: {}", alarms.join(", ")),
        Health::Incomplete(missing) => format!("lacks {}", missing.join(", ")),
    };
    let unknown = || "?".to_owned();
    [
        stack.name.clone(),
        stack.stage.clone(),
        region.clone(),
        age.unwrap_or_else(unknown),
        stack.expires_at.clone().unwrap_or_else(|| "never".to_owned()),
        if stack.protected { "yes" } else { "no" }.to_owned(),
        overview.build.as_ref().map_or_else(unknown, |build| build.get(..SHORT_BUILD).unwrap_or(build).to_owned()),
        health,
        stack.created_by.clone().unwrap_or_else(unknown),
    ]
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn region_that_cannot_be_read_is_named_with_the_reason() {
        let error = ResourceError::new("failed to list the functions").caused_by("AccessDenied: an explicit deny");
        insta::assert_snapshot!(unread_text("eu-north-1", &error), @"eu-north-1 could not be read, so stacks in it are missing here: failed to list the functions: AccessDenied: an explicit deny");
    }

    #[test]
    fn list_shows_what_tells_stacks_apart() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
        let stack = |name: &str, stage: &str| DeployedStack {
            name: name.to_owned(),
            stage: stage.to_owned(),
            created: Some(now - Duration::from_secs(7_500)),
            created_by: Some("arn:aws:iam::123456789012:user/ada".to_owned()),
            ..DeployedStack::default()
        };
        let expiring = DeployedStack { expires_at: Some("2027-02-01T00:00:00Z".to_owned()), ..stack("a-pr-7", "pr-7") };
        let earlier = DeployedStack { created: None, created_by: None, protected: true, ..stack("a-prod", "prod") };
        let entry = |stack, health, build: Option<&str>| Entry {
            region: "eu-central-1".to_owned(),
            stack,
            overview: Overview { health, build: build.map(str::to_owned) },
        };
        let entries = [
            entry(expiring, Health::Incomplete(vec!["signal_instance"]), None),
            entry(earlier, Health::Alarms(vec!["signal-system".to_owned()]), Some("0123456789abcdef")),
            entry(stack("a-dev", "dev"), Health::Ok, Some("0123456789abcdef")),
        ];
        insta::assert_snapshot!(text(&entries, "123456789012", now, Style::PLAIN), @r"
        STACK   STAGE  REGION        AGE  EXPIRES               PROTECTED  BUILD         HEALTH                 CREATED BY
        a-pr-7  pr-7   eu-central-1  2 h  2027-02-01T00:00:00Z  no         ?             lacks signal_instance  arn:aws:iam::123456789012:user/ada
        a-prod  prod   eu-central-1  ?    never                 yes        0123456789ab  alarm: signal-system   ?
        a-dev   dev    eu-central-1  2 h  never                 no         0123456789ab  ok                     arn:aws:iam::123456789012:user/ada
        ");
        assert_eq!(text(&[], "123456789012", now, Style::PLAIN), "No stack in account 123456789012.");
    }
}
