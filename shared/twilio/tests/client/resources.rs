//! Each resource: what is sent, and what is read from payloads as Twilio writes them.

use domain::ids::{CallSid, KeySid};
use domain::money::{Currency, parse_decimal};
use domain::{Date, Decimal, Timestamp};
use secrecy::ExposeSecret;
use twilio::{
    AccountFilter, AccountStatus, CallFilter, CallStatus, Error, IncomingNumberFilter, RetryReason,
    UsageQuery, UsageSpan,
};

use crate::server::{MAIN, SUB, account, error, json, main_credentials, main_only, page_of, scene};

const CALL: &str = "CA33333333333333333333333333333333";
const KEY: &str = "SK44444444444444444444444444444444";

fn account_row(sid: &str, name: &str, status: &str) -> String {
    format!(
        r#"{{"auth_token":"tok-{name}","date_created":"Thu, 30 Jul 2015 20:00:00 +0000","friendly_name":"{name}",
        "owner_account_sid":"{MAIN}","sid":"{sid}","status":"{status}","type":"Full","subresource_uris":{{"calls":"/x"}}}}"#
    )
}

fn call_row(status: &str) -> String {
    format!(
        r#"{{"account_sid":"{SUB}","answered_by":null,"direction":"inbound","duration":"15","from":"+15550100","to":"+15550101",
        "end_time":"Tue, 31 Aug 2010 20:36:44 +0000","start_time":"Tue, 31 Aug 2010 20:36:29 +0000","parent_call_sid":null,
        "price":"-0.03000","price_unit":"usd","sid":"{CALL}","status":"{status}"}}"#
    )
}

fn exact(text: &str) -> Decimal {
    parse_decimal(text).unwrap()
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

#[tokio::test]
async fn a_subaccount_is_created_with_its_name() {
    let scene = scene([json(201, account_row(SUB, "ten_1", "active"))]).await;
    let created = scene
        .client
        .create_account(&main_only(), "ten 1&x")
        .await
        .unwrap();
    assert_eq!(
        (created.sid, created.status),
        (account(SUB), AccountStatus::Active)
    );
    assert_eq!(created.date_created, Some(at("2015-07-30T20:00:00Z")));
    assert_eq!(created.auth_token.unwrap().expose_secret(), "tok-ten_1");
    let seen = &scene.seen()[0];
    assert_eq!(
        (seen.method.as_str(), seen.target.as_str()),
        ("POST", "/2010-04-01/Accounts.json")
    );
    assert_eq!(seen.body, "FriendlyName=ten+1%26x");
    assert!(
        seen.authorization.starts_with("Basic QUMwMDAw"),
        "{}",
        seen.authorization
    );
}

#[tokio::test]
async fn the_main_account_and_similar_names_are_not_listed() {
    let rows = [
        account_row(MAIN, "ten_1", "active"),
        account_row(SUB, "ten_1", "active"),
        account_row("AC22222222222222222222222222222222", "TEN_1", "active"),
        account_row("AC55555555555555555555555555555555", "ten_1", "closed"),
    ];
    let scene = scene([page_of("accounts", &rows), page_of("accounts", &rows)]).await;
    let filter = AccountFilter {
        friendly_name: Some("ten_1".to_owned()),
        status: Some(AccountStatus::Active),
    };
    let listed = scene
        .client
        .list_accounts(&main_only(), &filter)
        .await
        .unwrap();
    assert_eq!(
        listed
            .into_iter()
            .map(|account| account.sid)
            .collect::<Vec<_>>(),
        [account(SUB)]
    );
    let all = scene
        .client
        .list_accounts(&main_only(), &AccountFilter::default())
        .await
        .unwrap();
    assert_eq!(all.len(), 3);
    assert_eq!(
        scene.seen()[0].target,
        "/2010-04-01/Accounts.json?FriendlyName=ten_1&Status=active&PageSize=1000"
    );
}

#[tokio::test]
async fn a_status_this_code_does_not_know_is_kept() {
    let scene = scene([json(200, account_row(SUB, "n", "frozen"))]).await;
    let fetched = scene
        .client
        .fetch_account(&main_credentials(), &account(SUB))
        .await
        .unwrap();
    assert_eq!(fetched.status, AccountStatus::Other("frozen".to_owned()));
}

#[tokio::test]
async fn a_keys_secret_is_shown_once() {
    let created = format!(
        r#"{{"sid":"{KEY}","friendly_name":"foo","date_created":"Mon, 13 Jun 2016 22:50:08 +0000","secret":"hidden"}}"#
    );
    let without = format!(r#"{{"sid":"{KEY}","friendly_name":"foo","secret":null}}"#);
    let scene = scene([json(201, created), json(201, without)]).await;
    let key = scene
        .client
        .create_key(&main_credentials(), &account(SUB), "foo")
        .await
        .unwrap();
    assert_eq!(key.secret.expose_secret(), "hidden");
    assert!(!format!("{key:?}").contains("hidden"));
    let lost = scene
        .client
        .create_key(&main_credentials(), &account(SUB), "foo")
        .await
        .unwrap_err();
    assert!(matches!(lost, Error::UnknownOutcome { .. }), "{lost:?}");
}

#[tokio::test]
async fn a_key_that_is_gone_is_deleted() {
    let scene = scene([
        json(204, ""),
        error(500, 20500),
        error(404, 20404),
        error(403, 20403),
    ])
    .await;
    let key = KeySid::parse(KEY).unwrap();
    scene
        .client
        .delete_key(&main_credentials(), &account(SUB), &key)
        .await
        .unwrap();
    scene
        .client
        .delete_key(&main_credentials(), &account(SUB), &key)
        .await
        .unwrap();
    assert!(
        scene
            .client
            .delete_key(&main_credentials(), &account(SUB), &key)
            .await
            .is_err()
    );
    assert_eq!(
        scene.seen()[0].target,
        format!("/2010-04-01/Accounts/{SUB}/Keys/{KEY}.json")
    );
}

#[tokio::test]
async fn a_balance_is_read_in_its_currency() {
    let scene = scene([
        json(
            200,
            format!(r#"{{"account_sid":"{MAIN}","balance":"-0.05","currency":"eur"}}"#),
        ),
        json(
            200,
            format!(r#"{{"account_sid":"{MAIN}","balance":null,"currency":"USD"}}"#),
        ),
    ])
    .await;
    let balance = scene.client.fetch_balance(&main_only()).await.unwrap();
    assert_eq!(
        (balance.balance, balance.currency),
        (exact("-0.05"), Currency::parse("EUR").unwrap())
    );
    assert!(scene.client.fetch_balance(&main_only()).await.is_err());
}

#[tokio::test]
async fn usage_is_read_exactly_whatever_its_amounts_are_written_as() {
    let row = |price: &str, category: &str| {
        format!(
            r#"{{"account_sid":"{SUB}","as_of":"2019-06-24T22:32:49+00:00","category":"{category}","count":null,"count_unit":"",
            "description":"x","end_date":"2026-03-02","price":{price},"price_unit":"usd","start_date":"2026-03-02","usage":12.5,"usage_unit":"minutes"}}"#
        )
    };
    let rows = [
        row("\"2192.84855\"", "calls"),
        row("0.30000000000000000001", "sms"),
        row("null", "Usage-RCS-Messages"),
        row("\"1\"", "calls"),
    ];
    let scene = scene([page_of("usage_records", &rows)]).await;
    let day = |text: &str| text.parse::<Date>().unwrap();
    let query = UsageQuery {
        category: Some("calls".to_owned()),
        ..UsageQuery::of(UsageSpan::Daily).between(day("2026-03-01"), day("2026-03-04"))
    };
    let records = scene
        .client
        .list_usage(&main_credentials(), &account(SUB), &query)
        .await
        .unwrap();
    let prices: Vec<_> = records.iter().map(|record| record.price).collect();
    assert_eq!(
        prices,
        [
            Some(exact("2192.84855")),
            Some(exact("0.30000000000000000001")),
            None
        ]
    );
    let first = &records[0];
    assert_eq!((first.count, first.usage), (None, Some(exact("12.5"))));
    assert_eq!(
        (first.price_unit.as_deref(), first.usage_unit.as_deref()),
        (Some("USD"), Some("minutes"))
    );
    assert_eq!(
        (first.start_date.to_string(), first.as_of),
        ("2026-03-02".to_owned(), Some(at("2019-06-24T22:32:49Z")))
    );
    assert_eq!(
        scene.seen()[0].target,
        format!(
            "/2010-04-01/Accounts/{SUB}/Usage/Records/Daily.json?Category=calls&StartDate=2026-03-01&EndDate=2026-03-04\
             &IncludeSubaccounts=false&PageSize=1000"
        )
    );
}

#[tokio::test]
async fn a_calls_price_is_a_positive_cost() {
    let unpriced = call_row("completed")
        .replace("\"-0.03000\"", "null")
        .replace(CALL, "CA66666666666666666666666666666666");
    let scene = scene([page_of("calls", &[call_row("completed"), unpriced])]).await;
    let filter = CallFilter {
        status: Some(CallStatus::InProgress),
        started_from: Some(at("2026-08-01T12:30:05Z").into()),
        started_before: Some(at("2026-08-02T00:00:00Z").into()),
        ..CallFilter::default()
    };
    let calls = scene
        .client
        .list_calls(&main_credentials(), &account(SUB), &filter)
        .await
        .unwrap();
    let call = &calls[0];
    assert_eq!(
        (call.price, call.price_unit.as_deref(), call.duration),
        (Some(exact("0.03")), Some("USD"), Some(15))
    );
    assert_eq!(
        (call.start_time, call.parent_call_sid.clone()),
        (Some(at("2010-08-31T20:36:29Z")), None)
    );
    assert_eq!(calls[1].price, None);
    assert_eq!(
        scene.seen()[0].target,
        format!(
            "/2010-04-01/Accounts/{SUB}/Calls.json?Status=in-progress&StartTime%3E=2026-08-01T12%3A30%3A05Z\
             &StartTime%3C=2026-08-02T00%3A00%3A00Z&PageSize=1000"
        )
    );
}

#[tokio::test]
async fn a_call_is_canceled_before_and_completed_after_it_is_answered() {
    let scene = scene([
        json(200, call_row("completed")),
        json(200, call_row("canceled")),
    ])
    .await;
    let call = CallSid::parse(CALL).unwrap();
    for seen in [CallStatus::InProgress, CallStatus::Ringing] {
        scene
            .client
            .end_call(&main_credentials(), &account(SUB), &call, &seen)
            .await
            .unwrap();
    }
    let bodies: Vec<_> = scene.seen().into_iter().map(|seen| seen.body).collect();
    assert_eq!(bodies, ["Status=completed", "Status=canceled"]);
}

#[tokio::test]
async fn a_call_that_ended_by_itself_is_ended() {
    let scene = scene([error(400, 21220), json(200, call_row("no-answer"))]).await;
    let call = CallSid::parse(CALL).unwrap();
    let ended = scene
        .client
        .end_call(
            &main_credentials(),
            &account(SUB),
            &call,
            &CallStatus::Ringing,
        )
        .await
        .unwrap();
    assert_eq!(ended.status, CallStatus::NoAnswer);
}

#[tokio::test]
async fn a_call_that_was_answered_meanwhile_is_completed() {
    let scene = scene([
        error(400, 21220),
        json(200, call_row("in-progress")),
        json(200, call_row("completed")),
    ])
    .await;
    let call = CallSid::parse(CALL).unwrap();
    let ended = scene
        .client
        .end_call(
            &main_credentials(),
            &account(SUB),
            &call,
            &CallStatus::Queued,
        )
        .await
        .unwrap();
    assert_eq!(ended.status, CallStatus::Completed);
    assert_eq!(scene.seen()[2].body, "Status=completed");
}

#[tokio::test]
async fn a_call_that_keeps_moving_is_tried_again_later() {
    let moves = || [error(400, 21220), json(200, call_row("in-progress"))];
    let scene = scene([moves(), moves(), moves()].into_iter().flatten()).await;
    let call = CallSid::parse(CALL).unwrap();
    let outcome = scene
        .client
        .end_call(
            &main_credentials(),
            &account(SUB),
            &call,
            &CallStatus::InProgress,
        )
        .await
        .unwrap_err();
    assert!(
        matches!(
            outcome,
            Error::Retry {
                reason: RetryReason::StateMoved,
                ..
            }
        ),
        "{outcome:?}"
    );
}

#[tokio::test]
async fn numbers_are_listed_with_their_addresses() {
    let row = format!(
        r#"{{"account_sid":"{SUB}","capabilities":{{"voice":true}},"date_created":"Thu, 30 Jul 2015 23:19:04 +0000","friendly_name":"(808) 925-5327",
        "phone_number":"+18089255327","sid":"PN77777777777777777777777777777777","sms_url":"","voice_url":null,"type":"local"}}"#
    );
    let scene = scene([page_of("incoming_phone_numbers", &[row])]).await;
    let numbers = scene
        .client
        .list_incoming_numbers(
            &main_credentials(),
            &account(SUB),
            &IncomingNumberFilter::default(),
        )
        .await
        .unwrap();
    assert_eq!(numbers[0].phone_number, "+18089255327");
    assert_eq!(
        (
            numbers[0].sms_url.as_deref(),
            numbers[0].number_type.as_deref()
        ),
        (None, Some("local"))
    );
}
