//! Who is suspended, when, and what becomes of live calls; callbacks from end to end; a whole life.

mod callbacks;
mod crashes;
mod explorer;
mod holds;
mod life;
mod refusals;
mod support;
mod twilio_faults;
