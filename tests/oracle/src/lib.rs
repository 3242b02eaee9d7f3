#![doc = include_str!("../README.md")]

pub mod books;
pub mod generate;
pub mod lots;
pub mod price;
pub mod statements;
pub mod world;
