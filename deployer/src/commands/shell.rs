//! The command `shell`: opens a session of Session Manager on the signaling host, through the AWS CLI. No port is open for
//! it, and no key is needed.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};

use serde_json::json;
use tokio::process::Command;

use super::{CommandError, Context, Exit, output};
use crate::artifacts;
use crate::cli::ShellArgs;
use peersync_resources::kinds::signal_instance::{self, Host};
use peersync_resources::stack::Stack;

/// A program that the session needs, and where it comes from.
struct Program {
    name: &'static str,
    what: &'static str,
    link: &'static str,
}

const AWS: Program = Program {
    name: "aws",
    what: "the AWS CLI",
    link: "https://docs.aws.amazon.com/cli/latest/userguide/getting-started-install.html",
};
/// The AWS CLI starts it.
const PLUGIN: Program = Program {
    name: "session-manager-plugin",
    what: "its Session Manager plugin",
    link: "https://docs.aws.amazon.com/systems-manager/latest/userguide/session-manager-working-with-install-plugin.html",
};

/// Runs the command.
///
/// # Errors
/// Fails if a program that it needs is not installed, the stack has no running host, or the session ends with an error.
pub async fn run(context: &Context, _: &ShellArgs) -> Result<Exit, CommandError> {
    let aws = installed(&env::var_os("PATH").unwrap_or_default())?;
    let stack = context.stack(None, artifacts::without_programs()).await?;
    let id = running(&stack, signal_instance::find_host(&stack).await?)?;
    if !context.json() {
        output::note(&format!("Opening a session on {id}. `exit` ends it."));
    }
    let mut arguments = vec!["ssm", "start-session", "--target", &id, "--region", &stack.clients.region];
    if let Some(url) = &context.options.endpoint_url {
        arguments.extend(["--endpoint-url", url]);
    }
    let ended = session(&aws, &arguments).await;
    let ended = ended.map_err(|error| CommandError::new("failed to start the AWS CLI").caused_by(error))?;
    if !ended.success() {
        return Err(failed(ended));
    }
    if context.json() {
        output::event(
            &json!({ "event": "result", "command": "shell", "status": "done", "stack": stack.name(), "host": id }),
        );
    }
    Ok(Exit::Done)
}

/// Runs the session on this terminal. Ctrl-C is the session's.
async fn session(aws: &Path, arguments: &[&str]) -> std::io::Result<ExitStatus> {
    let mut child = Command::new(aws).args(arguments).stdin(Stdio::inherit()).spawn()?;
    loop {
        tokio::select! {
            ended = child.wait() => return ended,
            // The terminal has sent it to the session too.
            pressed = tokio::signal::ctrl_c() => if pressed.is_err() {
                return child.wait().await;
            },
        }
    }
}

fn failed(ended: ExitStatus) -> CommandError {
    CommandError::new("the session ended with an error").caused_by(format!("the AWS CLI: {ended}")).hint(
        "read what the AWS CLI has printed above; a new host is known to Session Manager after some minutes, and the caller \
         needs what docs/permissions.md lists for `shell`",
    )
}

/// Returns the id of the host if it runs.
fn running(stack: &Stack, host: Option<Host>) -> Result<String, CommandError> {
    let up = "run `peersync-deploy up`";
    match host {
        None => Err(CommandError::new("the stack has no signaling host")
            .caused_by(format!("none carries the tags of {} in {}", stack.name(), stack.clients.region))
            .hint(format!("{up} to create it, or choose another stage or region"))),
        Some(host) if !host.runs => Err(CommandError::new("the signaling host does not run")
            .caused_by(format!("{} is {}", host.id, host.state))
            .hint(format!("{up} to start it"))),
        Some(host) => Ok(host.id),
    }
}

/// Returns the AWS CLI, if everything is installed that the session needs.
fn installed(path: &std::ffi::OsStr) -> Result<PathBuf, CommandError> {
    let found = [&AWS, &PLUGIN].map(|program| (program, find(program.name, path)));
    let missing: Vec<&Program> =
        found.iter().filter(|(_, found)| found.is_none()).map(|(program, _)| *program).collect();
    if let ([], [(_, Some(aws)), _]) = (missing.as_slice(), &found) {
        return Ok(aws.clone());
    }
    let install: Vec<String> = missing.iter().map(|one| format!("install {}: {}", one.what, one.link)).collect();
    let error = CommandError::new("a program that `shell` needs is not installed").hint(install.join("; and "));
    let cause = |error: CommandError, one: &&Program| error.caused_by(format!("`{}` is not in PATH", one.name));
    Err(missing.iter().fold(error, cause))
}

/// Returns the first program of this name in the folders of PATH.
fn find(name: &str, path: &std::ffi::OsStr) -> Option<PathBuf> {
    let name = format!("{name}{}", env::consts::EXE_SUFFIX);
    env::split_paths(path).map(|folder| folder.join(&name)).find(|file| is_program(file))
}

#[cfg(unix)]
fn is_program(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    file.metadata().is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
}

#[cfg(not(unix))]
fn is_program(file: &Path) -> bool {
    file.is_file()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(state: &str) -> Option<Host> {
        Some(Host { id: "i-0123456789abcdef0".to_owned(), state: state.to_owned(), runs: state == "running" })
    }

    #[test]
    fn what_is_missing_is_named_with_where_it_comes_from() {
        let folder = tempfile::tempdir().unwrap_or_else(|error| panic!("{error}"));
        let error = installed(folder.path().as_os_str()).err().map(|error| error.render());
        insta::assert_snapshot!(error.unwrap_or_default());
        // A folder and a file that nobody may execute are no programs.
        std::fs::create_dir(folder.path().join("aws")).unwrap_or_else(|error| panic!("{error}"));
        std::fs::write(folder.path().join("session-manager-plugin"), "").unwrap_or_else(|error| panic!("{error}"));
        let error = installed(folder.path().as_os_str()).err();
        assert_eq!(error.map(|error| error.causes().len()), Some(2));
    }

    #[tokio::test]
    async fn host_that_does_not_run_has_no_shell() {
        let config = peersync_config::Config { stage: "test".to_owned(), ..Default::default() };
        let stack = crate::artifacts::stack_for_tests(config).await;
        let error = |host| running(&stack, host).err().map(|error| error.render()).unwrap_or_default();
        insta::assert_snapshot!(error(None));
        insta::assert_snapshot!(error(host("stopped")));
        assert_eq!(running(&stack, host("running")).ok().as_deref(), Some("i-0123456789abcdef0"));
    }
}
