//! Files that are wrong, or that would take too long.

use std::fs;

use crate::import;

/// A file with a peripheral; its second line begins with `registers`.
fn device(registers: &str) -> String {
    format!(
        "<device><name>d</name><peripherals><peripheral><name>P</name><registers>\n{registers}\
         </registers></peripheral></peripherals></device>"
    )
}

fn register(contents: &str) -> String {
    device(&format!(
        "<register><name>R</name><addressOffset>0</addressOffset>{contents}</register>"
    ))
}

#[track_caller]
fn refused(file: impl AsRef<[u8]>, message: &str) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("map");
    fs::write(&path, file).unwrap();
    let output = import(&[], &path);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains(message), "{said}");
    assert!(output.stdout.is_empty());
}

#[test]
fn files_of_other_formats_are_refused() {
    refused("", "not XML");
    refused([0xff; 4], "not UTF-8 from byte 0 on");
    refused("<html>\n</html>", "line 1: <html> is neither <device> of CMSIS-SVD nor <component>");
    refused("<device>\n\n</devise>", "line 3: not XML");
    refused("{\"type\": \"addrmap\",\n\"inst_name\": 1}", "line 2: not SystemRDL's JSON");
    refused("{\"type\": \"reg\", \"inst_name\": \"r\"}", "not an `addrmap`");
    refused("<!DOCTYPE d [<!ENTITY a \"aa\">]><device>&a;</device>", "not XML");
}

#[test]
fn mistakes_have_a_line() {
    let field =
        |bits: &str| register(&format!("<fields>\n<field><name>f</name>{bits}</field></fields>"));
    for (file, message) in [
        (device("<register><name>R</name></register>"), "line 2: <register> lacks <addressOffset>"),
        (device("<register/>"), "line 2: <register> lacks <name>"),
        (register("<size>many</size>"), "line 2: <size> is `many`"),
        (register("\n<access>none</access>"), "line 3: <access> is `none`"),
        (register("<readAction>x</readAction>"), "line 2: <readAction> is `x`"),
        (field("<bitRange>[</bitRange>"), "line 3: <field> has no valid <bitRange>"),
        (field("<bitRange>[64:0]</bitRange>"), "line 3: a field has the bits 64 to 0"),
        (field("<lsb>3</lsb><msb>2</msb>"), "line 3: a field has the bits 2 to 3"),
        (field("<bitOffset>0</bitOffset><bitWidth>0</bitWidth>"), "line 3: "),
        (
            device("<register derivedFrom=\"Q\"><name>R</name></register>"),
            "line 2: derived from `Q`, which is no <register> here",
        ),
        (
            device(
                "<register derivedFrom=\"B\"><name>A</name></register>\
                 <register derivedFrom=\"A\"><name>B</name></register>",
            ),
            "line 2: derived from itself",
        ),
    ] {
        refused(file, message);
    }
}

#[test]
fn small_files_do_not_become_large() {
    refused("<device>".repeat(100_000), "more than 64 elements inside each other");
    // Each cluster contains the one before twice.
    let cluster = |number: usize| {
        let inner = |name| match number {
            0 => String::new(),
            _ => format!("<cluster derivedFrom=\"c{}\"><name>{name}</name></cluster>", number - 1),
        };
        format!(
            "<cluster><name>c{number}</name><addressOffset>0</addressOffset>{}{}</cluster>",
            inner("x"),
            inner("y")
        )
    };
    let clusters: String = (0..40).map(cluster).collect();
    refused(device(&clusters), "the map has ");
    refused(
        device(
            "<register><dim>0</dim><dimIncrement>4</dimIncrement><name>R%s</name>\
                <addressOffset>0</addressOffset></register>",
        ),
        "line 2: <dim> is 0",
    );
    let far = "<register><dim>99999999999</dim><dimIncrement>4</dimIncrement><name>R%s</name>\
               <addressOffset>0</addressOffset></register>";
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("map");
    fs::write(&path, device(far)).unwrap();
    let said = String::from_utf8(import(&[], &path).stderr).unwrap();
    assert!(said.contains("left out P.R: an array has 99999999999 elements"), "{said}");
}

/// In an export, which someone has changed.
#[test]
fn places_have_names_and_bytes() {
    let export = |place: &str| {
        format!(
            "<device><name>d</name><peripherals><peripheral><name>BAR0</name></peripheral>\
             </peripherals><vendorExtensions><pci vendor=\"1\" device=\"1\" class=\"0\" \
             revision=\"0\" subsystemVendor=\"0\" subsystem=\"0\"><bar index=\"0\" \
             kind=\"mem32\" size=\"0x1000\"/>\n<{place} bar=\"0\"/></pci>\
             </vendorExtensions></device>"
        )
    };
    let refused_place = |place: &str, message: &str| {
        refused(export(&format!("unmodelled {place}")), message);
        refused(export(&format!("memory {place}")), message);
    };
    refused_place("name=\"\" start=\"0\" end=\"4\"", "line 2: `name` has not 1 to 64 letters");
    refused_place("name=\"A\\\" start=\"0\" end=\"4\"", "line 2: `name` has not 1 to 64 letters");
    refused_place("name=\"A\" start=\"4\" end=\"4\"", "line 2: 0x4 to 0x4 is no place");
    refused_place("name=\"A\" start=\"0\"", "line 2: `end` is not a number");
    let lost = "memory name=\"A\" start=\"0\" end=\"4\" reset=\"lost\"";
    refused(export(lost), "line 2: `reset` is none of `constructed`, `zero`, `keep`");
}

#[test]
fn peripherals_are_named() {
    let peripheral = |name: &str| format!("<peripheral><name>{name}</name></peripheral>");
    let all: String = ["A", "B", "C", "D", "E", "F", "G"].map(peripheral).concat();
    let file = format!("<device><name>d</name><peripherals>{all}</peripherals></device>");
    refused(file, "choose peripherals by `--peripheral=NAME`, of A, B, C, D, E, F, G");
}

/// Names and texts are only names and texts.
#[test]
fn no_text_becomes_code() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("map");
    let text = "*/ \u{202e} \" #[x]\nfn evil() {} //";
    let contents = format!(
        "<register><name>r; fn evil() {{}}</name><description>{text}</description>\
         <addressOffset>0</addressOffset><readAction>modify</readAction></register>"
    );
    fs::write(&path, device(&contents)).unwrap();
    let output = import(&[], &path);
    let program = String::from_utf8(output.stdout).unwrap();
    assert!(program.contains("    r_fn_evil: u32,"), "{program}");
    let code = program.lines().filter(|line| !line.trim_start().starts_with("//"));
    assert!(code.clone().count() > 5 && code.clone().all(|line| !line.contains("fn evil")));
}
