//! Requests that no honest client sends: a documented problem each time, never a panic, no effect.

use reqwest::Method;
use serde_json::{Value, json};
use tests::{Answer, World};

#[track_caller]
fn assert_problem(answer: &Answer, status: u16, code: &str, what: &str) {
    assert_eq!(
        (answer.status, answer.code()),
        (status, code),
        "{what} {answer:?}"
    );
    assert_eq!(
        answer.header("content-type"),
        Some("application/problem+json"),
        "{what}"
    );
    assert_eq!(answer.body["status"], status, "{what}");
    assert!(
        answer.body["title"].is_string() && answer.body["type"].is_string(),
        "{what}"
    );
}

#[tokio::test]
async fn hostile_hosts_and_forwarding_headers_change_nothing() {
    let world = World::start().await;
    world.get("/v1/plans").await;
    let plain = world.get("/v1/tenants").await;
    let bearer = world.bearer();
    for (name, value) in [
        ("Host", "a b"),
        ("Host", ""),
        ("Host", "evil.example:99999999"),
        ("Host", "\u{e4}\u{7f}"),
        ("X-Forwarded-Proto", "gopher://\u{7f}"),
        ("X-Forwarded-Proto", "https, http"),
        ("X-Forwarded-Host", "evil example\" onload=x"),
        ("X-Forwarded-Port", "-1"),
        ("X-Forwarded-For", "::ffff:169.254.169.254"),
        ("Forwarded", "host=evil;proto=\"\u{1}\""),
        ("X-Original-URL", "/v1/operator-keys"),
        ("X-HTTP-Method-Override", "DELETE"),
    ] {
        let headers = json!({ "authorization": bearer, name: value });
        let answer = world
            .invoke_api("GET", "/v1/tenants", "", &headers, "")
            .await
            .expect("no error");
        assert_eq!(
            (answer.status, &answer.body),
            (200, &plain.body),
            "{name}: {value:?}"
        );
    }
    for host in ["a b", "evil.example", "[::1", "\u{e4}"] {
        let request = format!(
            "GET /v1/tenants HTTP/1.1\r\nHost: {host}\r\nAuthorization: {bearer}\r\n\
             X-Forwarded-Proto: \u{1}x\r\nConnection: close\r\n\r\n"
        )
        .replace('\u{1}', "");
        let (status, text) = world.send_raw(request.as_bytes()).await;
        assert!(status == 200 || status == 400, "{host} {text}");
    }
}

#[tokio::test]
async fn hostile_paths_and_queries_are_problems() {
    let world = World::start().await;
    let plan = world.plan(0).await;
    let headers = json!({ "authorization": world.bearer(), "content-type": "application/json" });
    for path in [
        "",
        "/",
        "//v1",
        "//v1/x",
        "/v1",
        "/v1/",
        "/v1/../x",
        "/v1/%2e%2e/x",
        "/v1/tenants/../operator-keys",
        "/v1/nothing",
        "/v1/tenants/x/y/z",
        "/v1/\u{0}",
        "/v1/tenants\u{0}",
        "/V1/tenants",
        "/v1/tenants.json",
        "\u{202e}/v1",
    ] {
        let answer = world.invoke_api("GET", path, "", &headers, "").await;
        let answer = answer.expect("no error");
        assert_eq!(answer.status, 404, "{path:?} {answer:?}");
        assert!(
            ["not_found", "tenant_not_found"].contains(&answer.code()),
            "{path:?} {answer:?}"
        );
    }
    for query in [
        "%",
        "%zz=1",
        "a=\u{0}",
        "limit=\u{ff}",
        "limit=1\u{0}",
        "limit=%F0%28",
        "cursor=%00",
        "cursor=ten_00000000000000000000000000%00",
        "status=active%0d%0aX:1",
        "limit[]=1",
        "&&&=&",
        "status=\u{202e}",
    ] {
        let answer = world
            .invoke_api("GET", "/v1/tenants", query, &headers, "")
            .await
            .expect("no error");
        assert_problem(&answer, 400, "query_invalid", query);
    }
    for raw in [
        &b"GET /v1/tenants?limit=\xff\xfe HTTP/1.1\r\nHost: x\r\n"[..],
        b"GET /v1/tenants/\xc3\x28 HTTP/1.1\r\nHost: x\r\n",
        b"GET /v1/%2e%2e/x HTTP/1.1\r\nHost: x\r\n",
        b"GET /v1/%00 HTTP/1.1\r\nHost: x\r\n",
        b"GET //v1/tenants HTTP/1.1\r\nHost: x\r\n",
        b"GET http://evil.example/v1/tenants?x=1 HTTP/1.1\r\nHost: a b\r\n",
        b"BREW /v1/tenants HTTP/1.1\r\nHost: x\r\n",
    ] {
        let mut request = raw.to_vec();
        let rest = format!(
            "Authorization: {}\r\nConnection: close\r\n\r\n",
            world.bearer()
        );
        request.extend(rest.into_bytes());
        let (status, text) = world.send_raw(&request).await;
        assert!([400, 404, 405].contains(&status), "{text}");
    }
    let body = json!({ "name": "Acme", "plan_id": plan }).to_string();
    for method in [
        "GET", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE", "BREW",
    ] {
        for path in [
            "/v1/plans",
            "/v1/operator-keys",
            "/v1/reconciliation",
            "/v1/tenants/x/suspend",
        ] {
            let allowed = method == "GET" || method == "HEAD";
            if allowed && ["/v1/plans", "/v1/reconciliation"].contains(&path) {
                continue;
            }
            let answer = world.invoke_api(method, path, "", &headers, &body).await;
            let answer = answer.expect("no error");
            assert_eq!(answer.status, 405, "{method} {path} {answer:?}");
            if method != "HEAD" {
                assert_problem(&answer, 405, "method_not_allowed", path);
            }
        }
    }
    assert_eq!(world.items("tenants"), Vec::<Value>::new());
}

#[tokio::test]
async fn bodies_that_are_too_long_of_another_type_or_no_json_are_problems() {
    let world = World::start().await;
    let plan = world.plan(0).await;
    let bearer = world.bearer();
    let body = json!({ "name": "Acme", "plan_id": plan }).to_string();
    let send = async |content_type: Option<&str>, body: Vec<u8>| {
        let mut headers = vec![("authorization", &*bearer), ("idempotency-key", "k")];
        headers.extend(content_type.map(|content_type| ("content-type", content_type)));
        world
            .request(Method::POST, "/v1/tenants", &headers, body)
            .await
    };
    for content_type in [
        None,
        Some(""),
        Some("text/plain"),
        Some("application/x-www-form-urlencoded"),
        Some("application/jsonx"),
        Some("text/json; application/json"),
    ] {
        let answer = send(content_type, body.clone().into_bytes()).await;
        assert_problem(
            &answer,
            415,
            "content_type_unsupported",
            content_type.unwrap_or("none"),
        );
    }
    for length in [64 * 1024 + 1, 64 * 1024 + 3, 200_000, 5_000_000] {
        let mut long = body.clone().into_bytes();
        long.resize(length, b' ');
        let answer = send(Some("application/json"), long).await;
        assert_problem(&answer, 413, "body_too_large", &length.to_string());
    }
    let deep = format!("{}{}", "[".repeat(30_000), "]".repeat(30_000));
    for malformed in [
        &b""[..],
        b"{",
        b"null",
        b"[]",
        b"\"x\"",
        b"1e999",
        b"{\"name\":\"a\",}",
        b"{\"name\":\"\xff\xfe\",\"plan_id\":\"x\"}",
        b"\xef\xbb\xbf{}",
        b"{\"name\":\"a\",\"name\":\"b\",\"plan_id\":\"x\"}",
        b"{\"name\":1,\"plan_id\":\"x\"}",
        b"{\"plan_id\":\"x\"}",
        b"{\"name\":\"a\",\"plan_id\":\"x\",\"is_admin\":true}",
        b"{\"name\":\"a\",\"plan_id\":\"x\",\"plan_version\":-1}",
        b"{\"name\":\"\\ud800\",\"plan_id\":\"x\"}",
        deep.as_bytes(),
    ] {
        let answer = send(Some("application/json"), malformed.to_vec()).await;
        assert_problem(
            &answer,
            400,
            "body_invalid",
            &String::from_utf8_lossy(&malformed[..malformed.len().min(40)]),
        );
        let detail = answer.body["detail"].as_str().unwrap_or_default();
        assert!(
            detail
                .chars()
                .all(|char| char == ' ' || char.is_ascii_graphic())
        );
    }
    let exact = {
        let mut exact = body.clone().into_bytes();
        exact.resize(64 * 1024, b' ');
        exact
    };
    let fits = send(Some("application/json; charset=utf-8"), exact).await;
    assert_eq!(fits.status, 201, "{fits:?}");
    assert_eq!(world.open_subaccounts(), 1);
    // An event that says base64 and is not.
    let event = json!({
        "version": "2.0", "rawPath": "/v1/tenants", "rawQueryString": "", "headers": {},
        "body": "%%%", "isBase64Encoded": true,
        "requestContext": { "http": { "method": "POST", "path": "/v1/tenants" } },
    });
    let answer = world.stack.functions.invoke("provisioning", event).await;
    assert_eq!(answer.expect("no error")["statusCode"], 400);
    let nothing = world
        .stack
        .functions
        .invoke("provisioning", json!({}))
        .await;
    assert_eq!(nothing.expect("no error")["statusCode"], 400);
}
