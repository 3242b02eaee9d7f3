//! Table `tenants`: `T#<tenant>` / `G#<migration id>` is a migration. Table `control`: `MIGRATIONS` / migration id
//! says whose it is and lists all of them; `SHARED` / AccountSid is a subaccount that several tenants share.

use std::collections::BTreeMap;

use domain::ids::{AccountSid, MigrationId, TenantId};
use domain::migration::Migration;
use serde::{Deserialize, Serialize};

use crate::store::{Range, Sort, from_item, key};
use crate::table::tenants::partition;
use crate::transaction::Item;
use crate::{Store, StoreError};

/// Schema version of the rows.
const SCHEMA: u32 = 1;
/// All migrations, so that a list needs no scan.
const LIST: &str = "MIGRATIONS";
/// All shared subaccounts.
const SHARED: &str = "SHARED";

/// A subaccount that several tenants share until each has its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SharedSubaccount {
    /// The subaccount.
    pub account_sid: AccountSid,
    /// Grows with every write; 0 is not written yet.
    pub ver: u64,
    /// Its members and their numbers, in E.164 form, as the operator said.
    pub members: BTreeMap<TenantId, Vec<String>>,
}

/// One page of migrations, newest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MigrationPage {
    /// The migrations of the page.
    pub migrations: Vec<Migration>,
    /// Hand this in for the next page; none at the end.
    pub next_cursor: Option<MigrationId>,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct MigrationItem {
    pk: String,
    sk: String,
    v: u32,
    ver: u64,
    x: Migration,
}

impl MigrationItem {
    pub(crate) fn new(migration: &Migration) -> Self {
        Self {
            pk: partition(&migration.tenant),
            sk: format!("G#{}", migration.id),
            v: SCHEMA,
            ver: migration.ver,
            x: migration.clone(),
        }
    }
}

/// Whose a migration is.
#[derive(Serialize, Deserialize)]
pub(crate) struct ListedMigration {
    pk: String,
    sk: MigrationId,
    v: u32,
    tenant: TenantId,
}

impl ListedMigration {
    pub(crate) fn new(migration: &Migration) -> Self {
        Self {
            pk: LIST.to_owned(),
            sk: migration.id.clone(),
            v: SCHEMA,
            tenant: migration.tenant.clone(),
        }
    }

    fn key(&self) -> Item {
        key(&partition(&self.tenant), &format!("G#{}", self.sk))
    }
}

#[derive(Serialize, Deserialize)]
pub(crate) struct SharedItem {
    pk: String,
    sk: AccountSid,
    v: u32,
    ver: u64,
    members: BTreeMap<TenantId, Vec<String>>,
}

impl SharedItem {
    pub(crate) fn new(shared: &SharedSubaccount) -> Self {
        Self {
            pk: SHARED.to_owned(),
            sk: shared.account_sid.clone(),
            v: SCHEMA,
            ver: shared.ver,
            members: shared.members.clone(),
        }
    }

    fn into_shared(self) -> SharedSubaccount {
        SharedSubaccount {
            account_sid: self.sk,
            ver: self.ver,
            members: self.members,
        }
    }
}

impl Store {
    /// One migration.
    pub async fn migration(&self, id: &MigrationId) -> Result<Option<Migration>, StoreError> {
        const OPERATION: &str = "read migration";
        let names = self.names();
        let listed: Option<ListedMigration> = self
            .get(OPERATION, &names.control, key(LIST, id.as_str()))
            .await?;
        let Some(listed) = listed else {
            return Ok(None);
        };
        let item: Option<MigrationItem> = self.get(OPERATION, &names.tenants, listed.key()).await?;
        Ok(item.map(|item| item.x))
    }

    /// The migrations to a tenant, oldest first.
    pub async fn migrations_of(&self, tenant: &TenantId) -> Result<Vec<Migration>, StoreError> {
        let range = Range {
            consistent: true,
            ..Range::all(partition(tenant), Sort::Prefix("G#".to_owned()))
        };
        let table = &self.names().tenants;
        let items: Vec<MigrationItem> = self.query("list migrations", table, range).await?;
        Ok(items.into_iter().map(|item| item.x).collect())
    }

    /// Migrations, newest first, from below the cursor.
    pub async fn list_migrations(
        &self,
        cursor: Option<&MigrationId>,
        limit: usize,
    ) -> Result<MigrationPage, StoreError> {
        const OPERATION: &str = "list migrations";
        let sort = cursor.map_or(Sort::All, |cursor| Sort::Below(cursor.as_str().to_owned()));
        let range = Range {
            descending: true,
            consistent: true,
            limit: Some(limit + 1),
            ..Range::all(LIST.to_owned(), sort)
        };
        let mut listed: Vec<ListedMigration> =
            self.query(OPERATION, &self.names().control, range).await?;
        let more = listed.len() > limit;
        listed.truncate(limit);
        let next_cursor = listed.last().filter(|_| more).map(|last| last.sk.clone());
        let mut migrations = Vec::new();
        for chunk in listed.chunks(crate::store::BATCH_GET_MAX) {
            let keys = chunk
                .iter()
                .map(|listed| (self.names().tenants.as_str(), listed.key()));
            for (_, item) in self.batch_get(OPERATION, keys.collect(), true).await? {
                let item: MigrationItem = from_item(OPERATION, item)?;
                migrations.push(item.x);
            }
        }
        migrations.sort_by(|left, right| right.id.cmp(&left.id));
        Ok(MigrationPage {
            migrations,
            next_cursor,
        })
    }

    /// A shared subaccount.
    pub async fn shared_subaccount(
        &self,
        sid: &AccountSid,
    ) -> Result<Option<SharedSubaccount>, StoreError> {
        let at = key(SHARED, sid.as_str());
        let table = &self.names().control;
        let item: Option<SharedItem> = self.get("read shared subaccount", table, at).await?;
        Ok(item.map(SharedItem::into_shared))
    }

    /// All shared subaccounts: they are few, and vanish as they are split.
    pub async fn shared_subaccounts(&self) -> Result<Vec<SharedSubaccount>, StoreError> {
        let range = Range {
            consistent: true,
            ..Range::all(SHARED.to_owned(), Sort::All)
        };
        let table = &self.names().control;
        let items: Vec<SharedItem> = self.query("list shared subaccounts", table, range).await?;
        Ok(items.into_iter().map(SharedItem::into_shared).collect())
    }
}
