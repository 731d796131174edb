//! The checks on this computer: the program itself, the configuration, the secrets and the mail settings.

use std::time::Duration;

use tokio::net::TcpStream;

use super::Check;
use crate::commands::Context;
use peersync_config::{Config, MailProvider, Smtp, load_all};
use peersync_resources::{check_architectures, check_program};

use crate::artifacts;

/// How long connecting to the mail server may take.
const MAIL_DEADLINE: Duration = Duration::from_secs(5);
/// The number of letters in a Google app password.
const APP_PASSWORD: usize = 16;

/// Checks that the embedded server programs run where `up` installs them. AWS is never given programs that do not; an
/// emulator on this computer may run them all the same.
pub(super) fn programs(context: &Context) -> Vec<Check> {
    let emulator = context.options.endpoint_url.is_some() || std::env::var_os("AWS_ENDPOINT_URL").is_some();
    let unsuitable: fn(&'static str, String, String) -> Check = if emulator { Check::warn } else { Check::fail };
    let programs = match artifacts::programs(|| {}) {
        Ok(programs) => programs,
        Err(error) => return vec![Check::from_error("programs", &error.into())],
    };
    // Errors of the configuration have a check of their own.
    if let Some(Err(error)) = context.config().ok().map(|config| check_architectures(&programs, config)) {
        return vec![Check::from_error("programs", &error.into())];
    }
    let all = programs.iter().flat_map(|those| those.all().map(|program| (program, those.architecture)));
    let checks: Vec<Check> = all
        .filter_map(|(program, architecture)| check_program(program, architecture).err())
        .map(|error| {
            let causes: String = error.causes().iter().map(|cause| format!(": {cause}")).collect();
            unsuitable("programs", format!("{error}{causes}"), error.hint.unwrap_or_default())
        })
        .collect();
    if checks.is_empty() {
        let architectures: Vec<&str> = programs.iter().map(|those| those.architecture.name()).collect();
        let found = format!("the programs run on Amazon Linux 2023, {}", architectures.join(" and "));
        vec![Check::ok("programs", found)]
    } else {
        checks
    }
}

/// Checks the whole configuration file.
pub(super) fn configuration(context: &Context) -> Vec<Check> {
    match load_all(&context.load_options()) {
        Ok(stages) => {
            let names: Vec<&str> = stages.iter().map(|loaded| loaded.config.stage.as_str()).collect();
            let file = stages.first().and_then(|loaded| loaded.file.as_deref());
            let file = file.unwrap_or("no peersync.toml in this folder: using the defaults");
            vec![Check::ok("configuration", format!("{file}; stages: {}", names.join(", ")))]
        }
        Err(error) => error
            .problems
            .iter()
            .map(|problem| {
                let place =
                    error.place_of(problem).map(|(line, _)| format!("{}:{line}: ", error.file)).unwrap_or_default();
                let key = if problem.key.is_empty() { String::new() } else { format!(" `{}`", problem.key) };
                let found = format!("{place}{}{key}: {}", problem.summary, problem.label);
                Check::fail("configuration", found, problem.hint.clone())
            })
            .collect(),
    }
}

/// Checks that every secret has a value. The values are never shown.
pub(super) fn secrets(config: &Config) -> Vec<Check> {
    let secrets = config.secrets();
    let missing: Vec<Check> = secrets
        .iter()
        .filter(|(_, secret)| secret.value().is_none())
        .map(|(key, secret)| {
            let found = format!("{key}: the variable {} is not set", secret.env);
            Check::fail("secrets", found, format!("set it before you run the command: `export {}=…`", secret.env))
        })
        .collect();
    match (missing.is_empty(), secrets.len()) {
        (false, _) => missing,
        (true, 0) => vec![Check::ok("secrets", "none are needed")],
        (true, count) => vec![Check::ok("secrets", format!("{count} of {count} set"))],
    }
}

/// Checks that mail can be sent.
pub(super) async fn mail(config: &Config) -> Check {
    match config.mail.provider {
        MailProvider::None => Check::warn(
            "mail",
            "no mail provider is set: people cannot sign in",
            "set `provider` in [mail] to \"smtp\", \"ses\" or \"emailjs\"",
        ),
        MailProvider::Ses => {
            let from = config.mail.from.as_deref().unwrap_or_default();
            Check::ok("mail", format!("Amazon SES sends as {from}, which must be verified there"))
        }
        MailProvider::Emailjs => Check::ok("mail", "EmailJS sends, authenticated with the private key"),
        MailProvider::Smtp => smtp(&config.mail.smtp).await,
    }
}

async fn smtp(smtp: &Smtp) -> Check {
    let server = format!("{}:{}", smtp.host, smtp.port);
    let password = smtp.password.as_ref().and_then(|secret| secret.value());
    let letters = password.map(|password| password.chars().filter(|c| !c.is_whitespace()).count());
    if smtp.host == "smtp.gmail.com" && letters.is_some_and(|letters| letters != APP_PASSWORD) {
        return Check::warn(
            "mail",
            "Gmail app passwords have 16 letters, but this one has a different length",
            "create one at https://myaccount.google.com/apppasswords; the account's own password does not work",
        );
    }
    let reason = match tokio::time::timeout(MAIL_DEADLINE, TcpStream::connect((smtp.host.as_str(), smtp.port))).await {
        Ok(Ok(_)) => return Check::ok("mail", format!("{server} is reachable")),
        Ok(Err(error)) => error.to_string(),
        Err(_) => format!("no answer within {} s", MAIL_DEADLINE.as_secs()),
    };
    Check::warn(
        "mail",
        format!("{server} is unreachable from this computer: {reason}"),
        "check host and port in [mail.smtp]; some networks block mail, but AWS does not block ports 465 and 587",
    )
}
