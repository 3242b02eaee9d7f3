//! Usage records: what is booked by account, GMT day and category, and the pages that show it.

pub(crate) mod book;
pub(crate) mod catalogue;
pub(crate) mod derived;
pub(crate) mod memo;
mod names;
pub(crate) mod page;
pub(crate) mod period;
pub(crate) mod revision;
