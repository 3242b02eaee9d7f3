//! Tollgate's behaviour across functions.
