//! What the API does.

use axum::Json;
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse as _, Response};
use serde_json::{Value, json};

use super::{NARROW_TOKEN, READING_TOKEN, Record, State, TOKEN, Tunnel};

/// The longest comment of a record in the free plan, in characters.
const LONGEST_COMMENT: usize = 100;

/// Why a request is refused: status, code and message.
type Refusal = (u16, u32, &'static str);

const NO_ROUTE: Refusal = (404, 7003, "Could not route to the path, perhaps your object identifier is invalid?");
const NOT_ALLOWED: Refusal = (403, 10000, "Authentication error");
const NO_TUNNEL: Refusal = (404, 1003, "tunnel not found");
const NO_RECORD: Refusal = (404, 81044, "Record does not exist.");

/// Answers a request.
pub(super) fn answer(
    state: &mut State,
    method: &Method,
    path: &str,
    query: &str,
    headers: &HeaderMap,
    body: &[u8],
) -> Response {
    let authorization = headers.get("authorization").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let Some(token) = authorization.strip_prefix("Bearer ").filter(|token| token.len() > 8 && !token.contains(' '))
    else {
        let chain = json!([{ "code": 6111, "message": "Invalid format for Authorization header" }]);
        let error = json!({ "code": 6003, "message": "Invalid request headers", "error_chain": chain });
        return envelope(400, false, Value::Null, vec![error]);
    };
    if ![TOKEN, NARROW_TOKEN, READING_TOKEN].contains(&token) {
        return refused(403, 9109, "Invalid access token");
    }
    if token == READING_TOKEN && method != Method::GET {
        return refused(NOT_ALLOWED.0, NOT_ALLOWED.1, NOT_ALLOWED.2);
    }
    let body: Value = match body {
        [] => Value::Null,
        body if headers.get("content-type").is_some_and(|kind| kind == "application/json") => {
            serde_json::from_slice(body).unwrap_or_default()
        }
        _ => Value::Null,
    };
    let query = |name: &str| {
        let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        pairs.find(|(known, _)| *known == name).map(|(_, value)| value.to_owned())
    };
    let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    let is_narrow = token == NARROW_TOKEN;
    let done = match (method.as_str(), parts.as_slice()) {
        ("GET", ["zones"]) => Ok(zones(state, is_narrow, query("name"))),
        (_, ["zones", ..]) if is_narrow => Err(NOT_ALLOWED),
        (method, ["zones", zone, "dns_records", rest @ ..]) => {
            records(state, method, zone, rest, query("name.exact"), &body)
        }
        (method, ["accounts", account, "cfd_tunnel", rest @ ..]) => {
            tunnels(state, method, account, rest, query("name"), &body)
        }
        _ => Err(NO_ROUTE),
    };
    match done {
        Ok(result) => envelope(200, true, result, Vec::new()),
        Err((status, code, message)) => {
            if (status, code) == (NO_ROUTE.0, NO_ROUTE.1) {
                state.mistakes.push(format!("{method} {path}"));
            }
            refused(status, code, message)
        }
    }
}

/// Returns a refusal in Cloudflare's form.
pub(super) fn refused(status: u16, code: u32, message: &str) -> Response {
    envelope(status, false, Value::Null, vec![json!({ "code": code, "message": message })])
}

fn envelope(status: u16, success: bool, result: Value, errors: Vec<Value>) -> Response {
    let body = json!({ "success": success, "errors": errors, "messages": [], "result": result });
    (StatusCode::from_u16(status).unwrap_or_default(), Json(body)).into_response()
}

/// Checks that a body has exactly these members, and keeps a mistake otherwise.
fn expect_members(state: &mut State, what: &str, body: &Value, members: &[&str]) {
    let mut found: Vec<&str> = body.as_object().into_iter().flatten().map(|(name, _)| name.as_str()).collect();
    found.sort_unstable();
    if found != members {
        state.mistakes.push(format!("{what} with {found:?}"));
    }
}

/// Lists zones. A token without the right to read them sees none, and that is no error.
fn zones(state: &State, is_narrow: bool, name: Option<String>) -> Value {
    let visible = state.zones.iter().filter(|zone| !is_narrow && name.as_ref().is_none_or(|name| name == zone.name));
    let shown = visible.map(|zone| {
        json!({ "id": zone.id, "name": zone.name, "status": zone.status, "account": { "id": zone.account, "name": "Ada" } })
    });
    shown.collect()
}

fn tunnels(
    state: &mut State,
    method: &str,
    account: &str,
    rest: &[&str],
    name: Option<String>,
    body: &Value,
) -> Result<Value, Refusal> {
    if !state.zones.iter().any(|zone| zone.account == account) {
        return Err(NOT_ALLOWED);
    }
    let index = |state: &State, id: &str| {
        let mut all = state.tunnels.iter();
        all.position(|tunnel| tunnel.id == id && tunnel.account == account && !tunnel.is_deleted).ok_or(NO_TUNNEL)
    };
    match (method, rest) {
        ("GET", []) => {
            let found = state.live_tunnels().into_iter().filter(|tunnel| tunnel.account == account);
            Ok(found
                .filter(|tunnel| name.as_ref().is_none_or(|name| *name == tunnel.name))
                .map(|one| shown(&one))
                .collect())
        }
        ("POST", []) => {
            expect_members(state, "a tunnel", body, &["config_src", "name"]);
            let name = body["name"].as_str().unwrap_or_default();
            if body["config_src"] != "cloudflare" || name.is_empty() {
                return Err((400, 1001, "invalid tunnel"));
            }
            if state.live_tunnels().iter().any(|tunnel| tunnel.account == account && tunnel.name == name) {
                return Err((409, 1013, "You already have a tunnel with this name"));
            }
            Ok(shown(&state.add_tunnel(account, name)))
        }
        ("GET", [id, "token"]) => index(state, id).map(|index| json!(state.tunnels[index].token())),
        ("GET", [id, "configurations"]) => {
            let tunnel = &state.tunnels[index(state, id)?];
            Ok(json!({ "tunnel_id": id, "version": 1, "config": returned(&tunnel.config), "source": "cloudflare" }))
        }
        ("PUT", [id, "configurations"]) => {
            let index = index(state, id)?;
            expect_members(state, "a configuration", body, &["config"]);
            let rules = body["config"]["ingress"].as_array().cloned().unwrap_or_default();
            if rules.last().is_none_or(|last| last.get("hostname").is_some() || last.get("path").is_some()) {
                return Err((400, 1056, "The last ingress rule must match all URLs"));
            }
            state.tunnels[index].config = body["config"].clone();
            Ok(json!({ "tunnel_id": id, "version": 2, "config": body["config"] }))
        }
        ("DELETE", [id, "connections"]) => {
            let index = index(state, id)?;
            state.tunnels[index].is_connected = false;
            Ok(Value::Null)
        }
        ("DELETE", [id]) => {
            let index = index(state, id)?;
            if state.tunnels[index].is_connected {
                return Err((400, 1022, "Cannot delete tunnel because it has active connections"));
            }
            state.tunnels[index].is_deleted = true;
            Ok(shown(&state.tunnels[index]))
        }
        _ => Err(NO_ROUTE),
    }
}

fn shown(tunnel: &Tunnel) -> Value {
    json!({
        "id": tunnel.id, "account_tag": tunnel.account, "name": tunnel.name, "config_src": "cloudflare",
        "deleted_at": tunnel.is_deleted.then_some("2026-01-01T00:00:00Z"), "status": "inactive", "connections": [],
    })
}

/// Returns a configuration as it is read: with members that nobody has written.
fn returned(config: &Value) -> Value {
    let mut config = config.clone();
    if let Some(rules) = config["ingress"].as_array_mut() {
        for rule in
            rules.iter_mut().filter(|rule| rule.get("hostname").is_some() && rule.get("originRequest").is_none())
        {
            rule["originRequest"] = json!({});
        }
        config["warp-routing"] = json!({ "enabled": false });
    }
    config
}

fn records(
    state: &mut State,
    method: &str,
    zone: &str,
    rest: &[&str],
    name: Option<String>,
    body: &Value,
) -> Result<Value, Refusal> {
    if !state.zones.iter().any(|known| known.id == zone) {
        return Err(NO_ROUTE);
    }
    let position = |state: &State, id: &str| {
        state.records.iter().position(|record| record.id == id && record.zone == zone).ok_or(NO_RECORD)
    };
    match (method, rest) {
        ("GET", []) => {
            let found = state.records.iter().filter(|record| record.zone == zone);
            Ok(found.filter(|record| name.as_ref().is_none_or(|name| *name == record.name)).map(record_shown).collect())
        }
        ("POST", []) => {
            let id = state.id();
            let record = written(state, id, zone, body);
            excluded(state, &record)?;
            state.records.push(record.clone());
            Ok(record_shown(&record))
        }
        ("PUT", [id]) => {
            let index = position(state, id)?;
            let record = written(state, (*id).to_owned(), zone, body);
            excluded(state, &record)?;
            state.records[index] = record.clone();
            Ok(record_shown(&record))
        }
        ("DELETE", [id]) => {
            let index = position(state, id)?;
            state.records.remove(index);
            Ok(json!({ "id": id }))
        }
        _ => Err(NO_ROUTE),
    }
}

fn written(state: &mut State, id: String, zone: &str, body: &Value) -> Record {
    expect_members(state, "a record", body, &["comment", "content", "name", "proxied", "ttl", "type"]);
    let text = |member: &str| body[member].as_str().unwrap_or_default().to_owned();
    let record = Record {
        id,
        zone: zone.to_owned(),
        kind: text("type"),
        name: text("name"),
        content: text("content"),
        proxied: body["proxied"] == true,
        comment: text("comment"),
    };
    let in_zone = state.zones.iter().any(|known| known.id == zone && record.name.ends_with(known.name));
    if !in_zone || body["ttl"] != 1 || record.comment.chars().count() > LONGEST_COMMENT {
        state.mistakes.push(format!("a record with {body}"));
    }
    record
}

/// Refuses a record beside those that exclude it.
fn excluded(state: &State, record: &Record) -> Result<(), Refusal> {
    let mut others = state.records.iter().filter(|other| other.id != record.id && other.name == record.name);
    if others.clone().any(|other| (&other.kind, &other.content) == (&record.kind, &record.content)) {
        return Err((400, 81058, "An identical record already exists."));
    }
    let leads = |other: &Record| ["A", "AAAA", "CNAME"].contains(&other.kind.as_str());
    if others.any(leads) {
        return Err((400, 81053, "An A, AAAA, or CNAME record with that host already exists."));
    }
    Ok(())
}

fn record_shown(record: &Record) -> Value {
    json!({
        "id": record.id, "type": record.kind, "name": record.name, "content": record.content, "proxied": record.proxied,
        "ttl": 1, "comment": Some(&record.comment).filter(|comment| !comment.is_empty()), "tags": [],
    })
}
