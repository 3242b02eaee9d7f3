//! Every figure of one side against the other's.

use std::collections::{BTreeMap, BTreeSet};

use domain::ledger::LedgerAccount;
use domain::plan::Origin;
use domain::{Date, Decimal};
use oracle::books::Books as Theirs;
use oracle::price::Source;
use oracle::world::World;

use super::player::Books as Ours;
use super::translate;

/// All differences of a world, each with its seed and tenant.
pub fn all(world: &World, ours: &[Ours], theirs: &[Theirs]) -> Vec<String> {
    let mut found = Vec::new();
    for (index, (ours, theirs)) in ours.iter().zip(theirs).enumerate() {
        let differences = of_tenant(world, ours, theirs);
        let named = differences
            .into_iter()
            .map(|one| format!("seed {} tenant {index}: {one}", world.seed));
        found.extend(named);
    }
    found
}

type Figures = BTreeMap<String, Decimal>;

fn of_tenant(world: &World, ours: &Ours, theirs: &Theirs) -> Vec<String> {
    let (ours, theirs) = (of_ours(ours), of_theirs(world, theirs));
    let names: BTreeSet<&String> = ours.keys().chain(theirs.keys()).collect();
    let mut found = Vec::new();
    for name in names {
        let of = |figures: &Figures| figures.get(name).copied().unwrap_or_default();
        if of(&ours) != of(&theirs) {
            found.push(format!("{name}: {} and not {}", of(&ours), of(&theirs)));
        }
    }
    found
}

fn put(figures: &mut Figures, name: String, value: Decimal) {
    *figures.entry(name).or_default() += value;
}

/// Books, lots, accounts and statements of the product.
fn of_ours(books: &Ours) -> Figures {
    let mut all = Figures::new();
    for (day, sheet) in &books.sheets {
        for (key, line) in &sheet.lines {
            let name = |what: &str| format!("{day} {}/{} {what}", key.category, key.rule);
            put(&mut all, name("count"), line.quantities.count);
            put(&mut all, name("usage"), line.quantities.usage);
            put(&mut all, name("cost"), line.quantities.cost);
            put(&mut all, name("seconds"), line.quantities.seconds);
            put(&mut all, name("charge"), line.charge);
        }
    }
    for (start, sheet) in &books.periods {
        for (key, line) in &sheet.rules {
            let origin = match &key.origin {
                Origin::Plan(plan) => plan.id.as_str().to_owned(),
                Origin::Override => "own".to_owned(),
            };
            put(
                &mut all,
                format!("period {start} {origin} {}", key.rule),
                line.charge,
            );
        }
    }
    for lot in books.wallet.funds.lots() {
        put(&mut all, format!("lot {}", lot.tag.id), lot.remaining);
    }
    put(&mut all, "overdraft".into(), books.wallet.funds.overdraft());
    put(&mut all, "balance".into(), books.wallet.balance());
    put(&mut all, "entries".into(), Decimal::from(books.wallet.seq));
    for account in [
        LedgerAccount::Revenue,
        LedgerAccount::PayableTwilio,
        LedgerAccount::Tax,
        LedgerAccount::Rounding,
        LedgerAccount::Breakage,
    ] {
        put(
            &mut all,
            account.name().into(),
            books.wallet.account(account),
        );
    }
    for account in [
        LedgerAccount::Cash,
        LedgerAccount::PromotionalExpense,
        LedgerAccount::BadDebt,
    ] {
        put(
            &mut all,
            account.name().into(),
            -books.wallet.account(account),
        );
    }
    for (header, content) in &books.statements {
        let period = header.period;
        for line in &content.lines {
            let name =
                |what: &str| format!("statement {period} {}/{} {what}", line.category, line.rule);
            put(&mut all, name("count"), line.count);
            put(&mut all, name("usage"), line.usage);
            put(&mut all, name("charge"), line.charge);
            put(&mut all, name("shown"), line.shown);
        }
        for one in &content.corrections {
            let category = one
                .category
                .as_ref()
                .map(domain::category::Category::as_str);
            let name = correction_name(
                period,
                one.period,
                category.unwrap_or_default(),
                one.rule.as_str(),
            );
            put(&mut all, format!("{name} charge"), one.charge);
            put(&mut all, format!("{name} shown"), one.shown);
        }
        let document = header.document.as_ref().unwrap();
        let totals = document.totals;
        for (what, value) in [
            ("through", Decimal::from(header.through)),
            ("opening", totals.opening),
            ("moved", totals.payments + totals.other),
            ("exact", totals.exact),
            ("net", totals.net),
            ("tax", totals.tax),
            ("closing", totals.closing),
        ] {
            put(&mut all, format!("statement {period} {what}"), value);
        }
    }
    all
}

fn correction_name(statement: Date, period: Date, category: &str, rule: &str) -> String {
    format!("statement {statement} correction {period} {category}/{rule}")
}

fn of_theirs(world: &World, books: &Theirs) -> Figures {
    let mut all = Figures::new();
    for (day, book) in &books.days {
        for (key, booked) in &book.lines {
            let name = |what: &str| format!("{day} {}/{} {what}", key.0, key.1);
            put(&mut all, name("count"), booked.line.count);
            put(&mut all, name("usage"), booked.line.usage);
            put(&mut all, name("cost"), booked.line.cost);
            put(&mut all, name("seconds"), booked.line.seconds);
            put(&mut all, name("charge"), booked.charge);
        }
    }
    for ((start, source, rule), booked) in &books.rules {
        let origin = match source {
            Source::Plan(index) => {
                assert!(*index < world.plans.len());
                translate::plan_ref(*index).id.as_str().to_owned()
            }
            Source::Own => "own".to_owned(),
        };
        put(
            &mut all,
            format!("period {start} {origin} {rule}"),
            booked.charge,
        );
    }
    for lot in &books.funds.lots {
        put(&mut all, format!("lot {}", lot.id), lot.left);
    }
    put(&mut all, "overdraft".into(), books.funds.overdraft);
    put(&mut all, "balance".into(), books.funds.balance());
    put(&mut all, "entries".into(), Decimal::from(books.entries));
    for (name, value) in [
        ("revenue", books.revenue),
        ("payable_twilio", books.payable),
        ("tax", books.tax),
        ("rounding", books.rounding),
        ("breakage", books.breakage),
        ("cash", books.cash),
        ("promotional_expense", books.promotional),
        ("bad_debt", books.bad_debt),
    ] {
        put(&mut all, name.into(), value);
    }
    for statement in &books.statements {
        let period = statement.period;
        for row in &statement.rows {
            if let Some(of) = row.of {
                let name = correction_name(period, of, &row.category, &row.rule);
                put(&mut all, format!("{name} charge"), row.charge);
                put(&mut all, format!("{name} shown"), row.shown);
                continue;
            }
            let name =
                |what: &str| format!("statement {period} {}/{} {what}", row.category, row.rule);
            put(&mut all, name("count"), row.count);
            put(&mut all, name("usage"), row.usage);
            put(&mut all, name("charge"), row.charge);
            put(&mut all, name("shown"), row.shown);
        }
        for (what, value) in [
            ("through", Decimal::from(statement.through)),
            ("opening", statement.opening),
            ("moved", statement.moved),
            ("exact", statement.exact),
            ("net", statement.net),
            ("tax", statement.tax),
            ("closing", statement.closing),
        ] {
            put(&mut all, format!("statement {period} {what}"), value);
        }
    }
    all
}
