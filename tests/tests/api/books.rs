//! The books proven over the API, what they sum to, and why a line is charged what it is charged.

use serde_json::json;
use tests::{Tenant, World};

fn of(tenant: &Tenant, end: &str) -> String {
    format!("/v1/tenants/{}/{end}", tenant.id)
}

/// Two tenants with usage, gifts, money moved and money given back.
async fn busy() -> (World, Tenant, Tenant) {
    let world = World::start().await;
    let (acme, other) = (
        world.tenant("Acme", "5").await,
        world.tenant("Other", "20").await,
    );
    let gift = json!({ "amount": "1", "reason": "welcome" });
    assert_eq!(world.post(&of(&acme, "credits"), &gift).await.status, 201);
    for price in ["2", "9", "3.00007"] {
        world.use_today(&acme, "calls-outbound", price);
        world.use_today(&acme, "sms-outbound-longcode", "0.79");
        world.pull(&acme).await;
    }
    let moved = json!({ "from": other.id, "to": acme.id, "amount": "3", "reason": "merged" });
    assert_eq!(world.post("/v1/transfers", &moved).await.status, 201);
    (world, acme, other)
}

#[tokio::test]
async fn books_that_nobody_touched_are_proven_and_sum_to_zero() {
    let (world, acme, _) = busy().await;
    let proof = world.get(&of(&acme, "ledger/verify")).await;
    assert_eq!(
        (proof.status, &proof.body["differences"]),
        (200, &json!([])),
        "{proof:?}"
    );
    let mut proven = 0;
    let mut cursor = String::new();
    loop {
        let page = world
            .get(&format!("/v1/ledger/verify?limit=1{cursor}"))
            .await;
        for tenant in page.body["tenants"].as_array().unwrap() {
            assert_eq!(tenant["differences_count"], 0, "{tenant}");
            proven += 1;
        }
        match page.body["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(proven, 2);
    let sums = world
        .get("/v1/ledger/accounts?from=2026-03-01&to=2026-03-31")
        .await;
    let usd = &sums.body["currencies"][0];
    assert_eq!(
        (&usd["total"], &usd["tenants"]),
        (&json!("0"), &json!(2)),
        "{sums:?}"
    );
    assert_eq!(usd["accounts"]["suspense"], "0");
    assert_eq!(
        usd["revenue_by_category"],
        json!({ "calls-outbound": "4.500105", "sms-outbound": "1.185" })
    );
    assert_eq!(usd["accounts"]["revenue"], "5.685105");
}

#[tokio::test]
async fn a_line_is_explained_from_its_rule_to_the_lots_that_paid() {
    let (world, acme, _) = busy().await;
    let path = of(&acme, "explain?day=2026-03-01&category=calls-outbound");
    let answer = world.get(&path).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let line = &answer.body["lines"][0];
    assert_eq!(line["rule"]["id"], "default");
    assert_eq!(
        line["steps"],
        json!([{ "text": "cost 3.00007 x 1.5", "amount": "4.500105" },
            { "text": "rounded to 9 decimals", "amount": "4.500105" }])
    );
    assert_eq!(
        (&line["charge"], &line["agrees"]),
        (&json!("4.500105"), &json!(true))
    );
    assert_eq!(line["booked_by"].as_array().unwrap().len(), 3);
    assert_eq!(line["day_paid_by"][0]["class"], "promotional");
    for (query, status, code) in [
        ("day=2026-03-01&category=lookups", 404, "line_not_found"),
        (
            "day=2026-03-02&category=calls-outbound",
            404,
            "line_not_found",
        ),
        ("period=2026-03-02&rule=x", 404, "line_not_found"),
        ("day=2026-03-01&category=x", 400, "query_invalid"),
        ("period=2026-03-01", 400, "query_invalid"),
        ("category=lookups", 400, "query_invalid"),
    ] {
        let answer = world.get(&of(&acme, &format!("explain?{query}"))).await;
        assert_eq!((answer.status, answer.code()), (status, code), "{query}");
    }
}

#[tokio::test]
async fn a_row_that_was_changed_by_hand_is_named() {
    let (world, acme, _) = busy().await;
    let names = world.stack.aws.names();
    let change = |table: &str, sk: &str, field: &str, value: &str| {
        let request = json!({ "TableName": names.of(table), "Key": { "pk": { "S": format!("T#{}", acme.id) }, "sk": { "S": sk } },
            "UpdateExpression": "SET #f = :v", "ExpressionAttributeNames": { "#f": field }, "ExpressionAttributeValues": { ":v": { "S": value } } });
        let changed = world
            .stack
            .aws
            .inspect("DynamoDB_20120810.UpdateItem", &request);
        changed.expect("the row is changed");
    };
    change("ledger", "E#0000000002", "why", "another reason");
    change("usage", "D#2026-03-01", "p", "");
    change("ledger", "WALLET", "overdraft", "7");
    let proof = world.get(&of(&acme, "ledger/verify")).await;
    let found: Vec<&str> = proof.body["differences"]
        .as_array()
        .unwrap()
        .iter()
        .map(|difference| difference["what"].as_str().unwrap())
        .collect();
    assert_eq!(
        found,
        [
            "row E#0000000002 hash",
            "overdraft",
            "day 2026-03-01 paid by"
        ]
    );
    assert_eq!(proof.body["differences_count"], 3);
}
