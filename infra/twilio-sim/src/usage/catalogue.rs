//! The usage categories: which exist, which contain which, and how each row looks.
//!
//! Only leaves are booked on; rollups are sums made when a page is written, so they always agree with
//! their parts. A name that nobody listed is a leaf under `totalprice` alone: the residual.

use std::collections::HashMap;

use super::book::{Book, Cell};
use super::names;
use crate::sid::Sid;

/// The index of a category.
pub(crate) type CategoryId = u16;

/// What a category counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Money,
    Calls,
    Messages,
    Fees,
    Numbers,
    Codes,
    Recordings,
    Storage,
    Lookups,
    Plain,
}

impl Kind {
    /// The units of `count` and `usage`.
    pub(crate) fn units(self) -> (&'static str, &'static str) {
        match self {
            Self::Money => ("", "usd"),
            Self::Calls => ("calls", "minutes"),
            Self::Messages => ("messages", "segments"),
            Self::Fees => ("messages", "messages"),
            Self::Numbers => ("numbers", "numbers"),
            Self::Codes => ("shortcodes", "shortcodes"),
            Self::Recordings => ("recordings", "minutes"),
            Self::Storage => ("", "MB"),
            Self::Lookups => ("lookups", "lookups"),
            Self::Plain => ("", ""),
        }
    }
}

/// One category.
pub(crate) struct Category {
    pub(crate) name: String,
    pub(crate) description: String,
    pub(crate) kind: Kind,
    pub(crate) rollup: bool,
    parent: Option<CategoryId>,
    /// The row's `subresource_uris` for a blank account, and where its SID goes.
    uris: Vec<u8>,
    sid_at: Vec<usize>,
}

/// All categories.
pub(crate) struct Catalogue {
    all: Vec<Category>,
    by_name: HashMap<String, CategoryId>,
    listed: usize,
    known: usize,
    total: CategoryId,
}

impl Catalogue {
    /// The compact set, and every other name too when `all` is set.
    pub(crate) fn new(all: bool) -> Self {
        let mut catalogue = Self {
            all: Vec::new(),
            by_name: HashMap::new(),
            listed: 0,
            known: 0,
            total: 0,
        };
        for (name, kind, _) in names::COMPACT {
            catalogue.add(name, *kind);
        }
        for (name, _, parent) in names::COMPACT {
            let parent = catalogue.id(parent);
            if let Some(id) = catalogue.id(name) {
                catalogue.all[usize::from(id)].parent = parent;
            }
        }
        catalogue.listed = catalogue.all.len();
        for name in names::OTHERS {
            catalogue.add(name, Kind::Plain);
        }
        if all {
            catalogue.listed = catalogue.all.len();
        }
        catalogue.known = catalogue.all.len();
        catalogue.total = catalogue.id("totalprice").unwrap_or_default();
        catalogue
    }

    /// The category of this name.
    pub(crate) fn id(&self, name: &str) -> Option<CategoryId> {
        self.by_name.get(name).copied()
    }

    /// The category of this name, which exists from now on.
    pub(crate) fn intern(&mut self, name: &str) -> CategoryId {
        self.id(name).unwrap_or_else(|| self.add(name, Kind::Plain))
    }

    pub(crate) fn get(&self, id: CategoryId) -> &Category {
        &self.all[usize::from(id)]
    }

    /// The rows of a list without filter: the listed ones, and of the others those that `books` used.
    pub(crate) fn columns(&self, used: &[Cell]) -> Vec<CategoryId> {
        (0..self.all.len())
            .filter(|index| {
                *index < self.listed || used.get(*index).is_some_and(|cell| !cell.is_zero())
            })
            .filter_map(|index| CategoryId::try_from(index).ok())
            .collect()
    }

    /// The sums of every category over these books and days.
    pub(crate) fn totals<'b>(
        &self,
        books: impl Iterator<Item = &'b Book>,
        first: jiff::civil::Date,
        last: jiff::civil::Date,
    ) -> Vec<Cell> {
        let mut totals = vec![Cell::default(); self.all.len()];
        for book in books {
            for (id, cell) in book.cells(first, last) {
                let mut at = Some(id);
                while let Some(id) = at {
                    totals[usize::from(id)].add(cell);
                    at = self.get(id).parent;
                }
                let total = &mut totals[usize::from(self.total)];
                total.price += cell.price;
                total.usage += cell.price;
            }
        }
        totals
    }

    fn add(&mut self, name: &str, kind: Kind) -> CategoryId {
        let id = CategoryId::try_from(self.all.len()).unwrap_or(CategoryId::MAX);
        let (uris, sid_at) = subresource_uris(name);
        self.all.push(Category {
            name: name.to_owned(),
            description: name.replace('-', " "),
            kind,
            rollup: names::ROLLUPS.contains(&name),
            parent: None,
            uris,
            sid_at,
        });
        self.by_name.insert(name.to_owned(), id);
        id
    }
}

impl Category {
    /// Writes the row's `subresource_uris` for an account: one copy and a few patches.
    pub(crate) fn write_uris(&self, out: &mut Vec<u8>, account: &Sid) {
        let from = out.len();
        out.extend_from_slice(&self.uris);
        for at in &self.sid_at {
            out[from + at..from + at + Sid::LEN].copy_from_slice(account.bytes());
        }
    }
}

fn subresource_uris(category: &str) -> (Vec<u8>, Vec<usize>) {
    const PERIODS: [(&str, &str); 8] = [
        ("all_time", "AllTime"),
        ("daily", "Daily"),
        ("last_month", "LastMonth"),
        ("monthly", "Monthly"),
        ("this_month", "ThisMonth"),
        ("today", "Today"),
        ("yearly", "Yearly"),
        ("yesterday", "Yesterday"),
    ];
    let (mut text, mut sid_at) = (String::from("{"), Vec::new());
    for (index, (name, path)) in PERIODS.iter().enumerate() {
        if index > 0 {
            text.push(',');
        }
        text.extend(["\"", name, "\":\"/2010-04-01/Accounts/"]);
        sid_at.push(text.len());
        text.push_str(&"A".repeat(Sid::LEN));
        text.extend(["/Usage/Records/", path, ".json?Category=", category, "\""]);
    }
    text.push('}');
    (text.into_bytes(), sid_at)
}
