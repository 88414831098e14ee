//! TLS, by rustls.
