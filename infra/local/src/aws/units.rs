//! Read and write units: what dynoxide reports, cut to what the client asked for, and what it does
//! not report: a failed condition costs the write units of the item it met (at least one), a
//! cancelled transaction one preparation of each of its actions.

use std::collections::HashMap;

use dynoxide::DynoxideError;
use dynoxide::actions as act;
use dynoxide::types::{AttributeValue, ConsumedCapacity, item_size};

/// Bytes of an item that one write unit pays for.
const WRITE_UNIT_BYTES: usize = 1024;

/// Units of one call on one table, in halves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Units {
    pub table: String,
    pub read_halves: u64,
    pub write_halves: u64,
}

/// Capacity in a response: counted, then cut to what the client asked for.
pub(crate) trait HandOut {
    fn hand_out(&mut self, asked: Option<&str>, writes: bool) -> Vec<Units>;
}

impl HandOut for Option<ConsumedCapacity> {
    fn hand_out(&mut self, asked: Option<&str>, writes: bool) -> Vec<Units> {
        let units = self
            .iter()
            .map(|capacity| units(capacity, writes))
            .collect();
        cut(self, asked, std::iter::once);
        units
    }
}

impl HandOut for Option<Vec<ConsumedCapacity>> {
    fn hand_out(&mut self, asked: Option<&str>, writes: bool) -> Vec<Units> {
        let units = self
            .iter()
            .flatten()
            .map(|capacity| units(capacity, writes))
            .collect();
        cut(self, asked, |capacity| capacity.iter_mut());
        units
    }
}

fn cut<'a, T, I: Iterator<Item = &'a mut ConsumedCapacity>>(
    capacity: &'a mut Option<T>,
    asked: Option<&str>,
    each: impl Fn(&'a mut T) -> I,
) {
    match asked {
        Some("INDEXES") => {}
        Some("TOTAL") => {
            for one in capacity.iter_mut().flat_map(each) {
                one.table = None;
                one.global_secondary_indexes = None;
                one.local_secondary_indexes = None;
            }
        }
        _ => *capacity = None,
    }
}

/// A repeated transaction token is answered from memory and costs reads although it is a write.
fn units(capacity: &ConsumedCapacity, writes: bool) -> Units {
    let replayed =
        capacity.read_capacity_units.is_some() && capacity.write_capacity_units.is_none();
    let total = halves(&capacity.capacity_units);
    let (read_halves, write_halves) = if writes && !replayed {
        (0, total)
    } else {
        (total, 0)
    };
    Units {
        table: capacity.table_name.clone(),
        read_halves,
        write_halves,
    }
}

/// Twice a number of units, read from its text: units come in halves.
fn halves(units: &impl ToString) -> u64 {
    let text = units.to_string();
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    whole.parse::<u64>().unwrap_or(0) * 2 + u64::from(!fraction.is_empty() && fraction != "0")
}

fn write_units(bytes: usize) -> u64 {
    u64::try_from(bytes.div_ceil(WRITE_UNIT_BYTES))
        .unwrap_or(u64::MAX)
        .max(1)
}

pub(crate) fn failed_condition(
    error: DynoxideError,
    (table, wanted): (String, bool),
) -> (DynoxideError, Vec<Units>) {
    match error {
        DynoxideError::ConditionalCheckFailedException(message, item) => {
            let write_halves = write_units(item.as_ref().map_or(0, item_size)) * 2;
            let item: Option<HashMap<String, AttributeValue>> = if wanted { item } else { None };
            let units = vec![Units {
                table,
                read_halves: 0,
                write_halves,
            }];
            (
                DynoxideError::ConditionalCheckFailedException(message, item),
                units,
            )
        }
        other => (other, Vec::new()),
    }
}

/// What one preparation of each action costs.
pub(crate) fn preparations(
    request: &act::transact_write_items::TransactWriteItemsRequest,
) -> Vec<Units> {
    let price = |table: &str, bytes: usize| Units {
        table: table.to_owned(),
        read_halves: 0,
        write_halves: write_units(bytes) * 2,
    };
    let actions = request.transact_items.iter();
    actions
        .filter_map(|action| {
            action
                .put
                .as_ref()
                .map(|put| price(&put.table_name, item_size(&put.item)))
                .or_else(|| {
                    action
                        .update
                        .as_ref()
                        .map(|update| price(&update.table_name, 0))
                })
                .or_else(|| {
                    action
                        .delete
                        .as_ref()
                        .map(|delete| price(&delete.table_name, 0))
                })
                .or_else(|| {
                    action
                        .condition_check
                        .as_ref()
                        .map(|check| price(&check.table_name, 0))
                })
        })
        .collect()
}

pub(crate) fn cancelled(
    error: DynoxideError,
    preparations: Vec<Units>,
) -> (DynoxideError, Vec<Units>) {
    let charged = matches!(error, DynoxideError::TransactionCanceledException(..));
    (error, if charged { preparations } else { Vec::new() })
}
