//! Table `ledger`: `SH#<period>#<issue>` is a statement's header, `SP#<period>#<issue>#<n>` a part of what it says.
//! Headers have a prefix of their own, so that a list of statements does not read their lines.

use domain::Date;
use domain::ids::TenantId;
use domain::statement::{Content, Header, OperatorProfile};
use serde::{Deserialize, Serialize};

use crate::operation::billing::revision;
use crate::store::{Range, Sort, key, to_item};
use crate::table::audit::hash;
use crate::table::tenants::partition;
use crate::transaction::{Expect, Item, Transaction};
use crate::{CommitError, Store, StoreError};

/// Bytes of one part: half of what an item may hold.
const PART_BYTES: usize = 200_000;
/// The counter of statements, and that of credit notes: what all tenants share.
const PROFILE: &str = "OPERATOR";

/// A numbering without gaps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sequence {
    /// Statements.
    Statement,
    /// Credit notes.
    CreditNote,
}

impl Sequence {
    fn partition(self) -> &'static str {
        match self {
            Self::Statement => "SEQ#statement",
            Self::CreditNote => "SEQ#credit-note",
        }
    }
}

/// A header, and what the store keeps with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredStatement {
    /// Revision that was read; 0 = not written yet.
    pub rev: u64,
    /// The header.
    pub header: Header,
    /// Parts of what it says, once they are written.
    pub parts: u32,
    /// SHA-256 of all parts, as a JSON text.
    pub hash: String,
}

#[derive(Serialize, Deserialize)]
struct HeaderItem {
    pk: String,
    sk: String,
    v: u32,
    rev: u64,
    parts: u32,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    hash: String,
    h: Header,
}

#[derive(Serialize, Deserialize)]
struct PartItem {
    pk: String,
    sk: String,
    v: u32,
    text: String,
}

#[derive(Serialize, Deserialize)]
struct SequenceItem {
    pk: String,
    sk: String,
    v: u32,
    n: u64,
}

#[derive(Serialize, Deserialize)]
struct ProfileItem {
    pk: String,
    sk: String,
    v: u32,
    rev: u64,
    profile: OperatorProfile,
}

fn header_key(period: Date, issue: u32) -> String {
    format!("SH#{period}#{issue:04}")
}

fn part_key(period: Date, issue: u32, number: usize) -> String {
    format!("SP#{period}#{issue:04}#{number:04}")
}

fn text_of(content: &Content) -> Result<String, StoreError> {
    serde_json::to_string(content).map_err(|error| StoreError::malformed("write statement", error))
}

/// Cuts a text at characters into parts of at most so many bytes.
fn cut(text: &str, bytes: usize) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let mut at = rest.len().min(bytes);
        while !rest.is_char_boundary(at) {
            at -= 1;
        }
        let (part, behind) = rest.split_at(at);
        parts.push(part);
        rest = behind;
    }
    parts
}

/// The header's row, under the revision that was read.
pub(crate) fn put_header<'a>(
    store: &Store,
    transaction: Transaction<'a>,
    tenant: &TenantId,
    statement: &StoredStatement,
) -> Result<Transaction<'a>, StoreError> {
    let item = HeaderItem {
        pk: partition(tenant),
        sk: header_key(statement.header.period, statement.header.issue),
        v: 1,
        rev: statement.rev + 1,
        parts: statement.parts,
        hash: statement.hash.clone(),
        h: statement.header.clone(),
    };
    let item = to_item("write statement", &item)?;
    let expect = revision(statement.rev);
    Ok(transaction.put("SH", &store.names().ledger, item, &expect))
}

/// Takes the next number of a sequence, if nobody else took it since it was read.
pub(crate) fn take_number<'a>(
    store: &Store,
    transaction: Transaction<'a>,
    sequence: Sequence,
    number: u64,
) -> Result<Transaction<'a>, StoreError> {
    let item = SequenceItem {
        pk: sequence.partition().to_owned(),
        sk: "-".to_owned(),
        v: 1,
        n: number,
    };
    let expect = match number {
        1 => Expect::Absent,
        number => Expect::Number("n", number - 1),
    };
    let item = to_item("take a number", &item)?;
    Ok(transaction.put("SEQ", &store.names().control, item, &expect))
}

impl Store {
    /// A tenant's statements, the latest first, from before the cursor.
    pub async fn statements(
        &self,
        tenant: &TenantId,
        before: Option<(Date, u32)>,
        limit: usize,
    ) -> Result<Vec<StoredStatement>, StoreError> {
        let high = before.map_or_else(
            || "SH#~".to_owned(),
            |(period, issue)| format!("SH#{period}#{:04}", issue.saturating_sub(1)),
        );
        let range = Range {
            descending: true,
            consistent: true,
            limit: Some(limit),
            ..Range::all(partition(tenant), Sort::Between("SH#".to_owned(), high))
        };
        let table = &self.names().ledger;
        let items: Vec<HeaderItem> = self.query("read statements", table, range).await?;
        Ok(items.into_iter().map(stored).collect())
    }

    /// One issue of a statement.
    pub async fn statement(
        &self,
        tenant: &TenantId,
        period: Date,
        issue: u32,
    ) -> Result<Option<StoredStatement>, StoreError> {
        let at = key(&partition(tenant), &header_key(period, issue));
        let item: Option<HeaderItem> = self.get("read statement", &self.names().ledger, at).await?;
        Ok(item.map(stored))
    }

    /// What a statement says; its parts are held against the header's hash.
    pub async fn statement_content(
        &self,
        tenant: &TenantId,
        statement: &StoredStatement,
    ) -> Result<Content, StoreError> {
        const OPERATION: &str = "read statement";
        let (period, issue) = (statement.header.period, statement.header.issue);
        let prefix = format!("SP#{period}#{issue:04}#");
        let range = Range {
            consistent: true,
            ..Range::all(partition(tenant), Sort::Prefix(prefix))
        };
        let table = &self.names().ledger;
        let mut parts: Vec<PartItem> = self.query(OPERATION, table, range).await?;
        // A run that was cut off may have left more parts than the statement has.
        parts.truncate(usize::try_from(statement.parts).unwrap_or(usize::MAX));
        let text: String = parts.into_iter().map(|part| part.text).collect();
        if hash(&text)? != statement.hash {
            return Err(StoreError::malformed(OPERATION, "lines and hash differ"));
        }
        serde_json::from_str(&text).map_err(|error| StoreError::malformed(OPERATION, error))
    }

    /// Writes what a closing statement says; answers it with parts and hash. Writing again is the same.
    pub async fn write_content(
        &self,
        tenant: &TenantId,
        statement: &StoredStatement,
        content: &Content,
    ) -> Result<StoredStatement, CommitError> {
        const OPERATION: &str = "write statement";
        let text = text_of(content)?;
        let (period, issue) = (statement.header.period, statement.header.issue);
        let parts = cut(&text, PART_BYTES);
        for (number, part) in parts.iter().enumerate() {
            let item = PartItem {
                pk: partition(tenant),
                sk: part_key(period, issue, number),
                v: 1,
                text: (*part).to_owned(),
            };
            let table = &self.names().ledger;
            self.transact_put(OPERATION, table, to_item(OPERATION, &item)?)
                .await?;
        }
        Ok(StoredStatement {
            parts: u32::try_from(parts.len()).unwrap_or(u32::MAX),
            hash: hash(&text)?,
            ..statement.clone()
        })
    }

    /// One put as a transaction: what roles may write in the ledger's table only so.
    async fn transact_put(
        &self,
        operation: &'static str,
        table: &str,
        item: Item,
    ) -> Result<(), CommitError> {
        let transaction = Transaction::new(self).put("SP", table, item, &Expect::Anything);
        transaction.commit(operation).await
    }

    /// The last number of a sequence that was taken.
    pub async fn last_number(&self, sequence: Sequence) -> Result<u64, StoreError> {
        let at = key(sequence.partition(), "-");
        let item: Option<SequenceItem> =
            self.get("read sequence", &self.names().control, at).await?;
        Ok(item.map_or(0, |item| item.n))
    }

    /// The operator as it stands on statements, and the row's revision.
    pub async fn operator_profile(&self) -> Result<(OperatorProfile, u64), StoreError> {
        let at = key(PROFILE, "-");
        let item: Option<ProfileItem> = self
            .get("read operator profile", &self.names().control, at)
            .await?;
        Ok(item.map_or_else(Default::default, |item| (item.profile, item.rev)))
    }

    /// Writes it, if nobody else did since it was read.
    pub async fn put_operator_profile(
        &self,
        profile: &OperatorProfile,
        rev: u64,
    ) -> Result<(), CommitError> {
        let item = ProfileItem {
            pk: PROFILE.to_owned(),
            sk: "-".to_owned(),
            v: 1,
            rev: rev + 1,
            profile: profile.clone(),
        };
        let table = &self.names().control;
        self.put(
            "write operator profile",
            table,
            &item,
            &revision(rev),
            PROFILE,
        )
        .await
    }
}

fn stored(item: HeaderItem) -> StoredStatement {
    StoredStatement {
        rev: item.rev,
        header: item.h,
        parts: item.parts,
        hash: item.hash,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_at_characters_and_nothing_is_lost() {
        let text = "aä€𝄞bcd";
        for bytes in 4..12 {
            let parts = cut(text, bytes);
            assert_eq!(parts.concat(), text);
            assert!(
                parts
                    .iter()
                    .all(|part| part.len() <= bytes && !part.is_empty())
            );
        }
        assert_eq!(cut("", 4), [""; 0]);
    }
}
