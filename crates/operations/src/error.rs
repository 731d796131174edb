//! Why a stack could not be read, changed or removed: one error each, with a hint on how to fix it.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use peersync_aws::lease::{Holder, Loss};
use peersync_engine::plan::Conflict;
use peersync_engine::{Address, Failure, GraphError, Problem, ResourceError, text};

/// The maximum number of addresses that one line names.
const NAMED: usize = 8;

/// Why a stack could not be read, changed or removed.
#[derive(Debug)]
pub enum DeployError {
    /// The resources do not form a graph, which is a bug in this program.
    Graph(GraphError),
    /// Some resources could not be read, so nothing is known about them.
    Unreadable(Vec<(Address, ResourceError)>),
    /// Resources that this stack does not manage have its names.
    Conflicts(Vec<Conflict>),
    /// The configuration or a tag forbids the removal.
    Protected {
        /// The stack.
        stack: String,
        /// What forbids it, and how to change that.
        hint: String,
    },
    /// The users' data could not be backed up, so nothing was deleted.
    Backup(ResourceError),
    /// Another run changes the stack.
    Held {
        /// The stack.
        stack: String,
        /// The other run.
        holder: Box<Holder>,
        /// How long this run has waited for it, if it has.
        waited: Option<Duration>,
    },
    /// The lease on the stack ended while it was being changed.
    LeaseLost(Loss),
    /// The user asked to stop before anything was started.
    Stopped,
    /// The stack is deployed but does not answer.
    Unanswered {
        /// The URL that was requested.
        url: String,
        /// The result of the last attempt.
        last: String,
        /// Where to find the reason.
        hint: String,
    },
    /// Another single call failed.
    Call(ResourceError),
}

impl From<GraphError> for DeployError {
    fn from(error: GraphError) -> Self {
        Self::Graph(error)
    }
}

impl From<ResourceError> for DeployError {
    fn from(error: ResourceError) -> Self {
        Self::Call(error)
    }
}

impl DeployError {
    /// Returns it in the form in which all errors are shown.
    pub fn problem(&self) -> Problem {
        Problem { summary: self.to_string(), causes: self.causes(), hint: self.hint() }
    }

    /// The causes, the nearest first.
    pub fn causes(&self) -> Vec<String> {
        match self {
            Self::Graph(error) => vec![error.to_string()],
            Self::Unreadable(errors) => match elsewhere(errors) {
                Some(error) => error.causes(),
                None => unreadable(errors),
            },
            Self::Conflicts(conflicts) => conflicts
                .iter()
                .map(|conflict| format!("{} ({}): {}", conflict.address, conflict.id, conflict.reason))
                .collect(),
            Self::Backup(error) | Self::Call(error) => {
                let summary = matches!(self, Self::Backup(_)).then(|| error.summary.clone());
                summary.into_iter().chain(error.causes()).collect()
            }
            Self::Unanswered { last, .. } => vec![last.clone()],
            Self::Held { stack, holder, waited } => {
                let waited = waited.map(|time| format!(" (waited {})", humantime::format_duration(time)));
                vec![format!("{stack} is being changed by {holder}{}", waited.unwrap_or_default())]
            }
            Self::LeaseLost(loss) => vec![explain(loss)],
            Self::Protected { .. } | Self::Stopped => Vec::new(),
        }
    }

    /// Returns how to fix it, if known.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Graph(_) => Some("this is a bug in peersync-deploy".to_owned()),
            Self::Unreadable(errors) => errors.iter().find_map(|(_, error)| error.hint.clone()),
            Self::Conflicts(conflicts) => Some(resolution(conflicts)),
            Self::Protected { hint, .. } | Self::Unanswered { hint, .. } => Some(hint.clone()),
            Self::Backup(error) => Some(match &error.hint {
                Some(hint) => format!("{hint}; or delete the data without a backup: `--no-backup`"),
                None => "nothing was deleted; to delete the data without a backup, use `--no-backup`".to_owned(),
            }),
            Self::Held { waited: None, .. } => Some(
                "add `--wait 5m` to wait for it; if it was killed, its lease ends by itself within a minute".to_owned(),
            ),
            Self::Held { .. } => Some("see what it is doing, then run the command again".to_owned()),
            Self::LeaseLost(_) => Some(
                "another run may be changing the stack now: run the command again, which continues where it stopped"
                    .to_owned(),
            ),
            Self::Stopped => Some("nothing was changed".to_owned()),
            Self::Call(error) => error.hint.clone(),
        }
    }
}

/// Returns how to resolve these conflicts.
fn resolution(conflicts: &[Conflict]) -> String {
    const OTHERWISE: &str = "choose another `stack.name` or `--stage`";
    if !conflicts.iter().all(|conflict| conflict.adoptable) {
        return format!("change or delete what is in the way, or {OTHERWISE}");
    }
    let options: Vec<String> = conflicts.iter().map(|conflict| format!("--adopt {}", conflict.address)).collect();
    let options = options.join(" ");
    format!(
        "if you own them, adopt them: add `{options}` to `peersync-deploy plan`, which shows what that changes, and then \
         to `up`; otherwise {OTHERWISE}"
    )
}

impl fmt::Display for DeployError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Graph(_) => formatter.write_str("the resources do not form a graph"),
            Self::Unreadable(errors) if only(errors, Failure::Credentials) => {
                formatter.write_str("AWS does not accept the credentials")
            }
            Self::Unreadable(errors) if only(errors, Failure::Unreachable) => {
                formatter.write_str("AWS does not answer")
            }
            Self::Unreadable(errors) => match elsewhere(errors) {
                Some(error) => error.fmt(formatter),
                None => write!(formatter, "{} could not be read", text::count(errors.len(), "resource")),
            },
            Self::Conflicts(conflicts) if conflicts.iter().all(|conflict| conflict.adoptable) => {
                formatter.write_str("resources with names of this stack are not managed by it")
            }
            Self::Conflicts(_) => formatter.write_str("resources with names of this stack are in the way"),
            Self::Protected { stack, .. } => write!(formatter, "the stack {stack} is protected"),
            Self::Backup(_) => formatter.write_str("the users' data could not be backed up"),
            Self::Held { waited: None, .. } => formatter.write_str("another run is changing the stack"),
            Self::Held { .. } => formatter.write_str("timed out waiting for another run that is changing the stack"),
            Self::LeaseLost(_) => formatter.write_str("this run has lost its lease on the stack"),
            Self::Stopped => formatter.write_str("stopped"),
            Self::Unanswered { url, .. } => write!(formatter, "the stack is deployed, but {url} does not answer"),
            Self::Call(error) => error.fmt(formatter),
        }
    }
}

impl Error for DeployError {}

fn only(errors: &[(Address, ResourceError)], failure: Failure) -> bool {
    errors.iter().all(|(_, error)| error.failure == failure)
}

/// Returns the error of another provider than AWS, if it is the only one: what it kept from being read says nothing more.
fn elsewhere(errors: &[(Address, ResourceError)]) -> Option<&ResourceError> {
    let (_, first) = errors.first()?;
    let same = |(_, error): &(Address, ResourceError)| {
        error.failure == Failure::Elsewhere && error.summary == first.summary && error.causes() == first.causes()
    };
    errors.iter().all(same).then_some(first)
}

/// Returns why a lease was lost, for people.
fn explain(loss: &Loss) -> String {
    match loss {
        Loss::Taken(holder) => format!("it has expired, and now {holder} has it"),
        Loss::Expired(Some(error)) => {
            let causes: String = error.causes().iter().map(|cause| format!(": {cause}")).collect();
            format!("it has expired because it could not be renewed: {error}{causes}")
        }
        Loss::Expired(None) => {
            "it has expired because this program was stopped, or this computer suspended, for too long".to_owned()
        }
    }
}

/// Returns one line for every cause, with the resources that it affects.
fn unreadable(errors: &[(Address, ResourceError)]) -> Vec<String> {
    let mut groups: Vec<(&ResourceError, Vec<&Address>)> = Vec::new();
    for (address, error) in errors {
        let same = |first: &ResourceError| {
            first.failure == error.failure
                && first.code == error.code
                && (first.summary == error.summary
                    || matches!(error.failure, Failure::Credentials | Failure::Unreachable))
        };
        match groups.iter_mut().find(|(first, _)| same(first)) {
            Some((_, addresses)) => addresses.push(address),
            None => groups.push((error, vec![address])),
        }
    }
    groups
        .iter()
        .map(|(error, addresses)| {
            let cause = error.causes().first().map(|cause| format!(": {cause}")).unwrap_or_default();
            format!("{}: {}{cause}", text::list(addresses, NAMED), error.summary)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn render(error: &DeployError) -> String {
        let causes = error.causes().into_iter().map(|cause| format!("\n  {cause}")).collect::<String>();
        format!("{error}{causes}\n{}", error.hint().unwrap_or_default())
    }

    fn denied(address: Address) -> (Address, ResourceError) {
        let error = ResourceError::new("failed to read the role")
            .failure(Failure::Denied)
            .code(Some("AccessDenied"))
            .caused_by(format!("AccessDenied: not authorized to perform: iam:GetRole on {}", address.name))
            .hint("give your role the permissions that `peersync-deploy policy` prints, then run the command again");
        (address, error)
    }

    #[test]
    fn unreadable_resources_are_grouped_by_cause() {
        let roles = ["signup", "login"].map(|name| denied(Address::new("role", name)));
        let mut errors: Vec<_> = roles.into_iter().collect();
        errors.push((Address::new("table", "Users"), ResourceError::new("failed to describe the table")));
        insta::assert_snapshot!(render(&DeployError::Unreadable(errors)), @r"
        3 resources could not be read
          role.signup, role.login: failed to read the role: AccessDenied: not authorized to perform: iam:GetRole on signup
          table.Users: failed to describe the table
        give your role the permissions that `peersync-deploy policy` prints, then run the command again
        ");
    }

    #[test]
    fn expired_credentials_are_one_error() {
        let expired = |name: &str| {
            let error = ResourceError::new(format!("failed to read {name}"))
                .failure(Failure::Credentials)
                .code(Some("ExpiredToken"))
                .caused_by("ExpiredToken: The provided token has expired.")
                .hint("the credentials are expired or wrong: run `aws sso login`");
            (Address::new("table", name), error)
        };
        let error = DeployError::Unreadable(vec![expired("Users"), expired("Ephemeral")]);
        insta::assert_snapshot!(render(&error), @r"
        AWS does not accept the credentials
          table.Users, table.Ephemeral: failed to read Users: ExpiredToken: The provided token has expired.
        the credentials are expired or wrong: run `aws sso login`
        ");
    }

    #[test]
    fn conflicts_explain_how_to_adopt() {
        let conflict = Conflict {
            address: Address::new("table", "Users"),
            id: "peersync-dev-Users".to_owned(),
            reason: "it does not carry the tags of this stack".to_owned(),
            adoptable: true,
        };
        insta::assert_snapshot!(render(&DeployError::Conflicts(vec![conflict.clone()])), @r"
        resources with names of this stack are not managed by it
          table.Users (peersync-dev-Users): it does not carry the tags of this stack
        if you own them, adopt them: add `--adopt table.Users` to `peersync-deploy plan`, which shows what that changes, and then to `up`; otherwise choose another `stack.name` or `--stage`
        ");
        let other = Conflict {
            address: Address::new("bucket", "site"),
            id: "pages".to_owned(),
            reason: "it is in another account".to_owned(),
            adoptable: false,
        };
        insta::assert_snapshot!(render(&DeployError::Conflicts(vec![conflict, other])), @r"
        resources with names of this stack are in the way
          table.Users (peersync-dev-Users): it does not carry the tags of this stack
          bucket.site (pages): it is in another account
        change or delete what is in the way, or choose another `stack.name` or `--stage`
        ");
    }

    fn holder() -> Holder {
        Holder {
            who: "arn:aws:iam::123456789012:user/ada".to_owned(),
            place: "https://github.com/ada/calls/actions/runs/42".to_owned(),
            since: "2026-11-28T19:00:00Z".to_owned(),
            command: "up".to_owned(),
        }
    }

    #[test]
    fn refusal_names_the_run_that_changes_the_stack() {
        let held = |waited| DeployError::Held { stack: "peersync-dev".to_owned(), holder: Box::new(holder()), waited };
        insta::assert_snapshot!(render(&held(None)), @r"
        another run is changing the stack
          peersync-dev is being changed by `up`, run by arn:aws:iam::123456789012:user/ada on https://github.com/ada/calls/actions/runs/42 since 2026-11-28T19:00:00Z
        add `--wait 5m` to wait for it; if it was killed, its lease ends by itself within a minute
        ");
        insta::assert_snapshot!(render(&held(Some(Duration::from_secs(300)))), @r"
        timed out waiting for another run that is changing the stack
          peersync-dev is being changed by `up`, run by arn:aws:iam::123456789012:user/ada on https://github.com/ada/calls/actions/runs/42 since 2026-11-28T19:00:00Z (waited 5m)
        see what it is doing, then run the command again
        ");
    }

    #[test]
    fn lost_lease_is_explained() {
        let failed = ResourceError::new("failed to take the lease on the stack").caused_by("HTTP status 503");
        let losses = [Loss::Expired(None), Loss::Expired(Some(failed)), Loss::Taken(holder())];
        let texts: Vec<String> = losses.into_iter().map(|loss| render(&DeployError::LeaseLost(loss))).collect();
        insta::assert_snapshot!(texts.join("\n"), @r"
        this run has lost its lease on the stack
          it has expired because this program was stopped, or this computer suspended, for too long
        another run may be changing the stack now: run the command again, which continues where it stopped
        this run has lost its lease on the stack
          it has expired because it could not be renewed: failed to take the lease on the stack: HTTP status 503
        another run may be changing the stack now: run the command again, which continues where it stopped
        this run has lost its lease on the stack
          it has expired, and now `up`, run by arn:aws:iam::123456789012:user/ada on https://github.com/ada/calls/actions/runs/42 since 2026-11-28T19:00:00Z has it
        another run may be changing the stack now: run the command again, which continues where it stopped
        ");
    }

    #[test]
    fn failed_backup_explains_that_nothing_was_deleted() {
        let error = ResourceError::new("failed to back up a table").caused_by("LimitExceededException: too many");
        insta::assert_snapshot!(render(&DeployError::Backup(error)), @r"
        the users' data could not be backed up
          failed to back up a table
          LimitExceededException: too many
        nothing was deleted; to delete the data without a backup, use `--no-backup`
        ");
    }
}
