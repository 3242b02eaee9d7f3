#![doc = include_str!("../README.md")]
#![allow(
    clippy::too_many_lines,
    reason = "plain and slow: a section of the rules is told in one piece"
)]

pub mod books;
pub mod generate;
pub mod lots;
pub mod price;
pub mod statements;
pub mod world;
