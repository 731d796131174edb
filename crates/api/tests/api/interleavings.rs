//! Several users do random operations on each other concurrently, and both rows of every pair agree.

use axum::http::StatusCode;
use futures::future::join_all;
use peersync_api::{Limit, Limits};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::support::{Browser, World, address, in_link};

const PEOPLE: [&str; 3] = ["Ada", "Bob", "Carl"];
const AGREEING: [(Option<&str>, Option<&str>); 12] = [
    (None, None),
    (Some("requested"), Some("received")),
    (Some("received"), Some("requested")),
    (Some("accepted"), Some("accepted")),
    (Some("rejected"), Some("rejected")),
    (Some("blocked"), None),
    (None, Some("blocked")),
    (Some("blocked"), Some("blocked")),
    (Some("blocked"), Some("requested")),
    (Some("requested"), Some("blocked")),
    (Some("blocked"), Some("rejected")),
    (Some("rejected"), Some("blocked")),
];

#[derive(Clone, Copy, Debug)]
enum Deed {
    Ask,
    Accept,
    Reject,
    AcceptByMail,
    Remove,
    Block,
    DeleteAccount,
}

fn deed() -> impl Strategy<Value = (Deed, usize, usize)> {
    let deed = prop_oneof![
        6 => Just(Deed::Ask),
        4 => Just(Deed::Accept),
        2 => Just(Deed::Reject),
        2 => Just(Deed::AcceptByMail),
        2 => Just(Deed::Remove),
        1 => Just(Deed::Block),
        1 => Just(Deed::DeleteAccount),
    ];
    (deed, 0..3_usize, 1..3_usize).prop_map(|(deed, who, step)| (deed, who, (who + step) % 3))
}

async fn does(deed: Deed, mut who: Browser, whom: String, token: Option<String>) -> (StatusCode, Value) {
    match deed {
        Deed::Ask => who.post("/send-friend-request", json!({ "toEmail": whom })).await,
        Deed::Accept => who.post("/respond-friend-request", json!({ "fromEmail": whom, "action": "accept" })).await,
        Deed::Reject => who.post("/respond-friend-request", json!({ "fromEmail": whom, "action": "reject" })).await,
        Deed::AcceptByMail => {
            let token = token.unwrap_or_default();
            who.post("/respond-friend-request", json!({ "token": token, "action": "accept" })).await
        }
        Deed::Remove => who.delete(&format!("/friends/{whom}")).await,
        Deed::Block => who.post("/block", json!({ "email": whom })).await,
        Deed::DeleteAccount => who.delete("/me").await,
    }
}

async fn play(rounds: Vec<Vec<(Deed, usize, usize)>>) -> Result<(), TestCaseError> {
    let free = |limit: Limit| Limit { most: 1_000_000, ..limit };
    let limits = Limits::default();
    let limits = Limits {
        friend_requests: free(limits.friend_requests),
        friend_mail_per_pair: free(limits.friend_mail_per_pair),
        friend_mail_per_address: free(limits.friend_mail_per_address),
        ..limits
    };
    let world = World::with_limits(limits).await;
    let mut people = Vec::new();
    for name in PEOPLE {
        people.push(world.member(name).await);
    }
    let mut tokens: Vec<String> = Vec::new();
    for round in rounds {
        let deeds = round
            .iter()
            .map(|(deed, who, whom)| does(*deed, people[*who].clone(), address(PEOPLE[*whom]), tokens.last().cloned()));
        for (status, body) in join_all(deeds).await {
            prop_assert!(!status.is_server_error(), "{}", body);
        }
        let letters = world.mailbox.take();
        let asked = letters.iter().filter(|letter| letter.kind == "friend-request");
        tokens.extend(asked.map(|letter| in_link(letter, "token")));
        for (a, b) in [(0, 1), (0, 2), (1, 2)] {
            let rows = (world.row(PEOPLE[a], PEOPLE[b]).await, world.row(PEOPLE[b], PEOPLE[a]).await);
            prop_assert!(AGREEING.contains(&rows), "{} and {}: {:?} after {:?}", PEOPLE[a], PEOPLE[b], rows, round);
        }
        for (index, name) in PEOPLE.iter().enumerate() {
            if people[index].get("/me").await.0 == StatusCode::UNAUTHORIZED {
                people[index] = world.member(name).await;
            }
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, max_shrink_iters: 40, ..ProptestConfig::default() })]

    #[test]
    fn both_rows_of_a_pair_always_agree(rounds in proptest::collection::vec(proptest::collection::vec(deed(), 1..5), 1..8)) {
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap().block_on(play(rounds))?;
    }
}
