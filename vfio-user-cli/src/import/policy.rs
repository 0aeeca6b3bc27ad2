//! Access policies, from what a format says of writes and reads.

/// Who may do what.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(super) enum Access {
    ReadOnly,
    WriteOnly,
    #[default]
    ReadWrite,
    /// Written once after a reset, and never read.
    WriteOnce,
    ReadWriteOnce,
}

/// What a write does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(super) enum Write {
    #[default]
    Stores,
    Clears,
    Sets,
    OnesClear,
    OnesSet,
    OnesToggle,
    ZerosClear,
    ZerosSet,
    ZerosToggle,
    /// Something that the format has no words for.
    Modifies,
}

/// What a read does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(super) enum Read {
    #[default]
    Nothing,
    Clears,
    Sets,
    /// Something that the format has no words for.
    Modifies,
}

/// Returns the policy that does this, or the one that comes closest and what is missing.
pub(super) fn policy(access: Access, write: Write, read: Read) -> (&'static str, Vec<String>) {
    let mut notes = Vec::new();
    if read == Read::Modifies && access != Access::WriteOnly {
        notes.push("a read has an effect: it needs `on_read` or `read_with`".to_owned());
    }
    let (policy, missing) = match access {
        Access::ReadOnly => (read_only(read), None),
        Access::ReadWrite => read_write(write, read),
        Access::WriteOnly => write_only(write),
        Access::WriteOnce => ("wo1", (write != Write::Stores).then_some(write)),
        Access::ReadWriteOnce => ("w1", (write != Write::Stores).then_some(write)),
    };
    if let Some(missing) = missing {
        notes.push(format!("{}: it needs `write_with` or `on_write`", effect(missing)));
    }
    let is_read_lost = matches!(read, Read::Clears | Read::Sets) && !has_read(policy);
    if is_read_lost && access != Access::WriteOnly && access != Access::WriteOnce {
        let what = if read == Read::Clears { "clears" } else { "sets" };
        notes.push(format!("a read {what} all bits: it needs `on_read`"));
    }
    (policy, notes)
}

fn read_only(read: Read) -> &'static str {
    match read {
        Read::Clears => "rc",
        Read::Sets => "rs",
        Read::Nothing | Read::Modifies => "ro",
    }
}

fn read_write(write: Write, read: Read) -> (&'static str, Option<Write>) {
    let policy = match (write, read) {
        (Write::Stores, Read::Clears) => "wrc",
        (Write::Stores, Read::Sets) => "wrs",
        (Write::Stores, _) => "rw",
        (Write::Clears, Read::Sets) => "wcrs",
        (Write::Clears, _) => "wc",
        (Write::Sets, Read::Clears) => "wsrc",
        (Write::Sets, _) => "ws",
        (Write::OnesClear, Read::Sets) => "w1crs",
        (Write::OnesClear, _) => "w1c",
        (Write::OnesSet, Read::Clears) => "w1src",
        (Write::OnesSet, _) => "w1s",
        (Write::OnesToggle, _) => "w1t",
        (Write::ZerosClear, Read::Sets) => "w0crs",
        (Write::ZerosClear, _) => "w0c",
        (Write::ZerosSet, Read::Clears) => "w0src",
        (Write::ZerosSet, _) => "w0s",
        (Write::ZerosToggle, _) => "w0t",
        (Write::Modifies, _) => return ("rw", Some(write)),
    };
    (policy, None)
}

fn write_only(write: Write) -> (&'static str, Option<Write>) {
    match write {
        Write::Stores => ("wo", None),
        Write::Clears => ("woc", None),
        Write::Sets => ("wos", None),
        _ => ("wo", Some(write)),
    }
}

/// Whether a read of a policy clears or sets bits.
pub(super) fn has_read(policy: &str) -> bool {
    policy.ends_with("rc") || policy.ends_with("rs")
}

/// The direction that a register with a policy answers if it shares its place: reads, or writes.
pub(super) fn direction(policy: &str) -> Option<bool> {
    match policy {
        "ro" | "rc" => Some(false),
        "wo" | "woc" => Some(true),
        _ => None,
    }
}

/// Whether reads return the value.
pub(super) fn is_readable(policy: &str) -> bool {
    !policy.starts_with("wo")
}

fn effect(write: Write) -> &'static str {
    match write {
        Write::Stores => "a write stores",
        Write::Clears => "a write clears all bits",
        Write::Sets => "a write sets all bits",
        Write::OnesClear => "written ones clear bits",
        Write::OnesSet => "written ones set bits",
        Write::OnesToggle => "written ones toggle bits",
        Write::ZerosClear => "written zeros clear bits",
        Write::ZerosSet => "written zeros set bits",
        Write::ZerosToggle => "written zeros toggle bits",
        Write::Modifies => "a write has an effect of its own",
    }
}
