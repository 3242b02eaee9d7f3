//! Numbers that change hands: who may, what goes along and what stays behind.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod common;

use common::{
    API, MAIN, TOKEN, ask, bought, config, control, delete, get, moved, number_path, number_state,
    pass, post, subaccount,
};
use serde_json::{Value, json};
use twilio_sim::{Quirks, Sim, SimConfig};

#[tokio::test]
async fn a_number_moves_between_main_account_and_subaccounts_and_keeps_its_sid() {
    let sim = Sim::new(config());
    let (one, _) = subaccount(&sim, "one").await;
    let (two, _) = subaccount(&sim, "two").await;
    let number = bought(&sim, MAIN, &[("PhoneNumber", "+14155550100")]).await;
    let mut updated = get(&sim, &number_path(MAIN, &number))
        .await
        .str("date_updated");
    for (from, to) in [(MAIN, one.as_str()), (&one, &two), (&two, MAIN)] {
        pass(&sim, 60).await;
        let answer = moved(&sim, from, &number, to).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        assert_eq!(answer.str("account_sid"), to);
        assert_eq!(answer.str("sid"), number);
        assert_eq!(
            answer.str("uri"),
            format!("{API}{}", number_path(to, &number))
        );
        assert_ne!(answer.str("date_updated"), updated);
        updated = answer.str("date_updated");
        assert_eq!(get(&sim, &number_path(from, &number)).await.code(), 20_404);
        assert_eq!(moved(&sim, from, &number, to).await.code(), 20_404);
        assert_eq!(get(&sim, &number_path(to, &number)).await.body, answer.body);
    }
}

#[tokio::test]
async fn a_moved_number_takes_its_place_in_the_order_of_lists() {
    let sim = Sim::new(config());
    let (sid, _) = subaccount(&sim, "one").await;
    let first = bought(&sim, MAIN, &[("PhoneNumber", "+14155550100")]).await;
    for last in 1..4 {
        bought(
            &sim,
            &sid,
            &[("PhoneNumber", &format!("+1415555010{last}"))],
        )
        .await;
    }
    moved(&sim, MAIN, &first, &sid).await;
    let mut next = format!("/Accounts/{sid}/IncomingPhoneNumbers.json?PageSize=1");
    let mut seen = Vec::new();
    loop {
        let page = get(&sim, &next).await;
        let row = &page.body["incoming_phone_numbers"][0]["phone_number"];
        seen.push(row.as_str().unwrap().to_owned());
        match page.body["next_page_uri"].as_str() {
            Some(uri) => uri.strip_prefix(API).unwrap().clone_into(&mut next),
            None => break,
        }
    }
    assert_eq!(
        seen,
        [
            "+14155550103",
            "+14155550102",
            "+14155550101",
            "+14155550100"
        ]
    );
}

#[tokio::test]
async fn each_wrong_account_has_its_code() {
    let sim = Sim::new(config());
    let (one, _) = subaccount(&sim, "one").await;
    let (suspended, _) = subaccount(&sim, "suspended").await;
    let (closed, _) = subaccount(&sim, "closed").await;
    for (sid, status) in [(&suspended, "suspended"), (&closed, "closed")] {
        post(
            &sim,
            &format!("/Accounts/{sid}.json"),
            &[("Status", status)],
        )
        .await;
    }
    let foreign = control(&sim, "POST", "/_sim/foreign_accounts", &json!({})).await;
    let foreign = foreign.str("sid");
    let unknown = format!("AC{}", "f".repeat(32));
    let number = bought(&sim, &one, &[("PhoneNumber", "+14155550100")]).await;
    for (to, code) in [
        ("AC1", 21_470),
        ("nonsense", 21_470),
        (&unknown, 21_471),
        (&suspended, 21_472),
        (&closed, 21_472),
        (&foreign, 21_473),
    ] {
        let refused = moved(&sim, &one, &number, to).await;
        assert_eq!((refused.status, refused.code()), (400, code), "{to}");
    }
    let mine = moved(&sim, &one, &number, &one).await;
    assert_eq!(mine.status, 200, "where it is already is no transfer");
    assert_eq!(get(&sim, &number_path(&one, &number)).await.status, 200);
}

#[tokio::test]
async fn only_the_main_account_s_token_transfers() {
    let sim = Sim::new(config());
    let (one, token) = subaccount(&sim, "one").await;
    let (two, _) = subaccount(&sim, "two").await;
    let number = bought(&sim, &one, &[("PhoneNumber", "+14155550100")]).await;
    let of_main = bought(&sim, MAIN, &[("PhoneNumber", "+14155550101")]).await;
    let key = post(&sim, &format!("/Accounts/{one}/Keys.json"), &[]).await;
    let main_key = post(&sim, &format!("/Accounts/{MAIN}/Keys.json"), &[]).await;
    let (sk, secret) = (key.str("sid"), key.str("secret"));
    let (msk, msecret) = (main_key.str("sid"), main_key.str("secret"));
    for (user, password, from, number, to) in [
        (&one, &token, one.as_str(), &number, &two),
        (&sk, &secret, one.as_str(), &number, &two),
        (&msk, &msecret, MAIN, &of_main, &one),
    ] {
        let refused = ask(
            &sim,
            "POST",
            &format!("{API}{}", number_path(from, number)),
            Some((user, password)),
            &[("AccountSid", to)],
        )
        .await;
        assert_eq!((refused.status, refused.code()), (400, 21_474), "{user}");
    }
    // The path must be the holder's, whoever asks.
    assert_eq!(moved(&sim, MAIN, &number, &two).await.code(), 20_404);
    let done = ask(
        &sim,
        "POST",
        &format!("{API}{}", number_path(&one, &number)),
        Some((MAIN, TOKEN)),
        &[("AccountSid", &two)],
    )
    .await;
    assert_eq!(done.str("account_sid"), two);
}

#[tokio::test]
async fn old_webhooks_stay_after_a_transfer_unless_the_request_sets_new_ones() {
    let sim = Sim::new(config());
    let (one, _) = subaccount(&sim, "one").await;
    let (two, _) = subaccount(&sim, "two").await;
    let number = bought(
        &sim,
        &one,
        &[
            ("PhoneNumber", "+14155550100"),
            ("VoiceUrl", "https://one.example.test/voice"),
            ("VoiceMethod", "GET"),
            ("SmsUrl", "https://one.example.test/sms"),
            ("StatusCallback", "https://one.example.test/status"),
        ],
    )
    .await;
    let answer = post(
        &sim,
        &number_path(&one, &number),
        &[
            ("AccountSid", &two),
            ("SmsUrl", "https://two.example.test/sms"),
        ],
    )
    .await;
    assert_eq!(answer.str("voice_url"), "https://one.example.test/voice");
    assert_eq!(answer.str("voice_method"), "GET");
    assert_eq!(
        answer.str("status_callback"),
        "https://one.example.test/status"
    );
    assert_eq!(answer.str("sms_url"), "https://two.example.test/sms");
    control(
        &sim,
        "POST",
        "/_sim/quirks",
        &json!({"transfer_clears_webhooks": true}),
    )
    .await;
    let answer = moved(&sim, &two, &number, &one).await;
    assert_eq!(answer.body["voice_url"], Value::Null);
    assert_eq!(answer.body["sms_url"], Value::Null);
}

#[tokio::test]
async fn a_regulated_number_moves_only_with_the_gaining_account_s_address_and_bundle() {
    let sim = Sim::new(config());
    let (one, _) = subaccount(&sim, "one").await;
    let (two, _) = subaccount(&sim, "two").await;
    let address = async |account: &str| {
        let form = [
            ("CustomerName", "Acme"),
            ("Street", "Unter den Linden 1"),
            ("City", "Berlin"),
            ("Region", "BE"),
            ("PostalCode", "10117"),
            ("IsoCountry", "DE"),
        ];
        let path = format!("/Accounts/{account}/Addresses.json");
        post(&sim, &path, &form).await.str("sid")
    };
    let bundle = async |account: &str| {
        let asked = json!({"account_sid": account, "iso_country": "DE", "type": "local"});
        control(&sim, "POST", "/_sim/bundles", &asked)
            .await
            .str("sid")
    };
    let (losing_address, losing_bundle) = (address(&one).await, bundle(&one).await);
    let number = bought(
        &sim,
        &one,
        &[
            ("PhoneNumber", "+493090000001"),
            ("AddressSid", &losing_address),
            ("BundleSid", &losing_bundle),
        ],
    )
    .await;
    let attempt = async |more: &[(&str, &str)]| {
        let form: Vec<_> = [("AccountSid", two.as_str())]
            .into_iter()
            .chain(more.iter().copied())
            .collect();
        post(&sim, &number_path(&one, &number), &form).await
    };
    assert_eq!(attempt(&[]).await.code(), 21_613, "no address on file");
    let gaining_address = address(&two).await;
    assert_eq!(attempt(&[]).await.code(), 21_631, "it must be named");
    let old = ("AddressSid", losing_address.as_str());
    assert_eq!(attempt(&[old]).await.code(), 21_613);
    let new = ("AddressSid", gaining_address.as_str());
    assert_eq!(attempt(&[new]).await.code(), 21_649);
    assert_eq!(
        attempt(&[new, ("BundleSid", &losing_bundle)]).await.code(),
        21_649
    );
    assert_eq!(
        get(&sim, &number_path(&one, &number))
            .await
            .str("address_sid"),
        losing_address,
        "a refused transfer changes nothing"
    );
    let gaining_bundle = bundle(&two).await;
    let done = attempt(&[new, ("BundleSid", &gaining_bundle)]).await;
    assert_eq!(done.str("account_sid"), two);
    assert_eq!(done.str("address_sid"), gaining_address);
    assert_eq!(done.str("bundle_sid"), gaining_bundle);
    let old_address = format!("/Accounts/{one}/Addresses/{losing_address}.json");
    assert_eq!(delete(&sim, &old_address).await.status, 204);
}

#[tokio::test]
async fn a_whatsapp_sender_stays_behind_or_by_flag_holds_the_number() {
    let sim = Sim::new(SimConfig {
        quirks: Quirks {
            transfer_refused_with_sender: true,
            ..Quirks::none()
        },
        ..config()
    });
    let (one, _) = subaccount(&sim, "one").await;
    let (two, _) = subaccount(&sim, "two").await;
    let number = bought(&sim, &one, &[("PhoneNumber", "+14155550100")]).await;
    let marks = json!({"whatsapp_sender": true, "a2p_campaign": true});
    let by_number = control(&sim, "POST", "/_sim/numbers/+14155550100", &marks).await;
    assert_eq!(by_number.status, 204);
    assert_eq!(number_state(&sim).await["whatsapp_sender_of"], one);
    assert_eq!(moved(&sim, &one, &number, &two).await.status, 400);
    control(
        &sim,
        "POST",
        "/_sim/quirks",
        &json!({"transfer_refused_with_sender": false}),
    )
    .await;
    assert_eq!(moved(&sim, &one, &number, &two).await.status, 200);
    let shown = number_state(&sim).await;
    assert_eq!(shown["account_sid"], two);
    assert_eq!(shown["whatsapp_sender_of"], one);
    assert_eq!(shown["a2p_campaign"], false);
    let missing = control(&sim, "POST", "/_sim/numbers/+14155550199", &marks).await;
    assert_eq!(missing.status, 404);
}
