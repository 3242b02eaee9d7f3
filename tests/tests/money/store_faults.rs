//! What AWS can do to the books: rows L of the catalogue.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use local::aws::{CallInfo, Fault};
use serde_json::json;

use super::support::*;

/// This fault, so often, at the transaction; the run still books, once.
async fn books_once(count: u64, fault: Fault) {
    let (world, tenant) = used("2.5").await;
    fail_calls(&world, "TransactWriteItems", count, fault.clone());
    world.pull(&tenant).await;
    let wallet = exact_books(&world, &tenant).await;
    assert_eq!(
        (wallet.seq, wallet.cost()),
        (3, decimal("2.5")),
        "{fault:?} x {count}"
    );
    assert_eq!(
        due_rows(&world, &tenant, "pull").len(),
        1,
        "{fault:?} x {count}: no run follows"
    );
    world.pull(&tenant).await;
    assert_eq!(exact_books(&world, &tenant).await.seq, 3);
}

#[tokio::test]
async fn l1_a_failed_condition_means_that_another_run_was_first() {
    let (world, tenant) = used("2.5").await;
    // Both have read before either writes.
    pull_at_once(&world, &tenant, 2).await;
    let wallet = exact_books(&world, &tenant).await;
    assert_eq!(wallet.seq, 3);
    let counters = world.stack.aws.counters();
    let tries = counters.total(|key| key.caller == PULLER && key.operation == "TransactWriteItems");
    assert!(tries.errors > 0, "the runs did not meet: {tries:?}");
}

#[tokio::test]
async fn l2_conflicts_and_throttling_are_tried_again() {
    for count in [1, 4] {
        books_once(count, Fault::TransactionConflict).await;
    }
    for error in [
        "ThrottlingException",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
    ] {
        books_once(2, Fault::respond_before(400, error)).await;
    }
    books_once(2, Fault::respond_before(500, "InternalServerError")).await;
    books_once(2, Fault::DropBefore).await;
}

#[tokio::test]
async fn l2_a_store_that_stays_busy_leaves_the_message() {
    for operation in ["TransactWriteItems", "BatchGetItem", "PutItem"] {
        let (world, tenant) = used("2.5").await;
        fail_calls(
            &world,
            operation,
            u64::MAX,
            Fault::respond_before(400, "ThrottlingException"),
        );
        world.pull(&tenant).await;
        world.stack.aws.set_fault_hook(None);
        books(&world, &tenant).await;
        world.pass(REDELIVERY).await;
        assert_eq!(exact_books(&world, &tenant).await.seq, 3, "{operation}");
        assert_eq!(
            due_rows(&world, &tenant, "pull").len(),
            1,
            "{operation}: no run follows"
        );
    }
}

#[tokio::test]
async fn l3_a_transaction_in_progress_is_waited_for_and_a_mismatch_stops_the_run() {
    books_once(
        2,
        Fault::respond_before(400, "TransactionInProgressException"),
    )
    .await;
    let (world, tenant) = used("2.5").await;
    fail_calls(
        &world,
        "TransactWriteItems",
        1,
        Fault::respond_before(400, "IdempotentParameterMismatchException"),
    );
    world.pull(&tenant).await;
    assert_eq!(books(&world, &tenant).await.seq, 2);
    world.pass(REDELIVERY).await;
    exact_books(&world, &tenant).await;
}

#[tokio::test]
async fn l4_an_answer_that_is_lost_after_the_commit_books_once() {
    // Within the SDK's own retries the token is the same; beyond them the conditions hold.
    for count in [1, 2, 3, 5] {
        books_once(count, Fault::DropAfter).await;
        books_once(count, Fault::respond_after(500, "InternalServerError")).await;
    }
}

#[tokio::test]
async fn l4_a_payment_whose_answer_is_lost_is_booked_once_also_when_it_is_sent_again_later() {
    let (world, tenant) = used("0").await;
    let path = format!("/v1/tenants/{}/top-ups", tenant.id);
    for (count, key) in [(1, "a"), (3, "b"), (40, "c")] {
        let before = books(&world, &tenant).await.paid_in();
        fail_calls(&world, "TransactWriteItems", count, Fault::DropAfter);
        let body = json!({ "amount": "5" });
        world.post_as(&path, key, &body).await;
        world.stack.aws.set_fault_hook(None);
        world.pass(jiff::SignedDuration::from_mins(11)).await;
        let again = world.post_as(&path, key, &body).await;
        assert_eq!(again.status, 201, "{again:?}");
        assert_eq!(
            books(&world, &tenant).await.paid_in(),
            before + decimal("5")
        );
    }
}

#[tokio::test]
async fn l10_an_event_stays_in_the_outbox_until_the_bus_has_it() {
    let (world, tenant) = used("100").await;
    let tries = Arc::new(AtomicU64::new(0));
    let seen = tries.clone();
    world
        .stack
        .aws
        .set_fault_hook(Some(Arc::new(move |call: &CallInfo| {
            if call.operation == "PutEvents" && seen.fetch_add(1, Ordering::SeqCst) < 3 {
                Fault::FailEntries {
                    indexes: vec![0],
                    code: "ThrottlingException".to_owned(),
                }
            } else {
                Fault::None
            }
        })));
    world.send_pull(&tenant);
    world.pass(jiff::SignedDuration::from_mins(10)).await;
    assert!(tries.load(Ordering::SeqCst) > 3);
    assert_eq!(world.items("outbox").len(), 0);
    let changes = events(&world, &tenant, "tenant.standing_changed");
    assert!(
        changes
            .iter()
            .any(|event| event["data"]["to"] == json!("unpaid")),
        "{changes:?}"
    );
    assert_eq!(
        world.show(&tenant).await.text("/twilio_status"),
        "suspended"
    );
}

#[tokio::test]
async fn l10_an_event_that_the_bus_refuses_for_good_is_parked_and_never_dropped() {
    let (world, tenant) = used("100").await;
    fail_calls(
        &world,
        "PutEvents",
        1,
        Fault::FailEntries {
            indexes: vec![0],
            code: "MalformedDetail".to_owned(),
        },
    );
    world.pull(&tenant).await;
    world.pass(jiff::SignedDuration::from_hours(3)).await;
    let parked = world.items("outbox");
    assert_eq!(parked.len(), 1, "{parked:?}");
    assert_eq!(parked[0]["parked"]["S"], json!("MalformedDetail"));
}

#[tokio::test]
async fn l11_an_outbox_record_that_comes_twice_changes_nothing() {
    let (world, tenant) = used("100").await;
    fail_calls(
        &world,
        "PutEvents",
        u64::MAX,
        Fault::respond_before(503, "ServiceUnavailable"),
    );
    world.pull(&tenant).await;
    let rows = world.items("outbox");
    assert!(!rows.is_empty());
    world.stack.aws.set_fault_hook(None);
    let records: Vec<_> = rows.iter().enumerate().map(|(number, row)| json!({
        "eventID": format!("{number}"), "eventName": "INSERT", "eventVersion": "1.1", "eventSource": "aws:dynamodb", "awsRegion": "us-east-1",
        "eventSourceARN": format!("arn:aws:dynamodb:us-east-1:1:table/{}/stream/x", world.stack.aws.names().of("outbox")),
        "dynamodb": { "ApproximateCreationDateTime": 1_772_323_200, "Keys": { "pk": row["pk"], "sk": row["sk"] }, "NewImage": row, "SequenceNumber": format!("{number}"), "SizeBytes": 1, "StreamViewType": "NEW_IMAGE" },
    })).collect();
    for _ in 0..2 {
        let answer = world
            .stack
            .functions
            .invoke("relay", json!({ "Records": records }))
            .await
            .unwrap();
        assert_eq!(answer["batchItemFailures"], json!([]));
        world.stack.settle().await;
    }
    world.pass(jiff::SignedDuration::from_mins(5)).await;
    let shown = world.show(&tenant).await;
    assert_eq!(shown.text("/twilio_status"), "suspended");
    assert_eq!(shown.body["holds"].as_array().unwrap().len(), 1);
    let holds = events(&world, &tenant, "tenant.hold_changed");
    assert_eq!(holds.len(), 1, "{holds:?}");
    exact_books(&world, &tenant).await;
}
