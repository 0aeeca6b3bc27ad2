//! The generated tests, of devices that have one of everything.

mod clock {
    use vfio_user_tests::clock::Clock;

    vfio_user::device_tests!(Clock, Clock::default);
}

mod language {
    use vfio_user_tests::language::Language;

    vfio_user::device_tests!(Language, Language::constructed);
}

mod policies {
    use vfio_user_tests::policies::Policies;

    vfio_user::device_tests!(Policies, Policies::default);
}

mod zoo {
    use vfio_user_tests::zoo::Zoo;

    vfio_user::device_tests!(Zoo, Zoo::default);

    #[test]
    fn state_is_what_was_recorded() {
        vfio_user::assert_schema!(Zoo, "data/zoo.schema");
    }

    #[test]
    fn streams_of_every_version_load() {
        let mut used = vfio_user::Bench::new(Zoo::default()).unwrap();
        for offset in (0x10..0x98).step_by(4) {
            used.write(0, offset, 0x5a5a_0000 | u32::try_from(offset).unwrap());
        }
        vfio_user::assert_streams!(used, Zoo::default, "data/streams/zoo");
    }
}
