//! The control ABIs of the Tunic driver: plain-data records and their codecs.
