//! The profile of the shared AWS files, as far as the SDK does not read it, or an error must name it.

use aws_config::profile::{Profile as Section, ProfileSet};
use aws_types::os_shim_internal::{Env, Fs};
use peersync_engine::{Failure, ResourceError};

use super::proxy::variable;
use super::trust::SETTING;

/// How somebody signs in before the credentials of a profile can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SignIn {
    /// `aws sso login`.
    Sso,
    /// `aws login`.
    Login,
}

/// The profile that the environment chooses.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Profile {
    /// Its name, if its credentials count: those of the environment come first.
    name: Option<String>,
    /// The name of a profile that does not exist.
    missing: Option<String>,
    /// How to sign in, and the profile to name for that: this one, or the last one that it refers to.
    sign_in: Option<(SignIn, String)>,
    /// The ARN of the role that it assumes.
    role: Option<String>,
    /// The MFA device that must be asked for a code before that.
    mfa: Option<String>,
    /// The file with the certificates of the authorities to trust.
    pub(super) ca_bundle: Option<String>,
}

impl Profile {
    /// Reads the shared files. The SDK reports those that are malformed, so that here they count as empty.
    pub(super) async fn load() -> Self {
        let read = aws_config::profile::load(&Fs::real(), &Env::real(), &Default::default(), None).await;
        let has_keys = variable("AWS_ACCESS_KEY_ID").is_some_and(|key| !key.is_empty());
        read.map(|set| Self::of(&set, has_keys)).unwrap_or_default()
    }

    fn of(set: &ProfileSet, has_keys: bool) -> Self {
        let name = set.selected_profile();
        let Some(chosen) = set.get_profile(name) else {
            // Nobody needs a profile of this name, so that only another one was named on purpose.
            let missing = (name != "default" && !has_keys).then(|| name.to_owned());
            return Self { missing, ..Self::default() };
        };
        let ca_bundle = chosen.get(SETTING).map(str::to_owned);
        if has_keys {
            return Self { ca_bundle, ..Self::default() };
        }
        let chain = chain(set, chosen);
        let setting = |key| chain.iter().find_map(|profile: &&Section| profile.get(key)).map(str::to_owned);
        let sign_in = chain.last().and_then(|last| Some((sign_in(last)?, last.name().to_owned())));
        let (role, mfa) = (setting("role_arn"), setting("mfa_serial"));
        Self { name: Some(name.to_owned()), missing: None, sign_in, role, mfa, ca_bundle }
    }

    /// Returns it for a run whose credentials come from elsewhere.
    pub(super) fn without_credentials(self) -> Self {
        Self { ca_bundle: self.ca_bundle, ..Self::default() }
    }

    /// Checks that no code of an MFA device is needed: the SDK does not ask for one, and sends a request that is refused.
    ///
    /// # Errors
    /// Names the profile, and how to get credentials with a code.
    pub(super) fn check(&self) -> Result<(), ResourceError> {
        let (Some(name), Some(serial)) = (&self.name, &self.mfa) else { return Ok(()) };
        Err(ResourceError::new("the role of the AWS profile needs a code of an MFA device")
            .failure(Failure::Credentials)
            .caused_by(format!("the profile {name} has mfa_serial = {serial}, and this program does not ask for codes"))
            .hint(format!(
                "run `eval \"$(aws configure export-credentials --profile {name} --format env)\"`, which asks for the code, \
                 then run the command again; or name a program that prints credentials in `credential_process` of another \
                 profile; or use the keys that `aws sts get-session-token --serial-number {serial} --token-code CODE` prints"
            )))
    }

    /// Adds to an error about the credentials what helps with this profile.
    pub(super) fn explain(&self, error: ResourceError) -> ResourceError {
        if let Some(missing) = self.missing.as_ref().filter(|_| error.failure == Failure::Credentials) {
            return error
                .hint(format!("no profile is called {missing}: `aws configure list-profiles` lists those that exist"));
        }
        let Some(name) = self.name.as_ref().filter(|_| error.failure == Failure::Credentials) else { return error };
        let is_of_role = error.mentions("AccessDenied");
        match (&self.sign_in, &self.role) {
            (_, Some(role)) if is_of_role => error.hint(format!(
                "the profile {name} may not assume {role}: check its `role_arn`, `external_id` and `source_profile`, and \
                 whether the role's trust policy names the caller"
            )),
            (Some((sign_in, profile)), _) => {
                let command = if *sign_in == SignIn::Sso { "sso login" } else { "login" };
                error.hint(format!("sign in with `aws {command} --profile {profile}`, then run the command again"))
            }
            (None, _) => error.hint(format!(
                "the credentials of the profile {name} are missing, expired or wrong: renew them, or set AWS_PROFILE to \
                 another profile"
            )),
        }
    }
}

/// Returns the profile and those that it takes its credentials from, in this order.
fn chain<'a>(set: &'a ProfileSet, chosen: &'a Section) -> Vec<&'a Section> {
    let mut chain = vec![chosen];
    while let Some(last) = chain.last()
        && last.get("role_arn").is_some()
        && let Some(next) = last.get("source_profile").and_then(|name| set.get_profile(name))
        // The SDK reports a loop.
        && !chain.iter().any(|known| known.name() == next.name())
    {
        chain.push(next);
    }
    chain
}

fn sign_in(profile: &Section) -> Option<SignIn> {
    let has = |key| profile.get(key).is_some();
    if has("sso_session") || has("sso_start_url") {
        Some(SignIn::Sso)
    } else {
        has("login_session").then_some(SignIn::Login)
    }
}
