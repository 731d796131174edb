//! The host's role allows exactly what the server calls: the calls are recorded and compared with the list from which the
//! deployer generates the role.

use std::collections::BTreeSet;
use std::time::Duration;

use aws_sdk_dynamodb::Client as DynamoDb;
use peersync_server::access::{TableAccess, tables};
use peersync_server::settings::Tables;
use peersync_server::store::{Operation, Store};
use peersync_signal::Limits;
use serde_json::{Value, json};

use crate::calls::Calls;
use crate::client::Came;
use crate::world::{Database, STACK, World, now};

const ADA: &str = "ada@example.org";
const BOB: &str = "bob@example.org";

/// An action on a table, and the partition key.
type Use = (String, String, String);

/// Returns what a call uses: an action on one item of a table, or on several.
fn uses((action, body): &(String, Value)) -> Vec<Use> {
    let used = |table: &str, key: &Value| {
        let key = ["key", "email", "userEmail"].iter().find_map(|name| key[*name]["S"].as_str());
        (action.clone(), table.to_owned(), key.unwrap_or_default().to_owned())
    };
    match body["RequestItems"].as_object() {
        Some(tables) => tables
            .iter()
            .flat_map(|(table, request)| {
                request["Keys"].as_array().unwrap().iter().map(|key| used(table, key)).collect::<Vec<_>>()
            })
            .collect(),
        None => vec![used(body["TableName"].as_str().unwrap(), &body["Key"])],
    }
}

/// Whether this access is for the call.
fn allows(access: &TableAccess, (action, table, key): &Use) -> bool {
    let keys = access.keys.is_none_or(|keys| key.starts_with(keys));
    table.ends_with(&format!("-{}", access.table)) && access.actions.contains(&action.as_str()) && keys
}

#[tokio::test]
async fn role_of_the_server_allows_exactly_its_calls() {
    let (calls, mut database) = (Calls::default(), Database::start().await);
    let store = Store::new(database.client.clone(), Tables::of(STACK));
    let ada = database.account(ADA).await;
    database.account(BOB).await;
    store.connect(Operation::Ask, ADA, BOB, None, now()).await.unwrap();
    store.connect(Operation::Ask, BOB, ADA, None, now()).await.unwrap();
    let room = database.room(ADA, false).await;
    let recorded = database.client.config().to_builder().interceptor(calls.clone()).build();
    database.client = DynamoDb::from_conf(recorded);
    let limits = Limits { notices: Duration::from_millis(50), ..Limits::default() };
    let world = World::with_database(database, limits, 4).await;
    let mut ada = world.member(ADA, &ada).await;
    ada.join(&room).await;
    ada.send(json!({ "type": "ring", "to": BOB, "room": room })).await;
    store.end_all_sessions(ADA, now()).await.unwrap();
    while !matches!(ada.came().await, Came::Closed(_)) {}

    let used: BTreeSet<Use> = calls.take().iter().flat_map(uses).collect();
    for one in &used {
        assert!(tables("signal").iter().any(|access| allows(access, one)), "{one:?} is not allowed");
    }
    for access in tables("signal") {
        for action in access.actions {
            let needed = used.iter().any(|one| one.0 == *action && allows(access, one));
            assert!(needed, "{action} of {access:?} is never used: {used:?}");
        }
    }
}
