//! Nothing of one tenant through another one's paths.

use serde_json::json;
use tests::World;

#[tokio::test]
async fn nothing_of_tenant_b_is_seen_or_changed_through_tenant_as_paths() {
    let world = World::start().await;
    let (a, b) = (
        world.tenant("Alpha", "10").await,
        world.tenant("Bravo", "77").await,
    );
    let keys_of = |id: &str| format!("/v1/tenants/{id}/api-keys");
    let crm = world
        .post(&keys_of(&b.id), &json!({ "purpose": "crm" }))
        .await;
    let key = crm.text("/api_key/sid");
    let reference = json!({ "amount": "5", "reference": "bravo-only" });
    let paid = world
        .post(&format!("/v1/tenants/{}/top-ups", b.id), &reference)
        .await;
    assert_eq!(paid.status, 201);
    let message = format!("SM{}", "b".repeat(32));
    let fields = [
        ("AccountSid", &*b.account_sid),
        ("From", "+14155550100"),
        ("MessageSid", &message),
        ("MessageStatus", "delivered"),
        ("To", "+14155550199"),
    ];
    let token = world.auth_token(&b.account_sid);
    let recorded = world.callback(&b.id, "messages", &fields, &token).await;
    assert_eq!(recorded.status, 204, "{recorded:?}");
    world.use_today(&b, "amazon-polly", "3.25");
    world.pull(&b).await;
    let of_b = |path: &str| format!("/v1/tenants/{}{path}", b.id);
    let of_a = |path: &str| format!("/v1/tenants/{}{path}", a.id);
    let shown = world.get(&of_b(&format!("/callbacks/{message}"))).await;
    assert_eq!(
        (shown.status, &shown.body["state"]["is_final"]),
        (200, &json!(true))
    );
    let before = world.show(&b).await.body;

    let callbacks = world.get(&of_a(&format!("/callbacks/{message}"))).await;
    assert_eq!(
        (callbacks.status, callbacks.code()),
        (404, "callbacks_not_found")
    );
    let absent = world
        .get(&of_a(&format!("/callbacks/SM{}", "0".repeat(32))))
        .await;
    assert_eq!(callbacks.body, absent.body);
    for sid in [&*b.id, &b.account_sid, "x", "SMx", &key] {
        let answer = world.get(&of_a(&format!("/callbacks/{sid}"))).await;
        assert_eq!(answer.body, absent.body, "{sid}");
    }
    let revoked = world.delete(&of_a(&format!("/api-keys/{key}"))).await;
    assert_eq!((revoked.status, revoked.code()), (404, "api_key_not_found"));
    for path in [
        "",
        "/api-keys",
        "/ledger",
        "/usage?from=2026-03-01&to=2026-03-01&by=category",
        "/usage?from=2026-03-01&to=2026-03-01&by=day",
    ] {
        let answer = world.get(&of_a(path)).await;
        assert_eq!(answer.status, 200, "{path}");
        let text = answer.body.to_string();
        for foreign in [
            &*b.id,
            &b.account_sid,
            &key,
            "Bravo",
            "bravo-only",
            "3.25",
            "\"77\"",
        ] {
            assert!(!text.contains(foreign), "{path} {foreign}");
        }
    }
    // A cursor of one list means nothing in another.
    let ledger = world.get(&of_a("/ledger?cursor=9")).await;
    assert!(!ledger.body.to_string().contains("bravo-only"));
    for (verb, body) in [
        ("/suspend", json!({ "reason": "x" })),
        (
            "/top-ups",
            json!({ "amount": "1", "reference": "bravo-only" }),
        ),
        ("/api-keys", json!({ "purpose": "crm" })),
    ] {
        let answer = world.post(&of_a(verb), &body).await;
        assert!([201, 202].contains(&answer.status), "{verb} {answer:?}");
    }
    world.stack.settle().await;
    assert_eq!(world.show(&b).await.body, before);
    assert!(world.keys_at_twilio(&b.account_sid).contains(&key));
}

#[tokio::test]
async fn a_callback_signed_with_tenant_bs_token_is_refused_at_tenant_as_path() {
    let world = World::start().await;
    let (a, b) = (world.tenant("A", "0").await, world.tenant("B", "0").await);
    let token = world.auth_token(&b.account_sid);
    for account_sid in [&a.account_sid, &b.account_sid] {
        let message = format!("SM{}", "c".repeat(32));
        let fields = [
            ("AccountSid", &**account_sid),
            ("From", "+14155550100"),
            ("MessageSid", &message),
            ("MessageStatus", "delivered"),
            ("To", "+14155550199"),
        ];
        let answer = world.callback(&a.id, "messages", &fields, &token).await;
        assert_eq!(answer.status, 403, "{answer:?}");
    }
    assert!(world.items("callbacks").is_empty());
}
