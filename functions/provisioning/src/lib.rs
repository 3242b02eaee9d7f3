#![doc = include_str!("../README.md")]

mod problem;

mod event;

mod extract;

mod digest;

mod auth;

mod main_account;

mod app;

mod view;

mod plans;

mod tenants;

mod billing;

mod assignments;

mod overrides;

mod lease;

mod saga;

mod steps;

mod options;

mod set_up;

mod undo;

mod drift;

mod adopt;

mod test_traffic;

mod export;

mod erase;

mod resume;

mod holds;

mod money_act;

mod acts;

mod auto_recharge;

mod dunning;

mod caps;

mod exposure;

mod triggers;

mod wallet_view;

mod api_keys;

mod numbers;

mod closing;

mod migrations;

mod rotation;

mod books;

mod records;

mod usage_items;

mod what_if;

mod verify;

mod explain;

mod pulls;

mod rates;

mod statements;

mod operator_profile;

mod margin;

mod days;

mod reconciliation;

mod variances;

mod subaccounts;

mod operator_keys;

mod function;

pub use function::Function;
