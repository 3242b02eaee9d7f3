//! A whole life: days of traffic, one tenant that runs dry and comes back, and books that agree to the cent.

use domain::Decimal;
use domain::ids::TenantId;
use jiff::SignedDuration;
use reqwest::Method;
use serde_json::json;
use tests::{Tenant, World};
use twilio_sim::SimConfig;

use super::callbacks::{start_traffic, stop_traffic};
use super::support::{
    assert_audit_is_chained, assert_in_service, assert_settled, events, status_at_twilio, text,
    top_up,
};

/// What Twilio says that everything cost, asked with the main credentials.
async fn total_at_twilio(world: &World) -> Decimal {
    let (sid, token) = world.stack.main_credentials();
    let path = format!("/2010-04-01/Accounts/{sid}/Usage/Records/AllTime.json?Category=totalprice");
    let answer = world.twilio((&sid, &token), Method::GET, &path, &[]).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let price = &answer.body["usage_records"][0]["price"];
    let price = price
        .as_str()
        .map_or_else(|| price.to_string(), str::to_owned);
    Decimal::from_str_exact(&price).expect("an amount")
}

/// Everything that lies in the tables is read by what wrote it, and the wallets follow from their entries.
async fn sum_of_costs(world: &World, tenants: &[&Tenant]) -> Decimal {
    let store = world.store();
    let mut sum = Decimal::ZERO;
    for tenant in tenants {
        let id = TenantId::parse(&tenant.id).unwrap();
        let wallet = store.wallet(&id).await.unwrap().expect("a wallet");
        let entries = store.entry_chain(&id).await.unwrap();
        let folded = domain::wallet::fold(wallet.currency, entries).unwrap();
        let folded = domain::wallet::Wallet {
            head: wallet.head.clone(),
            standing: wallet.standing,
            standing_ver: wallet.standing_ver,
            completed_through: wallet.completed_through,
            rev: wallet.rev,
            ..folded
        };
        assert_eq!(folded, wallet);
        let first = "2026-03-01".parse().unwrap();
        let sheets = store
            .day_sheets(&id, first, "2026-03-31".parse().unwrap())
            .await
            .unwrap();
        let booked: Decimal = sheets
            .iter()
            .flat_map(|sheet| sheet.lines.values())
            .map(|line| line.quantities.cost)
            .sum();
        assert_eq!(booked, wallet.cost());
        assert!(
            sheets.iter().all(|sheet| sheet.held.is_none()),
            "{sheets:?}"
        );
        assert!(store.tenant(&id).await.unwrap().is_some());
        assert_audit_is_chained(world, tenant);
        sum += wallet.cost();
    }
    for item in world.items("callbacks") {
        let pk = text(&item, "pk");
        let (tenant, sid) = pk.strip_prefix("T#").unwrap().split_once('#').unwrap();
        let read = store
            .callbacks(&TenantId::parse(tenant).unwrap(), sid)
            .await
            .unwrap();
        assert!(!read.is_empty());
    }
    for tick in world
        .items("due")
        .iter()
        .filter_map(|item| text(item, "pk").strip_prefix("due#").map(str::to_owned))
    {
        assert!(
            !store
                .due_on(aws::Tick(tick.parse().unwrap()))
                .await
                .unwrap()
                .is_empty()
        );
    }
    sum
}

#[tokio::test]
async fn after_three_days_of_traffic_and_three_quiet_ones_every_cent_is_booked() {
    let world = World::with(SimConfig::default()).await;
    let (rich, busy) = (
        world.tenant("Rich", "5000").await,
        world.tenant("Busy", "5000").await,
    );
    let poor = world.tenant("Poor", "20").await;
    let tenants = [&rich, &busy, &poor];
    for (tenant, messages, calls) in [(&rich, 20, 5), (&busy, 120, 40), (&poor, 60, 20)] {
        let profile = json!({ "messages_per_day": messages, "calls_per_day": calls, "call_seconds": [30, 900] });
        start_traffic(&world, tenant, profile).await;
    }
    let call = world.call(&poor, 20 * 86_400).await;
    world.pass(SignedDuration::from_hours(24)).await;
    // Its money is gone for sure now; traffic that Twilio refuses goes on trying.
    world.use_today(&poor, "sms-outbound-longcode", "40");
    world.pass(SignedDuration::from_hours(26)).await;
    assert_eq!(status_at_twilio(&world, &poor), "suspended");
    assert!(world.live_calls(&poor).is_empty());
    let suspended = events(&world, &poor, "tenant.suspended");
    let named = suspended.iter().any(|event| {
        event.detail["data"]["call_sids"]
            .as_array()
            .unwrap()
            .contains(&json!(call))
    });
    assert!(named, "{suspended:?}");
    top_up(&world, &poor, "4000").await;
    world.stack.settle().await;
    assert_in_service(&world, &poor).await;
    world.pass(SignedDuration::from_hours(22)).await;
    for tenant in tenants {
        stop_traffic(&world, tenant).await;
    }
    world.pass(SignedDuration::from_hours(72)).await;

    let total = total_at_twilio(&world).await;
    assert!(total > Decimal::from(40), "{total}");
    assert_eq!(sum_of_costs(&world, &tenants).await, total);
    assert_in_service(&world, &poor).await;
    assert_settled(&world);
    let failed: Vec<_> = world
        .stack
        .aws
        .invocations()
        .into_iter()
        .filter(|(_, tally)| tally.errors > 0)
        .collect();
    assert!(failed.is_empty(), "{failed:?}");
    let refused = world
        .stack
        .sim
        .deliveries()
        .into_iter()
        .filter(|delivery| delivery.http_status != Some(204));
    assert_eq!(refused.count(), 0);
}
