//! Addresses and applications.

use domain::ids::{AddressSid, ApplicationSid};
use twilio::addresses::{AddressFilter, AddressUpdate, NewAddress};
use twilio::applications::ApplicationSettings;
use twilio::numbers::AddressRequirement;
use twilio::{CallbackMethod, CountryCode, RejectReason};

use crate::server::{MAIN, SUB, account, error, json, main_credentials, page_of, scene};

const ADDRESS: &str = "AD11111111111111111111111111111111";
const APPLICATION: &str = "AP11111111111111111111111111111111";

fn address() -> AddressSid {
    AddressSid::parse(ADDRESS).unwrap()
}

fn address_json() -> String {
    format!(
        r#"{{"account_sid":"{SUB}","city":"Hilo","customer_name":"Acme","date_created":"Tue, 18 Aug 2015 17:07:30 +0000",
        "date_updated":"Tue, 18 Aug 2015 17:07:30 +0000","emergency_enabled":false,"friendly_name":"office","iso_country":"US",
        "postal_code":"96720","region":"HI","sid":"{ADDRESS}","street":"1 Bay St","street_secondary":null,"uri":"/x",
        "validated":true,"verified":null}}"#
    )
}

#[tokio::test]
async fn an_address_is_made_with_all_that_is_required() {
    let scene = scene([json(201, address_json())]).await;
    let new = NewAddress {
        customer_name: "Acme & Co".to_owned(),
        street: "1 Bay St".to_owned(),
        street_secondary: Some("Suite 3".to_owned()),
        city: "Hilo".to_owned(),
        region: "HI".to_owned(),
        postal_code: "96720".to_owned(),
        iso_country: CountryCode::parse("US").unwrap(),
        friendly_name: Some("office".to_owned()),
        emergency_enabled: Some(false),
        auto_correct: Some(false),
    };
    let made = scene
        .client
        .create_address(&main_credentials(), &account(SUB), &new)
        .await
        .unwrap();
    assert_eq!(
        (made.sid, made.validated, made.verified),
        (address(), Some(true), None)
    );
    let (line, body) = scene.only(MAIN);
    assert_eq!(
        line,
        format!("POST /2010-04-01/Accounts/{SUB}/Addresses.json")
    );
    assert_eq!(
        body,
        "CustomerName=Acme+%26+Co&Street=1+Bay+St&StreetSecondary=Suite+3&City=Hilo&Region=HI&PostalCode=96720\
         &IsoCountry=US&FriendlyName=office&EmergencyEnabled=false&AutoCorrectAddress=false"
    );
}

#[tokio::test]
async fn addresses_are_listed_read_changed_and_deleted() {
    let scene = scene([
        page_of("addresses", &[address_json()]),
        json(200, address_json()),
        json(200, address_json()),
        error(400, 21625),
        json(204, ""),
    ])
    .await;
    let (client, main, sub) = (&scene.client, main_credentials(), account(SUB));
    let filter = AddressFilter {
        friendly_name: Some("office".to_owned()),
        iso_country: CountryCode::parse("US").ok(),
        ..AddressFilter::default()
    };
    let listed = client.list_addresses(&main, &sub, &filter).await.unwrap();
    assert_eq!(listed[0].city.as_deref(), Some("Hilo"));
    client.fetch_address(&main, &sub, &address()).await.unwrap();
    let update = AddressUpdate {
        street: Some("2 Bay St".to_owned()),
        ..AddressUpdate::default()
    };
    client
        .update_address(&main, &sub, &address(), &update)
        .await
        .unwrap();
    let in_use = client.delete_address(&main, &sub, &address()).await;
    assert_eq!(
        in_use.unwrap_err().reject_reason(),
        Some(RejectReason::AddressInUse)
    );
    client
        .delete_address(&main, &sub, &address())
        .await
        .unwrap();
    let (all, one) = (
        format!("/2010-04-01/Accounts/{SUB}/Addresses.json"),
        format!("/2010-04-01/Accounts/{SUB}/Addresses/{ADDRESS}.json"),
    );
    assert_eq!(
        scene.lines(),
        [
            format!("GET {all}?FriendlyName=office&IsoCountry=US&PageSize=1000"),
            format!("GET {one}"),
            format!("POST {one}"),
            format!("DELETE {one}"),
            format!("DELETE {one}"),
        ]
    );
    assert_eq!(scene.seen()[2].body, "Street=2+Bay+St");
}

#[tokio::test]
async fn the_numbers_that_need_an_address_are_listed() {
    let row = r#"{"sid":"PN77777777777777777777777777777777","account_sid":"","friendly_name":"n","phone_number":"+15550100",
        "address_requirements":"any","capabilities":{"Voice":false,"SMS":true,"MMS":false},"emergency_status":"Inactive","trunk_sid":"x"}"#;
    let scene = scene([page_of("dependent_phone_numbers", &[row.to_owned()])]).await;
    let listed = scene
        .client
        .list_dependent_numbers(&main_credentials(), &account(SUB), &address())
        .await
        .unwrap();
    assert_eq!(
        listed[0].address_requirements,
        Some(AddressRequirement::Any)
    );
    let capabilities = listed[0].capabilities.unwrap();
    assert!(capabilities.sms && !capabilities.voice);
    let path = format!("/2010-04-01/Accounts/{SUB}/Addresses/{ADDRESS}/DependentPhoneNumbers.json");
    assert_eq!(scene.only(MAIN).0, format!("GET {path}?PageSize=1000"));
}

fn application_json(name: &str) -> String {
    format!(
        r#"{{"account_sid":"{SUB}","api_version":"2010-04-01","date_created":"Mon, 22 Aug 2011 20:59:45 +0000",
        "date_updated":"Tue, 18 Aug 2015 16:48:57 +0000","friendly_name":"{name}","message_status_callback":"https://x.example/m",
        "sid":"{APPLICATION}","sms_fallback_method":"POST","sms_fallback_url":"","sms_method":"POST","sms_status_callback":"",
        "sms_url":"","status_callback":"","status_callback_method":"POST","uri":"/x","voice_caller_id_lookup":false,
        "voice_fallback_method":"POST","voice_fallback_url":"","voice_method":"GET","voice_url":"https://x.example/v",
        "public_application_connect_enabled":false}}"#
    )
}

#[tokio::test]
async fn an_application_is_made_listed_read_changed_and_deleted() {
    let scene = scene([
        json(201, application_json("n")),
        page_of("applications", &[application_json("n")]),
        json(200, application_json("n")),
        json(200, application_json("m")),
        json(204, ""),
    ])
    .await;
    let (client, main, sub) = (&scene.client, main_credentials(), account(SUB));
    let application = ApplicationSid::parse(APPLICATION).unwrap();
    let settings = ApplicationSettings {
        friendly_name: Some("n".to_owned()),
        voice_url: Some("https://x.example/v".to_owned()),
        voice_method: Some(CallbackMethod::Get),
        message_status_callback: Some("https://x.example/m".to_owned()),
        ..ApplicationSettings::default()
    };
    let made = client
        .create_application(&main, &sub, &settings)
        .await
        .unwrap();
    assert_eq!(
        (made.sms_url.as_deref(), made.voice_method.clone()),
        (None, Some(CallbackMethod::Get))
    );
    let listed = client
        .list_applications(&main, &sub, Some("n"))
        .await
        .unwrap();
    assert_eq!(listed, [made]);
    client
        .fetch_application(&main, &sub, &application)
        .await
        .unwrap();
    let settings = ApplicationSettings {
        friendly_name: Some("m".to_owned()),
        sms_url: Some(String::new()),
        ..ApplicationSettings::default()
    };
    client
        .update_application(&main, &sub, &application, &settings)
        .await
        .unwrap();
    client
        .delete_application(&main, &sub, &application)
        .await
        .unwrap();
    let (all, one) = (
        format!("/2010-04-01/Accounts/{SUB}/Applications.json"),
        format!("/2010-04-01/Accounts/{SUB}/Applications/{APPLICATION}.json"),
    );
    assert_eq!(
        scene.lines(),
        [
            format!("POST {all}"),
            format!("GET {all}?FriendlyName=n&PageSize=1000"),
            format!("GET {one}"),
            format!("POST {one}"),
            format!("DELETE {one}"),
        ]
    );
    let seen = scene.seen();
    assert_eq!(
        seen[0].body,
        "FriendlyName=n&VoiceUrl=https%3A%2F%2Fx.example%2Fv&VoiceMethod=GET&MessageStatusCallback=https%3A%2F%2Fx.example%2Fm"
    );
    assert_eq!(seen[3].body, "FriendlyName=m&SmsUrl=");
}
