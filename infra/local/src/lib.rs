//! All of Tollgate on one machine.
