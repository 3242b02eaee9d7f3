//! Bodies of callbacks: no bytes make the readers or the grammar panic, and a form that is read is read the
//! same once it is written again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use webhook::probe;

/// DynamoDB takes items of up to 400 KB; what passes the grammar stays far below.
const STORED_BYTES_MAX: usize = 64 * 1024;

fuzz_target!(|body: &[u8]| {
    for probed in [probe::form(body), probe::json(body)].into_iter().flatten() {
        for (name, value) in &probed.fields {
            assert!(!name.is_empty() && !name.contains('\0') && !value.contains('\0'));
        }
        assert!(
            probed
                .stored_bytes
                .iter()
                .all(|bytes| *bytes < STORED_BYTES_MAX)
        );
        let written = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(&probed.fields)
            .finish();
        assert_eq!(probe::form(written.as_bytes()), Some(probed));
    }
});
