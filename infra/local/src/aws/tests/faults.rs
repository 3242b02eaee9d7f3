//! Faults: each kind, with and without sockets.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::types::AttributeValue;

use super::{World, sdk, text};
use crate::aws::{CallInfo, Fault, LocalAws, lock};

async fn count_once(dynamo: &Client, world: &World) -> Result<(), Option<String>> {
    let update = dynamo
        .update_item()
        .table_name(world.name("usage"))
        .key("pk", text("n"))
        .key("sk", text("n"));
    let update = update
        .update_expression("ADD n :one")
        .expression_attribute_values(":one", AttributeValue::N("1".into()));
    match update.send().await {
        Ok(_) => Ok(()),
        Err(SdkError::DispatchFailure(_) | SdkError::ResponseError(_)) => Err(None),
        Err(error) => Err(error.code().map(str::to_owned)),
    }
}

async fn counted(world: &World) -> Option<String> {
    world.aws.set_fault_hook(None);
    let got = world
        .dynamo()
        .get_item()
        .table_name(world.name("usage"))
        .key("pk", text("n"))
        .key("sk", text("n"));
    let item = got.send().await.unwrap().item?;
    item["n"].as_n().ok().cloned()
}

async fn each_fault(world: &World, dynamo: &Client) {
    let cases = [
        (
            Fault::respond_before(400, "ThrottlingException"),
            Err(Some("ThrottlingException".to_owned())),
            None,
        ),
        (Fault::DropBefore, Err(None), None),
        (Fault::DropAfter, Err(None), Some("1")),
        (
            Fault::respond_after(500, "InternalServerError"),
            Err(Some("InternalServerError".to_owned())),
            Some("2"),
        ),
        (Fault::None, Ok(()), Some("3")),
    ];
    for (fault, seen, effect) in cases {
        let wanted = fault.clone();
        world
            .aws
            .set_fault_hook(Some(Arc::new(move |_| fault.clone())));
        assert_eq!(count_once(dynamo, world).await, seen, "{wanted:?}");
        assert_eq!(counted(world).await.as_deref(), effect, "{wanted:?}");
    }
}

#[tokio::test]
async fn each_fault_has_its_effect_without_sockets() {
    let world = World::new();
    each_fault(&world, &world.dynamo()).await;
    let updates = world
        .aws
        .counters()
        .total(|key| key.operation == "UpdateItem");
    assert_eq!((updates.calls, updates.errors), (5, 4));
    assert_eq!(updates.write_halves, 6);
}

async fn serve(aws: &LocalAws) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let router = aws.router();
    tokio::spawn(async move { axum::serve(listener, router).await });
    aws.set_endpoint(&endpoint);
    endpoint
}

#[tokio::test]
async fn each_fault_has_its_effect_over_tcp() {
    let world = World::new();
    let endpoint = serve(&world.aws).await;
    let http = aws_smithy_http_client::Builder::new().build_http();
    let config = sdk(&world.aws, &endpoint).http_client(http).build();
    each_fault(&world, &Client::new(&config)).await;
    let sqs = aws_sdk_sqs::Client::new(&config);
    let url = sqs
        .get_queue_url()
        .queue_name(world.name("pull"))
        .send()
        .await
        .unwrap()
        .queue_url
        .unwrap();
    assert_eq!(url, format!("{endpoint}/000000000000/tollgate-test-pull"));
    sqs.send_message()
        .queue_url(url)
        .message_body("m")
        .send()
        .await
        .unwrap();
    assert_eq!(world.aws.queue_bodies(&world.name("pull")), ["m"]);
}

#[tokio::test]
async fn a_lost_answer_makes_the_sdk_repeat_the_call() {
    let world = World::new();
    let retry = RetryConfig::standard().with_initial_backoff(std::time::Duration::from_nanos(1));
    let config = sdk(&world.aws, "http://127.0.0.1")
        .http_client(world.aws.http_client())
        .retry_config(retry)
        .build();
    let left = AtomicUsize::new(1);
    world.aws.set_fault_hook(Some(Arc::new(move |_| {
        let first = left
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1))
            .is_ok();
        if first { Fault::DropAfter } else { Fault::None }
    })));
    count_once(&Client::new(&config), &world).await.unwrap();
    assert_eq!(
        counted(&world).await.as_deref(),
        Some("2"),
        "why money is never an ADD"
    );
}

#[tokio::test]
async fn the_hook_sees_caller_operation_and_resources_in_sequence() {
    let world = World::new();
    let seen: Arc<Mutex<Vec<CallInfo>>> = Arc::default();
    let log = Arc::clone(&seen);
    world.aws.set_fault_hook(Some(Arc::new(move |info| {
        lock(&log).push(info.clone());
        Fault::None
    })));
    world.put("usage", "a", "b").await;
    let sqs = aws_sdk_sqs::Client::new(&world.sdk());
    sqs.send_message()
        .queue_url(world.aws.queue_url(&world.name("pull")))
        .message_body("m")
        .send()
        .await
        .unwrap();
    let seen = lock(&seen);
    let short: Vec<_> = seen
        .iter()
        .map(|i| {
            (
                i.caller.as_str(),
                i.operation.as_str(),
                i.resources[0].as_str(),
                i.sequence,
            )
        })
        .collect();
    assert_eq!(
        short,
        [
            ("tollgate-test", "PutItem", "tollgate-test-usage", 1),
            ("tollgate-test", "SendMessage", "tollgate-test-pull", 2)
        ]
    );
}

#[tokio::test]
async fn single_entries_of_a_batch_can_be_refused() {
    let world = World::new();
    world
        .aws
        .set_fault_hook(Some(Arc::new(|_| Fault::FailEntries {
            indexes: vec![0],
            code: "ThrottlingException".to_owned(),
        })));
    let entry = |detail: &str| {
        let entry = aws_sdk_eventbridge::types::PutEventsRequestEntry::builder()
            .source("s")
            .detail_type("t");
        entry
            .event_bus_name(world.aws.names().bus())
            .detail(detail)
            .build()
    };
    let events = aws_sdk_eventbridge::Client::new(&world.sdk());
    let answer = events
        .put_events()
        .entries(entry(r#"{"n":0}"#))
        .entries(entry(r#"{"n":1}"#))
        .send()
        .await
        .unwrap();
    assert_eq!(
        answer.entries()[0].error_code(),
        Some("ThrottlingException")
    );
    assert_eq!(world.aws.events_since(0)[0].detail["n"], 1);
}
