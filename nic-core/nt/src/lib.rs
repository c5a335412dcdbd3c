//! Safe wrappers over nt-sys.
