//! `GET .../exposure`: what a tenant has probably spent that no pull has seen: calls and messages since the last
//! one, and calls that are live now. An estimate by the tenant's own average charges, never booked.

use std::sync::Arc;

use axum::extract::State;
use domain::detail::Item;
use domain::money;
use domain::period::end_of;
use domain::rating::DaySheet;
use domain::tenant::Tenant;
use domain::unpriced::{self, UnpricedGroup};
use domain::{Date, Timestamp};
use http::StatusCode;
use jiff::ToSpan as _;
use serde_json::{Value, json};
use twilio::items;

use crate::app::App;
use crate::extract::TenantPath;
use crate::money_act::{wallet_of, with_wallet};
use crate::numbers::account_of;
use crate::problem::{Answer, Failure};
use crate::view;

/// Days whose charges make the average.
const AVERAGE_DAYS: i32 = 7;
/// Days that are looked back at most, if no pull has seen anything.
const LOOK_BACK_DAYS: i32 = 2;

/// Estimates what is not booked yet.
pub async fn read(State(app): State<Arc<App>>, TenantPath(id): TenantPath) -> Answer {
    let tenant = with_wallet(&app, &id).await?;
    let wallet = wallet_of(&app, &id).await?;
    let now = app.host.now();
    let today = app.today();
    let from = today.saturating_sub(AVERAGE_DAYS.days());
    let sheets = app.store.day_sheets(&id, from, today).await?;
    let since = seen_until(&sheets, wallet.completed_through, today);
    let (recent, live) = asked(&app, &tenant, since, now).await?;
    let recent = estimated(&recent, &sheets);
    let live = estimated(&live, &sheets);
    let total = unpriced::exposure(&recent) + unpriced::exposure(&live);
    let is_unknown = |group: &UnpricedGroup| group.estimate.is_none();
    let body = json!({
        "currency": tenant.currency,
        "since": since,
        "seen_at": now,
        "recent": shown(&recent),
        "live": shown(&live),
        "estimate": money::to_text(total),
        "balance": money::to_text(wallet.balance()),
        "balance_less_estimate": money::to_text(wallet.balance() - total),
        "is_complete": !recent.iter().chain(&live).any(is_unknown),
    });
    Ok(view::json(StatusCode::OK, &body))
}

/// Up to when pulls have seen usage: as fresh as Twilio said that the latest sheet was.
fn seen_until(sheets: &[DaySheet], completed: Option<Date>, today: Date) -> Timestamp {
    let as_of = sheets.iter().filter_map(|sheet| sheet.as_of).max();
    let oldest = end_of(today.saturating_sub((LOOK_BACK_DAYS + 1).days()));
    let seen = as_of.into_iter().chain(completed.map(end_of)).max();
    seen.map_or(oldest, |seen| seen.max(oldest))
}

/// Calls and messages that ended since, and calls that are live, as Twilio lists them.
async fn asked(
    app: &App,
    tenant: &Tenant,
    since: Timestamp,
    now: Timestamp,
) -> Result<(Vec<Item>, Vec<Item>), Failure> {
    let account_sid = account_of(tenant)?;
    let recent = app.main.call(|main| {
        let (client, account) = (&app.twilio, &account_sid);
        async move { items::since(client, &main.into(), account, since).await }
    });
    let recent = recent.await?;
    let live = app.main.call(|main| {
        let (client, account) = (&app.twilio, &account_sid);
        async move { items::live(client, &main.into(), account, now).await }
    });
    Ok((recent, live.await?))
}

/// Groups with the tenant's own average charge of a unit. Whether Twilio has a price already makes no difference: it
/// is not booked.
fn estimated(items: &[Item], sheets: &[DaySheet]) -> Vec<UnpricedGroup> {
    let unbooked: Vec<Item> = items
        .iter()
        .map(|item| Item {
            price: None,
            ..item.clone()
        })
        .collect();
    unpriced::unpriced(&unbooked, &[], sheets)
}

fn shown(groups: &[UnpricedGroup]) -> Vec<Value> {
    let shown = groups.iter().map(|group| {
        json!({
            "day": group.day,
            "category": group.category.as_str(),
            "count": group.count,
            "units": group.units,
            "estimate": group.estimate.map(money::to_text),
        })
    });
    shown.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_last_pull_saw_is_not_looked_at_again() {
        let today = Date::constant(2026, 3, 10);
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let oldest = at("2026-03-08T00:00:00Z");
        assert_eq!(seen_until(&[], None, today), oldest);
        let long_ago = Date::constant(2026, 3, 1);
        assert_eq!(seen_until(&[], Some(long_ago), today), oldest);
        let yesterday = Date::constant(2026, 3, 9);
        let midnight = at("2026-03-10T00:00:00Z");
        assert_eq!(seen_until(&[], Some(yesterday), today), midnight);
        let mut sheet = DaySheet::empty(today);
        sheet.as_of = Some(at("2026-03-10T09:30:00Z"));
        assert_eq!(
            seen_until(&[sheet], Some(yesterday), today),
            at("2026-03-10T09:30:00Z")
        );
    }
}
