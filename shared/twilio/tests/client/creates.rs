//! What is made once: never asked for again where it may have been made, and what to look for then.

use domain::ids::{AccountSid, ApplicationSid, MessagingServiceSid};
use futures::FutureExt as _;
use futures::future::BoxFuture;
use secrecy::SecretString;
use twilio::addresses::NewAddress;
use twilio::applications::ApplicationSettings;
use twilio::auth_tokens::EmailNotification;
use twilio::calls::{Instructions, NewCall};
use twilio::messages::{NewMessage, Sender};
use twilio::messaging_services::MessagingServiceSettings;
use twilio::restricted_keys::Policy;
use twilio::usage_triggers::{NewUsageTrigger, TriggerValue};
use twilio::{Client, CountryCode, Error, NumberSettings};

use crate::server::{Reply, SUB, account, error, json, main_credentials, main_only, own, scene};

type Create = fn(Client) -> BoxFuture<'static, Result<(), Error>>;

/// Each create, and what its unknown outcome tells to look for.
const CREATES: [(&str, Create); 13] = [
    ("a subaccount of that friendly name", |client| {
        let create = async move { client.create_account(&main_only(), "n").await };
        create.map(done).boxed()
    }),
    ("a key of that friendly name", |client| {
        let create = async move { client.create_key(&main_credentials(), &sub(), "n").await };
        create.map(done).boxed()
    }),
    ("a key of that friendly name", |client| {
        let policy = Policy::allow(["/twilio/messaging/messages/read"]).unwrap();
        let create = async move { client.create_restricted_key(&own(), "n", &policy).await };
        create.map(done).boxed()
    }),
    ("a key of that friendly name", |client| {
        let create = async move { client.create_standard_key(&own(), "n").await };
        create.map(done).boxed()
    }),
    ("delete the secondary auth token", |client| {
        let email = EmailNotification::Suppress;
        let create = async move { client.create_secondary_auth_token(&own(), email).await };
        create.map(done).boxed()
    }),
    ("the account's primary auth token", |client| {
        let email = EmailNotification::Suppress;
        let promote = async move { client.promote_auth_token(&own(), email).await };
        promote.map(done).boxed()
    }),
    ("a call from and to these numbers", |client| {
        let new = NewCall::new("+1", "+2", Instructions::Application(application()));
        let create = async move { client.create_call(&main_credentials(), &sub(), &new).await };
        create.map(done).boxed()
    }),
    ("a message to this recipient", |client| {
        let body = SecretString::from("hi");
        let new = NewMessage::text("+1", Sender::Service(service()), body);
        let create = async move {
            client
                .create_message(&main_credentials(), &sub(), &new)
                .await
        };
        create.map(done).boxed()
    }),
    ("a usage trigger of that category", |client| {
        let new = NewUsageTrigger {
            usage_category: "calls".to_owned(),
            trigger_by: None,
            trigger_value: TriggerValue::MoreThanNow(domain::Decimal::ONE),
            recurring: None,
            callback_url: "https://operator.example/".to_owned(),
            callback_method: None,
            friendly_name: None,
        };
        let create = async move {
            client
                .create_usage_trigger(&main_credentials(), &sub(), &new)
                .await
        };
        create.map(done).boxed()
    }),
    ("a number of that area code", |client| {
        let settings = NumberSettings::default();
        let buy = async move {
            client
                .buy_incoming_number_in_area(&main_credentials(), &sub(), "510", &settings)
                .await
        };
        buy.map(done).boxed()
    }),
    ("an address of that friendly name", |client| {
        let create = async move {
            client
                .create_address(&main_credentials(), &sub(), &an_address())
                .await
        };
        create.map(done).boxed()
    }),
    ("an application of that friendly name", |client| {
        let settings = ApplicationSettings::default();
        let create = async move {
            client
                .create_application(&main_credentials(), &sub(), &settings)
                .await
        };
        create.map(done).boxed()
    }),
    ("a messaging service of that friendly name", |client| {
        let settings = MessagingServiceSettings::default();
        let create = async move {
            client
                .create_messaging_service(&own(), "n", &settings)
                .await
        };
        create.map(done).boxed()
    }),
];

fn done<T>(outcome: Result<T, Error>) -> Result<(), Error> {
    outcome.map(|_| ())
}

fn sub() -> AccountSid {
    account(SUB)
}

fn application() -> ApplicationSid {
    ApplicationSid::parse("AP11111111111111111111111111111111").unwrap()
}

fn service() -> MessagingServiceSid {
    MessagingServiceSid::parse("MG11111111111111111111111111111111").unwrap()
}

fn an_address() -> NewAddress {
    NewAddress {
        customer_name: "c".to_owned(),
        street: "s".to_owned(),
        street_secondary: None,
        city: "c".to_owned(),
        region: "r".to_owned(),
        postal_code: "p".to_owned(),
        iso_country: CountryCode::parse("US").unwrap(),
        friendly_name: None,
        emergency_enabled: None,
        auto_correct: None,
    }
}

#[tokio::test]
async fn no_create_is_repeated_after_an_unknown_outcome() {
    for (what_to_look_for, create) in CREATES {
        for reply in [
            error(500, 20500),
            json(503, "<html>"),
            Reply::Dropped(201, "{"),
            json(201, ""),
            json(201, "{}"),
        ] {
            let scene = scene([reply]).await;
            let outcome = create(scene.client.clone()).await.unwrap_err();
            assert!(
                matches!(outcome, Error::UnknownOutcome { .. }),
                "{what_to_look_for}: {outcome:?}"
            );
            assert!(
                outcome.to_string().contains(what_to_look_for),
                "{what_to_look_for}: {outcome}"
            );
            assert_eq!(scene.seen().len(), 1, "{what_to_look_for}");
            assert!(scene.waits().is_empty(), "{what_to_look_for}");
        }
    }
}

#[tokio::test]
async fn no_create_is_repeated_after_silence() {
    let outcomes = CREATES.map(|(what_to_look_for, create)| async move {
        let scene = scene([Reply::Silence]).await;
        let outcome = create(scene.client.clone()).await.unwrap_err();
        assert!(
            matches!(outcome, Error::UnknownOutcome { status: None, .. }),
            "{what_to_look_for}: {outcome:?}"
        );
        assert_eq!(scene.seen().len(), 1, "{what_to_look_for}");
    });
    futures::future::join_all(outcomes).await;
}

#[tokio::test]
async fn every_create_that_was_throttled_is_asked_again() {
    for (what_to_look_for, create) in CREATES {
        let scene = scene([error(429, 20429), error(400, 20001)]).await;
        let outcome = create(scene.client.clone()).await.unwrap_err();
        assert!(
            matches!(outcome, Error::Reject { .. }),
            "{what_to_look_for}: {outcome:?}"
        );
        assert_eq!(scene.seen().len(), 2, "{what_to_look_for}");
    }
}
