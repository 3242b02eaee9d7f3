//! The usage categories: which exist, which contain which, and how each row looks.
//!
//! Only leaves are booked on; rollups are sums made when a page is written, so they always agree with
//! their parts. A name that nobody listed is a leaf under `totalprice` alone: the residual.

use std::collections::HashMap;

use super::book::Cell;
use super::names;
use crate::sid::Sid;
use crate::template::Template;

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
#[derive(Clone)]
pub(crate) struct Category {
    pub(crate) name: String,
    pub(crate) description: String,
    pub(crate) kind: Kind,
    pub(crate) rollup: bool,
    parent: Option<CategoryId>,
    /// The rollup that may contain it: Twilio's page does not say.
    unclear_parent: Option<CategoryId>,
    /// The row's `subresource_uris`.
    uris: Template,
}

/// All categories.
#[derive(Clone)]
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
        for (name, parent) in names::UNCLEAR {
            let parent = catalogue.id(parent);
            if let Some(id) = catalogue.id(name) {
                catalogue.all[usize::from(id)].unclear_parent = parent;
            }
        }
        catalogue.listed = catalogue.all.len();
        for name in names::OTHERS {
            let id = catalogue.add(name, Kind::Plain);
            if names::is_video(name) {
                catalogue.all[usize::from(id)].parent = catalogue.id("pv");
            }
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

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.all.len()
    }

    /// The rows of a list without filter: the listed ones, and of the others those that were used.
    pub(crate) fn columns(&self, used: &[Cell]) -> Vec<CategoryId> {
        (0..self.all.len())
            .filter(|index| {
                *index < self.listed || used.get(*index).is_some_and(|cell| !cell.is_zero())
            })
            .filter_map(|index| CategoryId::try_from(index).ok())
            .collect()
    }

    /// Adds what leaves say to the rollups that contain them, and everything to the total.
    pub(crate) fn roll_up(&self, sums: &mut [Cell], unclear_inside: bool) {
        let mut total = Cell::default();
        for (category, at) in self.all.iter().zip(0..) {
            if category.rollup || sums[at].is_zero() {
                continue;
            }
            let cell = sums[at];
            let unclear = category.unclear_parent.filter(|_| unclear_inside);
            let mut above = category.parent.or(unclear);
            while let Some(id) = above {
                sums[usize::from(id)].add(&cell);
                above = self.get(id).parent;
            }
            total.add(&Cell {
                count: 0,
                usage: cell.price,
                price: cell.price,
            });
        }
        sums[usize::from(self.total)] = total;
    }

    fn add(&mut self, name: &str, kind: Kind) -> CategoryId {
        let id = CategoryId::try_from(self.all.len()).unwrap_or(CategoryId::MAX);
        self.all.push(Category {
            name: name.to_owned(),
            description: name.replace('-', " "),
            kind,
            rollup: names::ROLLUPS.contains(&name),
            parent: None,
            unclear_parent: None,
            uris: subresource_uris(name),
        });
        self.by_name.insert(name.to_owned(), id);
        id
    }
}

impl Category {
    /// Writes the row's `subresource_uris` for an account.
    pub(crate) fn write_uris(&self, out: &mut Vec<u8>, account: &Sid) {
        self.uris.write(out, account);
    }
}

fn subresource_uris(category: &str) -> Template {
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
    let mut template = Template::default();
    template.text("{");
    for (index, (name, path)) in PERIODS.iter().enumerate() {
        template.text(if index > 0 { ",\"" } else { "\"" });
        template.text(name).text("\":\"/2010-04-01/Accounts/").sid();
        template.text("/Usage/Records/").text(path);
        template.text(".json?Category=").text(category).text("\"");
    }
    template.text("}");
    template
}
