//! What a callback costs on the emulator: calls and units as AWS would bill them, refused puts included.

use std::sync::Arc;
use std::time::Duration;

use aws::{Secrets, Store, TwilioSecret};
use aws_lambda_events::event::apigw::ApiGatewayV2httpRequest;
use aws_sdk_dynamodb::types::AttributeValue;
use domain::Timestamp;
use domain::ids::{AccountSid, TenantId};
use futures::FutureExt as _;
use lambda_runtime::{Context, LambdaEvent};
use local::aws::{LocalAws, LocalAwsConfig, Tally};
use runtime::{Environment, Host};
use webhook::Function;

const BASE: &str = "https://hooks.example.com";
const TENANT: &str = "ten_01JZ0000000000000000000000";
const ACCOUNT: &str = "ACaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
const TOKEN: &str = "a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0";
const CALL: &str = "CA0123456789abcdef0123456789abcdef";

struct World {
    local: LocalAws,
    function: Function,
    store: Store,
}

impl World {
    async fn start() -> Self {
        let now: aws::NowFn = Arc::new(|| Timestamp::from_second(1_795_305_600).expect("a time"));
        let local = LocalAws::start(LocalAwsConfig::new("test", now.clone(), 1)).expect("a start");
        let host = Host {
            now: now.clone(),
            sleep: Arc::new(|_: Duration| futures::future::ready(()).boxed()),
            random: Arc::new(|| 7),
            wire: None,
        };
        let pairs = [
            ("TOLLGATE_STAGE", "test"),
            ("TOLLGATE_PUBLIC_BASE_URL", BASE),
            ("AWS_REGION", "eu-west-1"),
            ("AWS_ACCESS_KEY_ID", "test"),
            ("AWS_SECRET_ACCESS_KEY", "test"),
        ];
        let pairs = pairs.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let environment = Environment::from_pairs(pairs);
        let lookup = |name: &str| environment.get(name);
        let settings = aws::Settings::from_lookup(lookup, "webhook", now, host.sleep.clone())
            .expect("settings")
            .with_transport(local.http_client());
        let world = Self {
            function: Function::new(&environment, &host, &settings).expect("a function"),
            store: Store::connect(&settings).expect("a store"),
            local,
        };
        world.add_tenant(&settings).await;
        world
    }

    async fn add_tenant(&self, settings: &aws::Settings) {
        let clients = settings.clients().expect("clients");
        let text = |text: &str| AttributeValue::S(text.to_owned());
        let row = clients
            .dynamodb
            .put_item()
            .table_name(&settings.names().tenants)
            .item("pk", text(&format!("S#{ACCOUNT}")))
            .item("sk", text("-"))
            .item("v", AttributeValue::N("1".to_owned()))
            .item("tenant", text(TENANT));
        row.send().await.expect("a row");
        let secret = TwilioSecret {
            account_sid: AccountSid::parse(ACCOUNT).expect("a SID"),
            auth_token: TOKEN.to_owned().into(),
        };
        let secrets = Secrets::new(&clients, &settings.names());
        secrets.store_subaccount(&secret).await.expect("a secret");
        self.local.reset_counters();
    }

    /// Sends a signed call callback; its status and what it cost.
    async fn send(&self, status: &str, token: &str) -> (i64, Tally) {
        self.local.reset_counters();
        let event = LambdaEvent::new(event(status, token), Context::default());
        let answer = self.function.handle(event).await.expect("always an answer");
        (answer.status_code, self.local.counters().total(|_| true))
    }
}

fn event(status: &str, token: &str) -> ApiGatewayV2httpRequest {
    let path = format!("/twilio/{TENANT}/calls");
    let fields = [
        ("AccountSid", ACCOUNT),
        ("CallSid", CALL),
        ("CallStatus", status),
        ("From", "+14155550100"),
        ("To", "+14155550199"),
    ];
    let signature = twilio::signature::sign(token, &format!("{BASE}{path}"), &fields);
    let mut body = form_urlencoded::Serializer::new(String::new());
    let event = serde_json::json!({
        "rawPath": path,
        "headers": {
            "content-type": "application/x-www-form-urlencoded",
            "x-twilio-signature": signature,
        },
        "requestContext": {"http": {"method": "POST"}},
        "body": body.extend_pairs(&fields).finish(),
    });
    serde_json::from_value(event).expect("an event")
}

#[tokio::test]
async fn a_warm_callback_is_one_call_and_one_write_unit_also_when_it_is_a_duplicate() {
    let world = World::start().await;
    let (status, cold) = world.send("ringing", TOKEN).await;
    assert_eq!((status, cold.calls, cold.write_halves), (204, 3, 2));
    for _ in 0..2 {
        let (status, warm) = world.send("completed", TOKEN).await;
        assert_eq!((status, warm.calls), (204, 1));
        assert_eq!((warm.write_halves, warm.read_halves), (2, 0));
    }
    let tenant = TenantId::parse(TENANT).expect("a tenant");
    let kept = world
        .store
        .callbacks(&tenant, CALL)
        .await
        .expect("callbacks");
    assert_eq!(kept.len(), 2);
    assert!(kept.iter().all(|callback| callback.kind == "call"));
}

#[tokio::test]
async fn a_forged_callback_writes_nothing() {
    let world = World::start().await;
    let (status, cost) = world.send("completed", "wrong").await;
    assert_eq!((status, cost.write_halves), (403, 0));
}
