//! Who does not pay is suspended and its live calls end; who pays comes back.

use serde_json::json;
use tests::World;

#[tokio::test]
async fn a_tenant_that_runs_dry_is_suspended_its_call_ends_and_a_payment_brings_it_back() {
    let world = World::start().await;
    let tenant = world.tenant("Harbor Dental", "10").await;
    let call = world.call(&tenant, 86_400).await;
    assert_eq!(world.live_calls(&tenant), [call]);
    world.use_today(&tenant, "sms-outbound-longcode", "10");

    world.pull(&tenant).await;

    let shown = world.show(&tenant).await;
    assert_eq!(shown.text("/status"), "suspended");
    assert_eq!(shown.text("/twilio_status"), "suspended");
    assert_eq!(shown.text("/holds/0/hold"), "unpaid");
    assert!(world.live_calls(&tenant).is_empty());

    let paid = world
        .post(
            &format!("/v1/tenants/{}/top-ups", tenant.id),
            &json!({ "amount": "20" }),
        )
        .await;
    assert_eq!(paid.status, 201, "{paid:?}");
    world.stack.settle().await;
    assert_eq!(world.show(&tenant).await.text("/twilio_status"), "active");
}
