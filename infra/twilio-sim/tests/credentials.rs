//! Who may do what: every kind of credential against every kind of place, as one table.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod common;

use common::{API, MAIN, Reply, TOKEN, ask, config, control, get, post, subaccount};
use serde_json::json;
use twilio_sim::{InactiveAnswer, Quirks, Sim, SimConfig};

/// A user and a password.
type Pair = (String, String);

/// Everything that the table needs: two subaccounts and each kind of credential.
struct Cast {
    sim: Sim,
    own: String,
    sibling: String,
    own_key: String,
    who: Vec<(&'static str, Pair)>,
}

const POLICY: &str = r#"{"allow":["/twilio/voice/calls/list","/twilio/messaging/services/list","/twilio/messaging/pricing/list","/twilio/monitor/events/list","/twilio/billing/balance/read","/twilio/iam/accounts/list","/twilio/iam/api-keys/list"]}"#;

async fn iam_key(sim: &Sim, owner: &Pair, form: &[(&str, &str)]) -> Pair {
    let mut form = form.to_vec();
    form.push(("AccountSid", owner.0.as_str()));
    let made = as_(sim, "POST", "/iam/v1/Keys", owner, &form).await;
    assert_eq!(made.status, 201, "{}", made.body);
    (made.str("sid"), made.str("secret"))
}

async fn as_(sim: &Sim, method: &str, path: &str, who: &Pair, form: &[(&str, &str)]) -> Reply {
    ask(sim, method, path, Some((&who.0, &who.1)), form).await
}

async fn cast(quirks: Quirks) -> Cast {
    let sim = Sim::new(SimConfig { quirks, ..config() });
    let (own, own_token) = subaccount(&sim, "own").await;
    let (sibling, _) = subaccount(&sim, "sibling").await;
    let main: Pair = (MAIN.to_owned(), TOKEN.to_owned());
    let sub: Pair = (own.clone(), own_token);
    let restricted = [("KeyType", "restricted"), ("Policy", POLICY)];
    let console = control(
        &sim,
        "POST",
        "/_sim/keys",
        &json!({"account_sid": MAIN, "kind": "main"}),
    )
    .await;
    let sub_key = iam_key(&sim, &sub, &[]).await;
    let who = vec![
        ("main token", main.clone()),
        ("Main key", (console.str("sid"), console.str("secret"))),
        ("main standard key", iam_key(&sim, &main, &[]).await),
        (
            "main restricted key",
            iam_key(&sim, &main, &restricted).await,
        ),
        ("sub token", sub.clone()),
        ("sub standard key", sub_key.clone()),
        ("sub restricted key", iam_key(&sim, &sub, &restricted).await),
    ];
    Cast {
        sim,
        own,
        sibling,
        own_key: sub_key.0,
        who,
    }
}

/// What each credential gets at one place, in the cast's order.
type Row<'a> = (&'a str, String, [u64; 7]);

/// The table: `0` is success, anything else Twilio's code.
fn table(cast: &Cast) -> Vec<Row<'static>> {
    const OK: u64 = 0;
    const NO: u64 = 20_003;
    const RK: u64 = 70_051;
    let (own, sibling) = (&cast.own, &cast.sibling);
    let calls = |account: &str| format!("{API}/Accounts/{account}/Calls.json");
    let keys = |account: &str| format!("{API}/Accounts/{account}/Keys.json");
    let account = |account: &str| format!("{API}/Accounts/{account}.json");
    let usage = |account: &str| format!("{API}/Accounts/{account}/Usage/Records.json");
    vec![
        // place                  main  Main   main   main   sub   sub    sub
        //                        token key    key    restr. token key    restr.
        ("main's calls", calls(MAIN), [OK, OK, OK, OK, NO, NO, NO]),
        ("own calls", calls(own), [OK, NO, NO, NO, OK, OK, OK]),
        (
            "sibling's calls",
            calls(sibling),
            [OK, NO, NO, NO, NO, NO, NO],
        ),
        ("main's usage", usage(MAIN), [OK, OK, OK, RK, NO, NO, RK]),
        ("own usage", usage(own), [OK, NO, NO, RK, OK, OK, RK]),
        (
            "accounts",
            format!("{API}/Accounts.json"),
            [OK, OK, NO, RK, OK, NO, RK],
        ),
        ("main account", account(MAIN), [OK, OK, NO, RK, NO, NO, RK]),
        ("own account", account(own), [OK, NO, NO, RK, OK, NO, RK]),
        ("sibling", account(sibling), [OK, NO, NO, RK, NO, NO, RK]),
        ("main's keys", keys(MAIN), [OK, OK, NO, RK, NO, NO, RK]),
        ("own keys", keys(own), [OK, NO, NO, RK, OK, NO, RK]),
        (
            "sibling's keys",
            keys(sibling),
            [OK, NO, NO, RK, NO, NO, RK],
        ),
        (
            "own key as a signing key",
            format!("{API}/Accounts/{own}/SigningKeys/{}.json", cast.own_key),
            [OK, NO, NO, RK, OK, NO, RK],
        ),
        (
            "main's balance",
            format!("{API}/Accounts/{MAIN}/Balance.json"),
            [OK, OK, OK, OK, NO, NO, NO],
        ),
        // A subaccount has none; a key of the main account does not even get to know.
        (
            "own balance",
            format!("{API}/Accounts/{own}/Balance.json"),
            [20_404, NO, NO, NO, 20_404, 20_404, 20_404],
        ),
        (
            "iam keys",
            format!("/iam/v1/Keys?AccountSid={own}"),
            [OK, OK, NO, RK, OK, NO, RK],
        ),
        (
            "iam keys of a stranger",
            format!("/iam/v1/Keys?AccountSid={sibling}"),
            [OK, OK, NO, RK, NO, NO, RK],
        ),
        (
            "messaging services",
            "/messaging/v1/Services".to_owned(),
            [OK, OK, OK, OK, OK, OK, OK],
        ),
        (
            "message prices",
            "/pricing/v1/Messaging/Countries".to_owned(),
            [OK, OK, OK, OK, OK, OK, OK],
        ),
        (
            "voice prices",
            "/pricing/v2/Voice/Countries".to_owned(),
            [OK, OK, OK, RK, OK, OK, RK],
        ),
        (
            "monitor events",
            "/monitor/v1/Events".to_owned(),
            [OK, OK, OK, OK, OK, OK, OK],
        ),
        (
            "monitor alerts",
            "/monitor/v1/Alerts".to_owned(),
            [OK, OK, OK, RK, OK, OK, RK],
        ),
        (
            "geo permissions",
            "/accounts/v1/Messaging/GeoPermissions".to_owned(),
            [OK, OK, OK, RK, OK, OK, RK],
        ),
    ]
}

#[tokio::test]
async fn the_table_of_rights_holds_in_every_cell() {
    let cast = cast(Quirks::none()).await;
    for (place, path, row) in table(&cast) {
        for ((name, who), expected) in cast.who.iter().zip(row) {
            let answer = as_(&cast.sim, "GET", &path, who, &[]).await;
            assert_eq!(
                answer.code(),
                expected,
                "{name} at {place}: {}",
                answer.body
            );
            let status = match expected {
                0 => 200,
                20_404 => 404,
                _ => 401,
            };
            assert_eq!(answer.status, status, "{name} at {place}");
        }
    }
}

#[tokio::test]
async fn tokens_rotate_for_tokens_and_main_keys_only() {
    let cast = cast(Quirks::none()).await;
    for ((name, who), expected) in cast.who.iter().zip([201, 400, 401, 401, 201, 401, 401]) {
        let path = "/accounts/v1/AuthTokens/Secondary";
        let answer = as_(&cast.sim, "POST", path, who, &[]).await;
        // The Main key asks for the main account, which has one by then.
        assert_eq!(answer.status, expected, "{name}: {}", answer.body);
    }
}

#[tokio::test]
async fn main_credentials_on_a_subdomain_silently_show_the_main_account() {
    let cast = cast(Quirks::none()).await;
    let (sim, sub) = (&cast.sim, &cast.who[4].1);
    as_(
        sim,
        "POST",
        "/messaging/v1/Services",
        sub,
        &[("FriendlyName", "tenant's")],
    )
    .await;
    for (name, who) in &cast.who[..4] {
        let path = format!("/messaging/v1/Services?AccountSid={}", cast.own);
        let answer = as_(sim, "GET", &path, who, &[]).await;
        assert_eq!(answer.status, 200, "{name}");
        assert_eq!(
            answer.body["services"],
            json!([]),
            "{name} sees the main account's"
        );
    }
    // The same for keys: one made for the subaccount is the main account's.
    let form = [
        ("AccountSid", cast.own.as_str()),
        ("FriendlyName", "trapped"),
    ];
    let made = as_(sim, "POST", "/iam/v1/Keys", &cast.who[0].1, &form).await;
    assert_eq!(made.status, 201);
    let listed = get(sim, &format!("/Accounts/{MAIN}/Keys.json")).await;
    assert_eq!(listed.body["keys"][0]["friendly_name"], "trapped");
    let own = get(sim, &format!("/Accounts/{}/Keys.json", cast.own)).await;
    assert!(!own.body.to_string().contains("trapped"));
}

#[tokio::test]
async fn a_quirk_lets_main_credentials_make_keys_for_a_child() {
    let quirks = Quirks {
        iam_acts_on_child: true,
        ..Quirks::none()
    };
    let cast = cast(quirks).await;
    let form = [
        ("AccountSid", cast.own.as_str()),
        ("FriendlyName", "for the child"),
    ];
    let made = as_(&cast.sim, "POST", "/iam/v1/Keys", &cast.who[0].1, &form).await;
    assert_eq!(made.status, 201);
    let own = get(&cast.sim, &format!("/Accounts/{}/Keys.json", cast.own)).await;
    assert_eq!(own.body["keys"][0]["friendly_name"], "for the child");
    let one = format!("/iam/v1/Keys/{}", made.str("sid"));
    for (who, expected) in [(0, 0), (4, 0), (2, 20_003)] {
        let fetched = as_(&cast.sim, "GET", &one, &cast.who[who].1, &[]).await;
        assert_eq!(fetched.code(), expected);
    }
    let path = format!("/iam/v1/Keys?AccountSid=AC{}", "f".repeat(32));
    let unknown = as_(&cast.sim, "GET", &path, &cast.who[0].1, &[]).await;
    assert_eq!((unknown.status, unknown.code()), (404, 20_404));
}

#[tokio::test]
async fn quirks_widen_what_main_and_restricted_keys_reach() {
    let quirks = Quirks {
        main_keys_reach_children: true,
        restricted_keys_manage: true,
        ..Quirks::none()
    };
    let cast = cast(quirks).await;
    let (sim, main_key) = (&cast.sim, &cast.who[1].1);
    let child = format!("{API}/Accounts/{}/Calls.json", cast.own);
    assert_eq!(as_(sim, "GET", &child, main_key, &[]).await.status, 200);
    let restricted = &cast.who[6].1;
    let keys = format!("{API}/Accounts/{}/Keys.json", cast.own);
    assert_eq!(as_(sim, "GET", &keys, restricted, &[]).await.status, 200);
    let refused = as_(sim, "POST", &keys, restricted, &[]).await;
    assert_eq!(
        refused.code(),
        70_051,
        "the policy does not list making keys"
    );
}

#[tokio::test]
async fn a_restricted_key_is_told_which_permission_it_lacks() {
    let cast = cast(Quirks::none()).await;
    let path = format!("{API}/Accounts/{}/Messages.json", cast.own);
    let refused = as_(&cast.sim, "GET", &path, &cast.who[6].1, &[]).await;
    assert_eq!((refused.status, refused.code()), (401, 70_051));
    assert_eq!(
        refused.str("message"),
        "Authorization Error: required permission twilio/messaging/messages/list is missing"
    );
}

#[tokio::test]
async fn a_policy_may_list_all_of_a_resource_s_permissions() {
    let cast = cast(Quirks::none()).await;
    let (sim, sub) = (&cast.sim, &cast.who[4].1);
    let policy = r#"{"allow":["/twilio/voice/calls/*"]}"#;
    let key = iam_key(sim, sub, &[("KeyType", "restricted"), ("Policy", policy)]).await;
    for (what, expected) in [("Calls.json", 0), ("Messages.json", 70_051)] {
        let path = format!("{API}/Accounts/{}/{what}", cast.own);
        assert_eq!(
            as_(sim, "GET", &path, &key, &[]).await.code(),
            expected,
            "{what}"
        );
    }
}

#[tokio::test]
async fn the_credentials_of_an_inactive_account_are_refused_as_the_quirk_says() {
    for (answer, expected) in [
        (InactiveAnswer::Unauthenticated, (401, 20_003)),
        (InactiveAnswer::NotActive, (401, 20_005)),
        (InactiveAnswer::Forbidden, (403, 20_005)),
    ] {
        let cast = cast(Quirks {
            inactive_answer: answer,
            ..Quirks::none()
        })
        .await;
        let sim = &cast.sim;
        let child = format!("/Accounts/{}.json", cast.own);
        for status in ["suspended", "closed"] {
            post(sim, &child, &[("Status", status)]).await;
            let calls = format!("{API}/Accounts/{}/Calls.json", cast.own);
            let refused = as_(sim, "GET", &calls, &cast.who[4].1, &[]).await;
            assert_eq!((refused.status, refused.code()), expected, "{status}");
            // Main credentials go on working on the child's path.
            assert_eq!(
                as_(sim, "GET", &calls, &cast.who[0].1, &[]).await.status,
                200
            );
            let log = sim.requests();
            let asked: Vec<&str> = log.iter().map(|request| request.credential).collect();
            assert_eq!(asked[asked.len() - 2..], ["inactive", "main"]);
        }
        let wrong = (cast.own.clone(), "wrong".to_owned());
        let refused = as_(sim, "GET", &format!("{API}{child}"), &wrong, &[]).await;
        assert_eq!(refused.code(), 20_003, "only the right token learns more");
    }
}

#[tokio::test]
async fn a_suspended_main_account_stops_its_subaccounts_credentials() {
    let cast = cast(Quirks::none()).await;
    control(
        &cast.sim,
        "POST",
        &format!("/_sim/accounts/{MAIN}"),
        &json!({"status": "suspended"}),
    )
    .await;
    let calls = format!("{API}/Accounts/{}/Calls.json", cast.own);
    for (name, who) in &cast.who[1..] {
        let refused = as_(&cast.sim, "GET", &calls, who, &[]).await;
        assert_eq!(refused.code(), 20_003, "{name}");
    }
    assert_eq!(
        as_(&cast.sim, "GET", &calls, &cast.who[0].1, &[])
            .await
            .status,
        200
    );
}

#[tokio::test]
async fn the_log_says_which_kind_of_credential_asked() {
    let cast = cast(Quirks::none()).await;
    cast.sim.reset_counters();
    for (_, who) in &cast.who {
        as_(&cast.sim, "GET", "/messaging/v1/Services", who, &[]).await;
    }
    let stranger = (format!("AC{}", "e".repeat(32)), TOKEN.to_owned());
    let refused = as_(&cast.sim, "GET", "/messaging/v1/Services", &stranger, &[]).await;
    assert_eq!(
        refused.str("message"),
        "Authentication Error - invalid username"
    );
    let log = cast.sim.requests();
    let kinds: Vec<&str> = log.iter().map(|request| request.credential).collect();
    assert_eq!(
        kinds,
        [
            "main",
            "main_key",
            "key",
            "restricted_key",
            "subaccount",
            "key",
            "restricted_key",
            "invalid"
        ]
    );
    for ((_, who), request) in cast.who.iter().zip(log) {
        assert_eq!(request.credential_sid, who.0);
    }
}
