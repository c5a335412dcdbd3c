//! The engine, with a small protocol of its own.

mod conformance;
mod deadlines;
mod sketches;
