//! Files that `--describe=svd` has written: what SVD can express comes back.

use std::fs;

use svd_parser::{Config, ValidateLevel};
use vfio_user::declaration::{Block, Descriptor};
use vfio_user::{PciDevice, describe};
use vfio_user_tests::language::Language;
use vfio_user_tests::policies::Policies;
use vfio_user_tests::zoo::Zoo;

use crate::{compare, imported};

#[allow(dead_code, unreachable_pub, clippy::all, clippy::pedantic, reason = "a device that is not served")]
#[path = "records/zoo.rs"]
#[rustfmt::skip]
mod zoo;
#[allow(dead_code, unreachable_pub, clippy::all, clippy::pedantic, reason = "a device that is not served")]
#[path = "records/language.rs"]
#[rustfmt::skip]
mod language;
#[allow(dead_code, unreachable_pub, clippy::all, clippy::pedantic, reason = "a device that is not served")]
#[path = "records/policies.rs"]
#[rustfmt::skip]
mod policies;

/// The record is what comes of the export, and describes the same device, apart from registers that
/// share bytes with another one: SVD has no conditions.
#[track_caller]
fn round_trip(original: &Descriptor, record: &str, copy: &Descriptor, left_out: &[&str]) {
    let svd = describe::svd(original);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("device.svd");
    fs::write(&file, &svd).unwrap();
    let (module, said) = imported(&["--module"], &file);
    assert_eq!(said.lines().count(), left_out.len(), "{said}");
    for (line, name) in said.lines().zip(left_out) {
        assert!(line.contains(&format!("left out BAR0.{name}: ")), "{line}");
    }
    compare(record, &module);
    let svd = without(&svd, left_out);
    let described = describe::svd(copy);
    for (number, (line, expected)) in (1..).zip(described.lines().zip(svd.lines())) {
        assert_eq!(line, expected, "line {number}");
    }
    assert_eq!(described.lines().count(), svd.lines().count());
}

/// Removes registers from a description.
fn without(svd: &str, names: &[&str]) -> String {
    let (mut kept, mut register) = (String::new(), String::new());
    for line in svd.lines() {
        register.push_str(line);
        register.push('\n');
        let is_inside = register.trim_start().starts_with("<register>");
        if is_inside && line.trim() != "</register>" {
            continue;
        }
        let is_called = |name: &&str| {
            [format!("<name>{name}</name>"), format!("<name>{name}[%s]</name>")]
                .iter()
                .any(|name| register.contains(name))
        };
        if !names.iter().any(is_called) {
            kept += &register;
        }
        register.clear();
    }
    kept
}

/// Returns the number of elements that have an offset of their own.
fn placed(descriptor: &Descriptor) -> usize {
    let slots = descriptor.slots().filter(|(register, slot)| {
        let block = slot.block.map(|at| (&descriptor.blocks()[at.block], at.element));
        let own = |(block, at): (&Block, usize)| at % block.own_count() as usize;
        (register.selector().is_none() || slot.element == 0)
            && block.is_none_or(|one| one.0.selector().is_none() || own(one) == 0)
    });
    slots.count()
}

fn configured<D: PciDevice>(device: &D) -> Descriptor {
    let mut descriptor = D::DESCRIPTOR;
    device.configure(&mut descriptor).unwrap();
    descriptor
}

#[test]
fn the_zoo_comes_back() {
    round_trip(&configured(&Zoo::default()), "zoo.rs", &zoo::Zoo::DESCRIPTOR, &[]);
}

#[test]
fn every_policy_comes_back() {
    round_trip(&Policies::DESCRIPTOR, "policies.rs", &policies::Policies::DESCRIPTOR, &[]);
}

#[test]
fn the_language_comes_back() {
    let original = configured(&Language::default());
    let left_out = ["second_page", "pieces"];
    round_trip(&original, "language.rs", &language::Language::DESCRIPTOR, &left_out);
}

#[test]
fn another_reader_accepts_what_is_exported() {
    let config = Config::default().validate_level(ValidateLevel::Strict);
    let expanded = config.expand(true).expand_properties(true);
    let devices =
        [configured(&Zoo::default()), configured(&Language::default()), Policies::DESCRIPTOR];
    for descriptor in devices {
        let svd = describe::svd(&descriptor);
        let device = svd_parser::parse_with_config(&svd, &config).unwrap();
        device.validate_all(ValidateLevel::Strict).unwrap();
        let registers = svd_parser::parse_with_config(&svd, &expanded).unwrap();
        let count: usize =
            registers.peripherals.iter().map(|peripheral| peripheral.all_registers().count()).sum();
        assert_eq!(count, placed(&descriptor));
    }
}
