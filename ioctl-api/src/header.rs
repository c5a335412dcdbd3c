//! The C header, written from the records.
