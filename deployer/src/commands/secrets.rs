//! The command `secrets`: lists the stack's secrets, without their values, and rotates generated keys.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use humantime::format_rfc3339_seconds;
use serde_json::{Value, json};

use super::confirm::confirm;
use super::run::{Run, heading};
use super::{CommandError, Context, Exit, lease};
use crate::cli::{SecretName, SecretsCommand, SecretsRotateArgs};
use crate::report::{Style, columns, words};
use peersync_operations::{Rotation, until_stopped};
use peersync_resources::kinds::ssm_parameter::{self, Origin, SecretState};
use peersync_resources::stack::Stack;

/// Runs the command.
///
/// # Errors
/// Fails if AWS denies access, or if a secret cannot be rotated.
pub async fn run(context: &Context, command: &SecretsCommand) -> Result<Exit, CommandError> {
    match command {
        SecretsCommand::List(_) => list(context).await,
        SecretsCommand::Rotate(args) => rotate(context, args).await,
    }
}

async fn list(context: &Context) -> Result<Exit, CommandError> {
    let run = Run::new(context);
    run.name_configuration(context)?;
    let stack = run.stack(context).await?;
    let states = run.report.attributed(ssm_parameter::states(&stack));
    let states = until_stopped(&run.interrupt, states).await??;
    let now = SystemTime::now();
    let rows: Vec<Value> = states.iter().filter(|state| is_listed(state)).map(|state| row(state, now)).collect();
    run.report.data(&text(&stack, &states, now, run.report.style()));
    run.report.event(&json!({
        "event": "result",
        "command": "secrets list",
        "status": "done",
        "stack": stack.name(),
        "secrets": rows,
        "elapsed_ms": run.report.elapsed_ms(),
    }));
    Ok(Exit::Done)
}

async fn rotate(context: &Context, args: &SecretsRotateArgs) -> Result<Exit, CommandError> {
    let name = args.name.as_str();
    if let Some(key) = ssm_parameter::configured_key(context.config()?, name) {
        return Err(configured(name, key));
    }
    if ssm_parameter::is_of_cloudflare(context.config()?, name) {
        return Err(of_cloudflare(name));
    }
    let run = Run::new(context);
    run.name_configuration(context)?;
    let stack = run.stack(context).await?;
    prepare(&run, &stack, name).await?;
    if !args.yes {
        confirm(&run, &format!("replace {name} of {}", heading(&stack))).await?;
    }
    let held = lease::take(&run, &stack, "secrets rotate", args.wait).await?;
    let rotated = under_lease(&run, &stack, name).await;
    let ended = lease::give_back(&run, held).await;
    run.report.clear();
    rotated?;
    ended?;
    run.report.data(&format!("{name} of {} is rotated. {}", stack.name(), consequence(args.name)));
    run.report.event(&json!({
        "event": "result",
        "command": "secrets rotate",
        "status": "done",
        "stack": stack.name(),
        "secret": name,
        "elapsed_ms": run.report.elapsed_ms(),
    }));
    Ok(Exit::Done)
}

/// Reads the stack and checks that the key can be rotated.
async fn prepare(run: &Run, stack: &Arc<Stack>, name: &'static str) -> Result<Rotation, CommandError> {
    let observed = run.observe(stack).await?.readable()?;
    Ok(Rotation::prepare(stack.clone(), observed, name)?)
}

/// Rotates the key as the stack is now: until the lease was taken, another run could change it.
async fn under_lease(run: &Run, stack: &Arc<Stack>, name: &'static str) -> Result<(), CommandError> {
    let rotation = prepare(run, stack, name).await?;
    let reporter = run.reporter();
    tokio::select! {
        biased;
        rotated = rotation.execute(&reporter) => Ok(rotated?),
        () = run.interrupt.stop.cancelled() => Err(CommandError::new("the rotation was stopped")
            .caused_by("the old key is still valid, and the new one may be valid already")
            .hint("complete it with `peersync-deploy up`")),
    }
}

/// Returns the error for a secret that comes from the environment. `key` is the key of the configuration.
fn configured(name: &str, key: &str) -> CommandError {
    CommandError::usage("a secret from the environment is not rotated by this command")
        .caused_by(format!("{name} comes from the environment variable that {key} names"))
        .hint("set the variable to the new value and run `peersync-deploy up`")
}

/// Returns the error for a secret that Cloudflare has generated.
fn of_cloudflare(name: &str) -> CommandError {
    CommandError::usage("a secret of Cloudflare's is not rotated by this command")
        .caused_by(format!("{name} is the token of the tunnel that `up` has created"))
        .hint("refresh the tunnel's token in Cloudflare's dashboard and run `peersync-deploy up`, which stores it")
}

/// Returns what a user should know after the rotation.
fn consequence(name: SecretName) -> &'static str {
    match name {
        SecretName::OriginKey => "The old one is no longer sent, and no longer accepted after another ten minutes.",
        SecretName::TurnSecret => {
            "The new one signs within two minutes; the old one is accepted for 70 minutes, until all that it has signed \
             has expired."
        }
        _ => "The new one signs within two minutes; the old one is accepted for ten minutes.",
    }
}

/// Returns whether the list shows a secret: one that the configuration needs, or that exists all the same.
fn is_listed(state: &SecretState) -> bool {
    state.enabled || state.written.is_some()
}

fn written_at(state: &SecretState) -> Option<SystemTime> {
    let seconds = u64::try_from(state.written?).ok()?;
    SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds))
}

fn row(state: &SecretState, now: SystemTime) -> Value {
    let (source, variable) = match &state.origin {
        Origin::Environment { variable } => ("environment", variable.as_deref()),
        Origin::Generated => ("generated", None),
        Origin::Cloudflare => ("cloudflare", None),
    };
    let written = written_at(state);
    json!({
        "name": state.name,
        "source": source,
        "variable": variable,
        "enabled": state.enabled,
        "exists": written.is_some(),
        "written_at": written.map(|moment| format_rfc3339_seconds(moment).to_string()),
        "age_s": written.map(|moment| now.duration_since(moment).unwrap_or_default().as_secs()),
    })
}

fn text(stack: &Stack, states: &[SecretState], now: SystemTime, style: Style) -> String {
    let rows: Vec<[String; 3]> =
        states.iter().filter(|state| is_listed(state)).map(|state| cells(state, now)).collect();
    let lines = columns(&rows).into_iter().map(|line| format!("  {line}"));
    [style.bold(&heading(stack)), String::new()].into_iter().chain(lines).collect::<Vec<_>>().join("\n")
}

fn cells(state: &SecretState, now: SystemTime) -> [String; 3] {
    let source = match &state.origin {
        Origin::Environment { variable: Some(variable) } => format!("from {variable}"),
        Origin::Environment { variable: None } => "no longer configured".to_owned(),
        Origin::Generated => "generated".to_owned(),
        Origin::Cloudflare => "from Cloudflare".to_owned(),
    };
    let age = match written_at(state) {
        Some(moment) => words::age(moment, now),
        None => "missing".to_owned(),
    };
    [state.name.to_owned(), source, age]
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::ValueEnum as _;

    #[test]
    fn every_secret_can_be_named() {
        let named: Vec<&str> = SecretName::value_variants().iter().map(|name| name.as_str()).collect();
        assert_eq!(named, ssm_parameter::names().collect::<Vec<_>>());
        let config = peersync_config::Config::default();
        let is_generated = |name: &&str| ssm_parameter::configured_key(&config, name).is_none();
        let generated: Vec<&str> = named.into_iter().filter(is_generated).collect();
        assert_eq!(generated, ["turn-secret", "ticket-key", "origin-key"]);
    }

    #[test]
    fn secret_from_the_environment_is_refused_with_what_to_do() {
        insta::assert_snapshot!(configured("smtp-pass", "password under [mail.smtp]").render(), @r"
        error: a secret from the environment is not rotated by this command
          Caused by: smtp-pass comes from the environment variable that password under [mail.smtp] names
        hint: set the variable to the new value and run `peersync-deploy up`
        ");
    }

    #[test]
    fn token_of_the_tunnel_that_up_has_created_is_refused_with_what_to_do() {
        let mut config = peersync_config::Config::default();
        config.signaling.ingress = peersync_config::Ingress::Cloudflare;
        config.signaling.domain = Some("signal.example.org".to_owned());
        assert_eq!(ssm_parameter::configured_key(&config, "tunnel-token"), None);
        assert!(ssm_parameter::is_of_cloudflare(&config, "tunnel-token"));
        assert!(!ssm_parameter::is_of_cloudflare(&peersync_config::Config::default(), "tunnel-token"));
        insta::assert_snapshot!(of_cloudflare("tunnel-token").render(), @r"
        error: a secret of Cloudflare's is not rotated by this command
          Caused by: tunnel-token is the token of the tunnel that `up` has created
        hint: refresh the tunnel's token in Cloudflare's dashboard and run `peersync-deploy up`, which stores it
        ");
    }

    #[test]
    fn list_shows_source_and_age() {
        let state = |name, origin, enabled, written| SecretState { name, origin, enabled, written };
        let environment = |variable: Option<&str>| Origin::Environment { variable: variable.map(str::to_owned) };
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000);
        let states = [
            state("smtp-pass", environment(Some("SMTP_PASS")), true, Some(999_000)),
            state("emailjs-private-key", environment(None), false, None),
            state("turn-secret", environment(None), false, Some(999_999)),
            state("ticket-key", Origin::Generated, true, Some(500_000)),
            state("origin-key", Origin::Generated, true, None),
            state("tunnel-token", Origin::Cloudflare, true, Some(999_940)),
        ];
        let cells: Vec<String> =
            states.iter().filter(|state| is_listed(state)).map(|state| cells(state, now).join(" | ")).collect();
        insta::assert_snapshot!(cells.join("\n"), @r"
        smtp-pass | from SMTP_PASS | 16 min
        turn-secret | no longer configured | 1 s
        ticket-key | generated | 5 days
        origin-key | generated | missing
        tunnel-token | from Cloudflare | 60 s
        ");
        let first = states.first().map(|state| row(state, now).to_string()).unwrap_or_default();
        insta::assert_snapshot!(first, @r#"{"age_s":1000,"enabled":true,"exists":true,"name":"smtp-pass","source":"environment","variable":"SMTP_PASS","written_at":"1970-01-12T13:30:00Z"}"#);
    }
}
