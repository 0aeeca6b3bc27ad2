//! A look into the device by its monitor, as `vfu inspect` takes it.

use std::path::Path;
use std::time::Duration;

use vfio_user::monitor::{Client, LastAccess, Reply, Request};

use crate::screen::line;
use crate::{Result, expect};

/// Prints the registers that were accessed, the interrupts, and the last accesses.
pub(crate) fn print(path: &Path) -> Result<()> {
    let mut monitor = Client::connect(path, Duration::from_secs(5))?;
    line(format_args!("{:9} {:>5} {:>6}  value", "register", "reads", "writes"));
    let accesses = monitor.all(
        |from| Request::Accesses { from },
        |reply| if let Reply::Accesses(page) = reply { Some(page) } else { None },
    )?;
    for one in accesses.iter().filter(|one| one.register) {
        let value = value(&mut monitor, &one.name)?;
        line(format_args!("{:9} {:>5} {:>6}  {value}", one.name, one.reads, one.writes));
    }
    let Reply::Interrupts(vectors) = monitor.ask(&Request::Interrupts { from: 0 })? else {
        return Err("the monitor shows no interrupts".into());
    };
    for vector in vectors.items.iter().filter(|vector| vector.raised > 0) {
        let (kind, number) = (&vector.kind, vector.vector);
        line(format_args!(
            "{kind} {number}: raised {}, delivered {}",
            vector.raised, vector.delivered
        ));
    }
    let Reply::Last(last) = monitor.ask(&Request::Last)? else {
        return Err("the monitor shows no last accesses".into());
    };
    let text: Vec<_> = last.iter().rev().take(3).rev().map(access).collect();
    line(format_args!("last: {}", text.join(", ")));
    expect(accesses.iter().any(|one| one.name == "scratch"), "accesses are counted by name")
}

fn value(monitor: &mut Client, name: &str) -> Result<String> {
    let Reply::Register(register) = monitor.ask(&Request::Register { name: name.to_owned() })?
    else {
        return Err("the monitor shows no value".into());
    };
    Ok(format!("{:#x}", register.value))
}

fn access(access: &LastAccess) -> String {
    format!("{} {} {:#x}", access.operation, access.name, access.value)
}
