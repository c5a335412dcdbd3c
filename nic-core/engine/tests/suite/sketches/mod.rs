//! Protocols without bodies, which prove that the traits can express them. They compile, and
//! nothing runs them.

mod esp_in_udp;
