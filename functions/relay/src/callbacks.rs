//! Callbacks stream: the distinct tenants of a batch become due. Callbacks carry no money, only the news
//! that there may be some.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::PoisonError;

use aws::{Command, Queue};
use aws_lambda_events::event::dynamodb::EventRecord;
use domain::ids::TenantId;

use crate::{Failure, Function, text};

/// Tenants whose last mark one instance remembers.
const MARKED_MAX: usize = 100_000;

impl Function {
    /// Marks the tenants of a batch. A record that names no tenant cannot come from us and is passed over.
    pub(crate) async fn mark_tenants(&self, records: &[EventRecord]) -> Result<(), Failure> {
        let mut tenants: BTreeMap<TenantId, bool> = BTreeMap::new();
        for record in records {
            let Some(tenant) = text(record, "pk").and_then(tenant_of) else {
                tracing::error!(
                    error_type = "malformed_record",
                    "a callback row without a tenant"
                );
                continue;
            };
            *tenants.entry(tenant).or_default() |= text(record, "kind") == Some("usage_trigger");
        }
        let urgent: BTreeSet<&TenantId> = tenants
            .iter()
            .filter(|(_, urgent)| **urgent)
            .map(|(tenant, _)| tenant)
            .collect();
        let commands: Vec<Command> = urgent
            .into_iter()
            .map(|tenant| Command {
                tenant_id: tenant.clone(),
                cause: "usage_trigger".to_owned(),
            })
            .collect();
        self.queues.send(Queue::Pull, &commands).await?;
        for tenant in tenants.keys() {
            self.mark(tenant).await?;
        }
        Ok(())
    }

    async fn mark(&self, tenant: &TenantId) -> Result<(), Failure> {
        let tick = aws::pull_tick(tenant, self.host.now());
        if self
            .marked
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(tenant)
            == Some(&tick)
        {
            return Ok(());
        }
        self.store.mark_pull(tenant, tick).await?;
        let mut marked = self.marked.lock().unwrap_or_else(PoisonError::into_inner);
        if marked.len() >= MARKED_MAX {
            marked.clear();
        }
        marked.insert(tenant.clone(), tick);
        Ok(())
    }
}

/// `T#<tenant>#<resource SID>`
fn tenant_of(partition: &str) -> Option<TenantId> {
    let (tenant, _) = partition.strip_prefix("T#")?.split_once('#')?;
    TenantId::parse(tenant).ok()
}
