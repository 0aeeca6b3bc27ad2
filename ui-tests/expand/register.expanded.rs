const _: () = {
    use ::vfio_user::__private as __vfio_user;
    const __FIELDS: &[__vfio_user::Field] = &[
        __vfio_user::Field::new("enable", 0, 1)
            .with_values(<bool as __vfio_user::FieldValue>::VALUES)
            .with_doc("The engine runs."),
        __vfio_user::Field::new("mode", 3, 2)
            .with_values(<Mode as __vfio_user::FieldValue>::VALUES)
            .with_reset(1)
            .with_rejection(),
        __vfio_user::Field::new("version", 8, 8)
            .with_values(<u8 as __vfio_user::FieldValue>::VALUES)
            .with_policy(__vfio_user::Policy::Ro)
            .with_reset(
                __vfio_user::int(__vfio_user::Constant(VERSION).integer() as i128),
            ),
    ];
    const _: () = __vfio_user::enforce(
        __vfio_user::check_field_type(&__FIELDS[1], "Mode"),
    );
    const _: () = __vfio_user::enforce(
        __vfio_user::check_field_reset(&__FIELDS[1], "Mode"),
    );
    const _: () = __vfio_user::enforce(
        __vfio_user::check_field_reset(&__FIELDS[2], "u8"),
    );
    #[automatically_derived]
    #[allow(dead_code)]
    impl Control {
        ///The bits of the field `enable`.
        const ENABLE: u32 = 1;
        ///The bits of the field `mode`.
        const MODE: u32 = 24;
        ///The bits of the field `version`.
        const VERSION: u32 = 65280;
    }
    #[automatically_derived]
    impl __vfio_user::RegisterValue for Control {
        const WIDTH: u8 = 4;
        const FIELDS: &'static [__vfio_user::Field] = __FIELDS;
        fn to_bits(self) -> u64 {
            __FIELDS[0].insert(<bool as __vfio_user::FieldValue>::to_bits(self.enable))
                | __FIELDS[1]
                    .insert(<Mode as __vfio_user::FieldValue>::to_bits(self.mode))
                | __FIELDS[2]
                    .insert(<u8 as __vfio_user::FieldValue>::to_bits(self.version))
        }
        fn from_bits(bits: u64) -> Self {
            Control {
                enable: __vfio_user::unpack(
                    &__FIELDS[0],
                    bits,
                    <bool as __vfio_user::FieldValue>::from_bits,
                ),
                mode: __vfio_user::unpack(
                    &__FIELDS[1],
                    bits,
                    <Mode as __vfio_user::FieldValue>::from_bits,
                ),
                version: __vfio_user::unpack(
                    &__FIELDS[2],
                    bits,
                    <u8 as __vfio_user::FieldValue>::from_bits,
                ),
            }
        }
    }
    #[automatically_derived]
    impl ::core::convert::From<Control> for u32 {
        fn from(register: Control) -> Self {
            __vfio_user::value(__vfio_user::bits(register))
        }
    }
    #[automatically_derived]
    impl ::core::convert::TryFrom<u32> for Control {
        type Error = __vfio_user::UnknownValue;
        fn try_from(bits: u32) -> ::core::result::Result<Self, Self::Error> {
            let bits = __vfio_user::bits(bits);
            __vfio_user::known(__FIELDS, bits)?;
            ::core::result::Result::Ok(__vfio_user::value(bits))
        }
    }
};
const _: () = {
    use ::vfio_user::__private as __vfio_user;
    #[automatically_derived]
    impl __vfio_user::FieldValue for Mode {
        const VALUES: __vfio_user::Values = __vfio_user::Values::named(
            &[(0, "Off"), (1, "On"), (3, "Fast")],
        );
        fn to_bits(self) -> u64 {
            match self {
                Self::Off => 0,
                Self::On => 1,
                Self::Fast => 3,
            }
        }
        fn from_bits(bits: u64) -> ::core::option::Option<Self> {
            match bits {
                0 => ::core::option::Option::Some(Self::Off),
                1 => ::core::option::Option::Some(Self::On),
                3 => ::core::option::Option::Some(Self::Fast),
                _ => ::core::option::Option::None,
            }
        }
    }
    #[automatically_derived]
    #[allow(dead_code)]
    impl Mode {
        ///The value of `Off`.
        const OFF: u64 = (0) as u64;
        ///The value of `On`.
        const ON: u64 = (1) as u64;
        ///The value of `Fast`.
        const FAST: u64 = (3) as u64;
    }
};
const _: () = {
    use ::vfio_user::__private as __vfio_user;
    #[automatically_derived]
    impl __vfio_user::FieldValue for Speed {
        const VALUES: __vfio_user::Values = __vfio_user::Values::named(&[(1, "Slow")])
            .or_bits(8);
        fn to_bits(self) -> u64 {
            match self {
                Self::Slow => 1,
                Self::Other(other) => __vfio_user::bits(other),
            }
        }
        fn from_bits(bits: u64) -> ::core::option::Option<Self> {
            match bits {
                1 => ::core::option::Option::Some(Self::Slow),
                _ => <u8 as __vfio_user::FieldValue>::from_bits(bits).map(Self::Other),
            }
        }
    }
    #[automatically_derived]
    #[allow(dead_code)]
    impl Speed {
        ///The value of `Slow`.
        const SLOW: u64 = (1) as u64;
    }
};
const _: () = {
    use ::vfio_user::__private as __vfio_user;
    #[automatically_derived]
    impl __vfio_user::FieldValue for State {
        const VALUES: __vfio_user::Values = __vfio_user::Values::named(
            &[
                (1, "Idle"),
                (__vfio_user::int(__vfio_user::Constant(BUSY).integer() as i128), "Busy"),
            ],
        );
        fn to_bits(self) -> u64 {
            match self {
                Self::Idle => 1,
                Self::Busy => {
                    __vfio_user::int(__vfio_user::Constant(BUSY).integer() as i128)
                }
            }
        }
        fn from_bits(bits: u64) -> ::core::option::Option<Self> {
            match bits {
                1 => ::core::option::Option::Some(Self::Idle),
                _ if bits
                    == __vfio_user::int(
                        __vfio_user::Constant(BUSY).integer() as i128,
                    ) => ::core::option::Option::Some(Self::Busy),
                _ => ::core::option::Option::None,
            }
        }
    }
    #[automatically_derived]
    #[allow(dead_code)]
    impl State {
        ///The value of `Idle`.
        const IDLE: u16 = (1) as u16;
        ///The value of `Busy`.
        const BUSY: u16 = (__vfio_user::int(
            __vfio_user::Constant(BUSY).integer() as i128,
        )) as u16;
    }
    const __FIELDS: &[__vfio_user::Field] = &[
        __vfio_user::Field::new("value", 0, 16)
            .with_values(<State as __vfio_user::FieldValue>::VALUES)
            .with_rejection()
            .with_doc("What the engine does."),
    ];
    const _: () = __vfio_user::enforce(
        __vfio_user::register_variant(
            16,
            "State",
            "Busy",
            __vfio_user::int(__vfio_user::Constant(BUSY).integer() as i128),
        ),
    );
    #[automatically_derived]
    impl __vfio_user::RegisterValue for State {
        const WIDTH: u8 = 2;
        const FIELDS: &'static [__vfio_user::Field] = __FIELDS;
        fn to_bits(self) -> u64 {
            __FIELDS[0].insert(<State as __vfio_user::FieldValue>::to_bits(self))
        }
        fn from_bits(bits: u64) -> Self {
            __vfio_user::unpack_or(&__FIELDS[0], bits, State::Idle)
        }
    }
    #[automatically_derived]
    impl ::core::convert::From<State> for u16 {
        fn from(register: State) -> Self {
            __vfio_user::value(__vfio_user::bits(register))
        }
    }
    #[automatically_derived]
    impl ::core::convert::TryFrom<u16> for State {
        type Error = __vfio_user::UnknownValue;
        fn try_from(bits: u16) -> ::core::result::Result<Self, Self::Error> {
            let bits = __vfio_user::bits(bits);
            __vfio_user::known(__FIELDS, bits)?;
            ::core::result::Result::Ok(__vfio_user::value(bits))
        }
    }
};
