//! Callbacks as Twilio sends them, from its signature to the state that the API shows.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use local::aws::{Fault, Service};
use reqwest::Method;
use serde_json::{Value, json};
use tests::{Tenant, World};
use twilio_sim::{DeliveryRecord, Quirks, SimConfig};

use super::support::{assert_settled, operator, status_at_twilio};

/// A world in which every fifth callback comes twice and every fifth too late.
async fn awkward_world() -> World {
    let sim = SimConfig {
        quirks: Quirks {
            callback_duplicate_per_mille: 200,
            callback_disorder_per_mille: 200,
            ..Quirks::none()
        },
        ..SimConfig::default()
    };
    World::with(sim).await
}

pub async fn start_traffic(world: &World, tenant: &Tenant, mut profile: Value) {
    let shown = world.show(tenant).await;
    profile["message_status_callback"] = shown.body["callback_urls"]["message"].clone();
    profile["call_status_callback"] = shown.body["callback_urls"]["call"].clone();
    let body = json!({ "account_sid": tenant.account_sid, "profile": profile });
    world.simulate("/traffic", &body).await;
}

pub async fn stop_traffic(world: &World, tenant: &Tenant) {
    let body = json!({ "account_sid": tenant.account_sid }).to_string();
    let stopped = world
        .request(Method::DELETE, "/_sim/traffic", &[], body.into_bytes())
        .await;
    assert_eq!(stopped.status, 204);
}

/// Status of every message and call that Twilio has of a tenant, by SID.
async fn statuses_at_twilio(world: &World, tenant: &Tenant) -> BTreeMap<String, String> {
    let (sid, token) = world.stack.main_credentials();
    let mut statuses = BTreeMap::new();
    for (list, key) in [("Messages", "messages"), ("Calls", "calls")] {
        let path = format!(
            "/2010-04-01/Accounts/{}/{list}.json?PageSize=1000",
            tenant.account_sid
        );
        let listed = world.twilio((&sid, &token), Method::GET, &path, &[]).await;
        assert!(listed.body["next_page_uri"].is_null());
        for resource in listed.body[key].as_array().expect("a list") {
            let text = |name: &str| resource[name].as_str().expect("a text").to_owned();
            statuses.insert(text("sid"), text("status"));
        }
    }
    statuses
}

#[tokio::test]
async fn a_days_callbacks_are_all_accepted_kept_once_and_fold_to_what_twilio_says() {
    let world = awkward_world().await;
    let (first, second) = (
        world.tenant("One", "1000").await,
        world.tenant("Two", "1000").await,
    );
    for tenant in [&first, &second] {
        let profile =
            json!({ "messages_per_day": 60, "calls_per_day": 25, "unanswered_per_mille": 300 });
        start_traffic(&world, tenant, profile).await;
    }
    world.pass(SignedDuration::from_hours(24)).await;
    for tenant in [&first, &second] {
        stop_traffic(&world, tenant).await;
    }
    world.pass(SignedDuration::from_hours(2)).await;

    let deliveries = world.stack.sim.deliveries();
    assert!(deliveries.len() > 300, "{}", deliveries.len());
    assert!(deliveries.iter().any(|delivery| delivery.duplicate));
    assert!(is_out_of_order(&deliveries));
    let refused: Vec<_> = deliveries
        .iter()
        .filter(|delivery| delivery.http_status != Some(204) || delivery.attempts != 1)
        .collect();
    assert_eq!(refused, Vec::<&DeliveryRecord>::new());
    let distinct = deliveries
        .iter()
        .filter(|delivery| !delivery.duplicate)
        .count();
    assert_eq!(world.items("callbacks").len(), distinct);

    for tenant in [&first, &second] {
        let statuses = statuses_at_twilio(&world, tenant).await;
        let mut sids: Vec<&str> = deliveries
            .iter()
            .filter(|delivery| delivery.account_sid == tenant.account_sid)
            .map(|delivery| delivery.resource_sid.as_str())
            .collect();
        sids.sort_unstable();
        sids.dedup();
        assert!(sids.len() > 40, "{}", sids.len());
        for sid in sids {
            let path = format!("/v1/tenants/{}/callbacks/{sid}", tenant.id);
            let folded = world.get(&path).await;
            assert_eq!(folded.status, 200, "{folded:?}");
            assert_eq!(
                folded.body["state"],
                json!({ "status": statuses[sid], "is_final": true }),
                "{folded:?}"
            );
        }
    }
    assert_settled(&world);
}

fn is_out_of_order(deliveries: &[DeliveryRecord]) -> bool {
    deliveries.iter().enumerate().any(|(index, delivery)| {
        delivery.status == "delivered"
            && deliveries[index..].iter().any(|later| {
                later.resource_sid == delivery.resource_sid
                    && later.status == "sent"
                    && !later.duplicate
            })
    })
}

#[tokio::test]
async fn w18_a_store_that_fails_for_a_moment_loses_no_callback() {
    let world = World::start().await;
    let tenant = world.tenant("One", "1000").await;
    start_traffic(
        &world,
        &tenant,
        json!({ "messages_per_day": 60, "calls_per_day": 10 }),
    )
    .await;
    // Every fifth to eighth write fails, however often the SDK itself repeats it.
    let writes = std::sync::atomic::AtomicUsize::new(0);
    world
        .stack
        .aws
        .set_fault_hook(Some(std::sync::Arc::new(move |call| {
            if call.caller != "tollgate-webhook" || call.operation != "PutItem" {
                return Fault::None;
            }
            match writes.fetch_add(1, std::sync::atomic::Ordering::Relaxed) % 12 {
                0 | 1 => Fault::respond_before(500, "InternalServerError"),
                4 | 5 => Fault::DropBefore,
                8 | 9 => Fault::DropAfter,
                _ => Fault::None,
            }
        })));
    world.pass(SignedDuration::from_hours(24)).await;
    let deliveries = world.stack.sim.deliveries();
    assert!(deliveries.iter().any(|delivery| delivery.attempts > 1));
    assert!(
        deliveries
            .iter()
            .all(|delivery| delivery.http_status == Some(204)),
        "{deliveries:?}"
    );
    assert_eq!(world.items("callbacks").len(), deliveries.len());
}

#[tokio::test]
async fn w18_a_store_that_is_down_is_answered_by_503_after_two_tries() {
    let world = World::start().await;
    let tenant = world.tenant("One", "10").await;
    let token = world.auth_token(&tenant.account_sid);
    let sid = tenant.account_sid.clone();
    let send = async |status: &str| {
        let fields = [
            ("AccountSid", sid.as_str()),
            ("CallSid", "CA00000000000000000000000000000001"),
            ("CallStatus", status),
        ];
        world.callback(&tenant.id, "calls", &fields, &token).await
    };
    let down = |service: Service, fault: Fault| {
        world
            .stack
            .aws
            .set_fault_hook(Some(std::sync::Arc::new(move |call| {
                if call.caller == "tollgate-webhook" && call.service == service {
                    fault.clone()
                } else {
                    Fault::None
                }
            })));
    };
    let tries = || {
        world
            .stack
            .aws
            .counters()
            .total(|key| key.caller == "tollgate-webhook")
            .calls
    };
    // Cold: whose it is cannot be read. Then the secret cannot. Then it cannot be written.
    for (service, fault) in [
        (Service::DynamoDb, Fault::DropBefore),
        (
            Service::DynamoDb,
            Fault::respond_before(500, "InternalServerError"),
        ),
        (
            Service::DynamoDb,
            Fault::respond_before(400, "ProvisionedThroughputExceededException"),
        ),
        (
            Service::DynamoDb,
            Fault::respond_before(400, "ThrottlingException"),
        ),
    ] {
        down(service, fault.clone());
        let before = tries();
        let answer = send("initiated").await;
        assert_eq!(
            (answer.status, answer.code()),
            (503, "temporarily_unavailable"),
            "{fault:?}"
        );
        assert!(answer.header("retry-after").is_some());
        assert_eq!(tries() - before, 2, "{fault:?}");
    }
    down(
        Service::Secrets,
        Fault::respond_before(500, "InternalServiceError"),
    );
    assert_eq!(send("initiated").await.status, 503);
    world.stack.aws.set_fault_hook(None);
    world.pass(SignedDuration::from_secs(2)).await;
    assert_eq!(send("initiated").await.status, 204);
    // Warm: owner and token are known, so Secrets Manager may be down.
    down(
        Service::Secrets,
        Fault::respond_before(500, "InternalServiceError"),
    );
    assert_eq!(send("ringing").await.status, 204);
    world.pass(SignedDuration::from_hours(3)).await;
    assert_eq!(send("in-progress").await.status, 204);
    down(Service::DynamoDb, Fault::DropBefore);
    let before = tries();
    assert_eq!(send("completed").await.status, 503);
    assert_eq!(tries() - before, 2);
    down(Service::DynamoDb, Fault::DropAfter);
    assert_eq!(send("completed").await.status, 503);
    world.stack.aws.set_fault_hook(None);
    assert_eq!(send("completed").await.status, 204);
    assert_eq!(world.items("callbacks").len(), 4);
}

#[tokio::test]
async fn w21_the_token_that_a_rotation_made_pending_is_accepted_before_and_after_its_promotion() {
    let world = World::start().await;
    let tenant = world.tenant("One", "10").await;
    let old = world.auth_token(&tenant.account_sid);
    let new = "fedcba98765432100123456789abcdef";
    let send = async |token: &str, status: &str| {
        let fields = [
            ("AccountSid", tenant.account_sid.as_str()),
            ("CallSid", "CA00000000000000000000000000000001"),
            ("CallStatus", status),
        ];
        world
            .callback(&tenant.id, "calls", &fields, token)
            .await
            .status
    };
    assert_eq!(send(&old, "initiated").await, 204);
    assert_eq!(send(new, "ringing").await, 403);
    let name = format!("tollgate/local/twilio/{}", tenant.account_sid);
    let version = "00000000-0000-4000-8000-000000000001";
    let secret = json!({ "accountSid": tenant.account_sid, "authToken": new }).to_string();
    let put = json!({
        "SecretId": name, "SecretString": secret, "ClientRequestToken": version, "VersionStages": ["AWSPENDING"],
    });
    world
        .stack
        .aws
        .inspect("secretsmanager.PutSecretValue", &put)
        .unwrap();
    world.pass(SignedDuration::from_secs(10)).await;
    assert_eq!(send(new, "ringing").await, 204);
    assert_eq!(send(&old, "in-progress").await, 204);
    world.pass(SignedDuration::from_secs(10)).await;
    assert_eq!(
        send("00000000000000000000000000000000", "completed").await,
        403
    );

    // Promoted: the old one counts for the callbacks that are still under way.
    let described = world
        .stack
        .aws
        .inspect(
            "secretsmanager.DescribeSecret",
            &json!({ "SecretId": name }),
        )
        .unwrap();
    let versions = described["VersionIdsToStages"].as_object().unwrap();
    let (current, _) = versions
        .iter()
        .find(|(_, stages)| stages.as_array().unwrap().contains(&json!("AWSCURRENT")))
        .unwrap();
    let promote = json!({ "SecretId": name, "VersionStage": "AWSCURRENT", "MoveToVersionId": version, "RemoveFromVersionId": current });
    world
        .stack
        .aws
        .inspect("secretsmanager.UpdateSecretVersionStage", &promote)
        .unwrap();
    world.pass(SignedDuration::from_secs(10)).await;
    assert_eq!(send(&old, "completed").await, 204);
    assert_eq!(send(new, "completed").await, 204);
}

#[tokio::test]
async fn w23_callbacks_of_a_suspended_tenant_are_recorded_and_change_nothing_else() {
    let world = World::start().await;
    let tenant = world.tenant("One", "100").await;
    world
        .simulate("/numbers", &json!({ "account_sid": tenant.account_sid }))
        .await;
    let urls = world.show(&tenant).await.body["callback_urls"].clone();
    let call = json!({
        "account_sid": tenant.account_sid, "duration_s": 86_400, "outcome": "completed", "status_callback": urls["call"],
    });
    let call = world.simulate("/calls", &call).await.text("/sid");
    world.pass(SignedDuration::from_mins(2)).await;
    operator(&world, &tenant, "suspend").await;
    world.pass(SignedDuration::from_mins(2)).await;
    assert_eq!(status_at_twilio(&world, &tenant), "suspended");
    let path = format!("/v1/tenants/{}/callbacks/{call}", tenant.id);
    let state = world.get(&path).await.body["state"].clone();
    assert_eq!(state, json!({ "status": "completed", "is_final": true }));
    let shown = world.show(&tenant).await;
    assert_eq!(
        (shown.text("/status"), shown.text("/twilio_status")),
        ("suspended".into(), "suspended".into())
    );
    assert!(
        world
            .stack
            .sim
            .deliveries()
            .iter()
            .all(|delivery| delivery.http_status == Some(204))
    );
}
