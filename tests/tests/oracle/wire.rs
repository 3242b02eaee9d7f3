//! Small worlds through the real functions over the wire; the oracle computes from what the simulator itself
//! lists in the end. Figures that no order of runs can change must be the same.

use base64::Engine as _;
use domain::{Date, Decimal};
use jiff::{SignedDuration, Timestamp, ToSpan as _};
use oracle::books::Books as Theirs;
use oracle::generate::{Dice, plan};
use oracle::world::{Act, Item, Record, Said, Step, Tenant as Plain, World as Plays};
use reqwest::Method;
use serde_json::{Value, json};
use tests::{Tenant, World};

use super::translate;
use crate::money::support::{books, decimal, id, sheets, store, today};

/// Worlds that are played.
const WORLDS: u64 = 10;
/// Tenants of each.
const TENANTS: usize = 3;
/// Days of traffic.
const DAYS: i64 = 4;
/// After this long all usage and prices of the simulator show.
const SHOWN: SignedDuration = SignedDuration::from_hours(30);

#[tokio::test]
async fn the_oracle_agrees_with_the_functions_over_the_wire() {
    let (mut worlds, mut differences) = (0, Vec::new());
    for seed in 1..=WORLDS {
        differences.extend(played(seed).await);
        worlds += 1;
    }
    println!(
        "worlds over the wire: {worlds}, differences: {}",
        differences.len()
    );
    assert!(worlds >= 10);
    assert_eq!(differences, [""; 0]);
}

async fn played(seed: u64) -> Vec<String> {
    let world = World::start().await;
    let mut dice = Dice::new(seed);
    let first = today(&world);
    let mut tenants = Vec::new();
    for index in 0..TENANTS {
        let plan = plan(&mut dice);
        let rules: Vec<Value> = plan.rules.iter().map(translate::rule_json).collect();
        let text = domain::money::to_text;
        let body = json!({ "name": format!("Plan {index}"), "currency": "USD", "default_multiplier": text(plan.default),
            "rules": rules, "margin_floor": plan.floor.map(text),
            "standing": { "low_balance": "0", "resume_at": "0", "grace_minutes": 600, "credit_limit": "100000" } });
        let made = world.post("/v1/plans", &body).await;
        assert_eq!(made.status, 201, "{made:?} {body}");
        let body = json!({ "name": format!("Tenant {index}"), "plan_id": made.text("/plan_id") });
        let made = world.post("/v1/tenants", &body).await;
        let tenant = Tenant {
            id: made.text("/id"),
            account_sid: made.text("/account_sid"),
        };
        world
            .simulate("/numbers", &json!({ "account_sid": tenant.account_sid }))
            .await;
        tenants.push((tenant, plan));
    }
    for _ in 0..DAYS {
        for (tenant, _) in &tenants {
            traffic(&world, tenant, &mut dice).await;
        }
        world.pass(SignedDuration::from_hours(24)).await;
    }
    world.pass(SHOWN).await;
    let mut found = Vec::new();
    for (tenant, plan) in tenants {
        world.pull(&tenant).await;
        books(&world, &tenant).await;
        let theirs = computed(&world, &tenant, plan, first, seed).await;
        let differences = differences(&world, &tenant, &theirs).await;
        found.extend(
            differences
                .into_iter()
                .map(|one| format!("seed {seed} {}: {one}", tenant.id)),
        );
    }
    found
}

/// Some calls and messages of a day.
async fn traffic(world: &World, tenant: &Tenant, dice: &mut Dice) {
    const TO: [&str; 5] = [
        "+442079460000",
        "+14155550111",
        "+493090000000",
        "+33140000000",
        "+12125550100",
    ];
    for _ in 0..dice.below(4) {
        let to = TO[usize::try_from(dice.below(5)).unwrap()];
        let account = &tenant.account_sid;
        if dice.chance(50) {
            let seconds = dice.below(300) + 1;
            let call = json!({ "account_sid": account, "to": to, "duration_s": seconds, "outcome": "completed" });
            world.simulate("/calls", &call).await;
        } else {
            let message =
                json!({ "account_sid": account, "to": to, "body": "hi", "outcome": "delivered" });
            world.simulate("/messages", &message).await;
        }
    }
}

/// All rows of a list, as Twilio shows them to the account itself.
async fn listed(world: &World, tenant: &Tenant, path: &str, key: &str) -> Vec<Value> {
    let account = &tenant.account_sid;
    let login = format!("{account}:{}", world.auth_token(account));
    let login = base64::engine::general_purpose::STANDARD.encode(login);
    let headers = [("authorization", &*format!("Basic {login}"))];
    let path = format!("/2010-04-01/Accounts/{account}/{path}");
    let answer = world
        .request(Method::GET, &path, &headers, Vec::new())
        .await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(
        answer.body["next_page_uri"],
        Value::Null,
        "one page is enough"
    );
    answer.body[key].as_array().unwrap().clone()
}

fn text(row: &Value, name: &str) -> String {
    row[name].as_str().unwrap_or_default().to_owned()
}

fn number(row: &Value, name: &str) -> Decimal {
    decimal(row[name].as_str().unwrap_or("0"))
}

fn moment(row: &Value, name: &str) -> Timestamp {
    let at = jiff::fmt::rfc2822::parse(&text(row, name));
    at.map(|at| at.timestamp()).unwrap_or_default()
}

/// What the simulator says, computed by the oracle as one run that saw all of it.
async fn computed(
    world: &World,
    tenant: &Tenant,
    priced_by: oracle::world::Plan,
    first: Date,
    seed: u64,
) -> Theirs {
    let range = format!("StartDate={first}&EndDate={}&PageSize=1000", today(world));
    let usage = listed(
        world,
        tenant,
        &format!("Usage/Records/Daily.json?{range}"),
        "usage_records",
    )
    .await;
    let records = usage.iter().map(|row| Record {
        day: text(row, "start_date").parse().unwrap(),
        category: text(row, "category"),
        count: number(row, "count"),
        usage: number(row, "usage"),
        price: number(row, "price"),
    });
    let mut items = Vec::new();
    for call in listed(world, tenant, "Calls.json?PageSize=1000", "calls").await {
        let direction = if text(&call, "direction") == "inbound" {
            "inbound"
        } else {
            "outbound"
        };
        if text(&call, "status") == "completed" && !text(&call, "to").contains(':') {
            items.push(Item {
                sid: text(&call, "sid"),
                family: "calls",
                direction,
                at: moment(&call, "end_time"),
                from: text(&call, "from"),
                to: text(&call, "to"),
                segments: 0,
                seconds: text(&call, "duration").parse().unwrap_or_default(),
                price: call["price"].as_str().map(|price| decimal(price).abs()),
            });
        }
    }
    for message in listed(world, tenant, "Messages.json?PageSize=1000", "messages").await {
        let direction = if text(&message, "direction") == "inbound" {
            "inbound"
        } else {
            "outbound"
        };
        assert_eq!(text(&message, "status"), "delivered");
        items.push(Item {
            sid: text(&message, "sid"),
            family: "sms",
            direction,
            at: moment(&message, "date_sent"),
            from: text(&message, "from"),
            to: text(&message, "to"),
            segments: text(&message, "num_segments").parse().unwrap(),
            seconds: 0,
            price: message["price"].as_str().map(|price| decimal(price).abs()),
        });
    }
    let days: Vec<Date> = first
        .series(1.day())
        .take_while(|day| *day <= today(world))
        .collect();
    let said = Said {
        days: days.clone(),
        as_of: world.stack.clock.now(),
        records: records.collect(),
        items,
    };
    let numbers: Vec<(Date, u32)> = days.iter().map(|day| (*day, 1)).collect();
    let step = Step {
        at: world.stack.clock.now(),
        tenant: 0,
        act: Act::Usage(said, numbers),
    };
    let plain = Plain {
        zone: "UTC",
        billing_day: 1,
        tax: Decimal::ZERO,
        is_exempt: false,
        since: first,
        plans: vec![(first - 10.days(), 0)],
        own: Vec::new(),
    };
    let plays = Plays {
        seed,
        plans: vec![priced_by],
        tenants: vec![plain],
        steps: vec![step],
    };
    oracle::books::play(&plays).remove(0)
}

async fn differences(world: &World, tenant: &Tenant, theirs: &Theirs) -> Vec<String> {
    let mut found = Vec::new();
    let mut hold = |name: String, ours: Decimal, theirs: Decimal| {
        if ours != theirs {
            found.push(format!("{name}: {ours} and not {theirs}"));
        }
    };
    let mut lines = 0;
    for sheet in sheets(world, tenant).await {
        let day = theirs.days.get(&sheet.day).cloned().unwrap_or_default();
        for (key, line) in &sheet.lines {
            lines += 1;
            let name = (
                key.category.as_str().to_owned(),
                key.rule.as_str().to_owned(),
            );
            let other = day.lines.get(&name).cloned().unwrap_or_default();
            let named = |what: &str| format!("{} {}/{} {what}", sheet.day, name.0, name.1);
            hold(named("count"), line.quantities.count, other.line.count);
            hold(named("usage"), line.quantities.usage, other.line.usage);
            hold(
                named("seconds"),
                line.quantities.seconds,
                other.line.seconds,
            );
            hold(named("cost"), line.quantities.cost, other.line.cost);
            hold(named("charge"), line.charge, other.charge);
        }
    }
    let known: usize = theirs.days.values().map(|day| day.lines.len()).sum();
    hold(
        "lines".to_owned(),
        Decimal::from(lines),
        Decimal::from(known),
    );
    let wallet = store(world).wallet(&id(tenant)).await.unwrap().unwrap();
    hold("charged".to_owned(), wallet.charged(), theirs.revenue);
    hold("cost".to_owned(), wallet.cost(), theirs.payable);
    hold(
        "balance".to_owned(),
        wallet.balance(),
        theirs.funds.balance(),
    );
    found
}
