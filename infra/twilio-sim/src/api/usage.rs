//! Usage records: the range that is asked for, then the page.

use crate::usage::page::{Listing, Only};
use crate::usage::period::{self, Span};
use crate::world::{World, day_of};

use super::answer::{Answer, Refusal};
use super::ask::Ask;
use super::paging::{self, Places};
use super::route::{Operation, Target, get};

macro_rules! listings {
    ($($path:literal $name:ident $span:ident,)+) => {
        pub(super) const OPERATIONS: &[Operation] = &[
            $(get(concat!("/Accounts/{AccountSid}/Usage/Records", $path), "/twilio/usage/records/list", $name),)+
        ];
        $(fn $name(world: &mut World, ask: &Ask, target: &Target<'_>) -> Result<Answer, Refusal> {
            list(world, ask, target.account, Span::$span)
        })+
    };
}

listings! {
    "" root Root,
    "/Daily" daily Daily,
    "/Monthly" monthly Monthly,
    "/Yearly" yearly Yearly,
    "/AllTime" all_time AllTime,
    "/Today" today Today,
    "/Yesterday" yesterday Yesterday,
    "/ThisMonth" this_month ThisMonth,
    "/LastMonth" last_month LastMonth,
}

/// A list without end would be one over decades.
const DAYS_MAX: i64 = 4 * 366;

fn list(world: &mut World, ask: &Ask, account: usize, span: Span) -> Result<Answer, Refusal> {
    if !span.is_convenient() && is_missing(world, account) {
        return Err(Refusal::not_found(ask));
    }
    let with_children = includes_subaccounts(world, ask, span)?;
    let view = world.view(account, with_children, ask.now);
    let periods = periods(world, ask, account, span)?;
    let only = match ask.query("Category") {
        None => Only::All,
        Some(name) => match world.catalogue.id(name) {
            Some(id) => Only::One(id),
            None if world.quirks.unknown_category_refused => return Err(invalid("Category")),
            None => Only::Nothing,
        },
    };
    if let (Some(earliest), Some(latest)) = (periods.last(), periods.first()) {
        world.prepare(&view, earliest.0, latest.1);
    }
    let world = &*world;
    let listing = Listing {
        world,
        view,
        account: world.accounts[account].sid,
        span,
        periods,
        only,
        fresh: world.freshness(&view),
        price_unit: ask
            .price_unit
            .clone()
            .unwrap_or_else(|| world.currency.to_lowercase()),
        price_null: ask.price_null,
    };
    let columns = listing.columns();
    let rows = listing.periods.len() * columns.len();
    let write = |out: &mut Vec<u8>, from, to| listing.write_rows(out, &columns, from, to);
    if world.quirks.usage_rows_shift {
        return paging::by_offset(ask, "usage_records", rows, write);
    }
    let places = Places {
        of: &|row| listing.place_of(&columns, row),
        after: &|place| listing.row_after(&columns, place),
    };
    paging::by_place(ask, "usage_records", rows, &places, write)
}

/// Some accounts' records over a range are not found, while those by name of the range are.
fn is_missing(world: &World, account: usize) -> bool {
    let missing = &world.quirks.usage_not_found;
    let sid = world.accounts[account].sid;
    missing.iter().any(|one| one == sid.as_str())
}

fn includes_subaccounts(world: &World, ask: &Ask, span: Span) -> Result<bool, Refusal> {
    let asked = match ask.query("IncludeSubaccounts") {
        None => true,
        Some(text) if text.eq_ignore_ascii_case("true") => true,
        Some(text) if text.eq_ignore_ascii_case("false") => false,
        Some(_) => return Err(invalid("IncludeSubaccounts")),
    };
    let ignored = world.quirks.include_subaccounts_ignored_on_subresources;
    Ok(asked || (ignored && span.is_convenient()))
}

/// The periods that rows are about; none where the range ends before it begins.
fn periods(
    world: &World,
    ask: &Ask,
    account: usize,
    span: Span,
) -> Result<Vec<(jiff::civil::Date, jiff::civil::Date)>, Refusal> {
    let today = day_of(ask.now);
    let asked_day = |name: &str| match ask.query(name) {
        None => Ok(None),
        Some(text) => period::parse_day(text, today)
            .map(Some)
            .ok_or_else(|| invalid(name)),
    };
    let (asked_start, asked_end) = (asked_day("StartDate")?, asked_day("EndDate")?);
    let end = asked_end.unwrap_or(today);
    let start = asked_start.unwrap_or_else(|| day_of(world.accounts[account].created_at).min(end));
    if start > end {
        return if world.quirks.reversed_range_refused {
            Err(invalid("StartDate"))
        } else {
            Ok(Vec::new())
        };
    }
    let start = start.max(period::back(today, DAYS_MAX));
    Ok(span.periods(today, (start, end.min(today).max(start))))
}

fn invalid(name: &str) -> Refusal {
    Refusal::bad(20_001, &format!("Invalid {name}"))
}
