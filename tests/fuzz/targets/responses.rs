//! Answers of Twilio: no bytes make a parser of the client panic, whichever resource they claim to be.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|body: &[u8]| {
    twilio::probe::parse_everything(body);
});
