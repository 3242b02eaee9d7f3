//! Lists: links followed verbatim within their bounds, no row twice, no row lost.

use twilio::{AlarmReason, Error, Key, RetryReason};

use crate::server::{MAIN, Reply, Scene, account, json, main_credentials, scene};

fn link(page: u32) -> String {
    format!(
        "/2010-04-01/Accounts/{MAIN}/Keys.json?PageSize=1000&Page={page}&PageToken=PA%2B{page}%3D%3D"
    )
}

/// A page of keys, each named by one digit.
fn page(number: u32, keys: &str, next: Option<&str>) -> Reply {
    let rows: Vec<String> = keys
        .chars()
        .map(|digit| {
            format!(
                r#"{{"sid":"SK{}","friendly_name":"{digit}"}}"#,
                digit.to_string().repeat(32)
            )
        })
        .collect();
    let next = next.map_or("null".to_owned(), |next| format!("{next:?}"));
    json(
        200,
        format!(
            r#"{{"keys":[{}],"page":{number},"page_size":1000,"next_page_uri":{next}}}"#,
            rows.join(",")
        ),
    )
}

async fn list(scene: &Scene) -> Result<String, Error> {
    let keys: Vec<Key> = scene
        .client
        .list_keys(&main_credentials(), &account(MAIN))
        .await?;
    Ok(keys.into_iter().map(|key| key.friendly_name).collect())
}

#[tokio::test]
async fn links_are_followed_verbatim_to_the_end() {
    let scene = scene([
        page(0, "12", Some(&link(1))),
        page(1, "34", Some(&link(2))),
        page(2, "", None),
    ])
    .await;
    assert_eq!(list(&scene).await.unwrap(), "1234");
    let targets: Vec<String> = scene.seen().into_iter().map(|seen| seen.target).collect();
    let first = format!("/2010-04-01/Accounts/{MAIN}/Keys.json?PageSize=1000");
    assert_eq!(targets, [first, link(1), link(2)]);
}

#[tokio::test]
async fn rows_that_come_again_count_once() {
    let scene = scene([page(0, "122", Some(&link(1))), page(1, "23", None)]).await;
    assert_eq!(list(&scene).await.unwrap(), "123");
}

#[tokio::test]
async fn an_older_page_in_place_of_the_next_is_asked_for_again() {
    let again = || page(0, "12", Some(&link(1)));
    let scene = scene([again(), again(), page(1, "34", None)]).await;
    assert_eq!(list(&scene).await.unwrap(), "1234");
    assert_eq!(scene.seen()[1].target, scene.seen()[2].target);
}

#[tokio::test]
async fn a_page_of_nothing_but_known_rows_is_not_the_end_of_a_list() {
    let scene = scene([
        page(0, "12", Some(&link(1))),
        page(1, "12", None),
        page(1, "3", None),
    ])
    .await;
    assert_eq!(list(&scene).await.unwrap(), "123");
}

#[tokio::test]
async fn a_loop_ends_and_is_refused() {
    let mut replies = vec![page(0, "1", Some(&link(1))), page(1, "2", Some(&link(2)))];
    replies.extend((0..20).map(|_| page(2, "3", Some(&link(1)))));
    let scene = scene(replies).await;
    let refused = list(&scene).await.unwrap_err();
    assert!(
        matches!(
            refused,
            Error::Retry {
                reason: RetryReason::Unreadable,
                ..
            }
        ),
        "{refused}"
    );
    assert_eq!(scene.seen().len(), 7);
}

#[tokio::test]
async fn a_list_without_an_end_is_refused() {
    let replies = (0..300).map(|number| {
        let next = link(number + 1);
        json(
            200,
            format!(r#"{{"keys":[],"page":{number},"next_page_uri":{next:?}}}"#),
        )
    });
    let scene = scene(replies).await;
    let refused = list(&scene).await.unwrap_err();
    assert!(
        matches!(
            refused,
            Error::Alarm {
                reason: AlarmReason::ContractBroken,
                ..
            }
        ),
        "{refused}"
    );
    assert_eq!(scene.seen().len(), twilio::PAGES_MAX);
}

#[tokio::test]
async fn a_link_to_another_host_or_account_is_not_followed() {
    let other_account = "/2010-04-01/Accounts/AC22222222222222222222222222222222/Keys.json?Page=1";
    for foreign in [
        "https://evil.example/2010-04-01/Accounts/x",
        "//evil.example/2010-04-01/",
        "/v1/Keys",
        other_account,
    ] {
        let scene = scene([page(0, "1", Some(foreign))]).await;
        let refused = list(&scene).await.unwrap_err();
        assert!(
            matches!(
                refused,
                Error::Alarm {
                    reason: AlarmReason::ContractBroken,
                    ..
                }
            ),
            "{refused}"
        );
        assert_eq!(scene.seen().len(), 1, "{foreign}");
    }
}

#[tokio::test]
async fn a_page_that_is_no_page_is_never_an_empty_list() {
    for (body, again) in [
        ("", true),
        ("<html>gateway</html>", true),
        (r#"{"keys":[{"sid":"SK0"#, true),
        ("{}", false),
        ("[]", false),
        ("null", false),
        (r#"{"keys":[]}"#, false),
        (r#"{"next_page_uri":null}"#, false),
        (r#"{"keys":null,"next_page_uri":null}"#, false),
        (
            r#"{"keys":[{"sid":"secret-thing"}],"next_page_uri":null}"#,
            false,
        ),
    ] {
        let scene = scene((0..5).map(|_| json(200, body))).await;
        let refused = list(&scene).await.unwrap_err();
        assert_eq!(refused.is_retry(), again, "{body}: {refused}");
        assert_eq!(scene.seen().len(), if again { 5 } else { 1 }, "{body}");
        assert!(!format!("{refused:?}").contains("secret-thing"));
    }
}

#[tokio::test]
async fn a_truncated_page_is_asked_for_again() {
    let scene = scene([
        page(0, "1", Some(&link(1))),
        Reply::Dropped(200, r#"{"keys":[{"sid"#),
        json(200, r#"{"keys":[{"sid"#),
        page(1, "2", None),
    ])
    .await;
    assert_eq!(list(&scene).await.unwrap(), "12");
}
