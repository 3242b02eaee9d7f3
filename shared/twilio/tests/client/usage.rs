//! Usage records of every span, and usage triggers.

use domain::Date;
use domain::ids::UsageTriggerSid;
use domain::money::parse_decimal;
use twilio::usage_triggers::{
    NewUsageTrigger, Recurring, TriggerBy, TriggerValue, UsageTriggerFilter, UsageTriggerUpdate,
};
use twilio::{CallbackMethod, UsageDate, UsageQuery, UsageSpan};

use crate::server::{MAIN, SUB, account, error, json, main_credentials, page_of, scene};

const TRIGGER: &str = "UT33333333333333333333333333333333";

#[tokio::test]
async fn each_span_has_its_path_and_leaves_other_accounts_out() {
    for (span, name) in [
        (UsageSpan::Total, ""),
        (UsageSpan::AllTime, "/AllTime"),
        (UsageSpan::Daily, "/Daily"),
        (UsageSpan::Monthly, "/Monthly"),
        (UsageSpan::Yearly, "/Yearly"),
        (UsageSpan::Today, "/Today"),
        (UsageSpan::Yesterday, "/Yesterday"),
        (UsageSpan::ThisMonth, "/ThisMonth"),
        (UsageSpan::LastMonth, "/LastMonth"),
    ] {
        let scene = scene([page_of("usage_records", &[])]).await;
        let query = UsageQuery::of(span);
        let records = scene
            .client
            .list_usage(&main_credentials(), &account(SUB), &query)
            .await
            .unwrap();
        assert!(records.is_empty());
        let path = format!("/2010-04-01/Accounts/{SUB}/Usage/Records{name}.json");
        assert_eq!(
            scene.only(MAIN).0,
            format!("GET {path}?IncludeSubaccounts=false&PageSize=1000")
        );
    }
}

#[tokio::test]
async fn days_may_be_counted_from_twilios_today() {
    let scene = scene([page_of("usage_records", &[])]).await;
    let query = UsageQuery {
        include_subaccounts: true,
        ..UsageQuery::of(UsageSpan::Monthly)
            .between(UsageDate::DaysFromToday(-30), UsageDate::DaysFromToday(1))
    };
    scene
        .client
        .list_usage(&main_credentials(), &account(MAIN), &query)
        .await
        .unwrap();
    assert_eq!(
        scene.only(MAIN).0,
        format!(
            "GET /2010-04-01/Accounts/{MAIN}/Usage/Records/Monthly.json?StartDate=-30days&EndDate=%2B1days\
             &IncludeSubaccounts=true&PageSize=1000"
        )
    );
}

#[tokio::test]
async fn months_of_one_category_are_rows_of_their_own() {
    let row = |start: &str, end: &str| {
        format!(
            r#"{{"account_sid":"{SUB}","category":"sms","count":"3","count_unit":"messages","start_date":"{start}","end_date":"{end}",
            "price":"0","price_unit":"usd","usage":"4","usage_unit":"segments","as_of":"2026-03-24T22:32:49+00:00"}}"#
        )
    };
    let rows = [
        row("2026-01-01", "2026-01-31"),
        row("2026-02-01", "2026-02-28"),
    ];
    let scene = scene([page_of("usage_records", &rows)]).await;
    let query = UsageQuery::of(UsageSpan::Monthly)
        .between(Date::constant(2026, 1, 1), Date::constant(2026, 2, 28));
    let records = scene
        .client
        .list_usage(&main_credentials(), &account(SUB), &query)
        .await
        .unwrap();
    assert_eq!(records.len(), 2);
    assert_eq!(records[1].count_unit.as_deref(), Some("messages"));
}

fn trigger() -> UsageTriggerSid {
    UsageTriggerSid::parse(TRIGGER).unwrap()
}

fn trigger_json(recurring: &str) -> String {
    format!(
        r#"{{"account_sid":"{SUB}","api_version":"2010-04-01","callback_method":"POST","callback_url":"https://operator.example/t",
        "current_value":"57.41","date_created":"Sun, 06 Sep 2015 12:58:45 +0000","date_fired":null,
        "date_updated":"Sun, 06 Sep 2015 12:58:45 +0000","friendly_name":"guard","recurring":{recurring},"sid":"{TRIGGER}",
        "trigger_by":"price","trigger_value":"1000.000000","uri":"/x","usage_category":"totalprice","usage_record_uri":"/x"}}"#
    )
}

#[tokio::test]
async fn a_trigger_is_made_at_an_amount_or_at_so_much_more_than_now() {
    let scene = scene([
        json(201, trigger_json("\"daily\"")),
        json(201, trigger_json("null")),
    ])
    .await;
    let new = NewUsageTrigger {
        usage_category: "totalprice".to_owned(),
        trigger_by: Some(TriggerBy::Price),
        trigger_value: TriggerValue::At(parse_decimal("1000.5").unwrap()),
        recurring: Some(Recurring::Daily),
        callback_url: "https://operator.example/t".to_owned(),
        callback_method: Some(CallbackMethod::Post),
        friendly_name: Some("guard".to_owned()),
    };
    let relative = NewUsageTrigger {
        trigger_value: TriggerValue::MoreThanNow(parse_decimal("30").unwrap()),
        recurring: None,
        callback_method: None,
        friendly_name: None,
        trigger_by: None,
        ..new.clone()
    };
    let (client, main, sub) = (&scene.client, main_credentials(), account(SUB));
    let made = client
        .create_usage_trigger(&main, &sub, &new)
        .await
        .unwrap();
    assert_eq!(made.recurring, Some(Recurring::Daily));
    assert_eq!(made.trigger_value, parse_decimal("1000").unwrap());
    assert_eq!(made.current_value, parse_decimal("57.41").ok());
    let made = client
        .create_usage_trigger(&main, &sub, &relative)
        .await
        .unwrap();
    assert_eq!(made.recurring, None);
    let seen = scene.seen();
    assert_eq!(
        seen[0].body,
        "UsageCategory=totalprice&TriggerValue=1000.5&CallbackUrl=https%3A%2F%2Foperator.example%2Ft&CallbackMethod=POST\
         &TriggerBy=price&Recurring=daily&FriendlyName=guard"
    );
    assert_eq!(
        seen[1].body,
        "UsageCategory=totalprice&TriggerValue=%2B30&CallbackUrl=https%3A%2F%2Foperator.example%2Ft"
    );
}

#[tokio::test]
async fn triggers_are_listed_read_changed_and_deleted() {
    let scene = scene([
        page_of("usage_triggers", &[trigger_json("\"daily\"")]),
        json(200, trigger_json("null")),
        json(200, trigger_json("null")),
        json(204, ""),
        error(404, 20404),
    ])
    .await;
    let (client, main, sub) = (&scene.client, main_credentials(), account(SUB));
    let filter = UsageTriggerFilter {
        usage_category: Some("totalprice".to_owned()),
        trigger_by: Some(TriggerBy::Price),
        recurring: Some(Recurring::AllTime),
    };
    let listed = client
        .list_usage_triggers(&main, &sub, &filter)
        .await
        .unwrap();
    assert_eq!(listed[0].sid, trigger());
    client
        .fetch_usage_trigger(&main, &sub, &trigger())
        .await
        .unwrap();
    let update = UsageTriggerUpdate {
        callback_url: Some("https://operator.example/u".to_owned()),
        ..UsageTriggerUpdate::default()
    };
    client
        .update_usage_trigger(&main, &sub, &trigger(), &update)
        .await
        .unwrap();
    for _ in 0..2 {
        client
            .delete_usage_trigger(&main, &sub, &trigger())
            .await
            .unwrap();
    }
    let (all, one) = (
        format!("/2010-04-01/Accounts/{SUB}/Usage/Triggers.json"),
        format!("/2010-04-01/Accounts/{SUB}/Usage/Triggers/{TRIGGER}.json"),
    );
    assert_eq!(
        scene.lines(),
        [
            format!(
                "GET {all}?UsageCategory=totalprice&TriggerBy=price&Recurring=alltime&PageSize=1000"
            ),
            format!("GET {one}"),
            format!("POST {one}"),
            format!("DELETE {one}"),
            format!("DELETE {one}"),
        ]
    );
    assert_eq!(
        scene.seen()[2].body,
        "CallbackUrl=https%3A%2F%2Foperator.example%2Fu"
    );
}
