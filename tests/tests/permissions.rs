//! What functions really do on AWS is held against what their roles in the template may do: a permission that is
//! missing fails nowhere but in production.

use std::collections::{BTreeMap, BTreeSet};

use jiff::SignedDuration;
use local::aws::Service;
use serde_json::json;
use tests::World;

/// Actions by table, of each function's role.
type Allowed = BTreeMap<String, BTreeSet<(String, String)>>;

/// Reads the roles' statements about tables from the template's text, whose tags no YAML parser of ours knows.
fn allowed(template: &str) -> Allowed {
    let mut roles = Allowed::new();
    let mut role = String::new();
    let mut actions: Vec<String> = Vec::new();
    for line in template.lines() {
        let text = line.trim();
        if line.starts_with("  ") && !line.starts_with("   ") && text.ends_with(':') {
            text.trim_end_matches(':').clone_into(&mut role);
        }
        if text.starts_with("- Sid:") {
            actions.clear();
        }
        let action = text
            .strip_prefix("- ")
            .or(text.strip_prefix("Action: "))
            .and_then(|text| text.split_whitespace().next())
            .and_then(|text| text.strip_prefix("dynamodb:"));
        actions.extend(action.map(str::to_owned));
        let table = text
            .split_once("!GetAtt ")
            .and_then(|(_, rest)| rest.strip_suffix("Table.Arn"));
        if let Some(table) = table {
            let function = role.trim_end_matches("Role").to_lowercase();
            let of_role = roles.entry(function).or_default();
            of_role.extend(
                actions
                    .iter()
                    .map(|action| (action.clone(), table.to_lowercase())),
            );
        }
    }
    roles
}

/// A tenant's whole life, so that every function is at work.
async fn a_life(world: &World) {
    let tenant = world.tenant("Acme", "5").await;
    world.use_today(&tenant, "sms-outbound-longcode", "1");
    world.pull(&tenant).await;
    world
        .simulate("/numbers", &json!({ "account_sid": tenant.account_sid }))
        .await;
    let url = world.show(&tenant).await.text("/callback_urls/message");
    let message = json!({
        "account_sid": tenant.account_sid, "status_callback": url, "outcome": "delivered",
    });
    world.simulate("/messages", &message).await;
    world.call(&tenant, 86_400).await;
    world.use_today(&tenant, "sms-outbound-longcode", "9");
    world.pull(&tenant).await;
    world.pass(SignedDuration::from_mins(10)).await;
    let path = |rest: &str| format!("/v1/tenants/{}{rest}", tenant.id);
    world
        .post(&path("/top-ups"), &json!({ "amount": "50" }))
        .await;
    world.pass(SignedDuration::from_hours(8)).await;
    let goodbye = json!({
        "reason": "over", "confirm": "Acme", "rescue_numbers": true, "settle_hours": 0,
    });
    let closed = world.post(&path("/close"), &goodbye).await;
    assert_eq!(closed.status, 202, "{closed:?}");
    world.pass(SignedDuration::from_hours(30)).await;
    assert_eq!(world.show(&tenant).await.text("/lifecycle"), "closed");
}

#[tokio::test]
async fn every_function_may_do_what_it_does() {
    let template = include_str!("../../template.yaml");
    let allowed = allowed(template);
    let world = World::start().await;
    a_life(&world).await;
    let mut missing = BTreeSet::new();
    let mut functions = BTreeSet::new();
    let counters = world.stack.aws.counters();
    for (key, _) in counters.rows() {
        let Some(function) = key.caller.strip_prefix("tollgate-") else {
            continue;
        };
        if key.service != Service::DynamoDb {
            continue;
        }
        functions.insert(function.to_owned());
        let role = allowed.get(&function.replace('-', ""));
        let may = |action: &str, table: &str| {
            role.is_some_and(|role| role.contains(&(action.to_owned(), table.to_owned())))
        };
        for table in key.resource.split('+') {
            let table = table.rsplit('-').next().unwrap_or_default();
            // A transaction of ours puts, or checks a condition.
            let is_allowed = match key.operation.as_str() {
                "TransactWriteItems" => may("PutItem", table) || may("ConditionCheckItem", table),
                operation => may(operation, table),
            };
            if !is_allowed {
                missing.insert(format!("{function}: {} {table}", key.operation));
            }
        }
    }
    assert_eq!(missing, BTreeSet::new());
    assert!(functions.len() >= 7, "{functions:?}");
}
