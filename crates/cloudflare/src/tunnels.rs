//! Tunnels whose configuration is at Cloudflare.

use http::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Cloudflare, STILL_CONNECTED};
use peersync_aws::retry::{Schedule, while_failing};
use peersync_engine::{Progress, ResourceError, rule};

/// The code with which Cloudflare refuses a second tunnel of one name.
const EXISTS: &[&str] = &["1013"];

/// A tunnel.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Tunnel {
    /// Its id, a UUID.
    pub id: String,
    /// Its name, of which an account has only one.
    #[serde(default)]
    pub name: String,
    /// When it was deleted; deleted ones are listed too.
    #[serde(default)]
    deleted_at: Option<String>,
    /// `cloudflare` if its ingress rules are at Cloudflare, `local` if they are in a file of its host.
    #[serde(default)]
    config_src: Option<String>,
    /// What older answers have in place of `config_src`.
    #[serde(default)]
    remote_config: Option<bool>,
}

impl Tunnel {
    /// Returns whether its ingress rules are in a file of its host, where nobody else can change them.
    pub fn is_local(&self) -> bool {
        match self.config_src.as_deref() {
            Some(source) => source == "local",
            None => self.remote_config == Some(false),
        }
    }
}

/// The answer with a configuration.
#[derive(Debug, Deserialize)]
struct Configuration {
    #[serde(default)]
    config: Option<Value>,
}

impl Cloudflare {
    /// Returns the tunnel of this name in an account.
    ///
    /// # Errors
    /// Cloudflare does not answer, or refuses the token.
    pub async fn tunnel(&self, account: &str, name: &str) -> Result<Option<Tunnel>, ResourceError> {
        let path = format!("accounts/{account}/cfd_tunnel?name={name}&is_deleted=false&per_page=50");
        let tunnels = self.get::<Vec<Tunnel>>("failed to find the tunnel at Cloudflare", &path).await?;
        let mut tunnels = tunnels.unwrap_or_default().into_iter();
        Ok(tunnels.find(|tunnel| tunnel.name == name && tunnel.deleted_at.is_none()))
    }

    /// Creates a tunnel whose ingress rules are at Cloudflare. Succeeds if one of this name exists.
    ///
    /// # Errors
    /// Cloudflare does not answer, or refuses the token.
    pub async fn create_tunnel(&self, account: &str, name: &str) -> Result<Tunnel, ResourceError> {
        let body = json!({ "name": name, "config_src": "cloudflare" });
        let path = format!("accounts/{account}/cfd_tunnel");
        match self.change("failed to create the tunnel at Cloudflare", Method::POST, &path, &body).await {
            // The answer to an earlier attempt was lost.
            Err(error) if rule!("cloudflare-tunnel-create-survives-lost-answer", error.is(EXISTS)) => {
                self.tunnel(account, name).await?.ok_or(error)
            }
            created => created,
        }
    }

    /// Returns the ingress rules of a tunnel, as Cloudflare has them; none if it has no configuration yet.
    ///
    /// # Errors
    /// Cloudflare does not answer, or refuses the token.
    pub async fn ingress(&self, account: &str, tunnel: &str) -> Result<Vec<Value>, ResourceError> {
        let path = format!("accounts/{account}/cfd_tunnel/{tunnel}/configurations");
        let summary = "failed to read the ingress rules of the tunnel at Cloudflare";
        let found = self.get::<Configuration>(summary, &path).await?.and_then(|found| found.config);
        Ok(found.and_then(|config| config.get("ingress")?.as_array().cloned()).unwrap_or_default())
    }

    /// Replaces the ingress rules of a tunnel.
    ///
    /// # Errors
    /// Cloudflare does not answer, or refuses the token or the rules.
    pub async fn put_ingress(&self, account: &str, tunnel: &str, rules: &Value) -> Result<(), ResourceError> {
        let path = format!("accounts/{account}/cfd_tunnel/{tunnel}/configurations");
        let body = json!({ "config": { "ingress": rules } });
        let summary = "failed to write the ingress rules of the tunnel at Cloudflare";
        self.change::<Value>(summary, Method::PUT, &path, &body).await.map(|_| ())
    }

    /// Returns the token with which `cloudflared` runs a tunnel; `None` if the tunnel does not exist any more.
    ///
    /// # Errors
    /// Cloudflare does not answer, or refuses the API token.
    pub async fn tunnel_token(&self, account: &str, tunnel: &str) -> Result<Option<String>, ResourceError> {
        let path = format!("accounts/{account}/cfd_tunnel/{tunnel}/token");
        self.get("failed to read the token of the tunnel at Cloudflare", &path).await
    }

    /// Deletes a tunnel. Succeeds if it is already gone. Cloudflare counts a connector as connected for minutes after its
    /// host has ended, so that its connections are ended first.
    ///
    /// # Errors
    /// Cloudflare does not answer, or refuses the token.
    pub async fn delete_tunnel(&self, progress: &Progress, account: &str, tunnel: &str) -> Result<(), ResourceError> {
        let path = format!("accounts/{account}/cfd_tunnel/{tunnel}");
        let is_transient = |error: &ResourceError| error.is(STILL_CONNECTED);
        while_failing(progress, Schedule::PROPAGATION, is_transient, || async {
            rule!("cloudflare-connections-ended-before-delete" => {
                let summary = "failed to end the connections of the tunnel at Cloudflare";
                self.delete(summary, &format!("{path}/connections")).await?;
            });
            self.delete("failed to delete the tunnel at Cloudflare", &path).await
        })
        .await
    }
}
