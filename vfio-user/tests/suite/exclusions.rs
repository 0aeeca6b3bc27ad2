//! What devices say about themselves spares registers, or bits of them, what they cannot pass.

use vfio_user::suite::{Exempt, Suite};
use vfio_user::{Cx, Device, PciDevice, Register, Virtual};

/// A device whose attributes say what its hooks do; or the same without them.
macro_rules! engine {
    ($module:ident: $($volatile:ident)?; $($policies:ident($p:ident = $ps:ident))?; $($all:ident($a:ident = $al:ident))?) => {
        mod $module {
            use super::{Cx, Device, PciDevice, Register, Virtual};

            #[derive(Clone, Copy, Default, Register)]
            #[register(u8)]
            pub(super) struct Control {
                #[field(bit = 0)]
                run: bool,
                #[field(bit = 1, ro $(, $volatile)?)]
                busy: bool,
                #[field(bits = 4..=7, w1c)]
                causes: u8,
            }

            #[derive(Default, PciDevice)]
            #[pci(vendor = 0x1234, device = 1)]
            #[bar(0: mem32, size = 0x1000)]
            pub(super) struct Engine {
                #[reg(0x00, on_write = Self::controlled)]
                control: Control,
                #[reg(0x04, on_write = Self::scaled $(, $policies($p = $ps))?)]
                scale: u32,
                #[reg(0x08, wo, write_with = Self::halt $(, $all($a = $al))?)]
                halt: Virtual<u32>,
                /// Nothing but the device changes it, and on the bench there is no reason to.
                #[reg(0x0c, ro, volatile)]
                ticks: u32,
                #[reg(0x10, volatile, on_write = Self::counted)]
                count: u32,
            }

            impl Device for Engine {
                type Event = ();
            }

            impl Engine {
                fn controlled(&mut self, _: &mut Cx<'_, Self>, _: Control, new: Control) {
                    self.control.busy = new.run;
                }

                fn scaled(&mut self, _: &mut Cx<'_, Self>, _: u32, new: u32) {
                    self.scale = new.next_multiple_of(4) & 0xff;
                }

                fn halt(&mut self, _: &mut Cx<'_, Self>, _: u32) {
                    panic!("halted");
                }

                fn counted(&mut self, _: &mut Cx<'_, Self>, _: u32, new: u32) {
                    self.count = new / 2;
                }
            }
        }
    };
}

engine!(declared: volatile; test(exclude = policies); test(exclude = all));
engine!(control_untold: ; test(exclude = policies); test(exclude = all));
engine!(scale_untold: volatile; ; test(exclude = all));
engine!(halt_untold: volatile; test(exclude = policies); );

vfio_user::device_tests!(declared::Engine, declared::Engine::default);

#[test]
fn what_is_spared_is_counted() {
    let coverage = Suite::new(declared::Engine::default).coverage();
    assert_eq!((coverage.accessed, coverage.registers, coverage.registers_total), (4, 2, 5));
    assert_eq!((coverage.fields, coverage.fields_total), (3, 3));
    let exempt: Vec<_> = coverage.exempt.iter().map(|(name, why)| (name.as_str(), *why)).collect();
    let expected =
        [("count", Exempt::Volatile), ("halt", Exempt::Excluded), ("scale", Exempt::Excluded)];
    assert_eq!(exempt, expected);
}

#[test]
#[should_panic(expected = "control holds 0x3 and not 0x1 after a write of 0x1 to 0x0")]
fn a_field_that_a_hook_changes_is_found() {
    Suite::new(control_untold::Engine::default).policies();
}

#[test]
#[should_panic(expected = "if its hook does that, exclude it")]
fn a_register_that_a_hook_changes_is_found() {
    Suite::new(scale_untold::Engine::default).policies();
}

#[test]
#[should_panic(expected = "halted")]
fn a_register_that_is_not_excluded_is_accessed() {
    Suite::new(halt_untold::Engine::default).accesses();
}
