//! The macros of `vfio-user`.
