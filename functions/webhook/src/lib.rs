#![doc = include_str!("../README.md")]

mod function;

mod route;

mod request;

mod form;

mod json;

mod owners;

mod grammar;

mod record;

mod refusal;

pub mod probe;

pub use function::Function;
