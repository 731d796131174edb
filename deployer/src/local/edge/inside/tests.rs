#![allow(clippy::unwrap_used, reason = "a panic here fails the test")]

use axum::body::Body;

use super::*;

/// The headers that programs on this computer send: a person's browser is in [`BROWSER`].
const PROGRAM: &[(&str, &str)] = &[("host", "localhost:8080"), ("user-agent", "curl/8.5.0"), ("accept", "*/*")];
/// What Chromium sends from the mailbox's own page.
const BROWSER: &[(&str, &str)] = &[
    ("host", "localhost:8080"),
    ("user-agent", "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/140.0.0.0 Safari/537.36"),
    ("origin", "http://localhost:8080"),
    ("sec-fetch-site", "same-origin"),
    ("sec-fetch-mode", "cors"),
    ("sec-fetch-dest", "empty"),
];

fn request(method: &str, headers: &[(&str, &str)]) -> Request {
    let mut request = Request::builder().method(method).uri("/_mail/messages.json").body(Body::empty()).unwrap();
    for (name, value) in headers {
        request.headers_mut().append(HeaderName::try_from(*name).unwrap(), HeaderValue::try_from(*value).unwrap());
    }
    let extensions = request.extensions_mut();
    extensions.insert(ConnectInfo(SocketAddr::from(([127, 0, 0, 1], 40_000))));
    extensions.insert(Site::new("http://localhost:8080"));
    request
}

/// The answer to a request with these headers, each of which replaces or is added to the usual ones.
fn of(method: &str, usual: &[(&str, &str)], changed: &[(&str, &str)]) -> Option<Refusal> {
    let kept = usual.iter().filter(|(name, _)| changed.iter().all(|(other, _)| other != name));
    let added = changed.iter().filter(|(_, value)| !value.is_empty());
    refusal(&request(method, &kept.chain(added).copied().collect::<Vec<_>>()))
}

#[test]
fn programs_and_own_pages_are_served() {
    for method in ["GET", "HEAD", "POST", "PUT", "DELETE"] {
        assert_eq!(of(method, PROGRAM, &[]), None, "{method} by a program");
        assert_eq!(of(method, BROWSER, &[]), None, "{method} by the own page");
    }
    // Node's fetch names a mode, but no site and no origin.
    assert_eq!(of("POST", PROGRAM, &[("user-agent", "node"), ("sec-fetch-mode", "cors")]), None);
    // A browser sends no origin when it reads.
    assert_eq!(of("GET", BROWSER, &[("origin", "")]), None);
}

#[test]
fn link_in_another_page_or_a_terminal_opens_the_mailbox() {
    let opened = [("origin", ""), ("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "document")];
    for site in ["none", "cross-site", "same-site"] {
        let changed = [&opened[..], &[("sec-fetch-site", site)]].concat();
        assert_eq!(of("GET", BROWSER, &changed), None, "{site}");
    }
}

#[test]
fn pages_of_other_origins_are_refused() {
    let other = Some(Refusal::OtherPage);
    for site in ["cross-site", "same-site"] {
        for method in ["GET", "POST", "PUT", "DELETE"] {
            assert_eq!(of(method, BROWSER, &[("sec-fetch-site", site)]), other, "{method} {site}");
            let quiet = [("sec-fetch-site", site), ("sec-fetch-mode", "no-cors"), ("origin", "")];
            assert_eq!(of(method, BROWSER, &quiet), other, "{method} {site} without an origin");
        }
        let framed = [("sec-fetch-site", site), ("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "iframe")];
        assert_eq!(of("GET", BROWSER, &framed), other, "in a frame");
    }
    let origins =
        ["http://localhost:3000", "https://localhost:8080", "http://127.0.0.1:8080", "https://evil.example", "null"];
    for origin in origins {
        // Browsers before `sec-fetch-site`, and those on plain HTTP outside of this computer, say no more than this.
        for method in ["GET", "POST", "PUT", "DELETE"] {
            let changed = [("origin", origin), ("sec-fetch-site", "")];
            assert_eq!(of(method, BROWSER, &changed), other, "{method} {origin}");
            assert_eq!(of(method, PROGRAM, &changed), other, "{method} {origin}");
        }
    }
    let silent = [("origin", ""), ("sec-fetch-site", "")];
    assert_eq!(of("POST", BROWSER, &silent), other, "an old browser that does not name the origin");
    assert_eq!(of("POST", PROGRAM, &[("referer", "https://evil.example/")]), other);
    let twice = [BROWSER, &[("origin", "https://evil.example")]].concat();
    assert_eq!(refusal(&request("POST", &twice)), other, "two origins");
}

/// What each tunnel adds when it has been told to write this computer's name into `Host`.
const TUNNELS: [(&str, &[&str]); 9] = [
    ("cloudflared", &["cf-connecting-ip", "cf-ray", "cf-visitor", "cdn-loop", "x-forwarded-for", "x-forwarded-proto"]),
    ("ngrok", &["x-forwarded-for", "x-forwarded-host", "x-forwarded-proto"]),
    ("tailscale", &["tailscale-funnel-request", "tailscale-user-login", "x-forwarded-for", "x-forwarded-host"]),
    ("localtunnel", &["x-forwarded-for", "x-forwarded-proto", "x-real-ip"]),
    ("vscode", &["x-forwarded-host", "x-original-host", "x-tunnel-authorization"]),
    ("serveo", &["x-forwarded-for", "x-forwarded-host"]),
    ("nginx", &["x-real-ip", "x-forwarded-for"]),
    ("caddy", &["via", "x-forwarded-for"]),
    ("rfc 7239", &["forwarded"]),
];

#[test]
fn tunnels_that_rewrite_the_host_publish_no_mail() {
    for (tunnel, names) in TUNNELS {
        for name in names {
            for method in ["GET", "POST", "DELETE"] {
                assert_eq!(of(method, PROGRAM, &[(name, "x")]), Some(Refusal::Forwarded), "{tunnel}: {name}");
            }
        }
    }
}

#[test]
fn host_must_be_one_and_this_computer() {
    let elsewhere = Some(Refusal::Elsewhere);
    let refused = |mut request: Request| {
        request.extensions_mut().remove::<Site>();
        refusal(&request)
    };
    for host in ["localhost", "localhost:8080", "127.0.0.1:1", "[::1]:8080", "[::1]", "peersync.localhost:8080"] {
        assert_eq!(refused(request("GET", &[("host", host)])), None, "{host}");
        let claimed = [("host", host), ("origin", &format!("http://{host}"))];
        assert_eq!(refused(request("POST", &claimed)), Some(Refusal::OtherPage), "{host} is not the page's");
    }
    for host in ["", "evil.example", "localhost.evil.example:8080", "192.168.1.7:8080"] {
        assert_eq!(refused(request("GET", &[("host", host)])), elsewhere, "{host}");
    }
    assert_eq!(refusal(&request("GET", &[])), elsewhere, "no host");
    assert_eq!(refusal(&request("GET", &[("host", "localhost:8080"), ("host", "evil.example")])), elsewhere);
    let mut absolute = request("GET", PROGRAM);
    *absolute.uri_mut() = "http://evil.example/_mail/messages.json".parse().unwrap();
    assert_eq!(refusal(&absolute), elsewhere, "as a proxy is asked");
}

#[test]
fn other_computers_are_refused() {
    let mut far = request("GET", PROGRAM);
    far.extensions_mut().insert(ConnectInfo(SocketAddr::from(([192, 168, 1, 7], 40_000))));
    assert_eq!(refusal(&far), Some(Refusal::Elsewhere));
    far.extensions_mut().insert(FromThisComputer);
    assert_eq!(refusal(&far), None, "unless it is this one, at its own address in the network");
}

#[test]
fn private_mailbox_opens_only_with_the_printed_url() {
    let key = MailKey::random();
    let of = |method: &str, headers: &[(&str, &str)], query: &str| {
        let mut request = request(method, &[PROGRAM, headers].concat());
        *request.uri_mut() = format!("/_mail{query}").parse().unwrap();
        checked(&request, Some(&key))
    };
    // Somebody at the other end of `ssh -R` can write every header.
    assert_eq!(of("GET", &[], "").unwrap_err(), Refusal::NoKey);
    assert_eq!(of("POST", &[("origin", "http://localhost:8080")], "").unwrap_err(), Refusal::NoKey);
    let guess = MailKey::random().url("");
    assert_eq!(of("GET", &[], &guess).unwrap_err(), Refusal::NoKey);
    assert_eq!(of("GET", &[("cookie", &guess.replace("?key", "peersync-mailbox"))], "").unwrap_err(), Refusal::NoKey);
    // The person opens the URL, and the browser keeps the key.
    let answer = of("GET", &[], &key.url("")).unwrap().unwrap();
    assert_eq!(answer.status(), StatusCode::SEE_OTHER);
    assert_eq!(answer.headers().get("location").unwrap(), "/_mail");
    let cookie = answer.headers().get("set-cookie").unwrap().to_str().unwrap();
    assert!(cookie.ends_with("; Path=/; HttpOnly; SameSite=Strict"), "{cookie}");
    let kept = cookie.split(';').next().unwrap();
    assert!(of("GET", &[("cookie", &format!("other=1; {kept}"))], "").unwrap().is_none());
    assert!(of("DELETE", &[("cookie", kept)], "").unwrap().is_none());
    // It does not replace the other checks.
    let tunnelled = of("GET", &[("cookie", kept), ("x-forwarded-for", "203.0.113.9")], "");
    assert_eq!(tunnelled.unwrap_err(), Refusal::Forwarded);
}
