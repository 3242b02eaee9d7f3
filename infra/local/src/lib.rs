//! All of Tollgate on one machine.
pub mod aws;
