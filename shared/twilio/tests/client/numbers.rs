//! Numbers: searched, bought, configured, moved, released.

use domain::ids::{AccountSid, AddressSid, ApplicationSid, BundleSid, PhoneNumberSid};
use domain::money::parse_decimal;
use twilio::available_numbers::{AvailableNumberFilter, AvailableType, Near};
use twilio::numbers::{AddressRequirement, Assign, IncomingType};
use twilio::{
    AlarmReason, CallbackMethod, CountryCode, E164, Error, ErrorCode, IncomingNumberFilter,
    NumberSettings, NumberTransfer, RejectReason,
};

use crate::server::{
    MAIN, Reply, SUB, Scene, account, error, json, main_credentials, main_only, page_of, scene,
};

const NUMBER: &str = "PN77777777777777777777777777777777";
const GAINING: &str = "AC22222222222222222222222222222222";
const HELD: &str = "+18089255327";

fn number() -> PhoneNumberSid {
    PhoneNumberSid::parse(NUMBER).unwrap()
}

fn number_json(holder: &str) -> String {
    format!(
        r#"{{"account_sid":"{holder}","address_requirements":"local","address_sid":null,"api_version":"2010-04-01","beta":false,
        "bundle_sid":null,"capabilities":{{"voice":true,"SMS":true,"MMS":false}},"date_created":"Thu, 30 Jul 2015 23:19:04 +0000",
        "date_updated":"Thu, 30 Jul 2015 23:19:04 +0000","emergency_address_sid":null,"emergency_status":"Inactive",
        "friendly_name":"(808) 925-5327","identity_sid":null,"origin":"twilio","phone_number":"{HELD}","sid":"{NUMBER}",
        "sms_application_sid":"","sms_fallback_method":"POST","sms_fallback_url":"","sms_method":"POST","sms_url":"https://x.example/",
        "status":"in-use","status_callback":"","status_callback_method":"POST","trunk_sid":null,"type":"local","uri":"/x",
        "voice_application_sid":"","voice_caller_id_lookup":false,"voice_fallback_method":"POST","voice_fallback_url":null,
        "voice_method":"GET","voice_receive_mode":"voice","voice_url":null}}"#
    )
}

async fn buy(scene: &Scene) -> Result<String, Error> {
    let settings = NumberSettings {
        voice_url: Some("https://operator.example/v".to_owned()),
        ..NumberSettings::default()
    };
    let number = E164::parse(HELD).unwrap();
    let bought = scene
        .client
        .buy_incoming_number(&main_credentials(), &account(SUB), &number, &settings)
        .await?;
    Ok(bought.sid.to_string())
}

#[tokio::test]
async fn numbers_are_listed_by_type_and_filter() {
    let scene = scene([page_of("incoming_phone_numbers", &[number_json(SUB)])]).await;
    let filter = IncomingNumberFilter {
        number_type: Some(IncomingType::TollFree),
        phone_number: Some("+1808*".to_owned()),
        friendly_name: Some("n".to_owned()),
        origin: Some("twilio".to_owned()),
        beta: Some(false),
    };
    let listed = scene
        .client
        .list_incoming_numbers(&main_credentials(), &account(SUB), &filter)
        .await
        .unwrap();
    let capabilities = listed[0].capabilities.unwrap();
    assert!(capabilities.voice && capabilities.sms && !capabilities.mms && !capabilities.fax);
    assert_eq!(
        listed[0].address_requirements,
        Some(AddressRequirement::Local)
    );
    assert_eq!(listed[0].voice_method, Some(CallbackMethod::Get));
    assert_eq!(listed[0].sms_application_sid, None);
    let (line, _) = scene.only(MAIN);
    assert_eq!(
        line,
        format!(
            "GET /2010-04-01/Accounts/{SUB}/IncomingPhoneNumbers/TollFree.json?PhoneNumber=%2B1808*\
             &FriendlyName=n&Origin=twilio&Beta=false&PageSize=1000"
        )
    );
}

#[tokio::test]
async fn numbers_for_sale_are_searched() {
    let found = r#"{"available_phone_numbers":[{"address_requirements":"none","beta":false,
        "capabilities":{"mms":true,"sms":false,"voice":true},"friendly_name":"(808) 925-1571","iso_country":"US","lata":"834",
        "latitude":"19.720000","locality":"Hilo","longitude":-155.090000,"phone_number":"+18089251571","postal_code":null,
        "rate_center":"HILO","region":"HI"}],"uri":"/2010-04-01/Accounts/AC1/AvailablePhoneNumbers/US/Local.json"}"#;
    let scene = scene([json(200, found)]).await;
    let filter = AvailableNumberFilter {
        area_code: Some(808),
        contains: Some("****1571".to_owned()),
        voice_enabled: Some(true),
        exclude_all_address_required: Some(true),
        near: Some(Near::Place(exact("19.72"), exact("-155.09"))),
        distance: Some(50),
        in_region: Some("HI".to_owned()),
        limit: Some(5_000),
        ..AvailableNumberFilter::default()
    };
    let country = CountryCode::parse("US").unwrap();
    let found = scene
        .client
        .search_available_numbers(
            &main_credentials(),
            &account(SUB),
            &country,
            AvailableType::Local,
            &filter,
        )
        .await
        .unwrap();
    assert_eq!(found[0].longitude, Some(exact("-155.09")));
    assert_eq!(found[0].locality.as_deref(), Some("Hilo"));
    let (line, _) = scene.only(MAIN);
    assert_eq!(
        line,
        format!(
            "GET /2010-04-01/Accounts/{SUB}/AvailablePhoneNumbers/US/Local.json?NearLatLong=19.72%2C-155.09&Distance=50\
             &AreaCode=808&Contains=****1571&VoiceEnabled=true&ExcludeAllAddressRequired=true&InRegion=HI&PageSize=1000"
        )
    );
}

#[tokio::test]
async fn each_type_of_number_for_sale_has_its_path() {
    for (number_type, name) in [
        (AvailableType::TollFree, "TollFree"),
        (AvailableType::Mobile, "Mobile"),
        (AvailableType::National, "National"),
        (AvailableType::SharedCost, "SharedCost"),
        (AvailableType::Voip, "Voip"),
        (AvailableType::MachineToMachine, "MachineToMachine"),
    ] {
        let scene = scene([json(200, r#"{"available_phone_numbers":[]}"#)]).await;
        let country = CountryCode::parse("GB").unwrap();
        let filter = AvailableNumberFilter::default();
        let found = scene
            .client
            .search_available_numbers(
                &main_credentials(),
                &account(SUB),
                &country,
                number_type,
                &filter,
            )
            .await
            .unwrap();
        assert!(found.is_empty());
        let path = format!("/2010-04-01/Accounts/{SUB}/AvailablePhoneNumbers/GB/{name}.json");
        assert_eq!(scene.only(MAIN).0, format!("GET {path}"));
    }
}

#[tokio::test]
async fn a_certain_number_is_bought_again_after_a_failure() {
    let scene = scene([error(500, 20500), json(201, number_json(SUB))]).await;
    assert_eq!(buy(&scene).await.unwrap(), NUMBER);
    let seen = scene.seen();
    assert_eq!(seen.len(), 2);
    assert_eq!(
        seen[1].body,
        "PhoneNumber=%2B18089255327&VoiceUrl=https%3A%2F%2Foperator.example%2Fv"
    );
}

#[tokio::test]
async fn a_number_that_an_earlier_attempt_bought_is_found_and_not_lost() {
    for first in [error(500, 20500), Reply::Silence, json(201, "{\"sid")] {
        let scene = scene([
            first,
            error(400, 21422),
            page_of("incoming_phone_numbers", &[number_json(SUB)]),
        ])
        .await;
        assert_eq!(buy(&scene).await.unwrap(), NUMBER);
        let lines = scene.lines();
        assert_eq!(
            lines[2],
            format!(
                "GET /2010-04-01/Accounts/{SUB}/IncomingPhoneNumbers.json?PhoneNumber=%2B18089255327&PageSize=1000"
            )
        );
    }
}

#[tokio::test]
async fn a_number_that_is_not_for_sale_is_a_refusal_unless_we_may_have_bought_it() {
    let none = || page_of("incoming_phone_numbers", &[]);
    let sold = scene([error(400, 21422), none()]).await;
    let refused = buy(&sold).await.unwrap_err();
    assert_eq!(
        refused.reject_reason(),
        Some(RejectReason::NumberUnavailable)
    );
    // A throttled attempt was never processed, so it leaves no doubt.
    let throttled = scene([error(429, 20429), error(400, 21422), none()]).await;
    assert!(matches!(
        buy(&throttled).await.unwrap_err(),
        Error::Reject { .. }
    ));
    let doubtful = scene([error(500, 20500), error(400, 21422), none()]).await;
    let unknown = buy(&doubtful).await.unwrap_err();
    assert!(
        matches!(unknown, Error::UnknownOutcome { .. }),
        "{unknown:?}"
    );
}

#[tokio::test]
async fn a_number_of_another_form_in_the_list_is_not_the_one_we_bought() {
    let longer = number_json(SUB).replace(HELD, "+180892553279");
    let scene = scene([
        error(400, 21422),
        page_of("incoming_phone_numbers", &[longer]),
    ])
    .await;
    assert!(matches!(
        buy(&scene).await.unwrap_err(),
        Error::Reject { .. }
    ));
}

#[tokio::test]
async fn any_number_of_an_area_is_bought_once() {
    let scene = scene([json(201, number_json(SUB))]).await;
    let settings = NumberSettings::default();
    scene
        .client
        .buy_incoming_number_in_area(&main_credentials(), &account(SUB), "808", &settings)
        .await
        .unwrap();
    let (line, body) = scene.only(MAIN);
    assert_eq!(
        line,
        format!("POST /2010-04-01/Accounts/{SUB}/IncomingPhoneNumbers.json")
    );
    assert_eq!(body, "AreaCode=808");
}

#[tokio::test]
async fn a_number_is_read_configured_and_released() {
    let scene = scene([
        json(200, number_json(SUB)),
        json(200, number_json(SUB)),
        json(204, ""),
        error(404, 20404),
    ])
    .await;
    let (client, main, sub) = (&scene.client, main_credentials(), account(SUB));
    client
        .fetch_incoming_number(&main, &sub, &number())
        .await
        .unwrap();
    let application = ApplicationSid::parse("AP11111111111111111111111111111111").unwrap();
    let settings = NumberSettings {
        friendly_name: Some("n".to_owned()),
        voice_application_sid: Some(Assign::To(application)),
        sms_application_sid: Some(Assign::Nothing),
        sms_url: Some(String::new()),
        ..NumberSettings::default()
    };
    client
        .update_incoming_number(&main, &sub, &number(), &settings)
        .await
        .unwrap();
    for _ in 0..2 {
        client
            .release_incoming_number(&main, &sub, &number())
            .await
            .unwrap();
    }
    assert_eq!(
        scene.seen()[1].body,
        "FriendlyName=n&VoiceApplicationSid=AP11111111111111111111111111111111&SmsUrl=&SmsApplicationSid="
    );
    let path = format!("/2010-04-01/Accounts/{SUB}/IncomingPhoneNumbers/{NUMBER}.json");
    assert_eq!(
        scene.lines(),
        ["GET", "POST", "DELETE", "DELETE"].map(|method| format!("{method} {path}"))
    );
}

fn transfer(settings: NumberSettings) -> NumberTransfer {
    NumberTransfer {
        to: account(GAINING),
        settings,
    }
}

async fn move_it(scene: &Scene, settings: NumberSettings) -> Result<AccountSid, Error> {
    let moved = scene
        .client
        .transfer_incoming_number(&main_only(), &account(SUB), &number(), &transfer(settings))
        .await?;
    Ok(moved.account_sid)
}

#[tokio::test]
async fn a_number_moves_with_its_address_and_without_its_old_callbacks() {
    let scene = scene([json(200, number_json(GAINING))]).await;
    let settings = NumberSettings {
        voice_url: Some("https://operator.example/v".to_owned()),
        address_sid: AddressSid::parse("AD11111111111111111111111111111111").ok(),
        bundle_sid: BundleSid::parse("BU11111111111111111111111111111111").ok(),
        ..NumberSettings::default()
    };
    assert_eq!(move_it(&scene, settings).await.unwrap(), account(GAINING));
    let (line, body) = scene.only(MAIN);
    assert_eq!(
        line,
        format!("POST /2010-04-01/Accounts/{SUB}/IncomingPhoneNumbers/{NUMBER}.json"),
        "the path names the account that holds it"
    );
    assert_eq!(
        body,
        format!(
            "VoiceUrl=https%3A%2F%2Foperator.example%2Fv&VoiceFallbackUrl=&VoiceApplicationSid=&TrunkSid=&SmsUrl=\
             &SmsFallbackUrl=&SmsApplicationSid=&StatusCallback=&AddressSid=AD11111111111111111111111111111111\
             &BundleSid=BU11111111111111111111111111111111&AccountSid={GAINING}"
        )
    );
}

#[tokio::test]
async fn a_trunk_and_a_voice_application_are_not_sent_together() {
    let application = ApplicationSid::parse("AP11111111111111111111111111111111").unwrap();
    let trunk = domain::ids::TrunkSid::parse("TK11111111111111111111111111111111").unwrap();
    for (settings, kept, left_out) in [
        (
            NumberSettings {
                voice_application_sid: Some(Assign::To(application)),
                ..NumberSettings::default()
            },
            "VoiceApplicationSid=AP1",
            "TrunkSid",
        ),
        (
            NumberSettings {
                trunk_sid: Some(Assign::To(trunk)),
                ..NumberSettings::default()
            },
            "TrunkSid=TK1",
            "VoiceApplicationSid",
        ),
    ] {
        let scene = scene([json(200, number_json(GAINING))]).await;
        move_it(&scene, settings).await.unwrap();
        let (_, body) = scene.only(MAIN);
        assert!(body.contains(kept) && !body.contains(left_out), "{body}");
    }
}

#[tokio::test]
async fn a_number_that_an_earlier_attempt_moved_is_configured_where_it_is() {
    let scene = scene([
        Reply::Silence,
        error(404, 20404),
        json(200, number_json(GAINING)),
    ])
    .await;
    assert_eq!(
        move_it(&scene, NumberSettings::default()).await.unwrap(),
        account(GAINING)
    );
    let seen = scene.seen();
    assert_eq!(
        seen[2].line(),
        format!("POST /2010-04-01/Accounts/{GAINING}/IncomingPhoneNumbers/{NUMBER}.json")
    );
    assert!(
        seen[2].body.starts_with("VoiceUrl=&") && !seen[2].body.contains("AccountSid="),
        "{}",
        seen[2].body
    );
}

#[tokio::test]
async fn a_number_that_is_nowhere_is_not_found() {
    let scene = scene([error(404, 20404), error(404, 20404)]).await;
    let refused = move_it(&scene, NumberSettings::default())
        .await
        .unwrap_err();
    assert!(refused.is_not_found(), "{refused}");
}

#[tokio::test]
async fn a_number_that_answers_from_its_old_account_has_not_moved() {
    let scene = scene([json(200, number_json(SUB))]).await;
    let alarm = move_it(&scene, NumberSettings::default())
        .await
        .unwrap_err();
    assert!(
        matches!(
            alarm,
            Error::Alarm {
                reason: AlarmReason::ContractBroken,
                ..
            }
        ),
        "{alarm}"
    );
}

#[tokio::test]
async fn each_refusal_of_a_transfer_tells_what_to_do() {
    for (code, reason) in [
        (21470, RejectReason::TransferRefused),
        (21471, RejectReason::TransferRefused),
        (21472, RejectReason::TransferRefused),
        (21473, RejectReason::TransferRefused),
        (21613, RejectReason::AddressRequired),
        (21615, RejectReason::LocalAddressRequired),
        (21624, RejectReason::ForeignAddressRequired),
        (21631, RejectReason::AddressRequired),
    ] {
        let scene = scene([error(400, code)]).await;
        let refused = move_it(&scene, NumberSettings::default())
            .await
            .unwrap_err();
        assert_eq!(refused.reject_reason(), Some(reason), "{code}");
        assert_eq!(refused.code(), Some(ErrorCode(code)));
        assert_eq!(scene.seen().len(), 1);
    }
    let scene = scene([error(400, 21474)]).await;
    let alarm = move_it(&scene, NumberSettings::default())
        .await
        .unwrap_err();
    assert!(
        matches!(
            alarm,
            Error::Alarm {
                reason: AlarmReason::WrongCredentials,
                ..
            }
        ),
        "{alarm}"
    );
}

fn exact(text: &str) -> domain::Decimal {
    parse_decimal(text).unwrap()
}
