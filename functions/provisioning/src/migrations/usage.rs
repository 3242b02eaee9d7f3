//! The books of a split against Twilio: before the cut-over and after it, in both subaccounts.

use domain::detail::Item;
use domain::ids::AccountSid;
use domain::migration::{Check, Kind, Migration, Usage, compare_usage, own_items};
use domain::numbers::NumberRecord;
use domain::usage::TOTAL;
use domain::{Date, Decimal};
use jiff::{Timestamp, ToSpan as _};
use twilio::items::{self, Wanted};
use twilio::{UsageQuery, UsageSpan};

use crate::app::{App, day_of};
use crate::problem::Failure;

/// Days before the cut-over that are compared.
const DAYS_BEFORE: i64 = 7;
/// Days after it, at most: calls and messages are listed one by one.
const DAYS_AFTER: i64 = 7;

/// Compares usage; nothing of a migration that was not cut over, or of another kind.
pub(super) async fn compare(app: &App, migration: &Migration) -> Result<Vec<Check>, Failure> {
    let (Some(cut_over_at), Some(gaining)) = (migration.cut_over_at, &migration.gaining_sid) else {
        return Ok(Vec::new());
    };
    if migration.kind == Kind::External {
        return Ok(Vec::new());
    }
    let cut_over_on = day_of(cut_over_at);
    let created_on = day_of(app.tenant(&migration.tenant).await?.created_at);
    let first = cut_over_on.saturating_sub(DAYS_BEFORE.days());
    let last = cut_over_on.saturating_add(DAYS_AFTER.days());
    let spans = [
        (
            "before",
            first.max(created_on),
            cut_over_on.saturating_sub(1.day()),
        ),
        ("after", cut_over_on, last.min(app.today())),
    ];
    let numbers = app.store.numbers_of(&migration.tenant).await?;
    let (mut usage, mut late) = (Vec::new(), Vec::new());
    for (when, from, to) in spans {
        if from > to {
            continue;
        }
        let listed = listed(app, &migration.losing_sid, from, to).await?;
        late.extend(listed.iter().filter(|item| item.at >= cut_over_at).cloned());
        let tenant = &migration.tenant;
        let shared = own_items(listed, &numbers, &migration.losing_sid, tenant);
        let shared: Decimal = shared.iter().filter_map(|item| item.price).sum();
        let sheets = app.store.day_sheets(tenant, from, to).await?;
        usage.push(Usage {
            when,
            subject: format!("{from} to {to}"),
            twilio: total(app, gaining, from, to).await? + shared,
            booked: sheets.iter().map(domain::rating::DaySheet::cost).sum(),
        });
    }
    Ok(compare_usage(
        &usage,
        &stragglers(migration, &numbers, &late),
    ))
}

/// Calls and messages of an account on some days.
async fn listed(
    app: &App,
    account_sid: &AccountSid,
    from: Date,
    to: Date,
) -> Result<Vec<Item>, Failure> {
    let days: Vec<Date> = from.series(1.day()).take_while(|day| *day <= to).collect();
    let wanted = Wanted {
        calls: days.clone(),
        messages: days,
    };
    let listed = app.main.call(|main| {
        let (client, wanted) = (&app.twilio, &wanted);
        async move { items::list(client, &main.into(), account_sid, wanted).await }
    });
    Ok(listed.await?)
}

/// Twilio's total of an account over some days.
async fn total(
    app: &App,
    account_sid: &AccountSid,
    from: Date,
    to: Date,
) -> Result<Decimal, Failure> {
    let query = UsageQuery::of(UsageSpan::Daily).between(from, to);
    let listed = app.main.call(|main| {
        let (client, query) = (&app.twilio, &query);
        async move { client.list_usage(&main.into(), account_sid, query).await }
    });
    let records = listed.await?;
    let totals = records.iter().filter(|record| record.category == TOTAL);
    Ok(totals.filter_map(|record| record.price).sum())
}

/// What the former account still shows of numbers while they are here: somebody uses the old credentials.
fn stragglers(
    migration: &Migration,
    numbers: &[NumberRecord],
    late: &[Item],
) -> Vec<(String, usize)> {
    let is_here = |number: &str, at: Timestamp| {
        let mut known = numbers.iter().filter(|known| known.phone_number == number);
        known.any(|known| {
            let held = known.held_at(at);
            held.is_some_and(|held| Some(&held.account_sid) == migration.gaining_sid.as_ref())
        })
    };
    let counted = migration.items.iter().map(|item| {
        let number = item.phone_number.as_str();
        let own = late.iter().filter(|late| late.own_number() == number);
        let own = own.filter(|late| is_here(number, late.at));
        (number.to_owned(), own.count())
    });
    counted.collect()
}
