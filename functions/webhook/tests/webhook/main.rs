//! The webhook on AWS's wire protocol: signed callbacks in, one conditional put out, and what forged,
//! malformed and hostile ones get. The names' W numbers are those of the fault catalogue.

mod fake_aws;
mod world;

mod accepted;
mod faults;
mod forged;
mod hostile;
mod malformed;
