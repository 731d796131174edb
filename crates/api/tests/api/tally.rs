//! What is counted for the owner of the stack.

use axum::http::StatusCode;
use peersync_server::metrics::{Measured, Metric};
use serde_json::json;

use crate::support::{World, address, in_link, refused};

fn one(metric: Metric) -> Measured {
    (metric, vec![1.0])
}

#[tokio::test]
async fn mails_sign_ups_and_sign_ins_count_when_they_have_succeeded() {
    let world = World::new().await;
    let take = || world.state.tally().take();
    let mut ada = world.browser();
    let ask = json!({ "name": "Ada", "email": address("ada") });
    assert_eq!(ada.post("/signup", ask).await.0, StatusCode::ACCEPTED);
    assert_eq!(take(), [one(Metric::MailsSent)]);
    let proof = json!({ "token": in_link(&world.mailbox.only(), "token") });
    assert_eq!(ada.post("/login/verify", proof.clone()).await.0, StatusCode::OK);
    assert_eq!(take(), [one(Metric::SignUps), one(Metric::SignIns)]);
    refused(&ada.post("/login/verify", proof).await, 400, "token");
    assert_eq!(take(), []);
    // The account exists now.
    ada.post("/login", json!({ "email": address("ada") })).await;
    ada.post("/login/verify", json!({ "token": in_link(&world.mailbox.only(), "token") })).await;
    assert_eq!(take(), [one(Metric::SignIns), one(Metric::MailsSent)]);
    world.mailbox.break_down();
    world.browser().post("/login", json!({ "email": address("bob") })).await;
    ada.post("/send-friend-request", json!({ "toEmail": address("bob") })).await;
    assert_eq!(take(), [(Metric::MailsFailed, vec![2.0])]);
}
