//! Lists of the products with a host of their own: absolute links, held to the product, the list and the
//! account.

use twilio::restricted_keys::IamKey;
use twilio::{AlarmReason, Error};

use crate::server::{Reply, SUB, Scene, json, own, scene, scene_at};

const QUERY: &str = "/v1/Keys?AccountSid=AC11111111111111111111111111111111&PageSize=1000";

fn page(number: u32, digit: char, next: Option<&str>) -> Reply {
    let sid = format!("SK{}", digit.to_string().repeat(32));
    let next = next.map_or("null".to_owned(), |next| format!("{next:?}"));
    json(
        200,
        format!(
            r#"{{"keys":[{{"sid":"{sid}","friendly_name":"{digit}","flags":["rest_api"]}}],
            "meta":{{"page":{number},"page_size":1000,"key":"keys","next_page_url":{next},"previous_page_url":null}}}}"#
        ),
    )
}

async fn list(scene: &Scene) -> Result<String, Error> {
    let keys: Vec<IamKey> = scene.client.list_iam_keys(&own()).await?;
    Ok(keys
        .into_iter()
        .filter_map(|key| key.friendly_name)
        .collect())
}

#[tokio::test]
async fn links_to_twilio_and_links_to_the_stand_in_are_followed_alike() {
    let scene = scene_at(|base| {
        let at_twilio = format!("https://iam.twilio.com{QUERY}&Page=1&PageToken=PA%2B1");
        let at_stand_in = format!("{base}/iam{QUERY}&Page=2&PageToken=PA%2B2");
        [
            page(0, '1', Some(&at_twilio)),
            page(1, '2', Some(&at_stand_in)),
            page(2, '3', None),
        ]
    })
    .await;
    assert_eq!(list(&scene).await.unwrap(), "123");
    let expected = ["", "&Page=1&PageToken=PA%2B1", "&Page=2&PageToken=PA%2B2"]
        .map(|rest| format!("GET /iam{QUERY}{rest}"));
    assert_eq!(scene.lines(), expected);
    for seen in scene.seen() {
        seen.assert_from(SUB);
    }
}

#[tokio::test]
async fn a_link_that_leads_elsewhere_takes_no_credentials_with_it() {
    for hostile in [
        "https://evil.example/v1/Keys?Page=1",
        "https://iam.twilio.com.evil.example/v1/Keys?Page=1",
        "https://iam.twilio.com@evil.example/v1/Keys?Page=1",
        "https://iam.twilio.com:8443/v1/Keys?Page=1",
        "http://iam.twilio.com/v1/Keys?Page=1",
        "https://accounts.twilio.com/v1/Keys?Page=1",
        "https://iam.twilio.com/v1/token?Page=1",
        "https://iam.twilio.com/v1/Keys/../../2010-04-01/Accounts.json",
        "https://iam.twilio.com/v1/Keys?AccountSid=AC22222222222222222222222222222222",
        "//evil.example/v1/Keys?Page=1",
        "/v1/Keys?Page=1",
        "javascript:alert(1)",
    ] {
        let scene = scene([page(0, '1', Some(hostile)), page(1, '2', None)]).await;
        let refused = list(&scene).await.unwrap_err();
        assert!(
            matches!(
                refused,
                Error::Alarm {
                    reason: AlarmReason::ContractBroken,
                    ..
                }
            ),
            "{hostile}: {refused}"
        );
        assert_eq!(scene.seen().len(), 1, "{hostile}");
    }
}

#[tokio::test]
async fn a_stand_in_may_not_link_to_its_own_other_products() {
    let scene = scene_at(|base| {
        [page(
            0,
            '1',
            Some(&format!("{base}/accounts{QUERY}&Page=1")),
        )]
    });
    assert!(list(&scene.await).await.is_err());
    let scene = scene_at(|base| [page(0, '1', Some(&format!("{base}{QUERY}&Page=1")))]);
    assert!(list(&scene.await).await.is_err());
}

#[tokio::test]
async fn a_page_without_its_meta_is_never_the_end_of_a_list() {
    for body in [
        r#"{"keys":[]}"#,
        r#"{"keys":[],"meta":null}"#,
        r#"{"keys":[],"meta":{}}"#,
        r#"{"keys":[],"meta":{"page":0}}"#,
        r#"{"keys":[],"next_page_uri":null}"#,
        r#"{"meta":{"next_page_url":null}}"#,
        r#"{"keys":[],"meta":{"next_page_url":7}}"#,
    ] {
        let scene = scene([json(200, body)]).await;
        let refused = list(&scene).await.unwrap_err();
        assert!(matches!(refused, Error::Alarm { .. }), "{body}: {refused}");
    }
}

#[tokio::test]
async fn a_loop_of_absolute_links_ends_and_is_refused() {
    let next = format!("https://iam.twilio.com{QUERY}&Page=1");
    let scene = scene((0..20).map(|_| page(1, '1', Some(&next)))).await;
    let refused = list(&scene).await.unwrap_err();
    assert!(refused.is_retry(), "{refused}");
    assert_eq!(scene.seen().len(), 6);
}
