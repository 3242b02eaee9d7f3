//! Twilio's API in memory: state, clock, traffic, callbacks and faults on demand.
