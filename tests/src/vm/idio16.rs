//! A dialog between Linux's driver of the ACCES PCI-IDIO-16 and a program that is the card, the
//! first device of its guest.

use super::{Guest, Program};

/// All inputs are watched, though one would do: for every interrupt the driver (of Linux 7.2) calls
/// the handlers of all sixteen, and falls over one that no driver has requested.
const SCRIPT: &str = r#"
set -e
modprobe gpio-pci-idio-16
readlink /sys/bus/pci/devices/0000:00:01.0/driver
chip=$(gpiodetect | sed -n 's/ .*0000:00:01.0.*32 lines.*//p')

# Output 3 on, output 15 on, output 3 off.
gpioset -t0 -c "$chip" 3=1
gpioset -t0 -c "$chip" 15=1
gpioset -t0 -c "$chip" 3=0

echo inputs, please
until [ "$(gpioget --numeric -c "$chip" 16 17 31)" = "1 0 1" ]; do :; done
echo "inputs read"
BETWEEN
gpiomon --banner --num-events=16 -c "$chip" $(seq 16 31)
gpioget --numeric -c "$chip" 16 17 31
rmmod gpio-pci-idio-16
"#;

/// Returns the script of the guest, with these commands between inputs and edges.
pub fn script(between: &str) -> String {
    SCRIPT.replace("BETWEEN", between)
}

/// Plays the card's part, and waits for `between`, the last words of the commands between inputs
/// and edges.
///
/// # Panics
///
/// If the driver does something else.
pub fn drive(card: &mut Program, mut guest: Guest, between: Option<&str>) {
    guest.hear("drivers/pci-idio-16");
    for outputs in ["0008", "8008", "8000"] {
        card.hear(outputs);
    }
    guest.hear("inputs, please");
    card.say("8001");
    guest.hear("inputs read");
    if let Some(words) = between {
        guest.hear(words);
    }
    guest.hear("Monitoring lines");
    card.say("0002");
    guest.hear("falling\tgpiochip");
    let output = guest.finish();
    assert!(output.contains("rising\tgpiochip0 17 \"IIN1\""), "{output}");
    assert!(output.contains("falling\tgpiochip0 31 \"IIN15\""), "{output}");
    assert!(output.contains("\n0 1 0\n"), "{output}");
}
