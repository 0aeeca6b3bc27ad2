//! Three versions of a device, and what each makes of the state of the others.

use super::*;

macro_rules! version {
    ($name:ident { $($item:tt)* }) => {
        #[derive(Debug, Default, PciDevice)]
        #[pci(vendor = 0x1234, device = 0xcafe, name = "engine")]
        #[bar(0: mem32, size = 0x1000)]
        $($item)*
        impl Device for $name {
            type Event = ();
        }
    };
}

version!(First {
    struct First {
        #[reg(0x00)]
        control: u32,
        jobs: u32,
    }
});

version!(Second {
    #[migrate(version = 2)]
    struct Second {
        #[reg(0x00)]
        control: u32,
        #[reg(0x04)]
        #[migrate(since = 2, default = 8)]
        depth: u32,
        jobs: u32,
        #[migrate(since = 2, default = 1.5)]
        pace: f64,
    }
});

version!(Renamed {
    struct Renamed {
        #[reg(0x00)]
        #[migrate(renamed_from = "control")]
        command: u32,
        #[migrate(renamed_from = "jobs")]
        tasks: u32,
    }
});

version!(Busy {
    struct Busy {
        #[reg(0x00)]
        control: u32,
        #[reg(0x08, w1, on_write = Self::light)]
        fuse: u32,
        #[block(0x100)]
        queue: Queue,
        jobs: u32,
        #[timer(Self::beat)]
        beat: Timer,
    }
});

impl Busy {
    fn light(&mut self, cx: &mut Cx<'_, Self>, _: u32, _: u32) {
        self.beat.arm(cx, std::time::Duration::from_secs(1));
    }

    fn beat(&mut self, _: &mut Cx<'_, Self>) {
        self.jobs += 1;
    }
}

version!(Less {
    #[migrate(version = 2, removed("fuse", "jobs", "beat", "block.queue"))]
    struct Less {
        #[reg(0x00)]
        control: u32,
    }
});

version!(Fused {
    #[migrate(version = 2, removed("beat", "block.queue"))]
    struct Fused {
        #[reg(0x00)]
        control: u32,
        #[reg(0x08, w1)]
        #[migrate(renamed_from = "fuse")]
        key: u32,
        jobs: u32,
    }
});

version!(Third {
    #[migrate(version = 3, min = 3)]
    struct Third {
        #[reg(0x00)]
        control: u32,
    }
});

#[test]
fn old_state_loads_and_new_state_loads_while_nothing_new_is_used() {
    let old = Bench::new(First { control: 1, jobs: 2 }).unwrap().save();
    let mut second = Bench::new(Second::default()).unwrap();
    second.load(&old).unwrap();
    let Second { control, depth, jobs, pace } = *second.device();
    assert_eq!((control, depth, jobs, pace.to_string().as_str()), (1, 8, 2, "1.5"));
}

#[test]
fn fields_are_found_under_their_old_names() {
    let old = Bench::new(First { control: 1, jobs: 2 }).unwrap().save();
    let mut renamed = Bench::new(Renamed::default()).unwrap();
    renamed.load(&old).unwrap();
    assert_eq!((renamed.device().command, renamed.device().tasks), (1, 2));
}

#[test]
fn new_state_in_use_is_refused_by_name() {
    let idle = Second { control: 3, depth: 8, jobs: 4, pace: 1.5 };
    let sections_of = |bench: &mut Bench<Second>| {
        let mut ids = Vec::new();
        let result = StreamReader::new().push(&bench.save(), |frame| {
            if let Frame::State(state) = frame {
                ids = sections(state)?
                    .iter()
                    .map(|one| (one.id.to_owned(), one.min_reader))
                    .collect();
            }
            Ok::<_, StreamError>(())
        });
        result.map(|()| ids).unwrap()
    };
    let mut bench = Bench::new(idle).unwrap();
    let of = |id: &str, version| (id.to_owned(), version);
    let idle = [of("device", 1), of("registers", 1), of("function", 1)];
    assert_eq!(sections_of(&mut bench), idle);
    let mut first = Bench::new(First::default()).unwrap();
    first.load(&bench.save()).unwrap();
    assert_eq!((first.device().control, first.device().jobs), (3, 4));
    bench.poke("depth", 9);
    let busy = [of("device", 1), of("registers", 2), of("function", 1)];
    assert_eq!(sections_of(&mut bench), busy);
    let error = first.load(&bench.save()).unwrap_err();
    let message = "section `registers` needs version 2 to be understood; this is version 1";
    assert_eq!(error.to_string(), message);
    let mut third = Bench::new(Third::default()).unwrap();
    let error = third.load(&bench.save()).unwrap_err();
    let message = "section `device` is of version 2; 3 is the oldest that is accepted";
    assert_eq!(error.to_string(), message);
}

#[test]
fn unknown_fields_and_sections_are_named() {
    let stream = Bench::new(First { control: 1, jobs: 2 }).unwrap().save();
    let refusal = |change: &dyn Fn(&mut SectionsWriter)| {
        let stream = with_state(&stream, |state| {
            let mut writer = SectionsWriter::default();
            change(&mut writer);
            *state = writer.finish();
        });
        Bench::new(First::default()).unwrap().load(&stream).unwrap_err().to_string()
    };
    let device = |writer: &mut SectionsWriter, fields: &[&str]| {
        let mut section = writer.section("device", 1, 1);
        for name in fields {
            section.field(name, &0_u32).unwrap();
        }
        section.finish();
    };
    let unknown = "section `device` carries state that this version does not know: field `added`";
    assert_eq!(refusal(&|writer| device(writer, &["jobs", "added"])), unknown);
    let twice = "field `jobs` of section `device` comes twice";
    assert_eq!(refusal(&|writer| device(writer, &["jobs", "jobs"])), twice);
    let missing = "required field `jobs` of section `device` is missing";
    assert_eq!(refusal(&|writer| device(writer, &[])), missing);
    assert_eq!(refusal(&|_| {}), "section `device` is missing");
    let renamed = Bench::new(First::default()).unwrap().save();
    let with_more = with_state(&renamed, |state| {
        let mut writer = SectionsWriter::default();
        writer.section("extra", 1, 1).finish();
        state.extend(writer.finish());
    });
    let error = Bench::new(First::default()).unwrap().load(&with_more).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the state has a section that this version does not know: `extra`"
    );
}

fn busy() -> Bench<Busy> {
    let mut bench = Bench::new(Busy { control: 5, jobs: 7, ..Busy::default() }).unwrap();
    bench.write(0, 0x08, 1_u32);
    assert!(bench.device().beat.is_armed());
    bench
}

#[test]
fn what_was_removed_is_left_out_of_old_state() {
    let old = busy().save();
    let error = Bench::new(First::default()).unwrap().load(&old).unwrap_err();
    let message = "section `registers` carries state that this version does not know: field `fuse`";
    assert_eq!(error.to_string(), message);
    let mut less = Bench::new(Less::default()).unwrap();
    less.load(&old).unwrap();
    assert_eq!(less.device().control, 5);
    let mut fused = Bench::new(Fused::default()).unwrap();
    fused.load(&old).unwrap();
    fused.write(0, 0x08, 2_u32);
    assert_eq!((fused.peek("key"), fused.device().jobs), (1, 7), "it was written once");
}

version!(Old {
    struct Old {
        #[reg(0x00)]
        control: u32,
        #[reg(0x04)]
        mode: u32,
        #[reg(0x08, w1, on_write = Self::light)]
        fuse: u32,
        #[block(0x100, stride = 0x20)]
        queues: [Queue; 2],
        jobs: u32,
        #[timer(Self::beat)]
        beat: Timer,
    }
});

impl Old {
    fn light(&mut self, cx: &mut Cx<'_, Self>, _: u32, _: u32) {
        self.beat.arm(cx, std::time::Duration::from_secs(1));
    }

    fn beat(&mut self, _: &mut Cx<'_, Self>) {
        self.jobs += 1;
    }
}

#[derive(Debug, Default, RegisterBlock)]
struct Extra {
    #[reg(0x00)]
    level: u32,
}

version!(New {
    #[migrate(version = 3, convert = Self::from_old)]
    struct New {
        #[reg(0x00)]
        control: u32,
        is_fast: bool,
        #[reg(0x08, w1)]
        fuse: u32,
        #[block(0x100, stride = 0x20)]
        #[migrate(renamed_from = "queues")]
        rings: [Queue; 4],
        #[block(0x200)]
        extra: Extra,
        #[migrate(renamed_from("jobs", "tasks"))]
        work: u32,
        #[timer(Self::tick)]
        #[migrate(renamed_from("heart", "beat"))]
        tick: Timer,
    }
});

impl New {
    fn tick(&mut self, _: &mut Cx<'_, Self>) {
        self.work += 100;
    }

    fn from_old(old: &mut OldState) -> Result<(), StateError> {
        let mode: Option<u64> = old.take("registers", "mode")?;
        if mode == Some(7) {
            return Err(old.refuse("registers", "mode", "mode 7 is not accepted any more"));
        }
        old.put("device", "is_fast", &(mode == Some(1)))?;
        for register in ["base", "key"] {
            let mut column: Vec<u64> = old.take("block.queues", register)?.unwrap_or_default();
            column.resize(4, 0);
            old.put("block.queues", register, &column)?;
        }
        let mut jobs: Vec<Vec<u16>> = old.take("block.queues", "jobs")?.unwrap_or_default();
        jobs.resize(4, vec![0; 16]);
        old.put("block.queues", "jobs", &jobs)?;
        let mut names: Vec<Vec<u8>> = old.take("block.queues", "name")?.unwrap_or_default();
        names.resize(4, Vec::new());
        old.put("block.queues", "name", &names)?;
        old.put("block.extra", "level", &vec![5_u64])
    }
}

#[test]
fn an_older_state_is_converted() {
    let mut source = Bench::new(Old { mode: 1, jobs: 7, ..Old::default() }).unwrap();
    source.write(0, 0x100, 0x1234_u64);
    source.write(0, 0x128, 3_u32);
    source.write(0, 0x08, 1_u32);
    let mut target = Bench::new(New::default()).unwrap();
    target.load(&source.save()).unwrap();
    let New { is_fast, work, ref rings, .. } = *target.device();
    assert_eq!((is_fast, work, rings[0].base, rings[1].key), (true, 7, 0x1234, 3));
    assert_eq!((target.peek("extra.level"), target.device().tick.is_armed()), (5, true));
    target.write(0, 0x128, 0xff_u32);
    target.write(0, 0x168, 2_u32);
    assert_eq!((target.peek("rings[1].key"), target.peek("rings[3].key")), (3, 2), "written once");
    let again = target.save();
    target.load(&again).unwrap();
    let refused = Bench::new(Old { mode: 7, ..Old::default() }).unwrap().save();
    let error = target.load(&refused).unwrap_err().to_string();
    assert_eq!(error, "field `mode` of section `registers`: mode 7 is not accepted any more");
    assert_eq!(target.save(), again);
}

version!(Other {
    #[migrate(version = 3)]
    struct Other {
        #[reg(0x00)]
        control: u32,
        #[reg(0x04)]
        #[migrate(since = 2, default = 9)]
        depth: u32,
        jobs: u32,
        #[migrate(since = 2, default = 2.5)]
        pace: f64,
    }
});

/// What was left out as a default of one version would be another one of the next.
#[test]
fn another_default_is_not_taken_for_what_was_saved() {
    let idle = Second { control: 3, depth: 8, jobs: 4, pace: 1.5 };
    let mut other = Bench::new(Other::default()).unwrap();
    other.load(&Bench::new(idle).unwrap().save()).unwrap();
    let Other { depth, pace, .. } = *other.device();
    assert_eq!((depth, pace.to_string().as_str()), (8, "1.5"));
    other.load(&Bench::new(First::default()).unwrap().save()).unwrap();
    assert_eq!(other.device().depth, 9, "what is older has the default of today");
}
