//! Tests of `vfu state` as a process.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::{env, fs};

use vfio_user::function::Migrate;
use vfio_user::migration::{Content, Hello, Memory, SectionsWriter, StreamWriter};
use vfio_user::{Bench, Device, PciDevice, Register, RegisterBlock, describe};
use vfio_user_tests::migrating_device::{MigratingDevice, Outside, reg};

fn vfu(arguments: &[&Path]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_vfu")).arg("state").args(arguments).output().unwrap()
}

fn printed(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn edu() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/tests/streams/edu/v1.stream")
}

/// Returns the state of a device with these values.
fn migrating_device(scratch: u32, memory: &[(u64, u8)]) -> Vec<u8> {
    let mut bench = Bench::new(MigratingDevice::new(&Outside::new().0)).unwrap();
    bench.write(0, reg::SCRATCH, scratch);
    for (offset, byte) in memory {
        bench.write(2, *offset, *byte);
    }
    bench.function_mut().stop();
    bench.save()
}

/// `VFIO_USER_BLESS=1` records the present output.
#[test]
fn a_stream_is_printed_by_the_names_in_it() {
    let output = vfu(&[&edu()]);
    assert!(output.status.success());
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/edu.txt");
    if env::var_os("VFIO_USER_BLESS").is_some_and(|value| value == "1") {
        fs::write(&path, &output.stdout).unwrap();
    }
    assert_eq!(printed(&output), fs::read_to_string(path).unwrap());
}

#[test]
fn memory_is_printed_as_ranges() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("state");
    fs::write(&file, migrating_device(0xcafe, &[(0x1000, 1), (0x2fff, 2), (0x1f_0000, 3)]))
        .unwrap();
    let text = printed(&vfu(&[&file]));
    for line in [
        "device migrating_device (1af4:10f9)",
        "    scratch = 0xcafe",
        "memory that is not zero\n    BAR 2 0x1000..0x3000\n    BAR 2 0x1f0000..0x1f1000\n",
    ] {
        assert!(text.contains(line), "{line:?} is not in\n{text}");
    }
}

#[test]
fn differences_are_printed_and_set_the_exit_code() {
    let folder = tempfile::tempdir().unwrap();
    let [one, other] = ["one", "other"].map(|name| folder.path().join(name));
    fs::write(&one, migrating_device(0xcafe, &[(0x1000, 1)])).unwrap();
    fs::write(&other, migrating_device(0xbeef, &[(0x1000, 1), (0x5000, 2)])).unwrap();
    let diff = |other: &Path| vfu(&[&one, Path::new("--diff"), other]);
    let same = diff(&one);
    assert_eq!((same.status.code(), printed(&same).as_str()), (Some(0), ""));
    let different = diff(&other);
    assert_eq!(different.status.code(), Some(1));
    let expected = "- registers.scratch = 0xcafe\n+ registers.scratch = 0xbeef\n\
                    ! memory of BAR 2 0x5000..0x6000\n";
    assert_eq!(printed(&different), expected);
    let another = printed(&diff(&edu()));
    for line in [
        "- device = migrating_device (1af4:10f9)\n+ device = edu (1234:11e8)",
        "+ registers.source",
    ] {
        assert!(another.contains(line), "{line:?} is not in\n{another}");
    }
}

#[test]
fn states_and_differences_are_json_on_request() {
    let folder = tempfile::tempdir().unwrap();
    let [one, other] = ["one", "other"].map(|name| folder.path().join(name));
    fs::write(&one, migrating_device(0xcafe, &[(0x1000, 1)])).unwrap();
    fs::write(&other, migrating_device(0xbeef, &[])).unwrap();
    let json = |arguments: &[&Path]| -> serde_json::Value {
        serde_json::from_str(&printed(&vfu(arguments))).unwrap()
    };
    let state = json(&[&one, Path::new("--json")]);
    assert_eq!(state["device"], "migrating_device (1af4:10f9)");
    let fields = state["sections"].as_array().unwrap().iter().flat_map(|section| {
        section["fields"].as_array().unwrap().iter().map(|field| (&field["name"], &field["value"]))
    });
    assert!(fields.into_iter().any(|field| field == (&"scratch".into(), &"0xcafe".into())));
    assert_eq!(
        state["memory"][0],
        serde_json::json!({"bar": 2, "start": "0x1000", "end": "0x2000"})
    );

    let differences = json(&[&one, Path::new("--diff"), &other, Path::new("--json")]);
    let expected =
        serde_json::json!({"name": "registers.scratch", "old": "0xcafe", "new": "0xbeef"});
    assert_eq!(differences["values"], serde_json::json!([expected]));
    assert_eq!(differences["memory"], state["memory"]);
}

#[test]
fn what_is_no_stream_is_reported() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("state");
    let stream = fs::read(edu()).unwrap();
    let (mut damaged, cut) = (stream.clone(), &stream[..stream.len() - 1]);
    damaged[stream.len() / 2] ^= 1;
    for (bytes, why) in [
        (&b"no stream"[..], "this is no stream of device state"),
        (&damaged, "has been damaged: its checksum does not match"),
        (cut, "the stream ends early"),
        (b"", "the stream ends early"),
    ] {
        fs::write(&file, bytes).unwrap();
        let output = vfu(&[&file]);
        let error = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{error}");
        assert!(error.contains(why), "{error}");
    }
    assert_eq!(vfu(&[Path::new("/nowhere")]).status.code(), Some(2));
}

/// Returns a stream of a device with this name, with one section and this memory.
fn forged(name: &str, sections: &[u8], memory: &[(u64, Content<'_>)]) -> Vec<u8> {
    let hello = Hello { name: name.to_owned(), vendor: 1, device: 2, layout: 3 };
    let mut writer = StreamWriter::new(&hello);
    for (offset, content) in memory {
        writer.memory(&Memory { bar: 0, offset: *offset, content: *content });
    }
    writer.state(sections);
    writer.end();
    writer.take()
}

#[test]
fn what_a_stream_says_cannot_drive_a_terminal_or_forge_a_line() {
    let folder = tempfile::tempdir().unwrap();
    let [file, plain] = ["evil", "plain"].map(|name| folder.path().join(name));
    let texts = ["a\nsection forged", "\u{1b}[2J\u{7}", "\r\u{8}x", "\u{202e}txt", "\u{9b}31m"];
    for text in texts {
        let mut writer = SectionsWriter::default();
        let mut fields = writer.section("function", 1, 1);
        fields.field("written_once", &BTreeMap::from([(text, vec![5_u64])])).unwrap();
        fields.field("latches", &BTreeMap::from([(text, vec![(5_u64, 6_u64)])])).unwrap();
        fields.finish();
        let mut fields = writer.section("device", 1, 1);
        fields.field("text", text).unwrap();
        fields.field("map", &BTreeMap::from([(text, text)])).unwrap();
        fields.finish();
        fs::write(&file, forged(text, &writer.finish(), &[])).unwrap();
        fs::write(&plain, forged("plain", &[], &[])).unwrap();
        for output in [vfu(&[&file]), vfu(&[&plain, Path::new("--diff"), &file])] {
            let printed = printed(&output);
            let is_bad =
                |letter: char| (letter.is_control() && letter != '\n') || letter == '\u{202e}';
            assert!(!printed.contains(is_bad), "{printed:?}");
            assert!(!printed.lines().any(|line| line.starts_with("section forged")), "{printed}");
            assert!(printed.contains("device"), "{printed}");
        }
    }
}

/// A large number of frames and names takes seconds, not hours.
#[test]
fn a_stream_is_read_in_linear_time() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("long");
    let frames: Vec<_> = (0..40_000_u64)
        .map(|number| match number % 2 {
            0 => (number * 4096, Content::Bytes(&[1])),
            _ => (1 << 40, Content::Zeros(1 << 40)),
        })
        .collect();
    let mut writer = SectionsWriter::default();
    for section in 0..10 {
        let mut fields = writer.section(&format!("s{section}"), 1, 1);
        for field in 0..4000 {
            fields.field(&format!("f{field}"), &1_u8).unwrap();
        }
        fields.finish();
    }
    fs::write(&file, forged("long", &writer.finish(), &frames)).unwrap();
    let output = vfu(&[&file]);
    assert!(output.status.success());
    assert!(printed(&output).contains("BAR 0 0x2000..0x3000\n    BAR 0 0x4000..0x5000\n"));
    assert_eq!(vfu(&[&file, Path::new("--diff"), &file]).status.code(), Some(0));
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Register)]
enum Mode {
    #[default]
    Off,
    Slow,
    Fast = 5,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Register)]
#[register(u32)]
struct Control {
    #[field(bit = 0)]
    enable: bool,
    #[field(bits = 4..=6, reserved = reject)]
    mode: Mode,
    #[field(bits = 8..=15)]
    level: u8,
    #[field(bit = 31)]
    done: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Register)]
#[register(u8, reserved = reject)]
enum Speed {
    #[default]
    Full,
    Half = 2,
}

#[derive(Debug, Default, RegisterBlock)]
struct Lane {
    #[reg(0x00)]
    control: Control,
    #[reg(0x04)]
    base: u32,
}

#[derive(Debug, Default, PciDevice)]
#[pci(vendor = 0x1234, device = 0xcafe, name = "named")]
#[bar(0: mem32, size = 0x1000)]
struct Named {
    #[reg(0x00)]
    control: Control,
    #[reg(0x04)]
    speed: Speed,
    #[reg(0x10)]
    channels: [Control; 2],
    #[reg(0x20)]
    plain: u32,
    #[block(0x100, stride = 0x10)]
    lanes: [Lane; 2],
    control_of: u32,
}

impl Device for Named {
    type Event = ();
}

#[test]
fn bits_are_printed_by_the_names_of_a_description() {
    let folder = tempfile::tempdir().unwrap();
    let [one, other, json] = ["one", "other", "json"].map(|name| folder.path().join(name));
    let mut bench = Bench::new(Named::default()).unwrap();
    fs::write(&json, describe::json(bench.function().descriptor())).unwrap();
    bench.write(0, 0x00, 0x8000_2a51_u32);
    bench.write(0, 0x04, 2_u8);
    bench.write(0, 0x14, 0x11_u32);
    bench.write(0, 0x20, 0x51_u32);
    bench.write(0, 0x110, 0x0050_u32);
    fs::write(&one, bench.save()).unwrap();
    let describe = Path::new("--describe");
    let text = printed(&vfu(&[&one, describe, &json]));
    for line in [
        "    control = 0x80002a51 (enable, mode=Fast, level=0x2a, done)\n",
        "    channels = [0 (mode=Off), 0x11 (enable, mode=Slow)]\n",
        "    plain = 0x51\n",
        "section block.lanes, version 1, for 1 and later\n    control = [0 (mode=Off), 0x50 (mode=Fast)]\n    \
         base = [0x0, 0x0]\n",
    ] {
        assert!(text.contains(line), "{line:?} is not in\n{text}");
    }
    let speed = text.lines().find(|line| line.starts_with("    speed = ")).unwrap();
    assert!(speed.starts_with("    speed = 2 (") && speed.ends_with("=Half)"), "{speed}");
    // Without a description, registers are numbers.
    assert!(printed(&vfu(&[&one])).contains("    control = 0x80002a51\n"));

    bench.write(0, 0x00, 0x10_u32);
    fs::write(&other, bench.save()).unwrap();
    let different = vfu(&[&one, Path::new("--diff"), &other, describe, &json]);
    assert_eq!(different.status.code(), Some(1));
    let expected = "- registers.control = 0x80002a51 (enable, mode=Fast, level=0x2a, done)\n\
                    + registers.control = 0x10 (mode=Slow)\n";
    assert_eq!(printed(&different), expected);
}

#[derive(Debug, Default, RegisterBlock)]
struct Rank {
    #[reg(0x00)]
    control: Control,
    #[block(0x10, stride = 0x10)]
    lanes: [Lane; 2],
}

#[derive(Debug, Default, PciDevice)]
#[pci(vendor = 0x1234, device = 0xcafe, name = "nested")]
#[bar(0: mem32, size = 0x1000)]
struct Nested {
    #[block(0x100, stride = 0x40)]
    ranks: [Rank; 2],
}

impl Device for Nested {
    type Event = ();
}

#[test]
fn bits_of_nested_blocks_are_printed_by_their_names() {
    let folder = tempfile::tempdir().unwrap();
    let [stream, json] = ["stream", "json"].map(|name| folder.path().join(name));
    let mut bench = Bench::new(Nested::default()).unwrap();
    fs::write(&json, describe::json(bench.function().descriptor())).unwrap();
    bench.write(0, 0x140, 0x1_u32);
    bench.write(0, 0x110, 0x11_u32);
    bench.write(0, 0x160, 0x50_u32);
    fs::write(&stream, bench.save()).unwrap();
    let text = printed(&vfu(&[&stream, Path::new("--describe"), &json]));
    for line in [
        "section block.ranks, version 1, for 1 and later\n    \
         control = [0 (mode=Off), 1 (enable, mode=Off)]\n",
        "section block.ranks.lanes, version 1, for 1 and later\n    \
         control = [0x11 (enable, mode=Slow), 0 (mode=Off), 0 (mode=Off), 0x50 (mode=Fast)]\n",
    ] {
        assert!(text.contains(line), "{line:?} is not in\n{text}");
    }
}

/// Elements by which arrays have grown are fields and sections of their own, such as `channels.8`.
#[derive(Debug, Default, PciDevice)]
#[pci(vendor = 0x1234, device = 0xcafe, name = "grown")]
#[bar(0: mem32, size = 0x1000)]
#[migrate(version = 3)]
struct Grown {
    #[reg(0x10)]
    #[migrate(grown_from = 1)]
    channels: [Control; 2],
    #[reg(0x20)]
    #[migrate(grown_from(1, 2))]
    speeds: [Speed; 4],
    #[block(0x100, stride = 0x10)]
    #[migrate(grown_from(1, 3))]
    lanes: [Lane; 4],
}

impl Device for Grown {
    type Event = ();
}

#[test]
fn bits_of_elements_that_were_added_are_printed_by_their_names() {
    let folder = tempfile::tempdir().unwrap();
    let [stream, json] = ["stream", "json"].map(|name| folder.path().join(name));
    let mut bench = Bench::new(Grown::default()).unwrap();
    fs::write(&json, describe::json(bench.function().descriptor())).unwrap();
    bench.write(0, 0x10, 0x11_u32);
    bench.write(0, 0x14, 0x8000_0050_u32);
    bench.write(0, 0x23, 2_u8);
    bench.write(0, 0x120, 0x51_u32);
    bench.write(0, 0x130, 0x10_u32);
    fs::write(&stream, bench.save()).unwrap();
    let text = printed(&vfu(&[&stream, Path::new("--describe"), &json]));
    for line in [
        "    channels = 0x11 (enable, mode=Slow)\n",
        "    channels.1 = [0x80000050 (mode=Fast, done)]\n",
        "section block.lanes.1, version 1, for 1 and later\n    \
         control = [0 (mode=Off), 0x51 (enable, mode=Fast)]\n",
        "section block.lanes.3, version 1, for 1 and later\n    control = [0x10 (mode=Slow)]\n",
    ] {
        assert!(text.contains(line), "{line:?} is not in\n{text}");
    }
    let speeds = text.lines().find(|line| line.starts_with("    speeds.2 = ")).unwrap();
    assert!(speeds.ends_with("=Half)]"), "{speeds}");
}

#[test]
fn a_description_of_something_else_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let [file, json] = ["state", "json"].map(|name| folder.path().join(name));
    let bench = Bench::new(Named::default()).unwrap();
    let good = describe::json(bench.function().descriptor());
    fs::write(&file, migrating_device(1, &[])).unwrap();
    let newer = good.replacen("\"version\": 1", "\"version\": 2", 1);
    let number = good.replacen("\"value\": \"0x5\"", "\"value\": \"five\"", 1);
    for (text, why) in [
        (
            good.as_str(),
            "it describes named (1234:cafe); the state is of migrating_device (1af4:10f9)",
        ),
        (newer.as_str(), "it has version 2; 1 is accepted"),
        (number.as_str(), "`five` is not a number such as 16 or 0x10"),
        ("{}", "this is no description as `--describe=json` prints it"),
        ("no json", "this is no description as `--describe=json` prints it"),
    ] {
        fs::write(&json, text).unwrap();
        let output = vfu(&[&file, Path::new("--describe"), &json]);
        let error = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0), "{error}");
        assert!(error.contains(why), "{why}: {error}");
    }
    let missing = vfu(&[&file, Path::new("--describe"), Path::new("/nowhere")]);
    assert_eq!(missing.status.code(), Some(2));
}

/// A description may be hostile, too.
#[test]
fn a_description_may_say_anything() {
    let folder = tempfile::tempdir().unwrap();
    let [file, json] = ["state", "json"].map(|name| folder.path().join(name));
    let mut bench = Bench::new(Named::default()).unwrap();
    let good = describe::json(bench.function().descriptor());
    bench.write(0, 0x00, 0x51_u32);
    fs::write(&file, bench.save()).unwrap();
    for (what, other) in [
        ("\"first\": 4", "\"first\": 4294967295"),
        ("\"last\": 6", "\"last\": 4294967295"),
        ("\"last\": 6", "\"last\": 0"),
        ("\"Fast\"", "\"\\n\\u001b[2J\""),
        ("\"enable\"", "\"a\\nsection forged\""),
    ] {
        assert!(good.contains(what), "{what}");
        fs::write(&json, good.replace(what, other)).unwrap();
        let output = vfu(&[&file, Path::new("--describe"), &json]);
        let text = printed(&output);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert!(!text.contains('\u{1b}'), "{text:?}");
        assert!(!text.lines().any(|line| line.starts_with("section forged")), "{text}");
    }
}
