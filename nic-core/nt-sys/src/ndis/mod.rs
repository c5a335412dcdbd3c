//! `ndis.h` and the headers it includes.
