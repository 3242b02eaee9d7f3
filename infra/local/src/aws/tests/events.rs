//! EventBridge: failures per entry, limits, the rule to the suspender.

use aws_sdk_eventbridge::Client;
use aws_sdk_eventbridge::error::ProvideErrorMetadata;
use aws_sdk_eventbridge::types::PutEventsRequestEntry;
use serde_json::Value;

use super::World;

fn entry(world: &World, detail_type: &str, detail: &str) -> PutEventsRequestEntry {
    PutEventsRequestEntry::builder()
        .event_bus_name(world.aws.names().bus())
        .source(world.aws.names().event_source())
        .detail_type(detail_type)
        .detail(detail)
        .build()
}

#[tokio::test]
async fn entries_fail_one_by_one_and_the_rest_is_published() {
    let world = World::new();
    let answer = Client::new(&world.sdk())
        .put_events()
        .entries(entry(&world, "tenant.created", r#"{"id":"e1"}"#))
        .entries(entry(&world, "tenant.created", "{broken"))
        .entries(entry(&world, "tenant.hold_changed", r#"{"id":"e2"}"#))
        .send()
        .await
        .unwrap();
    assert_eq!(answer.failed_entry_count(), 1);
    assert_eq!(answer.entries()[1].error_code(), Some("MalformedDetail"));
    let events = world.aws.events_since(0);
    assert_eq!(
        events.iter().map(|event| event.number).collect::<Vec<_>>(),
        [0, 1]
    );
    assert_eq!(world.aws.events_since(1)[0].detail["id"], "e2");
    let bodies = world.aws.queue_bodies(&world.name("suspend"));
    assert_eq!(
        bodies.len(),
        1,
        "the rule takes standing and hold changes only"
    );
    let envelope: Value = serde_json::from_str(&bodies[0]).unwrap();
    assert_eq!(
        (&envelope["detail-type"], &envelope["detail"]["id"]),
        (&"tenant.hold_changed".into(), &"e2".into())
    );
    assert_eq!(envelope["time"], "2026-03-01T00:00:00Z");
}

#[tokio::test]
async fn a_request_over_the_limits_is_refused_whole() {
    let world = World::new();
    let large = format!(r#"{{"x":"{}"}}"#, "x".repeat(262_144));
    let put = Client::new(&world.sdk())
        .put_events()
        .entries(entry(&world, "t", &large))
        .send()
        .await;
    assert_eq!(put.unwrap_err().code(), Some("ValidationException"));
    let many = std::iter::repeat_n(entry(&world, "t", "{}"), 11).collect();
    let put = Client::new(&world.sdk())
        .put_events()
        .set_entries(Some(many))
        .send()
        .await;
    assert_eq!(put.unwrap_err().code(), Some("ValidationException"));
    assert!(world.aws.events_since(0).is_empty());
}
