//! The transactions of statements: closing, final, paid, void. A statement's number, its header, the entry that
//! books its tax and the wallet are written at once, so that numbers have no gaps and no statement two.

use std::collections::HashMap;

use domain::Timestamp;
use domain::event::Event;
use domain::ids::TenantId;
use domain::ledger::Entry;
use domain::plan::{Model, Origin, PlanRef, PricePlan};
use domain::rating::PeriodKey;
use domain::statement::Issue;
use domain::tenant::Tenant;

use crate::table::audit::AuditDraft;
use crate::table::due::{ActKind, act_item};
use crate::table::outbox;
use crate::table::statements::{Sequence, StoredStatement, put_header, take_number};
use crate::transaction::{Expect, Transaction};
use crate::{CommitError, Store, StoreError};

const OPERATION: &str = "write statement";

/// Entries that a statement is computed from, and the plans that they name.
#[derive(Debug, Clone, Default)]
pub struct StatementSource {
    /// In order.
    pub entries: Vec<Entry>,
    plans: HashMap<PlanRef, PricePlan>,
}

impl StatementSource {
    /// The model of a rule that is rated on a period's sums.
    pub fn model<'a>(&'a self, tenant: &'a Tenant, key: &PeriodKey) -> Option<&'a Model> {
        let rule = match &key.origin {
            Origin::Plan(plan) => {
                let mut rules = self.plans.get(plan)?.rules.iter();
                rules.find(|rule| rule.id == key.rule)
            }
            Origin::Override => {
                let mut rules = tenant.overrides.iter().map(|own| &own.rule);
                rules.find(|rule| rule.id == key.rule)
            }
        };
        rule.map(|rule| &rule.model)
    }
}

/// What is written when a statement becomes final or void.
#[derive(Debug, Clone)]
pub struct IssueWrite<'a> {
    /// The statement as it was read, with its parts.
    pub statement: &'a StoredStatement,
    /// What it becomes.
    pub issue: &'a Issue,
    /// Which numbering it takes a number of.
    pub sequence: Sequence,
    /// The number that it takes.
    pub number: u64,
    /// Events of it.
    pub events: &'a [Event],
    /// When time alone may change the standing.
    pub timer_at: Option<Timestamp>,
    /// The tenant and the audit row, where a person did it.
    pub audit: Option<(&'a Tenant, &'a AuditDraft)>,
}

impl Store {
    /// Reads the entries of a range with the plans of their period rules.
    pub async fn statement_source(
        &self,
        tenant: &TenantId,
        from: u64,
        through: u64,
    ) -> Result<StatementSource, StoreError> {
        let mut source = StatementSource {
            entries: self.entry_range(tenant, from, through).await?,
            plans: HashMap::new(),
        };
        let keys = source.entries.iter().flat_map(|entry| &entry.periods);
        let mut wanted: Vec<PlanRef> = Vec::new();
        for line in keys {
            if let Origin::Plan(plan) = &line.key.origin
                && !wanted.contains(plan)
            {
                wanted.push(plan.clone());
            }
        }
        for reference in wanted {
            if let Some(plan) = self.plan(&reference).await? {
                source.plans.insert(reference, plan);
            }
        }
        Ok(source)
    }

    /// Freezes a statement's bounds. A conflict means that another run did.
    pub async fn close_statement(
        &self,
        tenant: &TenantId,
        statement: &StoredStatement,
    ) -> Result<StoredStatement, CommitError> {
        let transaction = put_header(self, Transaction::new(self), tenant, statement)?;
        transaction.commit(OPERATION).await?;
        Ok(StoredStatement {
            rev: statement.rev + 1,
            ..statement.clone()
        })
    }

    /// Makes a statement final or void: its number, header, entry, wallet and events at once.
    pub async fn issue_statement(
        &self,
        tenant: &TenantId,
        write: &IssueWrite<'_>,
    ) -> Result<StoredStatement, CommitError> {
        let transaction = match write.audit {
            Some((tenant, audit)) => self.write_tenant(tenant, tenant, audit)?.0,
            None => Transaction::new(self),
        };
        let next = StoredStatement {
            header: write.issue.header.clone(),
            ..write.statement.clone()
        };
        let transaction = take_number(self, transaction, write.sequence, write.number)?;
        let transaction = put_header(self, transaction, tenant, &next)?;
        let transaction = match &write.issue.change {
            Some(change) => {
                let entry = write.issue.entry.as_ref();
                let (wallet, events) = (&change.wallet, write.events);
                self.money(transaction, tenant, entry, wallet, events, write.timer_at)?
                    .0
            }
            None => self.put_events(transaction, write.events)?,
        };
        transaction.commit(OPERATION).await?;
        Ok(StoredStatement {
            rev: next.rev + 1,
            ..next
        })
    }

    /// Notes that what was due has been paid.
    pub async fn pay_statement(
        &self,
        tenant: &TenantId,
        statement: &StoredStatement,
        events: &[Event],
    ) -> Result<(), CommitError> {
        let transaction = put_header(self, Transaction::new(self), tenant, statement)?;
        self.put_events(transaction, events)?
            .commit(OPERATION)
            .await
    }

    /// Has a tenant's statements looked at on the next tick, with the audit row of who asked.
    pub async fn request_statement(
        &self,
        tenant: &Tenant,
        audit: &AuditDraft,
        at: Timestamp,
    ) -> Result<(), CommitError> {
        let (transaction, _) = self.write_tenant(tenant, tenant, audit)?;
        let timer = act_item(ActKind::Statement, &tenant.id, at)?;
        let transaction = transaction.put("due", &self.names().due, timer, &Expect::Anything);
        transaction.commit("ask for a statement").await
    }

    /// Adds events to a transaction.
    pub(crate) fn put_events<'a>(
        &self,
        mut transaction: Transaction<'a>,
        events: &[Event],
    ) -> Result<Transaction<'a>, StoreError> {
        for event in events {
            let item = outbox::item(event)?;
            let table = &self.names().outbox;
            transaction = transaction.put("outbox", table, item, &Expect::Absent);
        }
        Ok(transaction)
    }
}
