//! Cloudflare's API, with which `up` creates a named tunnel.

use super::{Config, Ingress, Problem};

/// The environment variable with the API token. It is the one that Cloudflare's own tools read.
pub const CLOUDFLARE_API_TOKEN: &str = "CLOUDFLARE_API_TOKEN";
/// The permissions that the API token needs, as Cloudflare's dashboard names them.
pub const CLOUDFLARE_PERMISSIONS: &str = "Account / Cloudflare Tunnel / Edit, Zone / DNS / Edit and Zone / Zone / Read, for the account and the zone of the domain";

impl Config {
    /// Returns the domain of the tunnel that `up` creates; `None` if there is to be none, or a token of the user's own.
    pub fn managed_tunnel(&self) -> Option<&str> {
        let signaling = &self.signaling;
        let is_managed = signaling.ingress == Ingress::Cloudflare && signaling.tunnel_token.is_none();
        signaling.domain.as_deref().filter(|_| is_managed)
    }

    /// Returns whether the host has a quick tunnel, whose address Cloudflare chooses at each start.
    pub fn has_quick_tunnel(&self) -> bool {
        self.signaling.ingress == Ingress::Cloudflare && self.signaling.domain.is_none()
    }
}

/// Returns the API token of the environment; `None` if it is not set or empty.
pub(super) fn api_token() -> Option<String> {
    std::env::var(CLOUDFLARE_API_TOKEN).ok().filter(|token| !token.trim().is_empty())
}

/// Returns the problem that the API token is missing, without its place in the file.
pub(super) fn no_api_token() -> Problem {
    Problem {
        summary: "Cloudflare's API token is not set".to_owned(),
        key: String::new(),
        label: format!("a named tunnel for this domain needs the variable {CLOUDFLARE_API_TOKEN}"),
        span: None,
        hint: format!(
            "create an API token in Cloudflare's dashboard (My Profile, API Tokens) with the permissions \
             {CLOUDFLARE_PERMISSIONS}; then `export {CLOUDFLARE_API_TOKEN}=…`. Or set `signaling.tunnel_token` for a tunnel \
             of your own, or remove the domain for a quick tunnel"
        ),
    }
}
