//! Usage pages, written straight into bytes: a page of several hundred rows must cost microseconds.

use jiff::civil::Date;

use super::book::Cell;
use super::catalogue::{CategoryId, Kind};
use super::period::Span;
use crate::amount;
use crate::json::Obj;
use crate::rng::Rng;
use crate::sid::Sid;
use crate::stamp;
use crate::world::World;
use crate::world::records::{Freshness, View};

/// Which categories a list shows.
pub(crate) enum Only {
    All,
    One(CategoryId),
    /// The filter names a category that does not exist.
    Nothing,
}

/// Everything that the rows of one list share.
pub(crate) struct Listing<'a> {
    pub(crate) world: &'a World,
    pub(crate) view: View,
    pub(crate) account: Sid,
    pub(crate) span: Span,
    pub(crate) periods: Vec<(Date, Date)>,
    pub(crate) only: Only,
    pub(crate) fresh: Freshness,
    pub(crate) price_unit: String,
    pub(crate) price_null: bool,
}

impl Listing<'_> {
    /// The categories that each period has a row for.
    pub(crate) fn columns(&self) -> Vec<CategoryId> {
        match (&self.only, self.periods.last(), self.periods.first()) {
            (Only::One(id), _, _) => vec![*id],
            (Only::All, Some(earliest), Some(latest)) => {
                let used = self.totals((earliest.0, latest.1));
                self.world.catalogue.columns(&used)
            }
            _ => Vec::new(),
        }
    }

    /// What names a row among the others, whatever rows come between.
    pub(crate) fn place_of(&self, columns: &[CategoryId], row: usize) -> Option<String> {
        let (first, _) = self.periods.get(row.checked_div(columns.len())?)?;
        let id = columns.get(row.checked_rem(columns.len())?)?;
        Some(format!("{first}:{}", self.world.catalogue.get(*id).name))
    }

    /// The row that follows the named one.
    pub(crate) fn row_after(&self, columns: &[CategoryId], place: &str) -> Option<usize> {
        let (first, name) = place.split_once(':')?;
        let first: Date = first.parse().ok()?;
        let id = self.world.catalogue.id(name)?;
        let later = self.periods.partition_point(|period| period.0 > first);
        let same = self.periods.get(later).is_some_and(|it| it.0 == first);
        let within = columns.partition_point(|column| *column <= id);
        Some(later * columns.len() + if same { within } else { 0 })
    }

    /// Writes rows `[from, to)` as a JSON array.
    pub(crate) fn write_rows(
        &self,
        out: &mut Vec<u8>,
        columns: &[CategoryId],
        from: usize,
        to: usize,
    ) {
        out.reserve((to - from) * 1800 + 2);
        out.push(b'[');
        let mut shown: Option<(usize, Vec<Cell>)> = None;
        for row in from..to {
            let (Some(index), Some(column)) = (
                row.checked_div(columns.len()),
                row.checked_rem(columns.len()),
            ) else {
                break;
            };
            let period = self.periods[index];
            let totals = match shown.take() {
                Some((at, totals)) if at == index => totals,
                _ => self.totals(period),
            };
            if row > from {
                out.push(b',');
            }
            let id = columns[column];
            self.write_row(out, id, &totals[usize::from(id)], period);
            shown = Some((index, totals));
        }
        out.push(b']');
    }

    fn totals(&self, period: (Date, Date)) -> Vec<Cell> {
        self.world.totals(&self.view, period.0, period.1)
    }

    fn write_row(&self, out: &mut Vec<u8>, id: CategoryId, cell: &Cell, period: (Date, Date)) {
        let category = self.world.catalogue.get(id);
        let (count_unit, usage_unit) = category.kind.units();
        let mut row = Obj::open(out);
        row.plain("account_sid", self.account.as_str())
            .plain("api_version", "2010-04-01");
        let as_of = self.fresh.of(id);
        quoted(row.name("as_of"), |out| stamp::write_offset(out, as_of));
        row.plain("category", &category.name);
        if category.kind == Kind::Money || (count_unit.is_empty() && cell.count == 0) {
            row.null("count");
        } else {
            quoted(row.name("count"), |out| amount::write_i64(out, cell.count));
        }
        row.plain("count_unit", count_unit);
        row.plain("description", &category.description);
        quoted(row.name("end_date"), |out| stamp::write_day(out, period.1));
        if self.price_null {
            row.null("price").str("price_unit", &self.price_unit);
        } else {
            self.write_price(row.name("price"), id, cell.price, period.0);
            row.str("price_unit", &self.price_unit);
        }
        quoted(row.name("start_date"), |out| {
            stamp::write_day(out, period.0);
        });
        category.write_uris(row.name("subresource_uris"), &self.account);
        self.write_uri(row.name("uri"), &category.name, period);
        quoted(row.name("usage"), |out| amount::write(out, cell.usage));
        row.str(
            "usage_unit",
            if category.kind == Kind::Money {
                &self.price_unit
            } else {
                usage_unit
            },
        );
        row.close();
    }

    fn write_price(&self, out: &mut Vec<u8>, id: CategoryId, price: i64, day: Date) {
        // Some Twilio rows carry a bare JSON number; which ones follows from the row, not from the moment.
        let per_mille = self.world.quirks.number_price_per_mille;
        let as_number = per_mille > 0 && {
            let day = [day.month().unsigned_abs(), day.day().unsigned_abs()];
            let row = [self.account.bytes(), &id.to_le_bytes()[..], &day];
            Rng::of(self.world.seed, &row).strikes(per_mille)
        };
        if as_number {
            amount::write(out, price);
        } else {
            quoted(out, |out| amount::write(out, price));
        }
    }

    fn write_uri(&self, out: &mut Vec<u8>, category: &str, period: (Date, Date)) {
        out.extend_from_slice(b"\"/2010-04-01/Accounts/");
        out.extend_from_slice(self.account.bytes());
        out.extend_from_slice(b"/Usage/Records");
        out.extend_from_slice(self.span.path().as_bytes());
        out.extend_from_slice(b".json?Category=");
        out.extend_from_slice(category.as_bytes());
        out.extend_from_slice(b"&StartDate=");
        stamp::write_day(out, period.0);
        out.extend_from_slice(b"&EndDate=");
        stamp::write_day(out, period.1);
        out.push(b'"');
    }
}

fn quoted(out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    out.push(b'"');
    write(out);
    out.push(b'"');
}
