//! What the money tests look at: the books as they are stored, held against the simulator's totals.

use std::collections::BTreeMap;
use std::sync::Arc;

use aws::Store;
use domain::ids::TenantId;
use domain::ledger::LedgerAccount;
use domain::plan::{Origin, RuleId};
use domain::rating::{DaySheet, LineDelta, PeriodSheet, SheetLine};
use domain::usage::{Category, LineKey};
use domain::wallet::{self, Wallet};
use domain::{Date, Decimal, money};
use futures::FutureExt as _;
use jiff::SignedDuration;
use jiff::tz::TimeZone;
use local::aws::{CallInfo, Counters, Fault, Tally};
use runtime::{Environment, Host};
use serde_json::{Value, json};
use tests::{Tenant, World};
use twilio_sim::{FaultAction, FaultRule};

/// A leaf of the simulator that is booked as `sms-outbound`.
pub const SMS: &str = "sms-outbound-longcode";
/// A leaf that is booked under its own name.
pub const VOICE: &str = "calls-outbound";
/// The function under test, as the counters name it.
pub const PULLER: &str = "tollgate-usage-puller";
/// A failed message is visible again after this long, in minutes, with a little on top.
pub const REDELIVERY: SignedDuration = SignedDuration::from_secs(725);

pub fn decimal(text: &str) -> Decimal {
    money::parse_decimal(text).unwrap()
}

pub fn id(tenant: &Tenant) -> TenantId {
    TenantId::parse(&tenant.id).unwrap()
}

/// The tables, as the test itself reads them.
pub fn store(world: &World) -> Store {
    Store::connect(&settings(
        &world.stack.environment,
        &world.stack.host,
        world,
        "test",
    ))
    .unwrap()
}

fn settings(
    environment: &Environment,
    host: &Host,
    world: &World,
    function: &str,
) -> aws::Settings {
    let (now, sleep) = (host.now.clone(), host.sleep.clone());
    let lookup = |name: &str| environment.get(name);
    aws::Settings::from_lookup(lookup, function, now, sleep)
        .unwrap()
        .with_transport(world.stack.aws.http_client())
}

/// A second instance of the puller, cold and with a host and Twilio address of its own.
pub fn puller(world: &World, host: &Host, environment: &Environment) -> usage_puller::Function {
    let settings = settings(environment, host, world, "usage-puller");
    usage_puller::Function::new(environment, host, &settings).unwrap()
}

pub fn today(world: &World) -> Date {
    world.stack.clock.now().to_zoned(TimeZone::UTC).date()
}

/// Sets what Twilio says of a day, with counts and amounts as they are in life.
pub fn revise(world: &World, tenant: &Tenant, day: Date, category: &str, price: &str) {
    let sim = &world.stack.sim;
    sim.revise_usage(
        &tenant.account_sid,
        day,
        category,
        price,
        Some("12.5"),
        Some(7),
    )
    .unwrap();
}

/// A world with one funded tenant that has used this much today.
pub async fn used(price: &str) -> (World, Tenant) {
    let world = World::start().await;
    let tenant = world.tenant("Acme", "100").await;
    world.use_today(&tenant, SMS, price);
    (world, tenant)
}

/// Lets days go by in one step, without their turns; a pull then reads what came meanwhile.
pub async fn jump(world: &World, tenant: &Tenant, days: i64) {
    let clock = &world.stack.clock;
    clock.advance_to(clock.now() + SignedDuration::from_hours(24 * days));
    // The ticks of the jump are not what is looked at.
    world.stack.settle().await;
    for _ in 0..=days / 95 {
        world.pull(tenant).await;
    }
}

/// What Twilio says the subaccount has cost so far.
pub fn twilio_total(world: &World, tenant: &Tenant) -> Decimal {
    decimal(&world.stack.sim.usage_price(&tenant.account_sid).unwrap())
}

pub async fn sheets(world: &World, tenant: &Tenant) -> Vec<DaySheet> {
    let (from, to) = (Date::constant(2020, 1, 1), Date::constant(2035, 1, 1));
    store(world)
        .day_sheets(&id(tenant), from, to)
        .await
        .unwrap()
}

/// A sheet's line of a category that falls to the plan's default.
pub fn line_of(sheet: &DaySheet, category: &str) -> SheetLine {
    let key = LineKey {
        category: Category::parse(category).unwrap(),
        rule: RuleId::default_rule(),
    };
    sheet.lines[&key]
}

/// The version of the plan that rated a line.
pub fn version_of(line: &LineDelta) -> u32 {
    match &line.origin {
        Origin::Plan(plan) => plan.version,
        Origin::Override => 0,
    }
}

/// Checks that entries, sheets and wallet agree in every way; answers the wallet.
pub async fn books(world: &World, tenant: &Tenant) -> Wallet {
    let store = store(world);
    let stored = store.wallet(&id(tenant)).await.unwrap().unwrap();
    let entries = store.entry_chain(&id(tenant)).await.unwrap();
    let mut lines: BTreeMap<(Date, Category), (Decimal, Decimal)> = BTreeMap::new();
    for entry in &entries {
        assert_eq!(entry.check(), Ok(()), "{entry:?}");
        let cost: Decimal = entry.lines.iter().map(|line| line.cost).sum();
        let charges = entry.lines.iter().map(|line| line.charge);
        let by_period = entry.periods.iter().map(|line| line.charge);
        let charge: Decimal = charges.chain(by_period).sum();
        assert_eq!(entry.amount_on(LedgerAccount::PayableTwilio), cost);
        assert_eq!(entry.amount_on(LedgerAccount::Revenue), charge);
        for line in &entry.lines {
            let sum = lines
                .entry((line.day, line.key.category.clone()))
                .or_default();
            *sum = (sum.0 + line.cost, sum.1 + line.charge);
        }
    }
    let folded = wallet::fold(stored.currency, entries).unwrap();
    let amounts = |wallet: &Wallet| {
        (
            wallet.balance(),
            wallet.cost(),
            wallet.charged(),
            wallet.paid_in(),
        )
    };
    assert_eq!(amounts(&folded), amounts(&stored));
    assert_eq!(folded.seq, stored.seq);
    let of_statements =
        stored.account(LedgerAccount::Tax) + stored.account(LedgerAccount::Rounding);
    assert_eq!(
        stored.balance(),
        stored.paid_in() - stored.charged() - of_statements
    );
    assert_eq!(folded.funds, stored.funds, "lots are not what entries say");
    assert_eq!(folded.accounts, stored.accounts);
    let of_periods = period_charges(world, tenant).await;
    let sheets = sheets(world, tenant).await;
    let total = |amount: fn(&DaySheet) -> Decimal| sheets.iter().map(amount).sum::<Decimal>();
    assert_eq!(
        (total(DaySheet::cost), total(DaySheet::charge) + of_periods),
        (stored.cost(), stored.charged())
    );
    lines.retain(|_, sums| *sums != (Decimal::ZERO, Decimal::ZERO));
    let mut shown: BTreeMap<(Date, Category), (Decimal, Decimal)> = BTreeMap::new();
    for sheet in &sheets {
        for (key, line) in &sheet.lines {
            if line.quantities.cost != Decimal::ZERO {
                let sum: &mut (Decimal, Decimal) =
                    shown.entry((sheet.day, key.category.clone())).or_default();
                *sum = (sum.0 + line.quantities.cost, sum.1 + line.charge);
            }
        }
    }
    assert_eq!(lines, shown, "entries say otherwise than sheets");
    stored
}

/// Booked charges of all the tenant's period sheets.
async fn period_charges(world: &World, tenant: &Tenant) -> Decimal {
    let first = Date::constant(2026, 1, 1);
    let starts: Vec<Date> = first.series(jiff::Span::new().months(1)).take(24).collect();
    let store = store(world);
    let sheets = store.period_sheets(&id(tenant), &starts).await.unwrap();
    sheets.iter().map(PeriodSheet::charge).sum()
}

/// As `books`, and cost is Twilio's total and charge one and a half times as much, to the last digit.
pub async fn exact_books(world: &World, tenant: &Tenant) -> Wallet {
    let wallet = books(world, tenant).await;
    let total = twilio_total(world, tenant);
    assert_eq!(wallet.cost(), total, "cost is not Twilio's total");
    assert_eq!(wallet.charged(), total * decimal("1.5"));
    wallet
}

/// Requests for the tenant's usage that reached Twilio.
pub fn usage_requests(world: &World, tenant: &Tenant) -> usize {
    let requests = world.stack.sim.requests();
    requests
        .iter()
        .filter(|request| request.path.contains("/Usage/Records"))
        .filter(|request| request.account_sid.as_deref() == Some(&tenant.account_sid))
        .count()
}

/// Makes Twilio's usage answers go wrong, from the first to come on.
pub fn strike(world: &World, count: u64, action: FaultAction) {
    strike_at(world, "*/Usage/Records*", count, action);
}

pub fn strike_at(world: &World, path: &str, count: u64, action: FaultAction) {
    world.stack.sim.script_fault(FaultRule {
        method: None,
        path: path.to_owned(),
        nth: 1,
        count,
        action,
    });
}

pub fn status(status: u16, body: Option<String>) -> FaultAction {
    FaultAction::Status {
        status,
        code: None,
        body,
        headers: BTreeMap::new(),
        after_effect: false,
    }
}

/// What a function has spent since.
pub fn spent(world: &World, before: &Counters, caller: &str) -> Tally {
    let counters = world.stack.aws.counters().since(before);
    counters.total(|key| key.caller == caller)
}

/// Makes the next `count` calls of the puller with this operation fail.
pub fn fail_calls(world: &World, operation: &str, count: u64, fault: Fault) {
    let (operation, left) = (
        operation.to_owned(),
        std::sync::atomic::AtomicU64::new(count),
    );
    world
        .stack
        .aws
        .set_fault_hook(Some(Arc::new(move |call: &CallInfo| {
            use std::sync::atomic::Ordering::SeqCst;
            let is_meant = call.operation == operation && call.caller.starts_with("tollgate-");
            let take = || {
                left.fetch_update(SeqCst, SeqCst, |left| left.checked_sub(1))
                    .is_ok()
            };
            if is_meant && call.caller != "tollgate-test" && take() {
                fault.clone()
            } else {
                Fault::None
            }
        })));
}

/// An SQS event with these bodies; message ids are `m0`, `m1`, ...
pub fn sqs_event(bodies: &[String]) -> Value {
    let records = bodies.iter().enumerate().map(|(index, body)| {
        json!({ "messageId": format!("m{index}"), "receiptHandle": "r", "body": body,
            "attributes": {}, "messageAttributes": {}, "md5OfBody": "", "eventSource": "aws:sqs",
            "eventSourceARN": "arn:aws:sqs:us-east-1:1:q", "awsRegion": "us-east-1" })
    });
    json!({ "Records": records.collect::<Vec<_>>() })
}

pub fn command(tenant: &Tenant) -> String {
    json!({ "tenant_id": tenant.id, "cause": "test" }).to_string()
}

/// So many runs of one tenant at the same time, each an invocation of its own; all must succeed.
pub async fn pull_at_once(world: &World, tenant: &Tenant, runs: usize) {
    let functions = &world.stack.functions;
    let event = sqs_event(&[command(tenant)]);
    let runs = (0..runs).map(|_| functions.invoke("usage-puller", event.clone()));
    for answer in futures::future::join_all(runs).await {
        assert_eq!(answer.unwrap()["batchItemFailures"], json!([]));
    }
}

/// Runs an instance of the puller in place of the stack's own.
pub fn use_puller(world: &World, puller: usage_puller::Function) {
    let (functions, puller) = (world.stack.functions.clone(), Arc::new(puller));
    world
        .stack
        .aws
        .set_invoker(Arc::new(move |function, event| {
            let (functions, puller, function) =
                (functions.clone(), puller.clone(), function.to_owned());
            async move {
                if function != "usage-puller" {
                    return functions.invoke(&function, event).await;
                }
                let event = serde_json::from_value(event).map_err(|error| error.to_string())?;
                let event =
                    lambda_runtime::LambdaEvent::new(event, lambda_runtime::Context::default());
                let answer = puller
                    .handle(event)
                    .await
                    .map_err(|error| error.to_string())?;
                serde_json::to_value(answer).map_err(|error| error.to_string())
            }
            .boxed()
        }));
}

/// Details of the events of a name that the bus has accepted about a tenant.
pub fn events(world: &World, tenant: &Tenant, name: &str) -> Vec<Value> {
    let events = world.stack.aws.events_since(0).into_iter();
    events
        .filter(|event| event.detail_type == name && event.detail["tenant_id"] == json!(tenant.id))
        .map(|event| event.detail)
        .collect()
}

/// The tenant's rows on the timer wheel whose sort key begins so, by their tick.
pub fn due_rows(world: &World, tenant: &Tenant, kind: &str) -> Vec<i64> {
    let wanted = format!("{kind}#{}", tenant.id);
    let items = world.items("due").into_iter();
    items
        .filter(|item| item["sk"]["S"] == json!(wanted))
        .map(|item| item["pk"]["S"].as_str().unwrap()[4..].parse().unwrap())
        .collect()
}

/// How many messages are in the pull queue's dead-letter queue.
pub fn dead_pulls(world: &World) -> usize {
    let queue = world.stack.aws.names().of("pull-dlq");
    world.stack.aws.queue_bodies(&queue).len()
}

/// A page of usage rows as Twilio writes it: day, category, price as JSON.
pub fn page(tenant: &Tenant, rows: &[(Date, &str, Value)]) -> String {
    let rows = rows.iter().map(|(day, category, price)| {
        json!({ "account_sid": tenant.account_sid, "category": category, "count": "1", "usage": "1",
            "count_unit": "", "usage_unit": "", "price": price, "price_unit": "usd",
            "start_date": day.to_string(), "end_date": day.to_string(), "description": "",
            "as_of": "2026-03-01T00:00:01+00:00", "api_version": "2010-04-01", "uri": "/x" })
    });
    json!({ "usage_records": rows.collect::<Vec<_>>(), "next_page_uri": null, "page": 0 })
        .to_string()
}
