//! What is asked again, what is not, and what the caller is told.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::AsyncReadExt;
use twilio::{AccountStatus, AlarmReason, Client, Error, ErrorCode, RejectReason, RetryReason};

use crate::server::{
    MAIN, Reply, SUB, Scene, TOKEN, account, client, error, json, main_credentials, main_only,
    scene,
};

const BALANCE: &str =
    r#"{"account_sid":"AC00000000000000000000000000000000","balance":"1.5","currency":"USD"}"#;

fn an_account(status: &str) -> Reply {
    json(
        200,
        format!(
            r#"{{"sid":"{SUB}","owner_account_sid":"{MAIN}","friendly_name":"n","status":"{status}","auth_token":"t"}}"#
        ),
    )
}

async fn read(client: &Client) -> Result<String, Error> {
    client
        .fetch_balance(&main_only())
        .await
        .map(|balance| balance.balance.to_string())
}

async fn create(client: &Client) -> Result<String, Error> {
    client
        .create_account(&main_only(), "name")
        .await
        .map(|account| account.sid.to_string())
}

async fn suspend(scene: &Scene) -> Result<AccountStatus, Error> {
    let updated = scene
        .client
        .update_account_status(&main_only(), &account(SUB), &AccountStatus::Suspended)
        .await?;
    Ok(updated.status)
}

#[tokio::test]
async fn a_throttled_request_is_asked_again_even_a_create() {
    let scene = scene([error(429, 20429), error(429, 20429), an_account("active")]).await;
    assert_eq!(create(&scene.client).await.unwrap(), SUB);
    assert_eq!(scene.seen().len(), 3);
    // `random` draws the largest number: the remainder stays below the doubling ceiling.
    let waits = scene.waits();
    assert!(
        waits[0] <= Duration::from_millis(500) && waits[1] <= Duration::from_secs(1),
        "{waits:?}"
    );
}

#[tokio::test]
async fn a_wait_that_twilio_asks_for_is_kept() {
    let throttled = |after| Reply::Whole(429, vec![("retry-after", after)], String::new());
    let scene = scene([
        throttled("3"),
        throttled("Sun, 01 Mar 2026 12:00:05 GMT"),
        throttled("86400"),
        json(200, BALANCE),
    ])
    .await;
    assert_eq!(read(&scene.client).await.unwrap(), "1.5");
    let floors = [3, 5, 20].map(Duration::from_secs);
    for (wait, floor) in scene.waits().into_iter().zip(floors) {
        assert!(
            wait >= floor && wait <= floor + Duration::from_millis(500),
            "{wait:?}"
        );
    }
}

#[tokio::test]
async fn throttling_without_end_is_a_retry_of_the_caller() {
    let scene = scene((0..9).map(|_| error(429, 20429))).await;
    let refused = create(&scene.client).await.unwrap_err();
    assert!(
        matches!(
            refused,
            Error::Retry {
                reason: RetryReason::Throttled,
                ..
            }
        ),
        "{refused}"
    );
    assert_eq!(refused.code(), Some(ErrorCode::TOO_MANY_REQUESTS));
    assert_eq!(refused.request_id(), Some("RQ0123"));
    assert_eq!((scene.seen().len(), scene.waits().len()), (5, 4));
}

#[tokio::test]
async fn a_server_failure_is_asked_again_where_that_is_harmless() {
    let reading = scene([error(500, 20500), json(503, "<html>"), json(200, BALANCE)]).await;
    assert_eq!(read(&reading.client).await.unwrap(), "1.5");
    let suspending = scene([
        error(500, 20500),
        Reply::Silence,
        json(200, "{\"sid"),
        an_account("suspended"),
    ])
    .await;
    assert_eq!(
        suspend(&suspending).await.unwrap(),
        AccountStatus::Suspended
    );
    assert_eq!(suspending.seen().len(), 4);
}

#[tokio::test]
async fn a_create_that_may_have_happened_is_never_repeated() {
    let unreadable = r#"{"friendly_name":"name"}"#;
    for reply in [
        error(500, 20500),
        json(503, ""),
        Reply::Silence,
        Reply::Dropped(201, "{"),
        json(201, ""),
        json(201, "<html>"),
        json(201, unreadable),
    ] {
        let scene = scene([reply, an_account("active")]).await;
        let outcome = create(&scene.client).await.unwrap_err();
        assert!(
            matches!(outcome, Error::UnknownOutcome { .. }),
            "{outcome:?}"
        );
        assert!(
            outcome.to_string().contains("look for a subaccount"),
            "{outcome}"
        );
        assert_eq!(scene.seen().len(), 1);
        assert!(scene.waits().is_empty());
    }
}

#[tokio::test]
async fn a_connection_cut_after_the_request_leaves_a_create_unknown() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let taken = Arc::new(Mutex::new(0));
    let counter = Arc::clone(&taken);
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut buffer = [0; 1024];
            let read = stream.read(&mut buffer).await.unwrap();
            assert!(read > 0);
            *counter.lock().unwrap() += 1;
        }
    });
    let client = client(&base, &Arc::default());
    let outcome = create(&client).await.unwrap_err();
    assert!(
        matches!(outcome, Error::UnknownOutcome { .. }),
        "{outcome:?}"
    );
    assert_eq!(*taken.lock().unwrap(), 1);
    let outcome = read(&client).await.unwrap_err();
    assert!(
        matches!(
            outcome,
            Error::Retry {
                reason: RetryReason::NoAnswer,
                ..
            }
        ),
        "{outcome:?}"
    );
    assert_eq!(*taken.lock().unwrap(), 6);
}

#[tokio::test]
async fn a_connection_that_never_opened_sent_nothing() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let waits = Arc::default();
    let outcome = create(&client(&base, &waits)).await.unwrap_err();
    assert!(
        matches!(
            outcome,
            Error::Retry {
                reason: RetryReason::NotReached,
                ..
            }
        ),
        "{outcome:?}"
    );
    assert_eq!(waits.lock().unwrap().len(), 4);
    // The address names accounts: it is in no error, however deep.
    assert!(
        !format!("{outcome:?}").contains("2010-04-01"),
        "{outcome:?}"
    );
}

#[tokio::test]
async fn a_refusal_is_final_and_carries_twilios_words() {
    let scene = scene([error(404, 20404), json(200, BALANCE)]).await;
    let refused = read(&scene.client).await.unwrap_err();
    let Error::Reject {
        status: 404,
        code: Some(ErrorCode::NOT_FOUND),
        message,
        ..
    } = &refused
    else {
        panic!("{refused:?}")
    };
    assert_eq!(&**message, "no");
    assert!(refused.is_not_found());
    assert_eq!(scene.seen().len(), 1);
}

#[tokio::test]
async fn a_problem_document_is_read_too() {
    let problem =
        r#"{"type":"x","title":"Limit","status":400,"code":59200,"detail":"too many","errors":[]}"#;
    let scene = scene([json(400, problem), json(400, "not json at all")]).await;
    let refused = read(&scene.client).await.unwrap_err();
    assert!(
        matches!(&refused, Error::Reject { code: Some(ErrorCode(59200)), message, .. } if &**message == "too many"),
        "{refused:?}"
    );
    let refused = read(&scene.client).await.unwrap_err();
    assert!(
        matches!(
            refused,
            Error::Reject {
                status: 400,
                code: None,
                ..
            }
        ),
        "{refused:?}"
    );
}

#[tokio::test]
async fn a_problem_document_tells_each_fault() {
    let problem = r#"{"type":"https://www.twilio.com/docs/errors/20001","title":"Invalid parameter","status":400,"code":20001,
        "detail":"Invalid parameter values","instance":"/v1/Keys","errors":[{"detail":"Policy is not valid","pointer":"\/Policy"}]}"#;
    let refusal = r#"{"type":"x","title":"Forbidden","status":403,"code":70051,"detail":"Authorization Failed"}"#;
    let scene = scene([json(400, problem), json(403, refusal)]).await;
    let refused = read(&scene.client).await.unwrap_err();
    assert!(
        matches!(&refused, Error::Reject { reason: RejectReason::Invalid, message, .. }
            if &**message == "Invalid parameter values; Policy is not valid"),
        "{refused:?}"
    );
    let alarm = read(&scene.client).await.unwrap_err();
    assert!(
        matches!(
            alarm,
            Error::Alarm {
                reason: AlarmReason::CredentialsRefused,
                code: Some(ErrorCode::AUTHORIZATION_FAILED),
                ..
            }
        ),
        "{alarm:?}"
    );
}

#[tokio::test]
async fn a_part_of_an_error_that_is_not_as_documented_spoils_no_other() {
    let odd = r#"{"code":"20404","message":7,"detail":"gone","title":null,"errors":{"a":1}}"#;
    let scene = scene([
        json(400, odd),
        json(403, r#"{"code":99999999999,"message":"no"}"#),
        json(404, "<TwilioResponse><RestException/></TwilioResponse>"),
    ])
    .await;
    let refused = read(&scene.client).await.unwrap_err();
    assert!(refused.is_not_found(), "{refused:?}");
    assert!(refused.to_string().contains("gone"), "{refused}");
    let refused = read(&scene.client).await.unwrap_err();
    assert_eq!(refused.reject_reason(), Some(RejectReason::Forbidden));
    assert_eq!(refused.code(), None);
    let refused = read(&scene.client).await.unwrap_err();
    assert_eq!(refused.reject_reason(), Some(RejectReason::NotFound));
}

#[tokio::test]
async fn what_only_an_operator_can_change_is_an_alarm() {
    for (reply, expected) in [
        (error(401, 20003), AlarmReason::CredentialsRefused),
        (error(403, 20003), AlarmReason::CredentialsRefused),
        (json(401, ""), AlarmReason::CredentialsRefused),
        (error(400, 21476), AlarmReason::AccountLimited),
        (error(400, 21478), AlarmReason::AccountLimited),
        (error(400, 21480), AlarmReason::AccountLimited),
        (error(400, 70002), AlarmReason::ContractBroken),
        (
            Reply::Whole(
                302,
                vec![("location", "https://evil.example/")],
                String::new(),
            ),
            AlarmReason::ContractBroken,
        ),
    ] {
        let scene = scene([reply, an_account("suspended")]).await;
        let alarm = suspend(&scene).await.unwrap_err();
        assert!(
            matches!(&alarm, Error::Alarm { reason, .. } if *reason == expected),
            "{alarm:?}"
        );
        assert_eq!(scene.seen().len(), 1);
    }
}

#[tokio::test]
async fn a_suspended_accounts_own_credentials_are_a_refusal_with_its_code() {
    for status in [401, 403] {
        let scene = scene([error(status, 20005)]).await;
        let refused = read(&scene.client).await.unwrap_err();
        assert!(
            matches!(
                refused,
                Error::Reject {
                    code: Some(ErrorCode::ACCOUNT_NOT_ACTIVE),
                    ..
                }
            ),
            "{refused:?}"
        );
    }
}

#[tokio::test]
async fn no_error_shows_a_token_or_a_body() {
    let leaky = format!(r#"{{"sid":"{TOKEN}","auth_token":"{TOKEN}"}}"#);
    for reply in [
        json(201, leaky.clone()),
        json(500, leaky.clone()),
        json(400, leaky.clone()),
        json(401, leaky),
    ] {
        let scene = scene([reply]).await;
        let failed = create(&scene.client).await.unwrap_err();
        assert!(
            !format!("{failed:?} {failed}").contains(TOKEN),
            "{failed:?}"
        );
    }
    assert!(!format!("{:?}", main_credentials()).contains(TOKEN));
}

#[tokio::test]
async fn calls_can_be_made_from_any_task() {
    let scene = scene([json(200, BALANCE)]).await;
    let client = scene.client.clone();
    let elsewhere = tokio::spawn(async move { read(&client).await });
    assert_eq!(elsewhere.await.unwrap().unwrap(), "1.5");
}

#[tokio::test]
async fn a_throttled_client_asks_one_at_a_time_until_it_is_calm() {
    let throttled = (0..3).map(|_| error(429, 20429));
    let scene = scene(throttled.chain((0..8).map(|_| json(200, BALANCE)))).await;
    read(&scene.client).await.unwrap();
    let reads = (0..7).map(|_| read(&scene.client));
    for outcome in futures::future::join_all(reads).await {
        assert_eq!(outcome.unwrap(), "1.5");
    }
    assert_eq!(
        (scene.seen().len(), scene.in_flight_max_of_last(7)),
        (11, 1)
    );
}

#[tokio::test]
async fn no_more_requests_are_in_flight_than_allowed() {
    let scene = scene((0..12).map(|_| json(200, BALANCE))).await;
    let reads = (0..12).map(|_| read(&scene.client));
    for outcome in futures::future::join_all(reads).await {
        assert_eq!(outcome.unwrap(), "1.5");
    }
    assert_eq!(scene.in_flight_max_of_last(12), 4);
}
