//! Queue mappings and schedules.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use aws_lambda_events::event::sqs::SqsEvent;
use futures::FutureExt;
use serde_json::{Value, json};

use super::{World, events_of};
use crate::aws::{Disorder, InvocationTally, lock};

fn bodies(event: &Value) -> Vec<String> {
    let event: SqsEvent = serde_json::from_value(event.clone()).unwrap();
    event
        .records
        .into_iter()
        .map(|record| record.body.unwrap())
        .collect()
}

#[tokio::test]
async fn pulls_come_in_fives_and_failed_messages_return_after_their_timeout() {
    let world = World::new();
    let queue = world.name("pull");
    let seen = world.invoke_with(|_, event, before| {
        let id = &event["Records"][1]["messageId"];
        Ok(if before == 0 {
            json!({"batchItemFailures": [{"itemIdentifier": id}]})
        } else {
            Value::Null
        })
    });
    for n in 0..7 {
        world.aws.send_message(&queue, &n.to_string()).unwrap();
    }
    assert_eq!(world.aws.settle().await, 2);
    let batches: Vec<_> = events_of(&seen, "usage-puller")
        .iter()
        .map(bodies)
        .collect();
    assert_eq!(batches, [vec!["0", "1", "2", "3", "4"], vec!["5", "6"]]);
    assert_eq!(world.aws.queue_bodies(&queue), ["1"]);
    world.run(720).await;
    assert_eq!(
        bodies(events_of(&seen, "usage-puller").last().unwrap()),
        ["1"]
    );
    assert!(world.aws.queue_bodies(&queue).is_empty());
}

#[tokio::test]
async fn an_error_a_panic_or_a_malformed_identifier_fails_the_whole_batch() {
    let world = World::new();
    let queue = world.name("provision");
    let seen = world.invoke_with(|function, _, before| match before {
        _ if function == "relay" => Ok(Value::Null),
        0 => Err("boom".to_owned()),
        _ => Ok(json!({"batchItemFailures": [{"itemIdentifier": "none"}]})),
    });
    world.aws.send_message(&queue, "m").unwrap();
    world.run(5 * 720).await;
    assert_eq!(events_of(&seen, "provisioning").len(), 5);
    assert_eq!(world.aws.queue_bodies(&world.name("provision-dlq")), ["m"]);
    world
        .aws
        .set_invoker(Arc::new(|_, _| async { panic!("a function may") }.boxed()));
    world.aws.send_message(&queue, "p").unwrap();
    world.aws.settle().await;
    assert_eq!(world.aws.queue_bodies(&queue), ["p"]);
    assert_eq!(
        world.aws.invocations()["provisioning"],
        InvocationTally {
            invocations: 6,
            errors: 2
        }
    );
}

#[tokio::test]
async fn messages_run_together_up_to_the_maximum_concurrency() {
    let world = World::new();
    let (running, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let seen_most = Arc::clone(&most);
    world.aws.set_invoker(Arc::new(move |_, _| {
        let (running, most) = (Arc::clone(&running), Arc::clone(&most));
        async move {
            most.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            for _ in 0..10 {
                tokio::task::yield_now().await;
            }
            running.fetch_sub(1, Ordering::SeqCst);
            Ok(Value::Null)
        }
        .boxed()
    }));
    for n in 0..20 {
        world
            .aws
            .send_message(&world.name("suspend"), &n.to_string())
            .unwrap();
    }
    assert_eq!(world.aws.settle().await, 20);
    assert_eq!(seen_most.load(Ordering::SeqCst), 4);
}

#[tokio::test]
async fn the_tick_fires_every_five_minutes_and_is_retried_twice() {
    let world = World::new();
    let seen = world.invoke_with(|_, _, before| {
        if (1..4).contains(&before) {
            Err("down".to_owned())
        } else {
            Ok(Value::Null)
        }
    });
    world.run(299).await;
    assert!(lock(&seen).is_empty());
    world.run(901).await;
    let tick = json!({"source": "tollgate.schedule", "detail-type": "tick"});
    assert!(
        lock(&seen)
            .iter()
            .all(|(function, event)| function == "relay" && *event == tick)
    );
    assert_eq!(
        lock(&seen).len(),
        4 + 2,
        "four ticks, the second tried three times"
    );
    assert_eq!(world.aws.ticks_given_up(), json!([tick]));
}

#[tokio::test]
async fn a_disorderly_tick_fires_twice() {
    let world = World::with(Disorder {
        schedule_double_percent: 100,
        ..Disorder::default()
    });
    let seen = world.invoke_with(|_, _, _| Ok(Value::Null));
    world.run(300).await;
    assert_eq!(lock(&seen).len(), 2);
}

#[tokio::test]
async fn a_running_clock_is_served_in_the_background() {
    let world = World::new();
    let seen = world.invoke_with(|_, _, _| Ok(Value::Null));
    let driver = world.aws.spawn_background();
    world.aws.send_message(&world.name("pull"), "m").unwrap();
    while lock(&seen).is_empty() {
        tokio::task::yield_now().await;
    }
    driver.abort();
}
