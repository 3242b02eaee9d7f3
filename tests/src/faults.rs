//! Faults between the functions and the outside, and the crash explorer.
