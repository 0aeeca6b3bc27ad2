//! Reads the JSON that the compiler of `SystemRDL` writes by its example `convert_to_json.py`, with
//! the keys that are usually added to it.

use serde::Deserialize;

use super::map::{Array, Budget, Field, Group, Map, Node, Register, Space, Value};
use super::policy::{self, Access, Read, Write};
use super::problem::Problem;
use super::text;

/// A component. Which keys it has depends on its type.
#[derive(Debug, Deserialize)]
struct Component {
    #[serde(rename = "type")]
    kind: Kind,
    inst_name: String,
    #[serde(alias = "description")]
    desc: Option<String>,
    #[serde(default)]
    addr_offset: u64,
    #[serde(default)]
    children: Vec<Component>,
    regwidth: Option<u64>,
    #[serde(alias = "entries")]
    count: Option<u64>,
    #[serde(alias = "array_stride")]
    stride: Option<u64>,
    lsb: Option<u64>,
    msb: Option<u64>,
    reset: Option<u64>,
    sw_access: Option<Software>,
    #[serde(alias = "se_onwrite")]
    onwrite: Option<OnWrite>,
    #[serde(alias = "se_onread")]
    onread: Option<OnRead>,
    #[serde(default)]
    encode: Vec<Encoded>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Addrmap,
    Regfile,
    Reg,
    Field,
    Mem,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Software {
    Rw,
    R,
    W,
    Rw1,
    W1,
    Na,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum OnWrite {
    Woclr,
    Woset,
    Wot,
    Wzc,
    Wzs,
    Wzt,
    Wclr,
    Wset,
    Wuser,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum OnRead {
    Rclr,
    Rset,
    Ruser,
}

#[derive(Debug, Deserialize)]
struct Encoded {
    name: String,
    value: u64,
    desc: Option<String>,
}

/// The line counts for the whole file: a value has none of its own.
pub(super) fn read(json: &str) -> Result<Map, Problem> {
    let root: Component = serde_json::from_str(json).map_err(|error| {
        let line = u32::try_from(error.line()).unwrap_or(u32::MAX);
        Problem::at(line, format!("not SystemRDL's JSON: {error}"))
    })?;
    if root.kind != Kind::Addrmap {
        return Err(Problem::of_file("the outermost component is not an `addrmap`"));
    }
    let mut budget = Budget::new();
    let (name, doc) = (root.inst_name.clone(), doc(root.desc.as_deref()));
    let nodes = nodes(&root, &mut budget)?;
    let space = Space { name: name.clone(), doc: String::new(), size: 0, nodes };
    Ok(Map { name, doc, spaces: vec![space], pci: None })
}

fn doc(desc: Option<&str>) -> String {
    text::doc(desc, false)
}

/// A component inside another one that cannot contain it.
fn misplaced(component: &Component, outer: &Component) -> Problem {
    Problem::of_file(format!(
        "`{}` is a component of type {:?} inside `{}`",
        component.inst_name, component.kind, outer.inst_name
    ))
}

fn nodes(outer: &Component, budget: &mut Budget) -> Result<Vec<Node>, Problem> {
    let mut nodes = Vec::new();
    for component in &outer.children {
        budget.take()?;
        nodes.push(match component.kind {
            Kind::Reg => Node::Register(register(component, budget)?),
            Kind::Addrmap | Kind::Regfile => Node::Group(group(component, budget)?),
            Kind::Mem => Node::Group(memory(component)),
            Kind::Field => return Err(misplaced(component, outer)),
        });
    }
    Ok(nodes)
}

fn group(component: &Component, budget: &mut Budget) -> Result<Group, Problem> {
    let nodes = nodes(component, budget)?;
    let array = array(component, 0)?;
    Ok(Group {
        name: component.inst_name.clone(),
        doc: doc(component.desc.as_deref()),
        offset: component.addr_offset,
        array,
        nodes,
        notes: Vec::new(),
    })
}

fn array(component: &Component, size: u64) -> Result<Option<Array>, Problem> {
    let stride = component.stride.unwrap_or(size);
    match component.count {
        Some(0) => Err(Problem::of_file(format!("`{}` has no elements", component.inst_name))),
        count => Ok(count.map(|count| Array { count, stride })),
    }
}

/// A memory becomes a note.
fn memory(component: &Component) -> Group {
    Group {
        name: component.inst_name.clone(),
        doc: String::new(),
        offset: component.addr_offset,
        array: None,
        nodes: Vec::new(),
        notes: vec!["a memory".to_owned()],
    }
}

fn register(component: &Component, budget: &mut Budget) -> Result<Register, Problem> {
    let bits = component.regwidth.unwrap_or(32);
    let (mut fields, mut reset) = (Vec::new(), None);
    for child in &component.children {
        budget.take()?;
        if child.kind != Kind::Field {
            return Err(misplaced(child, component));
        }
        let field = field(child, component)?;
        if let Some(value) = child.reset {
            let bits = value.checked_shl(u32::try_from(field.first).unwrap_or(64)).unwrap_or(0);
            reset = Some(reset.unwrap_or(0) | bits);
        }
        fields.push(field);
    }
    Ok(Register {
        name: component.inst_name.clone(),
        doc: doc(component.desc.as_deref()),
        offset: component.addr_offset,
        bits,
        array: array(component, bits.div_ceil(8))?,
        policy: "rw",
        reset,
        fields,
        is_overlaid: false,
        notes: Vec::new(),
    })
}

fn field(field: &Component, register: &Component) -> Result<Field, Problem> {
    let place = format!("`{}.{}`", register.inst_name, field.inst_name);
    let (Some(first), Some(last)) = (field.lsb, field.msb) else {
        return Err(Problem::of_file(format!("{place} lacks `lsb` or `msb`")));
    };
    if first > last || last >= 64 {
        return Err(Problem::of_file(format!("{place} has the bits {last} to {first}")));
    }
    let (policy, notes) = policy(field);
    let values = field.encode.iter().map(|one| Value {
        name: one.name.clone(),
        doc: doc(one.desc.as_deref()),
        value: one.value,
    });
    Ok(Field {
        name: field.inst_name.clone(),
        doc: doc(field.desc.as_deref()),
        first,
        width: last - first + 1,
        policy,
        values: values.collect(),
        other: None,
        reset: None,
        is_rejecting: false,
        notes,
    })
}

fn policy(field: &Component) -> (&'static str, Vec<String>) {
    let access = match field.sw_access.unwrap_or(Software::Rw) {
        Software::Rw => Access::ReadWrite,
        Software::R | Software::Na => Access::ReadOnly,
        Software::W => Access::WriteOnly,
        Software::Rw1 => Access::ReadWriteOnce,
        Software::W1 => Access::WriteOnce,
    };
    let write = match field.onwrite {
        None => Write::Stores,
        Some(OnWrite::Woclr) => Write::OnesClear,
        Some(OnWrite::Woset) => Write::OnesSet,
        Some(OnWrite::Wot) => Write::OnesToggle,
        Some(OnWrite::Wzc) => Write::ZerosClear,
        Some(OnWrite::Wzs) => Write::ZerosSet,
        Some(OnWrite::Wzt) => Write::ZerosToggle,
        Some(OnWrite::Wclr) => Write::Clears,
        Some(OnWrite::Wset) => Write::Sets,
        Some(OnWrite::Wuser) => Write::Modifies,
    };
    let read = match field.onread {
        None => Read::Nothing,
        Some(OnRead::Rclr) => Read::Clears,
        Some(OnRead::Rset) => Read::Sets,
        Some(OnRead::Ruser) => Read::Modifies,
    };
    policy::policy(access, write, read)
}
