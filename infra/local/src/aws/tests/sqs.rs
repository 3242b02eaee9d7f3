//! SQS: visibility, redrive, failures per entry, duplicates.

use aws_sdk_sqs::Client;
use aws_sdk_sqs::error::ProvideErrorMetadata;
use aws_sdk_sqs::types::{QueueAttributeName, SendMessageBatchRequestEntry};

use super::World;
use crate::aws::{Disorder, QueueDepth};

#[tokio::test]
async fn a_received_message_is_hidden_until_its_visibility_timeout_ends() {
    let world = World::new();
    let (sqs, name) = (Client::new(&world.sdk()), world.name("pull"));
    let url = sqs
        .get_queue_url()
        .queue_name(&name)
        .send()
        .await
        .unwrap()
        .queue_url
        .unwrap();
    sqs.send_message()
        .queue_url(&url)
        .message_body("m")
        .send()
        .await
        .unwrap();
    let receive = || async {
        sqs.receive_message()
            .queue_url(&url)
            .send()
            .await
            .unwrap()
            .messages
            .unwrap_or_default()
    };
    let first = receive().await;
    assert_eq!((first.len(), receive().await.len()), (1, 0));
    assert_eq!(
        world.aws.queue_depth(&name),
        Some(QueueDepth {
            in_flight: 1,
            ..QueueDepth::default()
        })
    );
    world.advance(720);
    let second = receive().await;
    assert_eq!(second.len(), 1);
    let delete = |receipt: String| {
        sqs.delete_message()
            .queue_url(&url)
            .receipt_handle(receipt)
            .send()
    };
    delete(first[0].receipt_handle.clone().unwrap())
        .await
        .unwrap();
    assert_eq!(
        world.aws.queue_bodies(&name),
        ["m"],
        "a stale receipt deletes nothing"
    );
    let receipt = second[0].receipt_handle.clone().unwrap();
    let change = sqs
        .change_message_visibility()
        .queue_url(&url)
        .receipt_handle(&receipt)
        .visibility_timeout(0);
    change.send().await.unwrap();
    let third = receive().await;
    delete(third[0].receipt_handle.clone().unwrap())
        .await
        .unwrap();
    assert!(world.aws.queue_bodies(&name).is_empty());
    let error = delete("nonsense".to_owned()).await.unwrap_err();
    assert_eq!(error.code(), Some("ReceiptHandleIsInvalid"));
}

#[tokio::test]
async fn the_sixth_receive_finds_the_message_in_the_dead_letter_queue() {
    let world = World::new();
    let (sqs, url) = (
        Client::new(&world.sdk()),
        world.aws.queue_url(&world.name("suspend")),
    );
    sqs.send_message()
        .queue_url(&url)
        .message_body("poison")
        .send()
        .await
        .unwrap();
    for _ in 0..5 {
        let got = sqs.receive_message().queue_url(&url).send().await.unwrap();
        assert_eq!(got.messages().len(), 1);
        world.advance(721);
    }
    assert!(
        sqs.receive_message()
            .queue_url(&url)
            .send()
            .await
            .unwrap()
            .messages()
            .is_empty()
    );
    assert_eq!(
        world.aws.queue_bodies(&world.name("suspend-dlq")),
        ["poison"]
    );
    let attributes = sqs
        .get_queue_attributes()
        .queue_url(&url)
        .attribute_names(QueueAttributeName::All)
        .send()
        .await
        .unwrap();
    assert!(
        attributes.attributes().unwrap()[&QueueAttributeName::RedrivePolicy]
            .contains("suspend-dlq")
    );
}

#[tokio::test]
async fn a_batch_fails_per_entry() {
    let world = World::new();
    let (sqs, url) = (
        Client::new(&world.sdk()),
        world.aws.queue_url(&world.name("pull")),
    );
    let entry = |id: &str, body: String| {
        SendMessageBatchRequestEntry::builder()
            .id(id)
            .message_body(body)
            .build()
            .unwrap()
    };
    let answer = sqs
        .send_message_batch()
        .queue_url(&url)
        .entries(entry("small", "m".to_owned()))
        .entries(entry("large", "x".repeat(262_145)))
        .send()
        .await
        .unwrap();
    assert_eq!(answer.successful()[0].id(), "small");
    assert_eq!(
        (answer.failed()[0].id(), answer.failed()[0].sender_fault()),
        ("large", true)
    );
    let twice = sqs
        .send_message_batch()
        .queue_url(&url)
        .entries(entry("a", "1".to_owned()))
        .entries(entry("a", "2".to_owned()));
    assert!(
        twice
            .send()
            .await
            .unwrap_err()
            .into_service_error()
            .is_batch_entry_ids_not_distinct()
    );
    let nowhere = sqs
        .send_message()
        .queue_url("http://127.0.0.1/000000000000/none")
        .message_body("m")
        .send()
        .await;
    assert!(
        nowhere
            .unwrap_err()
            .into_service_error()
            .is_queue_does_not_exist()
    );
}

#[tokio::test]
async fn duplicates_come_by_seed() {
    let world = World::with(Disorder {
        queue_duplicate_percent: 100,
        ..Disorder::default()
    });
    let (sqs, url) = (
        Client::new(&world.sdk()),
        world.aws.queue_url(&world.name("pull")),
    );
    sqs.send_message()
        .queue_url(&url)
        .message_body("m")
        .send()
        .await
        .unwrap();
    assert_eq!(world.aws.queue_bodies(&world.name("pull")), ["m", "m"]);
}
