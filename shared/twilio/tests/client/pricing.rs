//! Prices, exact, in the name of whoever asks.

use domain::Decimal;
use domain::money::parse_decimal;
use twilio::{CountryCode, E164};

use crate::server::{MAIN, SUB, error, json, main_credentials, meta_page_of, own, scene};

fn us() -> CountryCode {
    CountryCode::parse("US").unwrap()
}

fn price(text: &str) -> Option<Decimal> {
    parse_decimal(text).ok()
}

#[tokio::test]
async fn the_operator_and_a_tenant_each_see_their_own_prices() {
    let of = |current: &str| {
        json(
            200,
            format!(
                r#"{{"country":"United States","iso_country":"US","phone_number_prices":[
                {{"number_type":"local","base_price":"1.15","current_price":"{current}"}},
                {{"number_type":"toll free","base_price":null,"current_price":2.15}}],"price_unit":"usd","url":"x"}}"#
            ),
        )
    };
    let scene = scene([of("1.00"), of("1.15")]).await;
    let mine = scene
        .client
        .fetch_phone_number_prices(&main_credentials(), &us())
        .await
        .unwrap();
    let theirs = scene
        .client
        .fetch_phone_number_prices(&own().into(), &us())
        .await
        .unwrap();
    assert_eq!(mine.phone_number_prices[0].current_price, price("1.00"));
    assert_eq!(theirs.phone_number_prices[0].current_price, price("1.15"));
    let toll_free = &mine.phone_number_prices[1];
    assert_eq!(
        (toll_free.base_price, toll_free.current_price),
        (None, price("2.15"))
    );
    assert_eq!(mine.price_unit.as_deref(), Some("USD"));
    let seen = scene.seen();
    seen[0].assert_from(MAIN);
    seen[1].assert_from(SUB);
    assert_eq!(seen[0].line(), "GET /pricing/v1/PhoneNumbers/Countries/US");
}

#[tokio::test]
async fn messages_have_prices_by_carrier() {
    let body = r#"{"country":"United States","iso_country":"US","inbound_sms_prices":[{"base_price":"0.0083","current_price":"0.0079",
        "number_type":"local"}],"outbound_sms_prices":[{"carrier":"x","mcc":"310","mnc":"410","prices":[{"base_price":"0.0083",
        "current_price":"0.0075","number_type":"local"}]},{"carrier":"y","mcc":null,"mnc":null,"prices":null}],"price_unit":"USD","url":"x"}"#;
    let scene = scene([json(200, body)]).await;
    let prices = scene
        .client
        .fetch_messaging_prices(&main_credentials(), &us())
        .await
        .unwrap();
    assert_eq!(prices.inbound_sms_prices[0].current_price, price("0.0079"));
    let carrier = &prices.outbound_sms_prices[0];
    assert_eq!(
        (carrier.mnc.as_deref(), carrier.prices[0].current_price),
        (Some("410"), price("0.0075"))
    );
    assert!(prices.outbound_sms_prices[1].prices.is_empty());
    assert_eq!(scene.only(MAIN).0, "GET /pricing/v1/Messaging/Countries/US");
}

#[tokio::test]
async fn calls_have_prices_by_origin_and_destination() {
    let country = r#"{"country":"United States","iso_country":"US","inbound_call_prices":[{"base_price":"0.0085","current_price":"0.0085",
        "number_type":"local"}],"outbound_prefix_prices":[{"base_price":"0.090","current_price":"0.070","destination_prefixes":["1907"],
        "friendly_name":"Alaska","origination_prefixes":["ALL"]}],"price_unit":"USD","url":"x"}"#;
    let number = r#"{"country":"United States","destination_number":"+18001234567","inbound_call_price":{"base_price":null,
        "current_price":null,"number_type":null},"iso_country":"US","origination_number":"+15105550100","outbound_call_prices":[
        {"base_price":"0.013","current_price":"0.011","origination_prefixes":["ALL"]}],"price_unit":"USD","url":"x"}"#;
    let scene = scene([json(200, country), json(200, number)]).await;
    let (client, main) = (&scene.client, main_credentials());
    let prices = client.fetch_voice_prices(&main, &us()).await.unwrap();
    let prefix = &prices.outbound_prefix_prices[0];
    assert_eq!(prefix.destination_prefixes, ["1907"]);
    assert_eq!(prefix.current_price, price("0.070"));
    let to = E164::parse("+18001234567").unwrap();
    let from = E164::parse("+15105550100").unwrap();
    let prices = client
        .fetch_voice_number_prices(&main, &to, Some(&from))
        .await
        .unwrap();
    assert_eq!(prices.inbound_call_price.unwrap().current_price, None);
    assert_eq!(prices.outbound_call_prices[0].current_price, price("0.011"));
    assert_eq!(
        scene.lines(),
        [
            "GET /pricing/v2/Voice/Countries/US",
            "GET /pricing/v2/Voice/Numbers/+18001234567?OriginationNumber=%2B15105550100",
        ]
    );
}

#[tokio::test]
async fn trunks_have_prices_of_their_own() {
    let country = r#"{"country":"United States","iso_country":"US","originating_call_prices":[{"base_price":null,"current_price":"0.0085",
        "number_type":"local"}],"terminating_prefix_prices":[{"base_price":null,"current_price":"0.013","destination_prefixes":["1808"],
        "friendly_name":"Hawaii","origination_prefixes":["ALL"]}],"price_unit":"USD","url":"x"}"#;
    let number = r#"{"country":"United States","destination_number":"+18001234567","originating_call_price":null,"iso_country":"US",
        "origination_number":null,"terminating_prefix_prices":null,"price_unit":"USD","url":"x"}"#;
    let scene = scene([json(200, country), json(200, number)]).await;
    let (client, main) = (&scene.client, main_credentials());
    let prices = client.fetch_trunking_prices(&main, &us()).await.unwrap();
    assert_eq!(
        prices.originating_call_prices[0].current_price,
        price("0.0085")
    );
    assert_eq!(
        prices.terminating_prefix_prices[0].current_price,
        price("0.013")
    );
    let to = E164::parse("+18001234567").unwrap();
    let prices = client
        .fetch_trunking_number_prices(&main, &to, None)
        .await
        .unwrap();
    assert!(prices.terminating_prefix_prices.is_empty() && prices.originating_call_price.is_none());
    assert_eq!(
        scene.lines(),
        [
            "GET /pricing/v2/Trunking/Countries/US",
            "GET /pricing/v2/Trunking/Numbers/+18001234567",
        ]
    );
}

#[tokio::test]
async fn countries_are_listed_for_each_kind_of_price() {
    let row = r#"{"country":"Andorra","iso_country":"AD","url":"x"}"#.to_owned();
    let page = || meta_page_of("countries", std::slice::from_ref(&row));
    let scene = scene([page(), page(), page(), page(), error(404, 20404)]).await;
    let (client, main) = (&scene.client, main_credentials());
    let listed = [
        client.list_messaging_countries(&main).await.unwrap(),
        client.list_phone_number_countries(&main).await.unwrap(),
        client.list_voice_countries(&main).await.unwrap(),
        client.list_trunking_countries(&main).await.unwrap(),
    ];
    for countries in listed {
        assert_eq!(countries[0].iso_country, "AD");
    }
    let paths = [
        "v1/Messaging/Countries",
        "v1/PhoneNumbers/Countries",
        "v2/Voice/Countries",
        "v2/Trunking/Countries",
    ];
    assert_eq!(
        scene.lines(),
        paths.map(|path| format!("GET /pricing/{path}?PageSize=1000"))
    );
    let unknown = client.fetch_voice_prices(&main, &us()).await.unwrap_err();
    assert!(unknown.is_not_found());
}
