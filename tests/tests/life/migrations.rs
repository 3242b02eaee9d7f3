//! Numbers come out of a client's own Twilio account, part by part, and are configured, handed over and verified.

use jiff::{SignedDuration, Timestamp};
use reqwest::Method;
use serde_json::{Value, json};
use tests::{Answer, Tenant, World};

use super::support::{ask, number_from_nowhere, path};

pub(super) const ONE: &str = "+12125550111";
pub(super) const TWO: &str = "+12125550112";
pub(super) const VOICE: &str = "https://app.example/voice";

/// A world in which the operator has a name and the janitor has been.
pub(super) async fn world() -> World {
    let world = World::start().await;
    let profile = json!({ "name": "Resale Inc.", "email": "numbers@resale.example" });
    let saved = ask(&world, Method::PUT, "/v1/operator-profile", &profile).await;
    assert_eq!(saved.status, 200, "{saved:?}");
    world
}

pub(super) async fn act(world: &World, id: &str, name: &str, body: &Value) -> Answer {
    ask(
        world,
        Method::POST,
        &format!("/v1/migrations/{id}/{name}"),
        body,
    )
    .await
}

pub(super) async fn shown(world: &World, id: &str) -> Answer {
    let shown = world.get(&format!("/v1/migrations/{id}")).await;
    assert_eq!(shown.status, 200, "{shown:?}");
    shown
}

/// The numbers' states, in order.
pub(super) fn states(answer: &Answer) -> Vec<String> {
    let numbers = answer.body["numbers"].as_array().unwrap();
    let state = |number: &Value| number["state"].as_str().unwrap().to_owned();
    numbers.iter().map(state).collect()
}

/// The client's own account, which is none of ours.
async fn foreign(world: &World) -> String {
    let made = world.simulate("/foreign_accounts", &json!({})).await;
    made.text("/sid")
}

fn external(losing: &str, more: Value) -> Value {
    let mut body = json!({
        "kind": "external", "client_email": "owner@acme.example", "account_sid": losing,
        "numbers": [{ "phone_number": ONE }, { "phone_number": TWO }],
        "urls": { "voice_url": VOICE },
    });
    if let (Some(body), Value::Object(more)) = (body.as_object_mut(), more) {
        body.extend(more);
    }
    body
}

/// A migration to a tenant that is there, both tickets filed; its id.
pub(super) async fn filed(world: &World, tenant: &Tenant) -> String {
    let losing = foreign(world).await;
    let body = external(&losing, json!({ "tenant_id": tenant.id }));
    let made = world.post("/v1/migrations", &body).await;
    assert_eq!(made.status, 201, "{made:?}");
    let id = made.text("/id");
    assert_eq!(states(&made), ["preflight_ok", "preflight_ok"], "{made:?}");
    let tickets = json!({ "operator_ticket": "4711", "client_ticket": "4712" });
    let requested = act(world, &id, "requested", &tickets).await;
    assert_eq!(
        states(&requested),
        ["requested", "requested"],
        "{requested:?}"
    );
    id
}

/// Lets time pass until shortly before the migration goes on.
pub(super) async fn until_it_goes_on(world: &World, id: &str) {
    let next = shown(world, id).await.text("/next_action_at");
    let next: Timestamp = next.parse().unwrap();
    let left = next.duration_since(world.stack.clock.now());
    world.pass(left - SignedDuration::from_mins(2)).await;
}

#[tokio::test]
async fn a_client_brings_its_numbers_from_its_own_account_to_a_subaccount_made_for_it() {
    let world = world().await;
    let plan = world.plan(0).await;
    let losing = foreign(&world).await;
    let client = json!({ "client": { "name": "Acme Dental", "plan_id": plan } });
    let body = external(&losing, client);
    let made = world.post_as("/v1/migrations", "move-1", &body).await;
    assert_eq!(made.status, 201, "{made:?}");
    let id = made.text("/id");
    let again = world.post_as("/v1/migrations", "move-1", &body).await;
    assert_eq!(
        again.header("idempotent-replayed"),
        Some("true"),
        "{again:?}"
    );
    assert_eq!(again.text("/id"), id);
    let other = json!({ "kind": "external", "client_email": "x@acme.example", "account_sid": losing, "numbers": [] });
    let other = world.post_as("/v1/migrations", "move-1", &other).await;
    assert_eq!(other.code(), "idempotency_key_mismatch", "{other:?}");
    assert_eq!(world.open_subaccounts(), 1);
    world.pass(SignedDuration::from_mins(15)).await;

    let ready = shown(&world, &id).await;
    assert_eq!(
        states(&ready),
        ["preflight_ok", "preflight_ok"],
        "{ready:?}"
    );
    let tenant = Tenant {
        id: ready.text("/tenant_id"),
        account_sid: ready.text("/gaining_account_sid"),
    };
    assert_eq!(world.show(&tenant).await.text("/name"), "Acme Dental");
    let tickets = world.get(&format!("/v1/migrations/{id}/tickets")).await;
    for side in ["/gaining", "/losing"] {
        let text = tickets.text(side);
        let facts = [
            ONE,
            TWO,
            &losing,
            &tenant.account_sid,
            "Acme Dental",
            "owner@acme.example",
            "Resale Inc.",
        ];
        for fact in facts {
            assert!(text.contains(fact), "{fact} is not in\n{text}");
        }
    }

    // One side alone moves nothing: Twilio waits for both.
    let first = act(
        &world,
        &id,
        "requested",
        &json!({ "operator_ticket": "4711" }),
    )
    .await;
    assert_eq!(
        states(&first),
        ["preflight_ok", "preflight_ok"],
        "{first:?}"
    );
    let early = act(&world, &id, "credentials", &json!({})).await;
    assert_eq!(early.code(), "migration_not_ready", "{early:?}");
    let both = act(
        &world,
        &id,
        "requested",
        &json!({ "client_ticket": "4712" }),
    )
    .await;
    assert_eq!(states(&both), ["requested", "requested"], "{both:?}");
    let mut sids = Vec::new();
    for number in [ONE, TWO] {
        let number = json!({ "phone_number": number });
        sids.push(
            number_from_nowhere(&world, &tenant.account_sid, number)
                .await
                .0,
        );
    }
    world.pass(SignedDuration::from_mins(70)).await;
    let there = shown(&world, &id).await;
    assert_eq!(states(&there), ["configured", "configured"], "{there:?}");
    let listed = world.get(&path(&tenant, "/numbers")).await;
    assert_eq!(listed.text("/numbers/0/voice_url"), VOICE);
    assert!(
        listed
            .text("/numbers/0/status_callback")
            .contains(&tenant.id)
    );
    let number = world
        .get(&path(&tenant, &format!("/numbers/{}", sids[0])))
        .await;
    assert_eq!(number.text("/history/0/tenant_id"), tenant.id, "{number:?}");

    let early = act(&world, &id, "live", &json!({})).await;
    assert_eq!(early.code(), "migration_not_ready", "{early:?}");
    let handed = act(&world, &id, "credentials", &json!({})).await;
    assert_eq!(handed.status, 201, "{handed:?}");
    assert_eq!(handed.text("/account_sid"), tenant.account_sid);
    let secret = handed.text("/api_key/secret");
    assert!(!world.everything_kept().contains(&secret));
    let twice = act(&world, &id, "credentials", &json!({})).await;
    assert_eq!(twice.code(), "credentials_issued", "{twice:?}");
    world.stack.settle().await;
    assert_eq!(world.event_ids(&tenant.id, "credentials.replaced").len(), 1);
    let live = act(&world, &id, "live", &json!({})).await;
    assert_eq!(states(&live), ["live", "live"], "{live:?}");
    assert_eq!(live.body["verification"]["ok"], true, "{live:?}");
    assert_eq!(live.body["next_action_at"], Value::Null);
    assert_eq!(act(&world, &id, "live", &json!({})).await.body, live.body);
    let list = world.get("/v1/migrations?limit=1").await;
    assert_eq!(list.text("/migrations/0/id"), id);
    assert!(
        world.failed_invocations().is_empty(),
        "{:?}",
        world.failed_invocations()
    );
}

#[tokio::test]
async fn a_part_arrives_and_works_while_the_rest_is_refused_and_asked_for_again() {
    let world = world().await;
    let tenant = world.tenant("Acme", "50").await;
    let id = filed(&world, &tenant).await;
    let (sid, _) =
        number_from_nowhere(&world, &tenant.account_sid, json!({ "phone_number": ONE })).await;
    world.pass(SignedDuration::from_mins(70)).await;
    assert_eq!(
        states(&shown(&world, &id).await),
        ["configured", "requested"]
    );
    act(&world, &id, "credentials", &json!({})).await;
    let live = act(&world, &id, "live", &json!({})).await;
    assert_eq!(states(&live), ["live", "requested"], "{live:?}");

    let unknown = json!({ "by": "twilio", "reason": "not theirs", "numbers": ["+12125550199"] });
    let unknown = act(&world, &id, "refuse", &unknown).await;
    assert_eq!(unknown.code(), "number_not_found", "{unknown:?}");
    let refusal = json!({ "by": "losing_side", "reason": "the owner changed their mind" });
    let refused = act(&world, &id, "refuse", &refusal).await;
    assert_eq!(states(&refused), ["live", "blocked"], "{refused:?}");
    assert_eq!(refused.text("/numbers/1/reason"), "refused_by_losing_side");
    assert_eq!(
        refused.text("/numbers/1/note"),
        "the owner changed their mind"
    );
    assert_eq!(refused.body["next_action_at"], Value::Null);

    // They change it again.
    let ready = act(&world, &id, "preflight", &json!({})).await;
    assert_eq!(states(&ready), ["live", "preflight_ok"], "{ready:?}");
    let again = act(
        &world,
        &id,
        "requested",
        &json!({ "client_ticket": "4713" }),
    )
    .await;
    assert_eq!(states(&again), ["live", "requested"], "{again:?}");
    number_from_nowhere(&world, &tenant.account_sid, json!({ "phone_number": TWO })).await;
    world.pass(SignedDuration::from_mins(70)).await;
    assert_eq!(states(&shown(&world, &id).await), ["live", "configured"]);
    // Somebody points the number elsewhere: nothing is confirmed that is not so.
    let elsewhere = json!({ "voice_url": "https://old.example" });
    let number = path(&tenant, &format!("/numbers/{sid}"));
    ask(&world, Method::PATCH, &number, &elsewhere).await;
    let wrong = act(&world, &id, "live", &json!({})).await;
    assert_eq!(wrong.code(), "migration_not_verified", "{wrong:?}");
    assert!(wrong.text("/detail").contains(ONE), "{wrong:?}");
    ask(
        &world,
        Method::PATCH,
        &number,
        &json!({ "voice_url": VOICE }),
    )
    .await;
    let live = act(&world, &id, "live", &json!({})).await;
    assert_eq!(states(&live), ["live", "live"], "{live:?}");
    assert_eq!(world.event_ids(&tenant.id, "credentials.replaced").len(), 1);
}

#[tokio::test]
async fn numbers_that_never_come_are_blocked_after_sixty_days() {
    let world = world().await;
    let tenant = world.tenant("Acme", "50").await;
    let id = filed(&world, &tenant).await;
    world.pass(SignedDuration::from_hours(59 * 24)).await;
    assert_eq!(
        states(&shown(&world, &id).await),
        ["requested", "requested"]
    );
    world.pass(SignedDuration::from_hours(26)).await;
    let late = shown(&world, &id).await;
    assert_eq!(states(&late), ["blocked", "blocked"], "{late:?}");
    assert_eq!(late.text("/numbers/0/reason"), "not_arrived");
}

#[tokio::test]
async fn a_number_that_needs_an_address_waits_until_the_gaining_subaccount_has_one() {
    let world = world().await;
    let tenant = world.tenant("Acme", "50").await;
    let losing = foreign(&world).await;
    let numbers = json!({
        "tenant_id": tenant.id,
        "numbers": [{ "phone_number": ONE, "marks": { "needs_address": true } }, { "phone_number": TWO }],
    });
    let body = external(&losing, numbers);
    let made = world.post("/v1/migrations", &body).await;
    assert_eq!(states(&made), ["blocked", "preflight_ok"], "{made:?}");
    assert_eq!(made.text("/numbers/0/reason"), "address_required");
    let id = made.text("/id");
    let twice = world.post("/v1/migrations", &body).await;
    assert_eq!(twice.code(), "number_in_migration", "{twice:?}");
    let address = json!({ "address": {
        "customer_name": "Acme", "street": "1 Main St", "city": "Berlin", "region": "BE",
        "postal_code": "10115", "iso_country": "DE",
    }});
    let ready = act(&world, &id, "preflight", &address).await;
    assert_eq!(
        states(&ready),
        ["preflight_ok", "preflight_ok"],
        "{ready:?}"
    );
}

#[tokio::test]
async fn hostile_and_senseless_migrations_are_refused_before_anything_is_made() {
    let world = world().await;
    let tenant = world.tenant("Acme", "50").await;
    let losing = foreign(&world).await;
    let plan = world.plan(0).await;
    let of = |more: Value| {
        let mut all = json!({ "tenant_id": tenant.id });
        all.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        all
    };
    let cases = [
        (
            of(json!({ "client_email": "a@b.example\r\nGaining account: x" })),
            "migration_invalid",
        ),
        (of(json!({ "account_sid": "AC1" })), "migration_invalid"),
        (
            of(json!({ "account_sid": tenant.account_sid })),
            "migration_invalid",
        ),
        (
            of(json!({ "account_sid": world.stack.main_credentials().0 })),
            "migration_invalid",
        ),
        (of(json!({ "numbers": [] })), "migration_invalid"),
        (
            of(json!({ "numbers": [{ "phone_number": "12125550111" }] })),
            "migration_invalid",
        ),
        (
            of(json!({ "numbers": [{ "phone_number": ONE }, { "phone_number": ONE }] })),
            "migration_invalid",
        ),
        (
            of(json!({ "urls": { "voice_url": "ftp://x" } })),
            "url_invalid",
        ),
        (of(json!({ "bundle_sid": "BU1" })), "migration_invalid"),
        (of(json!({ "kind": "both" })), "body_invalid"),
        (of(json!({ "tenant_id": "ten_x" })), "tenant_not_found"),
        (json!({}), "migration_invalid"),
        (
            json!({ "client": { "name": "Acme\u{202e}", "plan_id": plan } }),
            "name_invalid",
        ),
        (
            json!({ "client": { "name": "Acme\r\n", "plan_id": plan } }),
            "name_invalid",
        ),
    ];
    for (more, code) in cases {
        let body = external(&losing, more.clone());
        let refused = world.post("/v1/migrations", &body).await;
        assert_eq!(refused.code(), code, "{more}: {refused:?}");
    }
    assert_eq!(world.open_subaccounts(), 1);
    for id in ["mig_x", "mig_01ARZ3NDEKTSV4RRFFQ69G5FAV"] {
        let absent = world.get(&format!("/v1/migrations/{id}")).await;
        assert_eq!((absent.status, absent.code()), (404, "migration_not_found"));
    }
}

#[tokio::test]
async fn a_migration_is_shown_as_a_page_that_escapes_what_people_wrote() {
    let world = world().await;
    let tenant = world.tenant("Acme <b> & Sons", "50").await;
    let id = filed(&world, &tenant).await;
    let refusal = json!({ "by": "twilio", "reason": "<script>alert(1)</script>" });
    act(&world, &id, "refuse", &refusal).await;
    let request = format!(
        "GET /v1/migrations/{id}/view HTTP/1.1\r\nhost: x\r\nconnection: close\r\nauthorization: {}\r\n\r\n",
        world.bearer()
    );
    let (status, page) = world.send_raw(request.as_bytes()).await;
    assert_eq!(status, 200, "{page}");
    assert!(page.contains("text/html"), "{page}");
    assert!(page.contains("default-src 'none'"), "{page}");
    assert!(page.contains("@media print"), "{page}");
    assert!(page.contains(ONE), "{page}");
    assert!(
        !page.contains("<script>") && !page.contains("<b> &"),
        "{page}"
    );
}
