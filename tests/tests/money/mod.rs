//! Money: usage pulled, rated and booked, whatever Twilio, AWS and time do to it.

mod books;
mod budgets;
mod deliveries;
mod due;
mod kill;
mod random;
mod reconcile;
pub mod rules;
mod statements;
mod store_faults;
pub mod support;
mod twilio_data;
mod twilio_faults;
mod windows;
