//! API keys of a tenant's subaccount: the secret once, one per purpose, none that we do not know.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::json;
use tests::{Tenant, World};

async fn recorded(world: &World, tenant: &Tenant) -> BTreeSet<String> {
    let listed = world
        .get(&format!("/v1/tenants/{}/api-keys", tenant.id))
        .await;
    assert!(!listed.body.to_string().contains("secret"), "{listed:?}");
    let keys = listed.body["api_keys"].as_array().unwrap().clone();
    keys.iter()
        .filter(|key| key["revoked_at"].is_null())
        .map(|key| key["sid"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn a_key_is_issued_once_per_purpose_works_and_is_revoked() {
    let world = World::start().await;
    let tenant = world.tenant("Acme", "0").await;
    let path = format!("/v1/tenants/{}/api-keys", tenant.id);
    let issued = world.post(&path, &json!({ "purpose": "crm" })).await;
    assert_eq!(
        (issued.status, issued.text("/api_key/name")),
        (201, "Acme - crm".to_owned())
    );
    let (sid, secret) = (issued.text("/api_key/sid"), issued.text("/api_key/secret"));
    let calls = format!("/2010-04-01/Accounts/{}/Calls.json", tenant.account_sid);
    let as_key = world
        .twilio((&sid, &secret), Method::GET, &calls, &[])
        .await;
    assert_eq!(as_key.status, 200, "{as_key:?}");
    let again = world.post(&path, &json!({ "purpose": "crm" })).await;
    assert_eq!((again.status, again.code()), (409, "api_key_exists"));
    assert_eq!(
        recorded(&world, &tenant).await,
        world.keys_at_twilio(&tenant.account_sid)
    );
    for purpose in ["", " ", "x ", "a\nb", "\u{202e}", &"x".repeat(33)] {
        let answer = world.post(&path, &json!({ "purpose": purpose })).await;
        assert_eq!(
            (answer.status, answer.code()),
            (422, "purpose_invalid"),
            "{purpose:?}"
        );
    }
    for _ in 0..2 {
        assert_eq!(world.delete(&format!("{path}/{sid}")).await.status, 204);
    }
    let as_key = world
        .twilio((&sid, &secret), Method::GET, &calls, &[])
        .await;
    assert_eq!(as_key.status, 401);
    assert_eq!(
        recorded(&world, &tenant).await,
        world.keys_at_twilio(&tenant.account_sid)
    );
    let fresh = world.post(&path, &json!({ "purpose": "crm" })).await;
    assert_eq!(fresh.status, 201);
    assert_ne!(fresh.text("/api_key/sid"), sid);
    assert_eq!(
        recorded(&world, &tenant).await,
        world.keys_at_twilio(&tenant.account_sid)
    );
}

#[tokio::test]
async fn only_a_recorded_key_of_this_tenant_can_be_revoked() {
    let world = World::start().await;
    let (a, b) = (world.tenant("A", "0").await, world.tenant("B", "0").await);
    let path = format!("/v1/tenants/{}/api-keys", a.id);
    let foreign = recorded(&world, &b).await.pop_first().unwrap();
    // One that Twilio has on A's own subaccount, and that nobody recorded.
    let token = world.auth_token(&a.account_sid);
    let keys = format!("/2010-04-01/Accounts/{}/Keys.json", a.account_sid);
    let form = [("FriendlyName", "by hand")];
    let by_hand = world
        .twilio((&a.account_sid, &token), Method::POST, &keys, &form)
        .await
        .text("/sid");
    for sid in [
        &*foreign,
        &by_hand,
        &format!("SK{}", "0".repeat(32)),
        "x",
        "%00",
    ] {
        let answer = world.delete(&format!("{path}/{sid}")).await;
        assert_eq!(
            (answer.status, answer.code()),
            (404, "api_key_not_found"),
            "{sid}"
        );
    }
    assert!(world.keys_at_twilio(&a.account_sid).contains(&by_hand));
    assert!(world.keys_at_twilio(&b.account_sid).contains(&foreign));
}

#[tokio::test]
async fn keys_asked_for_at_once_are_all_recorded_or_none_of_them_stays() {
    let world = World::start().await;
    let tenant = world.tenant("Acme", "0").await;
    let path = format!("/v1/tenants/{}/api-keys", tenant.id);
    let (crm, erp) = (json!({ "purpose": "crm" }), json!({ "purpose": "erp" }));
    let ask = |body| world.post(&path, body);
    let (a, b, c, d) = tokio::join!(ask(&crm), ask(&crm), ask(&erp), ask(&crm));
    let recorded = recorded(&world, &tenant).await;
    assert_eq!(recorded, world.keys_at_twilio(&tenant.account_sid));
    for answer in [&a, &b, &c, &d] {
        match answer.status {
            201 => assert!(recorded.contains(&answer.text("/api_key/sid"))),
            409 => assert!(["api_key_exists", "request_in_progress"].contains(&answer.code())),
            503 => assert!(answer.header("retry-after").is_some()),
            _ => panic!("{answer:?}"),
        }
    }
    let made = [&a, &b, &d]
        .iter()
        .filter(|answer| answer.status == 201)
        .count();
    assert_eq!(made, 1, "{a:?} {b:?} {d:?}");
}
