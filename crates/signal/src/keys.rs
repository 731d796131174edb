//! The keys by which the edge and the bearers of tickets prove themselves, as they are valid now.

use std::sync::Arc;

use axum::http::HeaderMap;
use peersync_server::client_address::{EdgeProof, edge_proof};
use peersync_server::clock::{Clock, Moment};
use peersync_server::secrets::{LiveSecrets, Secret, Secrets};
use peersync_server::settings::{Entrance, Settings};
use peersync_server::tickets::{Bearer, Claims, Stated, TicketError, TicketKeys};

/// How a request reached the server, and so which source of the client's address counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ingress {
    /// Through CloudFront or the edge of `local`, which has proved itself.
    Edge,
    /// Through the Cloudflare Tunnel of the host.
    Tunnel,
    /// Directly from the network, or through the relay of the host, which says whose connection it is. Without either,
    /// only if there is no key.
    Direct,
}

/// The keys of the server.
#[derive(Debug)]
pub(crate) struct Keys {
    secrets: Arc<LiveSecrets>,
    /// The issuer of tickets: the stack's name.
    issuer: String,
    clock: Clock,
}

impl Keys {
    /// Returns the keys among these secrets, which must have been read.
    pub(crate) fn new(settings: &Settings, secrets: Arc<LiveSecrets>, clock: Clock) -> Self {
        Self { secrets, issuer: settings.stack.clone(), clock }
    }

    #[cfg(test)]
    pub(crate) fn for_tests(issuer: &str, secrets: Arc<LiveSecrets>, clock: Clock) -> Self {
        Self { secrets, issuer: issuer.to_owned(), clock }
    }

    /// Returns the seconds since 1970.
    pub(crate) fn now(&self) -> i64 {
        self.clock.now()
    }

    /// Returns this moment.
    pub(crate) fn moment(&self) -> Moment {
        self.clock.moment()
    }

    /// Returns how a request reached the server by this entrance; `None` if an edge is in front of that and the request did
    /// not come through it.
    pub(crate) async fn ingress(&self, entrance: Entrance, headers: &HeaderMap) -> Option<Ingress> {
        match entrance {
            Entrance::Edge | Entrance::RelayedEdge | Entrance::RelayAndEdge(_) => {}
            Entrance::Relay => return Some(Ingress::Direct),
            Entrance::Tunnel => return Some(Ingress::Tunnel),
        }
        let secrets = self.secrets.known()?;
        match ingress(headers, &secrets.origin_keys(self.now())) {
            // The edge may send a key that was written since the last read.
            Err(EdgeProof::Unknown) => {
                let newer = self.secrets.newer_than(&secrets).await;
                ingress(headers, &newer.origin_keys(self.now())).ok()
            }
            known => known.ok(),
        }
    }

    /// Verifies a ticket at the time `now`.
    ///
    /// # Errors
    /// See [`TicketError`]. [`TicketError::UnknownKey`] means that Parameter Store does not have the key either.
    pub(crate) async fn verify(&self, ticket: &str, now: i64) -> Result<Claims, TicketError> {
        self.verified(now, |keys| keys.verify(ticket, now)).await
    }

    /// Verifies a re-entry at the time `now`.
    ///
    /// # Errors
    /// As for a ticket.
    pub(crate) async fn verify_reentry(&self, reentry: &str, now: i64) -> Result<Claims, TicketError> {
        self.verified(now, |keys| keys.verify_reentry(reentry, now)).await
    }

    /// Verifies a handover at the time `now`.
    ///
    /// # Errors
    /// As for a ticket.
    pub(crate) async fn verify_handover(&self, handover: &str, now: i64) -> Result<Claims, TicketError> {
        self.verified(now, |keys| keys.verify_handover(handover, now)).await
    }

    /// Issues a re-entry of the session `id` by the signaling server `server`; `None` if there is no key.
    pub(crate) fn issue_reentry(&self, bearer: Bearer, stated: Stated<'_>) -> Option<String> {
        let now = self.now();
        let secrets = self.secrets.known()?;
        let keys = self.ticket_keys(&secrets, now).ok()?;
        keys.issue_reentry(bearer, stated, now).ok()
    }

    async fn verified(
        &self,
        now: i64,
        verify: impl Fn(&TicketKeys) -> Result<Claims, TicketError>,
    ) -> Result<Claims, TicketError> {
        let secrets = self.secrets.known().ok_or(TicketError::UnknownKey)?;
        match verify(&self.ticket_keys(&secrets, now)?) {
            // A function may have read a key that was written since the last read here.
            Err(TicketError::UnknownKey) => {
                let newest = self.secrets.newest(&secrets).await;
                verify(&self.ticket_keys(&newest, now)?)
            }
            verified => verified,
        }
    }

    fn ticket_keys(&self, secrets: &Secrets, now: i64) -> Result<TicketKeys, TicketError> {
        secrets.ticket_keys(&self.issuer, now).map_err(|_| TicketError::UnknownKey)
    }
}

fn ingress(headers: &HeaderMap, keys: &[&Secret]) -> Result<Ingress, EdgeProof> {
    match edge_proof(headers, keys) {
        _ if keys.is_empty() => Ok(Ingress::Direct),
        EdgeProof::Valid => Ok(Ingress::Edge),
        proof => Err(proof),
    }
}
