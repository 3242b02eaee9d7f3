//! Twilio's REST API and callback signature, as Tollgate uses them.
