//! Devices of the examples, recorded and replayed.

mod edu;
#[expect(dead_code, reason = "a test has no use for `main`")]
#[path = "../../src/bin/edu.rs"]
mod edu_program;
mod gpio;
#[expect(dead_code, reason = "a test has no use for `main`")]
#[path = "../../src/bin/gpio-pci-idio-16.rs"]
mod gpio_program;
mod idio16;
