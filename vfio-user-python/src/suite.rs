//! The library's generated tests for a device class.

use std::cell::RefCell;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use vfio_user::suite::Suite;

use crate::catch::catch;
use crate::declaration::Declaration;
use crate::device::PyDevice;

type Test = fn(&Suite<PyDevice>);

/// The tests by their names, which are those of `device_tests!`.
const ALL: [(&str, Test); 12] = [
    ("some_registers_are_tested", |suite| drop(suite.coverage())),
    ("registers_reset_to_what_they_declare", Suite::resets),
    ("every_bit_does_what_its_policy_says", Suite::policies),
    ("parts_of_a_register_make_the_whole", Suite::parts),
    ("an_access_changes_no_other_register", Suite::aliasing),
    ("every_size_and_alignment_is_answered", Suite::accesses),
    ("bars_tell_their_sizes", Suite::sizing),
    ("the_capability_list_is_true", Suite::capabilities),
    ("peeking_changes_nothing", Suite::inquiry),
    ("a_reset_undoes_whatever_a_guest_does", Suite::scripts),
    ("state_becomes_that_of_another_device", Suite::round_trips),
    ("damaged_state_is_refused", Suite::damage),
];

/// Returns the names of the tests.
#[pyfunction]
pub(crate) fn tests() -> Vec<&'static str> {
    ALL.iter().map(|(name, _)| *name).collect()
}

thread_local! {
    /// What constructs the devices of the test that this thread runs: a suite takes a function.
    static FACTORY: RefCell<Option<Py<PyAny>>> = const { RefCell::new(None) };
}

/// Runs a test on devices of `factory`.
#[pyfunction]
pub(crate) fn run_test(
    py: Python<'_>,
    name: &str,
    declaration: &Declaration,
    factory: Py<PyAny>,
    exclude: Vec<String>,
) -> PyResult<()> {
    let found = ALL.iter().find(|(own, _)| *own == name);
    let (_, test) =
        found.ok_or_else(|| PyValueError::new_err(format!("there is no test {name:?}")))?;
    let sticky: Vec<_> = declaration.sticky().map(|name| &*name.leak()).collect();
    FACTORY.set(Some(factory));
    let result = py.detach(|| {
        catch(|| {
            // A suite's names are constants of a program; these are as few as its tests.
            let exclude = exclude.into_iter().map(|name| &*name.leak()).collect::<Vec<_>>();
            test(&Suite::new(construct).exclude(exclude.leak()).sticky(sticky.leak()));
        })
    });
    FACTORY.set(None);
    result
}

fn construct() -> PyDevice {
    let factory = Python::attach(|py| {
        FACTORY.with_borrow(|factory| factory.as_ref().map(|factory| factory.clone_ref(py)))
    });
    let device = PyDevice::construct(&factory.expect("a test sets it"));
    device.unwrap_or_else(|error| panic!("the device cannot be constructed: {error}"))
}
