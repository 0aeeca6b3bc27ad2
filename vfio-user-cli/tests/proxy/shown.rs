//! What is printed.

use std::fs;

use serde_json::Value;
use vfio_user::PciDevice;
use vfio_user::client::Client;
use vfio_user::protocol::RegionIndex;

use crate::Proxy;
use crate::card::{Card, card};

/// Returns what a proxy with these options prints of a client's accesses.
fn accesses(options: &[&str]) -> String {
    let card = card();
    let proxy = Proxy::start(card.path(), options);
    let client = proxy.attach();
    access(&client);
    drop(client);
    proxy.wait("the end", || proxy.printed().matches("closed").count() == 4);
    proxy.finish()
}

fn access(client: &Client) {
    client.region(RegionIndex::Config).write(4, 6_u16).unwrap();
    let bar = client.region(RegionIndex::Bar0);
    bar.post(Card::STATUS, 0xcafe_u32).unwrap();
    assert_eq!(bar.read::<u32>(Card::STATUS).unwrap(), 0xcafe);
    bar.write(0x148, 7_u32).unwrap();
    client.region(RegionIndex::Bar2).read::<u32>(0x4000).unwrap_err();
}

#[test]
fn messages_have_a_line_each() {
    let printed = accesses(&[]);
    for text in [
        "VERSION major=0 minor=",
        "VERSION ok major=0 minor=0 capabilities={",
        r#""max_msg_fds":16"#,
        "DEVICE_GET_INFO ok flags=RESET|PCI regions=9 irqs=5",
        "REGION_WRITE region=config offset=0x4 count=2 data=0x0006",
        "REGION_WRITE posted region=bar0 offset=0x0 count=4 data=0x0000cafe",
        "REGION_READ ok region=bar0 offset=0x0 count=4 data=0x0000cafe",
        "REGION_READ EINVAL (22)",
        "fds=socket",
    ] {
        assert!(printed.contains(text), "{text}: {printed}");
    }
    assert!(!printed.contains('\x1b') && !printed.contains("malformed"), "{printed}");
    let latency = |line: &str| line.ends_with(" µs") || line.ends_with(" ms");
    let messages: Vec<_> = printed.lines().filter(|line| !line.ends_with("ed")).collect();
    let replies = messages.iter().filter(|line| line.contains("< ")).count();
    assert_eq!(messages.iter().filter(|line| latency(line)).count(), replies, "{printed}");
}

#[test]
fn colours_are_printed_where_they_are_wanted() {
    let printed = accesses(&["--color=always", "--only=region-read"]);
    assert!(printed.contains("\x1b[1;31mEINVAL (22)\x1b[0m"), "{printed}");
}

#[test]
fn filters_select_messages() {
    let lines = |options: &[&str]| -> Vec<String> {
        let printed = accesses(options);
        printed.lines().filter(|line| !line.ends_with("ed")).map(str::to_owned).collect()
    };
    let only = lines(&["--only=region-read,get-info"]);
    assert!(only.iter().all(|line| line.contains("READ") || line.contains("GET_INFO")));
    assert_eq!(only.len(), 6, "{only:?}");
    let not = lines(&["--not", "version,device-get-info,region-read"]);
    assert!(not.iter().all(|line| line.contains("REGION_WRITE")), "{not:?}");
    // The reply that refuses belongs to its request.
    let region = lines(&["--region=bar2"]);
    assert!(region[0].contains("region=bar2 offset=0x4000"), "{region:?}");
    assert!(region[1].contains("REGION_READ EINVAL (22)") && region.len() == 2, "{region:?}");
    let errors = lines(&["--errors"]);
    assert!(errors[0].contains("region=bar2 offset=0x4000"), "{errors:?}");
    assert!(errors[1].contains("EINVAL (22)") && errors.len() == 2, "{errors:?}");
}

#[test]
fn registers_have_names() {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), vfio_user::describe::json(&Card::DESCRIPTOR)).unwrap();
    let printed = accesses(&[&format!("--describe={}", file.path().display())]);
    assert!(printed.contains("data=0x0000cafe register=status"), "{printed}");
    assert!(printed.contains("data=0x00000007 register=queues[1].tail"), "{printed}");
}

#[test]
fn json_is_an_object_a_line() {
    let printed = accesses(&["--json", "--only=region-read"]);
    let lines: Vec<Value> =
        printed.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let [connected, request, reply, _, refused, ..] = &lines[..] else { panic!("{printed}") };
    assert_eq!(connected["note"], "connected");
    assert_eq!((&request["command"], &request["kind"]), (&"REGION_READ".into(), &"command".into()));
    assert_eq!((&reply["id"], &reply["from"]), (&request["id"], &"server".into()));
    assert_eq!(reply["fields"]["offset"], "0x0");
    assert_eq!(reply["fields"]["data"], "feca0000");
    assert!(reply["latency"].as_f64().unwrap() > 0.0);
    assert_eq!((&refused["errno"], &refused["error"]), (&22.into(), &"EINVAL (22)".into()));
}
