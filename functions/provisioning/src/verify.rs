//! `GET .../ledger/verify`, `GET /v1/ledger/verify`, `GET /v1/ledger/accounts`: the books proven from their
//! entries, and what all of them sum to.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use domain::ids::TenantId;
use domain::ledger::LedgerAccount;
use domain::money;
use domain::verify::{Difference, Verifier};
use domain::{Date, Decimal};
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::app::{App, TRIES_MAX};
use crate::books::Books;
use crate::days::Days;
use crate::extract::{Params, TenantPath, page_limit};
use crate::money_act::{wallet_of, with_wallet};
use crate::problem::{Answer, Code, Failure, unavailable};
use crate::view;

/// Entries that are read at once.
const ENTRIES: usize = 500;
/// Tenants of a page.
const PAGE: usize = 10;
/// Tenants of a page at most.
const PAGE_MAX: usize = 50;
/// Differences that are listed for one tenant; their number is always given.
const LISTED_MAX: usize = 200;
/// Tenants whose wallets are read at once.
const WALLETS: usize = 100;

/// Which tenants.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PageParams {
    cursor: Option<String>,
    limit: Option<usize>,
}

/// Which days' revenue is told by category; none if absent.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RangeParams {
    from: Option<String>,
    to: Option<String>,
}

/// Proves one tenant's books.
pub async fn one(State(app): State<Arc<App>>, TenantPath(id): TenantPath) -> Answer {
    with_wallet(&app, &id).await?;
    Ok(view::json(StatusCode::OK, &proof(&app, &id).await?))
}

/// Proves the books of all tenants, page by page.
pub async fn all(State(app): State<Arc<App>>, Params(params): Params<PageParams>) -> Answer {
    let limit = page_limit(params.limit, PAGE, PAGE_MAX)?;
    let cursor = params.cursor.as_deref().map(TenantId::parse).transpose();
    let cursor = cursor.map_err(|_| Code::QUERY_INVALID)?;
    let store = &app.store;
    let page = store.list_tenants(None, cursor.as_ref(), limit).await?;
    let mut proofs = Vec::new();
    for tenant in page.tenants {
        if store.wallet(&tenant.id).await?.is_some() {
            proofs.push(proof(&app, &tenant.id).await?);
        }
    }
    let body = json!({ "tenants": proofs, "next_cursor": page.next_cursor.map(String::from) });
    Ok(view::json(StatusCode::OK, &body))
}

/// Reads a tenant's books while nothing is written to them, and proves them.
async fn proof(app: &App, id: &TenantId) -> Result<Value, Failure> {
    for _ in 0..TRIES_MAX {
        let wallet = wallet_of(app, id).await?;
        let mut verifier = Verifier::new(wallet.currency);
        let head = read_chain(app, id, &mut verifier).await?;
        if head != wallet.head {
            verifier.note("head of the chain".to_owned(), &head, &wallet.head);
        }
        let sheets = app.store.day_sheets(id, Date::ZERO, Date::MAX).await?;
        let periods = app.store.all_period_sheets(id).await?;
        // A run that booked meanwhile would look like a difference.
        if wallet_of(app, id).await?.rev == wallet.rev {
            let differences = verifier.finish(&wallet, &sheets, &periods);
            return Ok(shown(id, wallet.seq, &differences));
        }
        app.pause().await;
    }
    Err(unavailable("the wallet kept changing"))
}

/// Feeds all entries; answers the hash of the last.
async fn read_chain(app: &App, id: &TenantId, verifier: &mut Verifier) -> Result<String, Failure> {
    let (mut head, mut after) = (String::new(), 0);
    loop {
        let page = app.store.chain_page(id, after, &head, ENTRIES).await?;
        for (what, computed, kept) in page.faults {
            verifier.note(what, &computed, &kept);
        }
        for entry in &page.entries {
            verifier.entry(entry);
        }
        (head, after) = (page.head, page.last);
        if page.is_last {
            return Ok(head);
        }
    }
}

fn shown(id: &TenantId, entries: u64, differences: &[Difference]) -> Value {
    let listed = differences.iter().take(LISTED_MAX).map(|difference| {
        json!({ "what": difference.what, "computed": difference.computed, "kept": difference.kept })
    });
    json!({
        "tenant_id": id,
        "entries": entries,
        "differences_count": differences.len(),
        "differences": listed.collect::<Vec<_>>(),
    })
}

/// What one currency's books sum to.
#[derive(Default)]
struct Trial {
    tenants: usize,
    accounts: BTreeMap<LedgerAccount, Decimal>,
    revenue: BTreeMap<&'static str, Decimal>,
}

/// The trial balance of each currency.
pub async fn accounts(State(app): State<Arc<App>>, Params(params): Params<RangeParams>) -> Answer {
    let days = match (&params.from, &params.to) {
        (None, None) => None,
        (from, to) => Some(Days::parse(from.as_deref(), to.as_deref())?),
    };
    let mut trials: BTreeMap<&'static str, Trial> = BTreeMap::new();
    let mut cursor = None;
    loop {
        let store = &app.store;
        let page = store.list_tenants(None, cursor.as_ref(), WALLETS).await?;
        let ids: Vec<TenantId> = page.tenants.iter().map(|one| one.id.clone()).collect();
        let wallets = store.wallets(&ids).await?;
        for tenant in &page.tenants {
            let Some(wallet) = wallets.get(&tenant.id) else {
                continue;
            };
            let trial = trials.entry(wallet.currency.code()).or_default();
            trial.tenants += 1;
            for (account, sum) in &wallet.accounts {
                *trial.accounts.entry(*account).or_default() += *sum;
            }
            if let Some(days) = days {
                let books = Books::load(&app, tenant, days).await?;
                for share in books.shares(days) {
                    let revenue = trial.revenue.entry(share.key.category.as_str());
                    *revenue.or_default() += share.charge;
                }
            }
        }
        cursor = page.next_cursor;
        if cursor.is_none() {
            break;
        }
    }
    let currencies = trials.iter();
    let currencies: Vec<Value> = currencies
        .map(|(currency, trial)| trial.shown(currency, days.is_some()))
        .collect();
    let body = json!({ "currencies": currencies });
    Ok(view::json(StatusCode::OK, &body))
}

impl Trial {
    fn shown(&self, currency: &str, by_category: bool) -> Value {
        let accounts = self.accounts.iter();
        let accounts = accounts.map(|(account, sum)| (account.name(), *sum));
        let revenue = self.revenue.iter().map(|(category, sum)| (*category, *sum));
        json!({
            "currency": currency,
            "tenants": self.tenants,
            "accounts": amounts(accounts),
            "total": money::to_text(self.accounts.values().copied().sum()),
            "revenue_by_category": by_category.then(|| amounts(revenue)),
        })
    }
}

fn amounts<'a>(sums: impl Iterator<Item = (&'a str, Decimal)>) -> Map<String, Value> {
    sums.map(|(name, sum)| (name.to_owned(), json!(money::to_text(sum))))
        .collect()
}
