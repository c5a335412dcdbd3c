//! Interop, conformance, end-to-end and fault tests of Tunic.
