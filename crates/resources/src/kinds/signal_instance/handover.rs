//! Tells the host that has the address that it is about to lose it, so that it tells everybody to come back in a moment:
//! otherwise they notice only once they send something. Whatever comes of it, the address moves.

use std::time::Duration;

use crate::kinds::parameter_store::{self, TICKET_KEY};
use crate::stack::Stack;
use peersync_config::Ingress;
use peersync_engine::{Outputs, ResourceError};
use peersync_server::clock::Clock;
use peersync_server::tickets::{HANDOVER_HEADER, TicketKey, TicketKeys};

/// How long the request may take.
const DEADLINE: Duration = Duration::from_secs(5);

/// Tells the host before, if there is an address that moves. A failure is no reason to stop; a host of an earlier version does
/// not know the request. In an AWS emulator nothing runs on a host.
pub(super) async fn announce(stack: &Stack, outputs: &Outputs) {
    if stack.config.signaling.ingress == Ingress::Cloudflare || stack.clients.endpoint_url.is_some() {
        return;
    }
    let Some(socket) = stack.signal_url(outputs).filter(|url| !url.is_empty()) else { return };
    let Ok(Some(handover)) = signed(stack).await else { return };
    let _ = say(stack, &socket.replacen("ws", "http", 1), &handover).await;
}

/// Signs it with the key of the tickets; `None` without one.
async fn signed(stack: &Stack) -> Result<Option<String>, ResourceError> {
    let call = stack.clients.ssm.get_parameters().names(parameter_store::name(stack, TICKET_KEY)).with_decryption(true);
    let answer = call.send().await.map_err(|error| ResourceError::new("failed to read the key").caused_by(error))?;
    let value = answer.parameters.unwrap_or_default().into_iter().next().and_then(|parameter| parameter.value);
    let key = value.and_then(|value| TicketKey::parse(&value));
    Ok(key.and_then(|key| TicketKeys::new(&stack.name(), key, None).issue_handover(Clock::default().now()).ok()))
}

async fn say(stack: &Stack, url: &str, handover: &str) -> Result<u16, ResourceError> {
    let request = stack.clients.http.client(DEADLINE)?.get(url).header(HANDOVER_HEADER, handover);
    let answer = request.send().await;
    answer
        .map(|answer| answer.status().as_u16())
        .map_err(|error| ResourceError::new("failed to tell the host before").caused_by(error))
}

#[cfg(test)]
mod tests {
    use peersync_config::Config;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;

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
        assert_eq!(say(&stack, &url, "signed").await.unwrap(), 204);
        let request = host.await.unwrap();
        assert!(request.starts_with("GET /ws ") && request.contains("x-peersync-handover: signed\r\n"), "{request}");
    }
}
