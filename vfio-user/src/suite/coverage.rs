//! The coverage of the tests of policies.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::elements::Elements;
use super::exempt::Exempt;
use crate::bench::Bench;
use crate::device::PciDevice;

/// The registers of a device that the generated tests access, and those whose policies they check.
///
/// An array counts as one register.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Coverage {
    /// Name of the device.
    pub device: &'static str,
    /// Number of registers that the tests access: all that are not excluded.
    pub accessed: usize,
    /// Number of registers whose policies are tested.
    pub registers: usize,
    /// Number of all registers.
    pub registers_total: usize,
    /// Number of named fields of the tested registers.
    pub fields: usize,
    /// Number of named fields of all registers.
    pub fields_total: usize,
    /// The registers that are not tested, and why.
    pub exempt: BTreeMap<String, Exempt>,
}

/// Prints the coverage.
pub(super) fn check<D: PciDevice>(
    bench: &Bench<D>,
    elements: &Elements,
    excluded: &[&str],
) -> Coverage {
    for name in excluded {
        let is_there = elements.all().iter().any(|element| element.is_called(name));
        assert!(is_there, "`{name}` is excluded, but there is no such register");
    }
    let coverage = Coverage::of(bench.function().descriptor().name(), elements);
    println!("{coverage}");
    assert!(
        coverage.registers > 0 || coverage.registers_total == 0,
        "no register is tested: {coverage}"
    );
    coverage
}

impl Coverage {
    fn of(device: &'static str, elements: &Elements) -> Self {
        let (mut registers, mut accessed) = (BTreeMap::new(), BTreeSet::new());
        for element in elements.all() {
            let fields = element.register.fields().len();
            let (is_tested, _) = registers.entry(element.declared()).or_insert((false, fields));
            *is_tested |= element.exempt.is_none();
            if !element.is_excluded() {
                accessed.insert(element.declared());
            }
        }
        let exempt = elements.all().iter().filter_map(|element| {
            let (is_tested, _) = registers[&element.declared()];
            let name = if is_tested { element.to_string() } else { element.declared() };
            Some((name, element.exempt?))
        });
        let exempt = exempt.collect();
        let tested = || registers.values().filter(|(is_tested, _)| *is_tested);
        Coverage {
            device,
            accessed: accessed.len(),
            registers: tested().count(),
            registers_total: registers.len(),
            fields: tested().map(|(_, fields)| fields).sum(),
            fields_total: registers.values().map(|(_, fields)| fields).sum(),
            exempt,
        }
    }
}

impl fmt::Display for Coverage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Coverage { device, accessed, registers, registers_total, .. } = self;
        let Coverage { fields, fields_total, exempt, .. } = self;
        write!(
            f,
            "{device}: {accessed} of {registers_total} registers accessed; \
             policies of {registers} registers, {fields} of {fields_total} fields"
        )?;
        for (place, (name, why)) in exempt.iter().enumerate() {
            write!(f, "{} {name} ({why})", if place == 0 { "; exempt:" } else { "," })?;
        }
        Ok(())
    }
}
