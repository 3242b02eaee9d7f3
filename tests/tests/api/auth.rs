//! Who may ask: operator keys, whose plain text is stored nowhere.

use reqwest::Method;
use serde_json::json;
use tests::{Answer, World};

async fn ask(world: &World, headers: &[(&str, &str)]) -> Answer {
    world
        .request(Method::GET, "/v1/plans", headers, Vec::new())
        .await
}

#[tokio::test]
async fn every_bearer_that_is_not_valid_gets_the_same_401() {
    let world = World::start().await;
    let good = world.bearer();
    let known = world.get("/v1/plans").await;
    assert_eq!(known.status, 200);
    let (id, secret) = good.rsplit_once('_').map_or_else(
        || panic!("{good}"),
        |_| good["Bearer tgk_".len()..].split_at(30),
    );
    let other = format!("_{}", "A".repeat(43));
    let refused = [
        String::new(),
        "Bearer".to_owned(),
        "Bearer ".to_owned(),
        "Bearer x".to_owned(),
        "Basic dGVzdDp0ZXN0".to_owned(),
        good.replace("Bearer ", "Basic "),
        good["Bearer ".len()..].to_owned(),
        good[..good.len() - 1].to_owned(),
        format!("{good}A"),
        format!("Bearer tgk_{id}{other}"),
        format!("Bearer tgk_opk_{}{secret}", "0".repeat(26)),
        format!("Bearer tgk_opk_{}{other}", "0".repeat(26)),
        format!("Bearer tgk_{}{secret}", id.to_lowercase()),
        format!("{good}, {good}"),
    ];
    let missing = ask(&world, &[]).await;
    assert_eq!((missing.status, missing.code()), (401, "unauthenticated"));
    assert_eq!(missing.header("www-authenticate"), Some("Bearer"));
    for bearer in &refused {
        let answer = ask(&world, &[("authorization", bearer)]).await;
        assert_eq!(
            (answer.status, &answer.body),
            (401, &missing.body),
            "{bearer}"
        );
    }
    let every_route = [
        (Method::POST, "/v1/plans"),
        (Method::POST, "/v1/tenants"),
        (Method::GET, "/v1/tenants"),
        (Method::GET, "/v1/tenants/x"),
        (Method::POST, "/v1/tenants/x/suspend"),
        (Method::POST, "/v1/tenants/x/reactivate"),
        (Method::POST, "/v1/tenants/x/top-ups"),
        (Method::POST, "/v1/tenants/x/api-keys"),
        (Method::DELETE, "/v1/tenants/x/api-keys/y"),
        (Method::GET, "/v1/tenants/x/usage"),
        (Method::GET, "/v1/tenants/x/ledger"),
        (Method::GET, "/v1/tenants/x/callbacks/y"),
        (Method::GET, "/v1/reconciliation"),
        (Method::GET, "/v1/subaccounts/unowned"),
        (Method::POST, "/v1/migrations"),
        (Method::GET, "/v1/migrations/x/view"),
        (Method::POST, "/v1/migrations/x/credentials"),
        (Method::PUT, "/v1/shared-subaccounts/x"),
        (Method::POST, "/v1/operator-keys"),
        (Method::DELETE, "/v1/operator-keys/x"),
    ];
    for (method, path) in every_route {
        let answer = world.request(method, path, &[], Vec::new()).await;
        assert_eq!(
            (answer.status, &answer.body),
            (401, &missing.body),
            "{path}"
        );
    }
}

#[tokio::test]
async fn the_first_operator_key_comes_from_the_secret_and_is_kept_as_a_hash_only() {
    let world = World::start().await;
    assert_eq!(world.items("control").len(), 0);
    assert_eq!(world.get("/v1/tenants").await.status, 200);
    let rows = world.items("control");
    assert_eq!(rows.len(), 1, "{rows:?}");
    let hash = rows[0]["hash"]["S"].as_str().expect("a hash");
    assert!(hash.len() == 64 && hash.bytes().all(|byte| byte.is_ascii_hexdigit()));
    let id = &world.stack.operator_key["tgk_".len()..][..30];
    assert_eq!(rows[0]["pk"]["S"], format!("KEY#{id}"));
    let kept = world.everything_kept();
    let secret = &world.stack.operator_key[world.stack.operator_key.len() - 43..];
    assert!(!kept.contains(secret));
}

#[tokio::test]
async fn a_wrong_secret_for_the_first_keys_id_adopts_nothing() {
    let world = World::start().await;
    let (id, _) = world.stack.operator_key["tgk_".len()..].split_at(30);
    let forged = format!("Bearer tgk_{id}_{}", "A".repeat(43));
    let answer = ask(&world, &[("authorization", &forged)]).await;
    assert_eq!(answer.status, 401);
    assert_eq!(world.items("control").len(), 0);
    assert_eq!(world.get("/v1/plans").await.status, 200);
}

#[tokio::test]
async fn a_revoked_key_stays_revoked_even_the_first_one() {
    let world = World::start().await;
    let made = world
        .post("/v1/operator-keys", &json!({ "name": "billing" }))
        .await;
    assert_eq!(made.status, 201, "{made:?}");
    let bearer = format!("Bearer {}", made.text("/bearer"));
    let second = [("authorization", bearer.as_str())];
    assert_eq!(ask(&world, &second).await.status, 200);
    let first_id = world.stack.operator_key["tgk_".len()..][..30].to_owned();
    let path = format!("/v1/operator-keys/{first_id}");
    let own = world.delete(&path).await;
    assert_eq!((own.status, own.code()), (409, "operator_key_in_use"));
    let revoked = world
        .request(Method::DELETE, &path, &second, Vec::new())
        .await;
    assert_eq!(revoked.status, 204);
    // The secret still holds its text, but the row says what holds.
    assert_eq!(world.get("/v1/plans").await.status, 401);
    world.pass(jiff::SignedDuration::from_mins(5)).await;
    assert_eq!(world.get("/v1/plans").await.status, 401);
    assert_eq!(ask(&world, &second).await.status, 200);
    for unknown in [format!("opk_{}", "0".repeat(26)), "x".to_owned()] {
        let path = format!("/v1/operator-keys/{unknown}");
        let answer = world
            .request(Method::DELETE, &path, &second, Vec::new())
            .await;
        assert_eq!(
            (answer.status, answer.code()),
            (404, "operator_key_not_found")
        );
    }
}
