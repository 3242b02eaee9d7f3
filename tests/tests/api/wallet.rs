//! Money in, usage out: every amount is a decimal string, and everything adds up.

use domain::Decimal;
use domain::ids::TenantId;
use domain::ledger::EntryKind;
use serde_json::{Value, json};
use tests::{Tenant, World};

fn top_ups(tenant: &Tenant) -> String {
    format!("/v1/tenants/{}/top-ups", tenant.id)
}

fn decimal(value: &Value) -> Decimal {
    Decimal::from_str_exact(value.as_str().expect("a decimal string")).expect("a decimal")
}

#[tokio::test]
async fn an_amount_is_a_positive_decimal_string_of_minor_units() {
    let world = World::start().await;
    let tenant = world.tenant("Acme", "0").await;
    for (amount, status, code) in [
        (json!("0"), 422, "amount_invalid"),
        (json!("-5"), 422, "amount_invalid"),
        (json!("0.001"), 422, "amount_invalid"),
        (json!("1,5"), 422, "amount_invalid"),
        (json!(" 1"), 422, "amount_invalid"),
        (json!(""), 422, "amount_invalid"),
        (json!("NaN"), 422, "amount_invalid"),
        (json!("9".repeat(40)), 422, "amount_invalid"),
        (json!("99999999999999999999"), 422, "amount_invalid"),
        (json!(5), 400, "body_invalid"),
        (json!(5.5), 400, "body_invalid"),
        (json!(null), 400, "body_invalid"),
        (json!({ "usd": "5" }), 400, "body_invalid"),
    ] {
        let answer = world
            .post(&top_ups(&tenant), &json!({ "amount": amount }))
            .await;
        assert_eq!((answer.status, answer.code()), (status, code), "{amount}");
    }
    for (field, value, code) in [
        ("reference", "", "reference_invalid"),
        ("reference", "a b", "reference_invalid"),
        ("reason", "", "reason_invalid"),
        ("reason", "a\nb", "reason_invalid"),
    ] {
        let mut body = json!({ "amount": "5" });
        body[field] = json!(value);
        let answer = world.post(&top_ups(&tenant), &body).await;
        assert_eq!(
            (answer.status, answer.code()),
            (422, code),
            "{field} {value:?}"
        );
    }
    let path = top_ups(&tenant);
    let headers = [
        ("authorization", &*world.bearer()),
        ("content-type", "application/json"),
    ];
    let body = br#"{"amount":"5"}"#.to_vec();
    let keyless = world
        .request(reqwest::Method::POST, &path, &headers, body)
        .await;
    assert_eq!(
        (keyless.status, keyless.code()),
        (400, "idempotency_key_missing")
    );
    assert_eq!(world.show(&tenant).await.text("/balance"), "0");
}

#[tokio::test]
async fn a_payment_is_booked_once_whichever_key_repeats_it() {
    let world = World::start().await;
    let tenant = world.tenant("Acme", "0").await;
    let path = top_ups(&tenant);
    let body = json!({ "amount": "50.00", "reference": "inv-1" });
    let paid = world.post_as(&path, "pay-1", &body).await;
    assert_eq!((paid.status, paid.text("/balance")), (201, "50".to_owned()));
    let replay = world.post_as(&path, "pay-1", &body).await;
    assert_eq!((replay.status, &replay.body), (201, &paid.body));
    assert_eq!(replay.header("idempotent-replayed"), Some("true"));
    let mismatch = world
        .post_as(&path, "pay-1", &json!({ "amount": "51" }))
        .await;
    assert_eq!(
        (mismatch.status, mismatch.code()),
        (422, "idempotency_key_mismatch")
    );
    let same = world.post_as(&path, "pay-2", &body).await;
    assert_eq!(
        (same.status, &same.body["entry"]),
        (200, &paid.body["entry"])
    );
    let more = json!({ "amount": "60", "reference": "inv-1" });
    let taken = world.post_as(&path, "pay-3", &more).await;
    assert_eq!((taken.status, taken.code()), (409, "reference_taken"));
    // The same key for another tenant is another request.
    let other = world.tenant("Other", "0").await;
    let elsewhere = world.post_as(&top_ups(&other), "pay-1", &body).await;
    assert_eq!(
        (elsewhere.status, elsewhere.code()),
        (422, "idempotency_key_mismatch")
    );
    let plan = world.plan(0).await;
    let sign_up = json!({ "name": "Third", "plan_id": plan });
    let elsewhere = world.post_as("/v1/tenants", "pay-1", &sign_up).await;
    assert_eq!(
        (elsewhere.status, elsewhere.code()),
        (422, "idempotency_key_mismatch")
    );
    // A reference belongs to its tenant.
    let elsewhere = world.post_as(&top_ups(&other), "pay-4", &body).await;
    assert_eq!(
        (elsewhere.status, elsewhere.text("/balance")),
        (201, "50".to_owned())
    );
    assert_eq!(world.show(&tenant).await.text("/balance"), "50");
    world.stack.settle().await;
    assert_eq!(world.event_ids(&tenant.id, "wallet.topped_up").len(), 1);
}

#[tokio::test]
async fn five_same_payments_at_once_are_one_entry() {
    let world = World::start().await;
    let tenant = world.tenant("Acme", "0").await;
    let path = top_ups(&tenant);
    let body = json!({ "amount": "10" });
    let ask = || world.post_as(&path, "pay-1", &body);
    let answers = futures::future::join_all((0..5).map(|_| ask())).await;
    for answer in &answers {
        assert_eq!(
            (answer.status, answer.text("/balance")),
            (201, "10".to_owned())
        );
        assert_eq!(answer.body["entry"], answers[0].body["entry"]);
    }
    let (one, two) = (json!({ "amount": "1" }), json!({ "amount": "2" }));
    let (left, right) = tokio::join!(world.post(&path, &one), world.post(&path, &two));
    assert_eq!((left.status, right.status), (201, 201));
    assert_eq!(world.show(&tenant).await.text("/balance"), "13");
    let id = TenantId::parse(&tenant.id).unwrap();
    let chain = world.store().entry_chain(&id).await.unwrap();
    let kinds: Vec<EntryKind> = chain.iter().map(|entry| entry.kind).collect();
    assert_eq!(kinds[1..], [EntryKind::TopUp; 3]);
}

#[tokio::test]
async fn usage_by_day_and_by_category_and_the_ledger_sum_to_the_wallet() {
    let world = World::start().await;
    let tenant = world.tenant("Acme", "100").await;
    for (category, price) in [
        ("sms-outbound-longcode", "1.2345"),
        ("calls-outbound", "0.013"),
        ("amazon-polly", "3.00007"),
        ("carrier-pigeons", "0.5"),
    ] {
        world.use_today(&tenant, category, price);
    }
    world.pull(&tenant).await;
    world.pass(jiff::SignedDuration::from_hours(24)).await;
    world.use_today(&tenant, "sms-outbound-longcode", "7");
    world.pull(&tenant).await;
    world.use_today(&tenant, "sms-outbound-longcode", "6.5");
    world.pull(&tenant).await;
    let shown = world.show(&tenant).await;
    assert_eq!(decimal(&shown.body["cost"]), "11.24757".parse().unwrap());
    let range = "from=2026-03-01&to=2026-03-02";
    for by in ["day", "category"] {
        let path = format!("/v1/tenants/{}/usage?{range}&by={by}", tenant.id);
        let usage = world.get(&path).await;
        let rows = usage.body["rows"].as_array().unwrap();
        let sum = |field: &str| rows.iter().map(|row| decimal(&row[field])).sum::<Decimal>();
        assert_eq!(sum("cost"), decimal(&shown.body["cost"]), "{usage:?}");
        assert_eq!(sum("charge"), decimal(&shown.body["charged"]), "{usage:?}");
        assert_eq!(usage.body["cost"], shown.body["cost"]);
        assert_eq!(usage.body["charge"], shown.body["charged"]);
    }
    let balance = decimal(&shown.body["balance"]);
    assert_eq!(
        balance,
        Decimal::from(100) - decimal(&shown.body["charged"])
    );
    // The ledger, page by page.
    let (mut entries, mut cursor) = (Vec::new(), String::new());
    loop {
        let path = format!("/v1/tenants/{}/ledger?limit=2{cursor}", tenant.id);
        let page = world.get(&path).await;
        entries.extend(page.body["entries"].as_array().unwrap().clone());
        match page.body["next_cursor"].as_u64() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    let seqs: Vec<u64> = entries
        .iter()
        .map(|entry| entry["seq"].as_u64().unwrap())
        .collect();
    let expected: Vec<u64> = (1..=seqs.len() as u64).rev().collect();
    assert_eq!(seqs, expected);
    let (mut in_wallet, mut charged) = (Decimal::ZERO, Decimal::ZERO);
    for entry in &entries {
        let postings = entry["postings"].as_array().unwrap();
        let total: Decimal = postings
            .iter()
            .map(|posting| decimal(&posting["amount"]))
            .sum();
        assert_eq!(total, Decimal::ZERO, "{entry}");
        let on_wallet = postings
            .iter()
            .filter(|posting| posting["account"] == "wallet");
        in_wallet += on_wallet
            .map(|posting| decimal(&posting["amount"]))
            .sum::<Decimal>();
        let lines = entry["lines"].as_array().unwrap();
        charged += lines
            .iter()
            .map(|line| decimal(&line["charge"]))
            .sum::<Decimal>();
    }
    assert_eq!(
        (in_wallet, charged),
        (balance, decimal(&shown.body["charged"]))
    );
    let id = TenantId::parse(&tenant.id).unwrap();
    let chain = world.store().entry_chain(&id).await.unwrap();
    assert_eq!(chain.len(), entries.len());
    for wrong in [
        "limit=0",
        "limit=101",
        "cursor=-1",
        "cursor=x",
        "cursor=99999999999",
        "x=1",
    ] {
        let answer = world
            .get(&format!("/v1/tenants/{}/ledger?{wrong}", tenant.id))
            .await;
        assert_eq!(
            (answer.status, answer.code()),
            (400, "query_invalid"),
            "{wrong}"
        );
    }
    for (wrong, code) in [
        ("from=2026-03-02&to=2026-03-01", "invalid_range"),
        ("from=2026-03-01", "invalid_range"),
        ("from=2025-01-01&to=2026-03-01", "invalid_range"),
        ("from=2026-02-30&to=2026-03-01", "invalid_range"),
        ("from=2026-03-01&to=2026-03-01&by=hour", "query_invalid"),
    ] {
        let answer = world
            .get(&format!("/v1/tenants/{}/usage?{wrong}", tenant.id))
            .await;
        assert_eq!((answer.status, answer.code()), (400, code), "{wrong}");
    }
}
