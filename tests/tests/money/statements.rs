//! Statements over the wire: closed by the clock or on request, final once, numbered without gaps, corrected on
//! the next one, void with a credit note; as JSON, CSV and a page.

use domain::Date;
use domain::ledger::LedgerAccount;
use domain::statement::State;
use jiff::{SignedDuration, ToSpan as _};
use reqwest::Method;
use serde_json::{Value, json};
use tests::explorer::{Disturbance, explore, explore_together};
use tests::{Answer, Tenant, World};

use super::support::*;

const INVOICER: &str = "invoicer";

fn days(count: i64) -> SignedDuration {
    SignedDuration::from_hours(24 * count)
}

fn of(tenant: &Tenant, path: &str) -> String {
    format!("/v1/tenants/{}/{path}", tenant.id)
}

async fn patch(world: &World, path: &str, body: &Value) -> Answer {
    send(world, Method::PATCH, path, body).await
}

async fn send(world: &World, method: Method, path: &str, body: &Value) -> Answer {
    let bearer = world.bearer();
    let headers = [
        ("authorization", bearer.as_str()),
        ("content-type", "application/json"),
    ];
    world
        .request(method, path, &headers, body.to_string().into_bytes())
        .await
}

/// A tenant that is taxed at 19 percent and has paid 100.
async fn taxed(world: &World, name: &str) -> Tenant {
    let tenant = world.tenant(name, "100").await;
    let billing = json!({ "tax_rate": "0.19", "tax_id": "DE123", "bill_to": ["Main street 1", "Springfield"] });
    let answer = patch(world, &of(&tenant, "billing"), &billing).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    tenant
}

async fn list(world: &World, tenant: &Tenant) -> Vec<Value> {
    let answer = world.get(&of(tenant, "statements")).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.body["statements"].as_array().unwrap().clone()
}

async fn show(world: &World, tenant: &Tenant, period: &str) -> Value {
    let answer = world
        .get(&of(tenant, &format!("statements/{period}")))
        .await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.body
}

fn shown_sum(statement: &Value) -> domain::Decimal {
    let rows = ["lines", "corrections"];
    let rows = rows
        .iter()
        .flat_map(|kind| statement[kind].as_array().unwrap());
    rows.map(|row| decimal(row["charge"].as_str().unwrap()))
        .sum()
}

fn total(statement: &Value, name: &str) -> domain::Decimal {
    decimal(statement["totals"][name].as_str().unwrap())
}

/// What every statement and the books beside it must agree on.
async fn sound(world: &World, tenant: &Tenant) {
    books(world, tenant).await;
    let proof = world.get(&of(tenant, "ledger/verify")).await;
    assert_eq!(proof.body["differences"], json!([]));
    let mut before: Option<domain::Decimal> = None;
    for row in list(world, tenant)
        .await
        .iter()
        .rev()
        .filter(|row| row["state"] != "void")
    {
        let statement = show(world, tenant, row["period"].as_str().unwrap()).await;
        assert_eq!(shown_sum(&statement), total(&statement, "net"));
        let of = |name: &str| total(&statement, name);
        assert_eq!(
            of("closing"),
            of("opening") + of("payments") + of("other") - of("net") - of("tax")
        );
        assert_eq!(of("opening"), before.unwrap_or_default());
        before = Some(of("closing"));
    }
    let current = show(world, tenant, "current").await;
    let of = |name: &str| total(&current, name);
    let balance = books(world, tenant).await.balance();
    assert_eq!(
        of("opening") + of("payments") + of("other") - of("net_exact"),
        balance
    );
}

#[tokio::test]
async fn a_month_is_stated_three_days_after_its_end_and_says_what_the_preview_said() {
    let world = World::start().await;
    let tenant = taxed(&world, "Acme").await;
    revise(&world, &tenant, today(&world), SMS, "2.00341");
    revise(&world, &tenant, today(&world), VOICE, "0.12345");
    world.pass(days(33)).await;
    assert_eq!(
        list(&world, &tenant).await,
        [] as [Value; 0],
        "it has not settled"
    );
    let preview = show(&world, &tenant, "2026-03-01").await;
    assert_eq!(
        (&preview["preview"], &preview["number"]),
        (&json!(true), &Value::Null)
    );
    world.pass(days(2)).await;
    let listed = list(&world, &tenant).await;
    assert_eq!(listed.len(), 1);
    assert_eq!(
        (&listed[0]["state"], &listed[0]["number"]),
        (&json!("paid"), &json!("000001"))
    );
    let statement = show(&world, &tenant, "2026-03-01").await;
    for part in ["lines", "corrections", "movements", "totals", "client"] {
        assert_eq!(statement[part], preview[part], "{part}");
    }
    // 2.12686 at cost, half as much again: 3.19029, 19 percent of it 0.61.
    assert_eq!(
        ["net_exact", "net", "tax", "gross", "closing"].map(|name| total(&statement, name)),
        ["3.19029", "3.19", "0.61", "3.8", "96.2"].map(decimal)
    );
    assert_eq!(statement["client"]["tax_id"], "DE123");
    let wallet = books(&world, &tenant).await;
    assert_eq!(wallet.balance(), decimal("96.2"));
    assert_eq!(wallet.account(LedgerAccount::Tax), decimal("0.61"));
    assert_eq!(wallet.account(LedgerAccount::Rounding), decimal("-0.00029"));
    assert_eq!(events(&world, &tenant, "statement.finalized").len(), 1);
    sound(&world, &tenant).await;
}

#[tokio::test]
async fn a_revision_after_the_close_is_on_the_next_statement_and_the_final_one_never_changes() {
    let world = World::start().await;
    let tenant = taxed(&world, "Acme").await;
    let first = today(&world);
    revise(&world, &tenant, first, SMS, "2");
    world.pass(days(36)).await;
    let final_one = show(&world, &tenant, "2026-03-01").await;
    revise(&world, &tenant, first, SMS, "1.5");
    let ask = json!({ "from": first, "to": first, "reason": "late" });
    assert_eq!(world.post(&of(&tenant, "pulls"), &ask).await.status, 202);
    world.pass(days(30)).await;
    assert_eq!(show(&world, &tenant, "2026-03-01").await, final_one);
    let next = show(&world, &tenant, "2026-04-01").await;
    let correction = &next["corrections"][0];
    assert_eq!(
        (
            &correction["period"],
            &correction["reference"],
            &correction["charge"]
        ),
        (&json!("2026-03-01"), &json!("000001"), &json!("-0.75"))
    );
    assert_eq!(
        total(&next, "tax"),
        decimal("0"),
        "no tax on what is given back"
    );
    sound(&world, &tenant).await;
}

#[tokio::test]
async fn what_is_owed_is_due_and_paid_when_it_has_come_in() {
    let world = World::start().await;
    let plan = json!({ "name": "Postpaid", "currency": "USD", "default_multiplier": "1.5", "payment": "postpaid",
        "due_days": 14, "standing": { "low_balance": "0", "resume_at": "0", "grace_minutes": 60, "credit_limit": "500" } });
    let plan = world.post("/v1/plans", &plan).await;
    assert_eq!(plan.status, 201, "{plan:?}");
    let body = json!({ "name": "Acme", "plan_id": plan.text("/plan_id"), "time_zone": "America/New_York" });
    let made = world.post("/v1/tenants", &body).await;
    let tenant = Tenant {
        id: made.text("/id"),
        account_sid: made.text("/account_sid"),
    };
    world.stack.settle().await;
    revise(&world, &tenant, today(&world), SMS, "20");
    world.pass(days(38)).await;
    let statements = list(&world, &tenant).await;
    // 1 March 00:00 GMT is February still in New York.
    let names: Vec<&Value> = statements.iter().map(|one| &one["period"]).collect();
    assert_eq!(names, ["2026-03-01", "2026-02-01"]);
    let march = &statements[0];
    assert_eq!(march["start"], "2026-03-01T05:00:00Z");
    assert_eq!(
        march["end"], "2026-04-01T04:00:00Z",
        "an hour less: daylight saving time began"
    );
    assert_eq!(
        (&march["state"], &march["totals"]["due"]),
        (&json!("final"), &json!("30"))
    );
    assert_eq!(march["due_on"], "2026-04-18");
    let pay = |amount: &str| json!({ "amount": amount });
    world.post(&of(&tenant, "top-ups"), &pay("29.99")).await;
    world.pass(days(1)).await;
    assert_eq!(list(&world, &tenant).await[0]["state"], "final");
    world.post(&of(&tenant, "top-ups"), &pay("0.01")).await;
    world.pass(days(1)).await;
    let paid = &list(&world, &tenant).await[0];
    assert_eq!(paid["state"], "paid");
    assert_ne!(paid["paid_at"], Value::Null);
    assert_eq!(events(&world, &tenant, "statement.paid").len(), 1);
    sound(&world, &tenant).await;
}

#[tokio::test]
async fn a_statement_is_made_void_by_a_credit_note_and_stated_again_with_the_new_address() {
    let world = World::start().await;
    let tenant = taxed(&world, "Acme").await;
    revise(&world, &tenant, today(&world), SMS, "2");
    world.pass(days(36)).await;
    let before = books(&world, &tenant).await.balance();
    let path = of(&tenant, "statements/2026-03-01/void");
    let why = json!({ "reason": "wrong address" });
    let voided = world.post(&path, &why).await;
    assert_eq!(voided.status, 200, "{voided:?}");
    assert_eq!(voided.body["credit_note"]["number"], "C000001");
    assert_eq!(
        books(&world, &tenant).await.balance(),
        before + decimal("0.57")
    );
    let again = world.post(&path, &why).await;
    assert_eq!(
        (again.status, &again.body["credit_note"]["number"]),
        (200, &json!("C000001"))
    );
    patch(
        &world,
        &of(&tenant, "billing"),
        &json!({ "bill_to": ["Elm street 2"] }),
    )
    .await;
    world.pass(days(1)).await;
    let issues = list(&world, &tenant).await;
    let shown: Vec<(&Value, &Value)> = issues
        .iter()
        .map(|one| (&one["state"], &one["number"]))
        .collect();
    assert_eq!(
        shown,
        [
            (&json!("paid"), &json!("000002")),
            (&json!("void"), &json!("000001"))
        ]
    );
    let second = show(&world, &tenant, "2026-03-01").await;
    assert_eq!(second["client"]["address"], json!(["Elm street 2"]));
    let first = show(&world, &tenant, "2026-03-01?issue=1").await;
    assert_eq!(
        first["client"]["address"],
        json!(["Main street 1", "Springfield"])
    );
    assert_eq!(books(&world, &tenant).await.balance(), before);
    world.pass(days(30)).await;
    let late = world.post(&path, &why).await;
    assert_eq!((late.status, late.code()), (409, "statement_not_latest"));
    sound(&world, &tenant).await;
}

#[tokio::test]
async fn numbers_have_no_gaps_when_many_statements_become_final_at_once() {
    let world = World::start().await;
    let mut tenants = Vec::new();
    for number in 0..6 {
        let tenant = taxed(&world, &format!("Tenant {number}")).await;
        revise(&world, &tenant, today(&world), SMS, "1.23");
        tenants.push(tenant);
    }
    world.pass(days(32)).await;
    let functions = &world.stack.functions;
    let bodies = tenants
        .iter()
        .map(|tenant| json!({ "tenant_id": tenant.id, "cause": "requested" }).to_string());
    let twice: Vec<String> = bodies.clone().chain(bodies).collect();
    let runs = twice
        .iter()
        .map(|body| functions.invoke(INVOICER, sqs_event(std::slice::from_ref(body))));
    let mut failed = Vec::new();
    for (body, answer) in twice.iter().zip(futures::future::join_all(runs).await) {
        if answer.unwrap()["batchItemFailures"] != json!([]) {
            failed.push(body.clone());
        }
    }
    for body in failed {
        let answer = functions
            .invoke(INVOICER, sqs_event(&[body]))
            .await
            .unwrap();
        assert_eq!(answer["batchItemFailures"], json!([]));
    }
    let mut numbers = Vec::new();
    for tenant in &tenants {
        let statements = list(&world, tenant).await;
        assert_eq!(statements.len(), 1);
        numbers.push(statements[0]["number"].as_str().unwrap().to_owned());
        sound(&world, tenant).await;
    }
    numbers.sort();
    assert_eq!(
        numbers,
        (1..=6)
            .map(|number| format!("{number:06}"))
            .collect::<Vec<_>>()
    );
}

#[tokio::test]
async fn a_period_whose_usage_is_not_complete_waits_unless_somebody_asks() {
    let world = World::start().await;
    let tenant = taxed(&world, "Acme").await;
    revise(&world, &tenant, today(&world), SMS, "2");
    world.pull(&tenant).await;
    strike(&world, 100_000, status(500, None));
    world.pass(days(40)).await;
    assert_eq!(list(&world, &tenant).await, [] as [Value; 0]);
    let ask = json!({ "reason": "the year ends" });
    assert_eq!(
        world.post(&of(&tenant, "statements"), &ask).await.status,
        202
    );
    world.pass(SignedDuration::from_mins(12)).await;
    assert_eq!(list(&world, &tenant).await.len(), 1);
    sound(&world, &tenant).await;
}

#[tokio::test]
async fn a_page_and_a_table_show_the_same_and_hold_what_people_wrote_harmlessly() {
    let world = World::start().await;
    let tenant = taxed(&world, "A & B <script>alert(1)</script>").await;
    let profile = json!({ "name": "Resale \"Voice\" Inc.", "address": ["1 Infinite Loop"], "tax_id": "US-9",
        "email": "billing@example.test", "number_prefix": "RV-2026-", "footer": "Pay to account 1." });
    let set = send(&world, Method::PUT, "/v1/operator-profile", &profile).await;
    assert_eq!(set.status, 200, "{set:?}");
    let wrong = send(
        &world,
        Method::PUT,
        "/v1/operator-profile",
        &json!({ "name": "x", "number_prefix": "<" }),
    )
    .await;
    assert_eq!((wrong.status, wrong.code()), (422, "profile_invalid"));
    let adjustment = json!({ "amount": "-1", "reason": "=HYPERLINK(\"x\")" });
    assert_eq!(
        world
            .post(&of(&tenant, "adjustments"), &adjustment)
            .await
            .status,
        201
    );
    revise(&world, &tenant, today(&world), SMS, "1234.5");
    world.pass(days(36)).await;
    let statement = show(&world, &tenant, "2026-03-01").await;
    assert_eq!(statement["number"], "RV-2026-000001");
    let bearer = world.bearer();
    let text = |format: &str| {
        let path = format!(
            "{}{}?format={format}",
            world.stack.base_url,
            of(&tenant, "statements/2026-03-01")
        );
        let request = reqwest::Client::builder()
            .no_proxy()
            .build()
            .unwrap()
            .get(path);
        let request = request.header("authorization", &bearer);
        async move { request.send().await.unwrap().error_for_status().unwrap() }
    };
    let page = text("html").await;
    assert!(
        page.headers()["content-security-policy"]
            .to_str()
            .unwrap()
            .starts_with("default-src 'none'")
    );
    let page = page.text().await.unwrap();
    assert!(
        !page.contains("<script>") && page.contains("RV-2026-000001"),
        "{page}"
    );
    for shown in [
        "1,851.75",
        "351.83",
        "2,203.58",
        "Pay to account 1.",
        "Main street 1",
    ] {
        assert!(page.contains(shown), "{shown} in {page}");
    }
    let table = text("csv").await;
    let name = table.headers()["content-disposition"]
        .to_str()
        .unwrap()
        .to_owned();
    assert_eq!(
        name,
        "attachment; filename=\"statement-RV-2026-000001.csv\""
    );
    let table = table.text().await.unwrap();
    assert!(
        table.contains("Adjustment: =HYPERLINK") && !table.contains(",=HYPERLINK"),
        "{table}"
    );
    let net = table.lines().find(|line| line.contains(",net,")).unwrap();
    assert!(net.contains(",1851.75,"), "{net}");
    let other = world
        .get(&of(&tenant, "statements/2026-03-01?format=pdf"))
        .await;
    assert_eq!(other.code(), "query_invalid");
}

#[tokio::test]
async fn only_periods_of_the_tenants_life_have_statements() {
    let world = World::start().await;
    let tenant = taxed(&world, "Acme").await;
    for period in [
        "2026-02-01",
        "2026-04-01",
        "2026-03-02",
        "x",
        "2026-03-01?issue=1",
    ] {
        let answer = world
            .get(&of(&tenant, &format!("statements/{period}")))
            .await;
        assert_eq!(
            (answer.status, answer.code()),
            (404, "statement_not_found"),
            "{period}"
        );
    }
    let none = world
        .post(
            &of(&tenant, "statements/2026-03-01/void"),
            &json!({ "reason": "x" }),
        )
        .await;
    assert_eq!((none.status, none.code()), (404, "statement_not_found"));
    let bad = world.get(&of(&tenant, "statements?cursor=x")).await;
    assert_eq!(bad.code(), "query_invalid");
}

#[tokio::test]
async fn margins_by_tenant_category_and_day_all_add_up_to_the_books() {
    let world = World::start().await;
    let (one, two) = (taxed(&world, "One").await, taxed(&world, "Two").await);
    let first = today(&world);
    revise(&world, &one, first, SMS, "2.5");
    revise(&world, &two, first, VOICE, "1.5");
    world.pass(days(2)).await;
    let range = format!("from={first}&to={}", first + 3.days());
    for by in ["tenant", "category", "day", "number"] {
        let answer = world.get(&format!("/v1/margin?{range}&by={by}")).await;
        let usd = &answer.body["currencies"][0];
        assert_eq!(usd["total"]["cost"], "4", "{by} {answer:?}");
        assert_eq!(usd["total"]["charge"], "6");
        assert_eq!(
            (&usd["total"]["margin"], &usd["total"]["margin_share"]),
            (&json!("2"), &json!("0.3333"))
        );
        let rows = usd["rows"].as_array().unwrap();
        let sum: domain::Decimal = rows
            .iter()
            .map(|row| decimal(row["margin"].as_str().unwrap()))
            .sum();
        assert_eq!(sum, decimal("2"));
    }
    let page = world.get(&format!("/v1/margin?{range}&limit=1")).await;
    assert_eq!(
        (&page.body["tenants"], page.body["next_cursor"].is_null()),
        (&json!(1), false)
    );
    let wrong = world.get(&format!("/v1/margin?{range}&by=colour")).await;
    assert_eq!(wrong.code(), "query_invalid");
}

#[tokio::test]
async fn a_stated_period_fixes_the_calendar_also_of_a_tenant_without_usage() {
    let world = World::start().await;
    let tenant = taxed(&world, "Quiet").await;
    world
        .stack
        .clock
        .advance_to(world.stack.clock.now() + days(40));
    world.stack.settle().await;
    state(&world, &tenant).await;
    let stated = list(&world, &tenant).await;
    assert_eq!(
        (stated.len(), &stated[0]["totals"]["gross"]),
        (1, &json!("0"))
    );
    let moved = patch(
        &world,
        &of(&tenant, "billing"),
        &json!({ "billing_day": 15 }),
    )
    .await;
    assert_eq!((moved.status, moved.code()), (409, "billing_period_fixed"));
}

/// A tenant whose first month is over and read complete.
async fn a_month() -> (World, Tenant) {
    let world = World::start().await;
    let tenant = taxed(&world, "Acme").await;
    revise(&world, &tenant, today(&world), SMS, "2.00341");
    jump(&world, &tenant, 32).await;
    (world, tenant)
}

async fn state(world: &World, tenant: &Tenant) {
    let body = json!({ "tenant_id": tenant.id, "cause": "requested" }).to_string();
    let queue = world.stack.aws.names().of("statement");
    world.stack.aws.send_message(&queue, &body).unwrap();
    world.stack.settle().await;
}

async fn redeliver(world: &World, _: &Tenant) {
    world.pass(REDELIVERY).await;
}

async fn check(world: &World, tenant: &Tenant) -> Vec<String> {
    let mut wrong = Vec::new();
    let statements = store(world)
        .statements(&id(tenant), None, 10)
        .await
        .unwrap();
    let shown: Vec<(Date, State, Option<&str>)> = statements
        .iter()
        .map(|one| (one.header.period, one.header.state, one.header.number()))
        .collect();
    if shown != [(Date::constant(2026, 3, 1), State::Paid, Some("000001"))] {
        wrong.push(format!("{shown:?}"));
    }
    if books(world, tenant).await.balance() != decimal("96.42") {
        wrong.push("tax was not booked once".to_owned());
    }
    let told = events(world, tenant, "statement.finalized").len();
    if told != 1 {
        wrong.push(format!("told {told} times"));
    }
    wrong
}

#[tokio::test]
async fn explorer_disturbed_at_each_request_a_statement_is_final_exactly_once_with_one_number() {
    let found = explore(
        "a statement",
        INVOICER,
        Disturbance::ALL,
        a_month,
        state,
        redeliver,
        check,
    )
    .await;
    found.assert_sound();
}

#[tokio::test]
async fn explorer_two_runs_in_any_order_make_one_final_statement() {
    let close = async |world: &World, tenant: &Tenant| {
        let command = json!({ "tenant_id": tenant.id, "cause": "requested" });
        drop(world.deliver("invoicer", &command).await);
    };
    let found = explore_together("two statements", a_month, close, close, redeliver, check);
    found.await.assert_sound();
}
