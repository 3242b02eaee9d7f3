//! The only crate that knows the AWS SDK: tables, secrets, bus, queues.
