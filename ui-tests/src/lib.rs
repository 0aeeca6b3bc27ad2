//! Compile-fail tests of the macros of `vfio-user`.
