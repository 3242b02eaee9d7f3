//! Usage records: the range that is asked for, then the page.

use crate::usage::book::Book;
use crate::usage::page::{Listing, Only};
use crate::usage::period::{self, Span};
use crate::world::{MAIN, World, day_of};

use super::answer::{Answer, Refusal};
use super::ask::Ask;
use super::paging;
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

impl World {
    /// The books that an account's usage is made of: for the main account its subaccounts' too.
    pub(crate) fn family(
        &self,
        account: usize,
        with_children: bool,
    ) -> impl Iterator<Item = &Book> {
        let accounts = if account == MAIN && with_children {
            &self.accounts[..]
        } else {
            &self.accounts[account..=account]
        };
        accounts.iter().map(|account| &account.usage)
    }
}

fn list(world: &World, ask: &Ask, account: usize, span: Span) -> Result<Answer, Refusal> {
    let today = day_of(ask.now);
    let owner = &world.accounts[account];
    let asked_day = |name: &str, default| match ask.query(name) {
        None => Ok(default),
        Some(text) => period::parse_day(text, today)
            .ok_or_else(|| Refusal::bad(20_001, &format!("Invalid {name}"))),
    };
    let (start, end) = (
        asked_day("StartDate", day_of(owner.created_at))?,
        asked_day("EndDate", today)?,
    );
    // A span of years would be a list without end.
    let start = start.max(period::back(today, 4 * 366));
    let periods = span.periods(today, (start, end.min(today).max(start)));
    let with_children = !ask
        .query("IncludeSubaccounts")
        .is_some_and(|text| text.eq_ignore_ascii_case("false"));
    let listing = Listing {
        catalogue: &world.catalogue,
        books: world.family(account, with_children).collect(),
        account: owner.sid,
        span,
        periods,
        only: match ask.query("Category") {
            None => Only::All,
            Some(name) => world.catalogue.id(name).map_or(Only::Nothing, Only::One),
        },
        as_of: ask.now.strftime("%Y-%m-%dT%H:%M:%S+00:00").to_string(),
        price_unit: ask
            .price_unit
            .clone()
            .unwrap_or_else(|| world.currency.to_lowercase()),
        price_null: ask.price_null,
        number_price_per_mille: world.quirks.number_price_per_mille,
        seed: world.seed,
    };
    let columns = listing.columns();
    let rows = listing.periods.len() * columns.len();
    paging::by_offset(ask, "usage_records", rows, |out, from, to| {
        listing.write_rows(out, &columns, from, to);
    })
}
