//! The generated tests, of devices that have one of everything.

mod language {
    use vfio_user_tests::language::Language;

    vfio_user::device_tests!(Language, Language::constructed);
}

mod zoo {
    use vfio_user_tests::zoo::Zoo;

    vfio_user::device_tests!(Zoo, Zoo::default);
}
