//! Tells the host that has the address that it is about to lose it, so that it tells everybody to come back in a moment:
//! otherwise they notice only once they send something. Whatever comes of it, the address moves.

use std::time::Duration;

use aws_sdk_ec2::types::Instance;
use serde_json::Value;

use super::search::{find_all, is_alive};
use super::user_data::SIGNAL_ENVIRONMENT;
use super::{SignalInstance, ready, views};
use crate::kinds::parameter_store::{self, TICKET_KEY};
use crate::kinds::{cloudfront_distribution, elastic_ip};
use crate::stack::Stack;
use peersync_engine::{ApplyContext, LiveField, ResourceError};
use peersync_server::clock::Clock;
use peersync_server::tickets::{HANDOVER_HEADER, TicketKey, TicketKeys};

/// How long the request may take.
const DEADLINE: Duration = Duration::from_secs(5);

impl SignalInstance {
    /// Moves the address from the host that has it to this one, once the edge lets pages in the way that this one opens.
    pub(super) async fn take_over(&self, context: &ApplyContext<'_>, id: &str) -> Result<(), ResourceError> {
        self.until_edge_is_open(context).await?;
        let mut others = find_all(&self.stack).await?;
        others.retain(|other| other.instance_id() != Some(id));
        let address = context.outputs.get(&elastic_ip::address(), "ip");
        if let Err(error) = announce(&self.stack, &others, address).await {
            let causes: String = error.causes().iter().map(|cause| format!(": {cause}")).collect();
            context
                .progress
                .note(format!("{error}{causes}; browsers find out by themselves, after ten seconds at most"));
        }
        self.associate(context, id).await
    }

    /// Waits until the edge lets pages in the way that the host opens: from the moment when it takes over the address, the way
    /// of before leads nowhere.
    async fn until_edge_is_open(&self, context: &ApplyContext<'_>) -> Result<(), ResourceError> {
        match context.outputs.get(&cloudfront_distribution::address(), "id") {
            Some(id) => cloudfront_distribution::until_open(&self.stack, context.progress, id).await,
            None => Ok(()),
        }
    }
}

/// Tells the host before, that with the stack's `address`, at the address at which it serves. In an AWS emulator nothing runs
/// on a host.
///
/// # Errors
/// It was not told, which is no reason to stop: a host of an earlier version does not know the request.
async fn announce(stack: &Stack, older: &[Instance], address: Option<&str>) -> Result<(), ResourceError> {
    if !stack.runs_hosts {
        return Ok(());
    }
    let Some(id) = former(older, address).and_then(Instance::instance_id) else { return Ok(()) };
    let LiveField::Known(files) = views::user_data_view(stack, id).await? else { return Ok(()) };
    let Some(socket) = socket_of(&files) else { return Ok(()) };
    let Some(handover) = signed(stack).await? else { return Ok(()) };
    say(stack, &socket.replacen("ws", "http", 1), &handover).await
}

/// Returns the host that serves: the one with the address. An interrupted run leaves others, of which the newest may be ready.
fn former<'a>(older: &'a [Instance], address: Option<&str>) -> Option<&'a Instance> {
    let has_address = |one: &Instance| address.is_some() && one.public_ip_address() == address;
    older.iter().filter(|one| is_alive(one)).min_by_key(|one| (!has_address(one), !ready::is_ready(one)))
}

/// Returns the URL of the WebSocket of a host with this user data; `None` if it has a tunnel, in which no address moves.
fn socket_of(files: &Value) -> Option<String> {
    let variable = |name| views::variable(files, SIGNAL_ENVIRONMENT, name);
    variable("SIGNAL_URL").filter(|_| variable("ENTRANCE").as_deref() != Some("tunnel"))
}

/// Signs it with the key of the tickets; `None` without one.
async fn signed(stack: &Stack) -> Result<Option<String>, ResourceError> {
    let call = stack.clients.ssm.get_parameters().names(parameter_store::name(stack, TICKET_KEY)).with_decryption(true);
    let answer = call.send().await.map_err(|error| ResourceError::new("failed to read the key").caused_by(error))?;
    let value = answer.parameters.unwrap_or_default().into_iter().next().and_then(|parameter| parameter.value);
    let key = value.and_then(|value| TicketKey::parse(&value));
    Ok(key.and_then(|key| TicketKeys::new(&stack.name(), key, None).issue_handover(Clock::default().now()).ok()))
}

async fn say(stack: &Stack, url: &str, handover: &str) -> Result<(), ResourceError> {
    const SUMMARY: &str = "failed to tell the former host that its address moves";
    let request = stack.clients.http.client(DEADLINE)?.get(url).header(HANDOVER_HEADER, handover);
    let answer = request.send().await.map_err(|error| ResourceError::new(SUMMARY).caused_by(error))?;
    if answer.status().is_success() {
        return Ok(());
    }
    Err(ResourceError::new(SUMMARY).caused_by(format!("the answer has HTTP status {}", answer.status())))
}

#[cfg(test)]
mod tests {
    use aws_sdk_ec2::types::Tag;
    use peersync_config::{Config, Ingress};
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::super::tests::files;
    use super::*;
    use crate::kinds::ec2::REPORT_TAG;

    #[tokio::test]
    async fn request_reaches_the_host_with_its_header() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/ws", listener.local_addr().unwrap());
        let host = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = vec![0; 4096];
            let length = stream.read(&mut request).await.unwrap();
            stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await.unwrap();
            String::from_utf8(request[..length].to_vec()).unwrap()
        });
        let stack = Stack::for_tests(Config::default()).await;
        say(&stack, &url, "signed").await.unwrap();
        let request = host.await.unwrap();
        assert!(request.starts_with("GET /ws ") && request.contains("x-peersync-handover: signed\r\n"), "{request}");
    }

    #[test]
    fn host_with_the_address_is_told_before_a_newer_one_that_is_ready() {
        let host = |id: &str, address: &str, report: &str| {
            let tag = Tag::builder().key(REPORT_TAG).value(report).build();
            Instance::builder().instance_id(id).public_ip_address(address).tags(tag).build()
        };
        let older = [host("i-2", "198.51.100.2", "ready"), host("i-1", "192.0.2.1", "ready")];
        let told = |address| former(&older, address).and_then(Instance::instance_id);
        assert_eq!(told(Some("192.0.2.1")), Some("i-1"));
        assert_eq!(told(Some("192.0.2.9")), Some("i-2"), "nobody has it: the newest that is ready");
        assert_eq!(told(None), Some("i-2"));
        assert_eq!(former(&[], Some("192.0.2.1")), None);
    }

    /// After a change of the way in, the address of the new host is another one.
    #[tokio::test]
    async fn host_is_told_at_the_address_at_which_it_serves() {
        for (ingress, domain, expected) in [
            (Ingress::Cloudfront, None, Some("wss://d111.cloudfront.net/ws")),
            (Ingress::Direct, Some("signal.example.org"), Some("wss://signal.example.org/ws")),
            (Ingress::Cloudflare, Some("signal.example.org"), None),
            (Ingress::Cloudflare, None, None),
        ] {
            assert_eq!(socket_of(&files(ingress, domain).await).as_deref(), expected, "{ingress:?}");
        }
    }
}
