//! Configuration space and registers of whole devices, against independent models.

mod device_tests;
mod model;
mod readme;
mod registers;
mod space;
mod strict;
