//! Suspending by hand with any reason; what somebody changes in Twilio behind our back; subaccounts that were
//! there before us.

use jiff::SignedDuration;
use reqwest::Method;
use serde_json::{Value, json};
use tests::explorer::{Disturbance, explore};
use tests::{Answer, Tenant, World};

use super::support::{ask, number_from_nowhere, path};

async fn act(world: &World, tenant: &Tenant, verb: &str, body: Value) -> Answer {
    let verb = path(tenant, &format!("/{verb}"));
    ask(world, Method::POST, &verb, &body).await
}

fn at_twilio(world: &World, account_sid: &str) -> String {
    let accounts = world.stack.sim.accounts().into_iter();
    let mut own = accounts.filter(|account| account.sid == account_sid);
    own.next()
        .map(|account| account.status.to_string())
        .unwrap_or_default()
}

/// Somebody changes it in Twilio's console; `by_twilio`: Twilio itself does.
async fn console(world: &World, account_sid: &str, status: &str, by_twilio: bool) {
    let body = json!({ "status": status, "by_twilio": by_twilio });
    world
        .simulate(&format!("/accounts/{account_sid}"), &body)
        .await;
}

#[tokio::test]
async fn a_hold_has_a_reason_of_its_own_and_a_dry_run_shows_what_would_happen() {
    let world = World::start().await;
    let tenant = world.tenant("Acme", "50").await;
    let (number, _) = number_from_nowhere(&world, &tenant.account_sid, json!({})).await;
    world.use_today(&tenant, "phonenumbers-local", "1.15");
    world.pull(&tenant).await;
    let call = world.call(&tenant, 86_400).await;
    let fraud = json!({ "reason": "stolen card", "hold": "fraud" });
    let mut dry = fraud.clone();
    dry["dry_run"] = json!(true);
    let forecast = act(&world, &tenant, "suspend", dry).await;
    assert_eq!(forecast.status, 200, "{forecast:?}");
    assert_eq!(forecast.body["live_calls_ended"], json!([call]));
    assert!(forecast.body["numbers_kept"].to_string().contains(&number));
    assert_eq!(forecast.body["status_after"], "suspended");
    assert_eq!(
        forecast.body["rent_goes_on"]["charged"], "1.725",
        "{forecast:?}"
    );
    assert_eq!(world.show(&tenant).await.body["holds"], json!([]));

    assert_eq!(
        act(&world, &tenant, "suspend", fraud.clone()).await.status,
        202
    );
    act(&world, &tenant, "suspend", json!({ "reason": "asked" })).await;
    world.pass(SignedDuration::from_mins(10)).await;
    assert_eq!(at_twilio(&world, &tenant.account_sid), "suspended");
    let proof = world.get(&path(&tenant, "/suspensions")).await;
    let latest = &proof.body["suspensions"];
    let named = latest
        .as_array()
        .unwrap()
        .iter()
        .find(|run| run["calls_ended"] == 1);
    assert_eq!(named.unwrap()["call_sids"], json!([call]), "{proof:?}");
    assert_eq!(latest[0]["silent"], true);

    let lift = json!({ "reason": "cleared", "hold": "fraud", "dry_run": true });
    let forecast = act(&world, &tenant, "reactivate", lift.clone()).await;
    assert_eq!(forecast.body["status_after"], "suspended");
    assert_eq!(forecast.body["holds_after"], json!(["operator"]));
    act(
        &world,
        &tenant,
        "reactivate",
        json!({ "reason": "cleared", "hold": "fraud" }),
    )
    .await;
    world.pass(SignedDuration::from_mins(10)).await;
    assert_eq!(at_twilio(&world, &tenant.account_sid), "suspended");
    act(&world, &tenant, "reactivate", json!({ "reason": "fine" })).await;
    world.pass(SignedDuration::from_mins(10)).await;
    assert_eq!(at_twilio(&world, &tenant.account_sid), "active");
    for hold in ["unpaid", "closing", "spend_cap", "holiday"] {
        let body = json!({ "reason": "x", "hold": hold });
        assert_eq!(
            act(&world, &tenant, "suspend", body).await.code(),
            "hold_invalid"
        );
    }
}

async fn findings(world: &World) -> Vec<(String, String)> {
    let report = world.get("/v1/drift").await;
    assert_eq!(report.status, 200, "{report:?}");
    let found = report.body["findings"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    found
        .iter()
        .map(|one| (text(&one["kind"]), text(&one["account_sid"])))
        .collect()
}

#[tokio::test]
async fn s6_a_status_changed_in_the_console_is_found_within_the_hour_put_right_and_told_once() {
    let world = World::start().await;
    let tenant = world.tenant("Acme", "50").await;
    world.pass(SignedDuration::from_hours(1)).await;
    assert_eq!(findings(&world).await, []);
    console(&world, &tenant.account_sid, "suspended", false).await;
    world.pass(SignedDuration::from_mins(75)).await;
    assert_eq!(at_twilio(&world, &tenant.account_sid), "active");
    world.pass(SignedDuration::from_hours(3)).await;
    assert_eq!(findings(&world).await, []);
    assert_eq!(world.event_ids(&tenant.id, "drift.found").len(), 1);
    assert_eq!(world.event_ids(&tenant.id, "drift.resolved").len(), 1);
}

#[tokio::test]
async fn s6_a_subaccount_that_twilio_suspended_stays_a_finding_and_is_asked_about_once() {
    let world = World::start().await;
    let tenant = world.tenant("Acme", "50").await;
    console(&world, &tenant.account_sid, "suspended", true).await;
    world.pass(SignedDuration::from_hours(2)).await;
    world.stack.sim.reset_counters();
    world.pass(SignedDuration::from_hours(24)).await;
    let posts = world.stack.sim.requests();
    let own = format!("Accounts/{}.json", tenant.account_sid);
    let posts = posts
        .iter()
        .filter(|request| request.method == "POST" && request.path.contains(&own));
    // The redeliveries of the one message may still fall into this day.
    assert!(posts.count() <= 5);
    let found = findings(&world).await;
    let expected = ("status_changed".to_owned(), tenant.account_sid.clone());
    assert!(found.is_empty() || found == [expected], "{found:?}");
    assert_eq!(world.event_ids(&tenant.id, "drift.found").len(), 1);
}

#[tokio::test]
async fn s6_a_suspended_main_account_is_one_finding_and_nothing_else_is_touched() {
    let world = World::start().await;
    let tenant = world.tenant("Acme", "50").await;
    let main = world.stack.main_credentials().0;
    console(&world, &main, "suspended", true).await;
    world.pass(SignedDuration::from_hours(3)).await;
    assert_eq!(
        findings(&world).await,
        [("main_account_inactive".to_owned(), main.clone())]
    );
    assert!(world.event_ids(&tenant.id, "drift.found").is_empty());
    console(&world, &main, "active", false).await;
    world.pass(SignedDuration::from_hours(1)).await;
    assert_eq!(findings(&world).await, []);
}

#[tokio::test]
async fn a_renamed_or_closed_subaccount_and_one_without_owner_are_reported() {
    let world = World::start().await;
    let renamed = world.tenant("Renamed", "1").await;
    let closed = world.tenant("Closed", "1").await;
    let main = world.stack.main_credentials();
    let main = (main.0.as_str(), main.1.as_str());
    let account = |sid: &str| format!("/2010-04-01/Accounts/{sid}.json");
    world
        .twilio(
            main,
            Method::POST,
            &account(&renamed.account_sid),
            &[("FriendlyName", "mine")],
        )
        .await;
    world
        .twilio(
            main,
            Method::POST,
            &account(&closed.account_sid),
            &[("Status", "closed")],
        )
        .await;
    let made = world
        .twilio(
            main,
            Method::POST,
            "/2010-04-01/Accounts.json",
            &[("FriendlyName", "stray")],
        )
        .await;
    let report = ask(&world, Method::POST, "/v1/drift", &json!({})).await;
    assert_eq!(
        report.body["unowned_subaccounts"],
        json!([made.text("/sid")]),
        "{report:?}"
    );
    let mut found = findings(&world).await;
    found.sort();
    let expected = [
        ("closed_at_twilio".to_owned(), closed.account_sid),
        ("renamed".to_owned(), renamed.account_sid),
    ];
    assert_eq!(found, expected);
}

async fn stray(world: &World, name: &str) -> String {
    let main = world.stack.main_credentials();
    let main = (main.0.as_str(), main.1.as_str());
    let made = world
        .twilio(
            main,
            Method::POST,
            "/2010-04-01/Accounts.json",
            &[("FriendlyName", name)],
        )
        .await;
    made.text("/sid")
}

async fn adopt(world: &World, key: &str, body: &Value) -> Answer {
    world.post_as("/v1/subaccounts/adopt", key, body).await
}

#[tokio::test]
async fn existing_subaccounts_are_reported_and_adopted_with_their_names_numbers_and_usage() {
    let world = World::start().await;
    let plan = world.plan(0).await;
    let (old, shared) = (
        stray(&world, "Old Client").await,
        stray(&world, "Everybody").await,
    );
    number_from_nowhere(&world, &old, json!({})).await;
    let main = world.stack.main_credentials();
    let main = (main.0.as_str(), main.1.as_str());
    for host in ["a", "b"] {
        let (number, _) = number_from_nowhere(&world, &shared, json!({})).await;
        let number = format!("/2010-04-01/Accounts/{shared}/IncomingPhoneNumbers/{number}.json");
        let url = format!("https://{host}.example/voice");
        world
            .twilio(main, Method::POST, &number, &[("VoiceUrl", &url)])
            .await;
    }
    let all = json!({ "plan_id": plan, "all": true, "dry_run": true });
    let dry = adopt(&world, "dry", &all).await;
    assert_eq!(dry.status, 200, "{dry:?}");
    assert_eq!(dry.body["adopted"][0]["account_sid"], json!(old));
    assert_eq!(dry.body["left"][0]["looks_shared"], true, "{dry:?}");
    let one = json!({ "plan_id": plan, "account_sids": [old] });
    let adopted = adopt(&world, "one", &one).await;
    assert_eq!(adopted.status, 202, "{adopted:?}");
    world.pass(SignedDuration::from_mins(15)).await;
    let tenant = Tenant {
        id: adopted.text("/adopted/0/tenant_id"),
        account_sid: old.clone(),
    };
    let shown = world.show(&tenant).await;
    assert_eq!(
        (
            shown.text("/lifecycle"),
            shown.text("/friendly_name"),
            shown.text("/account_sid")
        ),
        ("active".to_owned(), "Old Client".to_owned(), old.clone()),
        "{shown:?}"
    );
    assert_eq!(shown.body["is_adopted"], true);
    world.use_today(&tenant, "sms-outbound-longcode", "2");
    world.pull(&tenant).await;
    assert_eq!(world.show(&tenant).await.text("/cost"), "2");
    // The same request again is the same tenant; another one is refused.
    let again = adopt(&world, "one", &one).await;
    assert_eq!(again.text("/adopted/0/tenant_id"), tenant.id);
    assert_eq!(adopt(&world, "two", &one).await.code(), "subaccount_owned");
    let report = world.get("/v1/subaccounts").await;
    assert_eq!(
        (&report.body["total"], &report.body["unowned"]),
        (&json!(2), &json!(1))
    );
    for body in [
        json!({ "plan_id": plan }),
        json!({ "plan_id": plan, "all": true, "account_sids": [old] }),
    ] {
        assert_eq!(adopt(&world, "x", &body).await.code(), "adoption_invalid");
    }
    let unknown = json!({ "plan_id": plan, "account_sids": [format!("AC{}", "9".repeat(32))] });
    assert_eq!(
        adopt(&world, "y", &unknown).await.code(),
        "subaccount_not_found"
    );
}

#[tokio::test]
async fn explorer_an_adoption_disturbed_at_any_request_makes_one_tenant_of_a_subaccount() {
    let found = explore(
        "adopt",
        "provisioning",
        Disturbance::ALL,
        async || {
            let world = World::start().await;
            let plan = world.plan(0).await;
            let old = stray(&world, "Old Client").await;
            (world, (plan, old))
        },
        adopt_old,
        adopt_old,
        async |world: &World, (_, old): &(String, String)| {
            let listed = world.get("/v1/tenants").await;
            let tenants = listed.body["tenants"]
                .as_array()
                .cloned()
                .unwrap_or_default();
            let active: Vec<&Value> = tenants
                .iter()
                .filter(|one| one["lifecycle"] == "active")
                .collect();
            let is_one =
                tenants.len() == 1 && active.len() == 1 && active[0]["account_sid"] == json!(old);
            if is_one && at_twilio(world, old) == "active" && world.open_subaccounts() == 1 {
                Vec::new()
            } else {
                vec![format!("{tenants:?}")]
            }
        },
    );
    found.await.assert_sound();
}

async fn adopt_old(world: &World, (plan, old): &(String, String)) {
    adopt(
        world,
        "one",
        &json!({ "plan_id": plan, "account_sids": [old] }),
    )
    .await;
    world.pass(SignedDuration::from_mins(15)).await;
}
