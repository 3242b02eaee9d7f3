//! Stream mappings: window, filter, bisecting, partial responses, age, disorder.

use aws_lambda_events::event::dynamodb::Event;
use serde_json::{Value, json};

use super::{Seen, World, events_of, text};
use crate::aws::Disorder;

fn keys(event: &Value) -> Vec<String> {
    let event: Event = serde_json::from_value(event.clone()).unwrap();
    let key = |name: &str, record: &aws_lambda_events::event::dynamodb::EventRecord| {
        let item = serde_json::to_value(&record.change.keys).unwrap();
        item[name]["S"].as_str().unwrap().to_owned()
    };
    event
        .records
        .iter()
        .map(|record| key("pk", record) + "/" + &key("sk", record))
        .collect()
}

fn deliveries(seen: &Seen) -> Vec<Vec<String>> {
    events_of(seen, "relay").iter().map(keys).collect()
}

#[tokio::test]
async fn the_window_collects_callbacks_and_the_outbox_goes_at_once() {
    let world = World::new();
    let seen = world.invoke_with(|_, _, _| Ok(Value::Null));
    world.put("callbacks", "c", "1").await;
    world.put("outbox", "o", "1").await;
    assert_eq!(world.aws.settle().await, 1);
    world.advance(30);
    world.put("callbacks", "c", "2").await;
    world.put("callbacks", "c", "1").await;
    assert_eq!(world.aws.settle().await, 0);
    assert_eq!(
        world.aws.next_event_at(),
        Some("2026-03-01T00:01:00Z".parse().unwrap())
    );
    world.advance(30);
    world.aws.settle().await;
    assert_eq!(
        deliveries(&seen),
        [vec!["o/1"], vec!["c/1", "c/2"]],
        "the change of c/1 is filtered out"
    );
    let event: Event = serde_json::from_value(events_of(&seen, "relay")[1].clone()).unwrap();
    let record = &event.records[0];
    assert!(
        record
            .event_source_arn
            .as_ref()
            .unwrap()
            .contains(":table/tollgate-test-callbacks/stream/")
    );
    assert_eq!(record.event_name, "INSERT");
    assert_eq!(world.aws.settle().await, 0);
}

#[tokio::test]
async fn the_streams_api_reads_the_same_records() {
    let world = World::new();
    world.put("outbox", "o", "1").await;
    let streams = aws_sdk_dynamodbstreams::Client::new(&world.sdk());
    let listed = streams
        .list_streams()
        .table_name(world.name("outbox"))
        .send()
        .await
        .unwrap();
    let arn = listed.streams()[0].stream_arn().unwrap();
    let described = streams
        .describe_stream()
        .stream_arn(arn)
        .send()
        .await
        .unwrap();
    let shard = described.stream_description().unwrap().shards()[0]
        .shard_id()
        .unwrap()
        .to_owned();
    let start = streams.get_shard_iterator().stream_arn(arn).shard_id(shard);
    let start = start
        .shard_iterator_type(aws_sdk_dynamodbstreams::types::ShardIteratorType::TrimHorizon)
        .send()
        .await
        .unwrap();
    let got = streams
        .get_records()
        .shard_iterator(start.shard_iterator().unwrap())
        .send()
        .await
        .unwrap();
    assert_eq!(got.records().len(), 1);
}

#[tokio::test]
async fn a_poisoned_record_is_isolated_retried_and_given_up_alone() {
    let world = World::new();
    let seen = world.invoke_with(|_, event, _| {
        if event.to_string().contains("poison") {
            Err("boom".to_owned())
        } else {
            Ok(json!({}))
        }
    });
    for sk in ["1", "poison", "3", "4"] {
        world.put("callbacks", "c", sk).await;
    }
    world.run(290).await;
    let deliveries = deliveries(&seen);
    assert_eq!(deliveries[0].len(), 4);
    assert!(deliveries.contains(&vec!["c/3".to_owned(), "c/4".to_owned()]));
    let alone = deliveries
        .iter()
        .filter(|batch| **batch == ["c/poison"])
        .count();
    assert_eq!(alone, 6, "one attempt and five retries");
    let messages = world.aws.queue_bodies(&world.name("stream-failures"));
    let message: Value = serde_json::from_str(&messages[0]).unwrap();
    assert_eq!(messages.len(), 1);
    assert_eq!(message["DDBStreamBatchInfo"]["batchSize"], 1);
    assert_eq!(
        message["requestContext"]["condition"],
        "RetryAttemptsExhausted"
    );
}

#[tokio::test]
async fn a_partial_response_resumes_at_the_lowest_failure() {
    let world = World::new();
    let seen = world.invoke_with(|_, event, before| {
        let number = &event["Records"][1]["dynamodb"]["SequenceNumber"];
        Ok(if before == 0 {
            json!({"batchItemFailures": [{"itemIdentifier": number}]})
        } else {
            Value::Null
        })
    });
    for sk in ["1", "2", "3"] {
        world.put("outbox", "o", sk).await;
    }
    world.run(10).await;
    assert_eq!(
        deliveries(&seen),
        [vec!["o/1", "o/2", "o/3"], vec!["o/2", "o/3"]]
    );
}

#[tokio::test]
async fn a_malformed_identifier_fails_the_batch_and_old_records_are_given_up() {
    let world = World::new();
    let seen =
        world.invoke_with(|_, _, _| Ok(json!({"batchItemFailures": [{"itemIdentifier": ""}]})));
    world.put("outbox", "o", "1").await;
    world.aws.settle().await;
    world.advance(3601);
    world.aws.settle().await;
    assert_eq!(deliveries(&seen), [["o/1"]]);
    let messages = world.aws.queue_bodies(&world.name("stream-failures"));
    assert!(messages[0].contains("RecordAgeExceeded"));
}

#[tokio::test]
async fn disorder_repeats_batches_and_mixes_items_but_never_one_item() {
    let disorder = Disorder {
        stream_shuffle: true,
        stream_duplicate_percent: 100,
        ..Disorder::default()
    };
    let world = World::with(disorder);
    let seen = world.invoke_with(|_, _, _| Ok(Value::Null));
    for n in 0..20 {
        world.put("outbox", &format!("o{n}"), "1").await;
    }
    let delete = world
        .dynamo()
        .delete_item()
        .table_name(world.name("outbox"));
    delete
        .key("pk", text("o0"))
        .key("sk", text("1"))
        .send()
        .await
        .unwrap();
    world.put("outbox", "o0", "1").await;
    world.aws.settle().await;
    let deliveries = deliveries(&seen);
    assert_eq!((deliveries.len(), deliveries[0].len()), (2, 21));
    assert_eq!(deliveries[0], deliveries[1]);
    let written: Vec<String> = (0..20).map(|n| format!("o{n}/1")).collect();
    assert_ne!(deliveries[0][..20], written[..]);
    let event = &events_of(&seen, "relay")[0];
    let numbers: Vec<_> = event["Records"]
        .as_array()
        .unwrap()
        .iter()
        .map(|r| r["dynamodb"]["SequenceNumber"].to_string())
        .collect();
    assert!(numbers.is_sorted());
}
