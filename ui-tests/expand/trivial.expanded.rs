const _: () = {
    use ::vfio_user::__private as __vfio_user;
    mod __registers {
        pub(super) const RAISE: ::core::primitive::usize = 3;
    }
    const __STATE: __vfio_user::StateLayout = __vfio_user::StateLayout::new(
        1,
        1,
        &[__vfio_user::StateField::new("counter", "u64")],
    );
    const __REGISTERS: &[__vfio_user::Register] = &[
        __vfio_user::Register::new::<u32>("id", 0x00)
            .with_policy(__vfio_user::Policy::Ro)
            .with_reset(0x7472_6976)
            .without_storage()
            .with_doc("\"triv\", in ASCII."),
        __vfio_user::Register::new::<u32>("scratch", 0x04)
            .with_doc("Holds what is written.\n\nNothing comes of it."),
        __vfio_user::Register::new::<u32>("irq_status", 0x08)
            .with_policy(__vfio_user::Policy::W1c),
        __vfio_user::Register::new::<u32>("raise", 0x0c)
            .with_policy(__vfio_user::Policy::Wo)
            .without_storage()
            .with_hooks(__vfio_user::Hooks::WRITE_WITH),
    ];
    const __DESCRIPTOR: __vfio_user::Descriptor = __vfio_user::Descriptor::new(
            "trivial",
            __vfio_user::Ids {
                vendor: 0x1234,
                device: 0xcafe,
                class: 0x00_ff00,
                revision: 0,
                subsystem_vendor: 0,
                subsystem: 0,
            },
        )
        .with_doc("The smallest device that has one of everything.")
        .with_bar(0, __vfio_user::Bar::new(__vfio_user::BarKind::Mem32, 0x1000))
        .with_registers(__REGISTERS)
        .with_msix_in_own_bar(1, ::core::option::Option::None)
        .with_state(__STATE);
    #[automatically_derived]
    impl __vfio_user::PciDevice for Trivial
    where
        Trivial: __vfio_user::Device,
    {
        const DESCRIPTOR: __vfio_user::Descriptor = __DESCRIPTOR;
        const EVENTS: ::core::option::Option<__vfio_user::EventCodec<Self::Event>> = {
            #[allow(unused_imports)]
            use __vfio_user::NotRecorded as _;
            __vfio_user::Recordable::<Self::Event>::CODEC
        };
        fn load(&self, __slot: __vfio_user::Slot) -> u64 {
            match (__slot.block, __slot.register) {
                (::core::option::Option::None, 0) => __vfio_user::no_bits(self.id),
                (::core::option::Option::None, 1) => __vfio_user::bits(self.scratch),
                (::core::option::Option::None, 2) => __vfio_user::bits(self.irq_status),
                (::core::option::Option::None, 3) => __vfio_user::no_bits(self.raise),
                _ => 0,
            }
        }
        fn store(&mut self, __slot: __vfio_user::Slot, __bits: u64) {
            match (__slot.block, __slot.register) {
                (::core::option::Option::None, 1) => {
                    self.scratch = __vfio_user::value(__bits);
                }
                (::core::option::Option::None, 2) => {
                    self.irq_status = __vfio_user::value(__bits);
                }
                _ => {}
            }
        }
        fn hook(
            &mut self,
            __cx: &mut __vfio_user::Cx<'_, Self>,
            __slot: __vfio_user::Slot,
            __call: __vfio_user::Hook,
        ) -> u64 {
            match (__slot.block, __slot.register, __call) {
                (
                    ::core::option::Option::None,
                    __registers::RAISE,
                    __vfio_user::Hook::Write(__bits),
                ) => {
                    let __hook: fn(&mut Self, &mut __vfio_user::Cx<'_, Self>, u32) = Self::raise;
                    __hook(self, __cx, __vfio_user::value(__bits));
                    0
                }
                _ => 0,
            }
        }
        fn state_types() -> ::std::vec::Vec<__vfio_user::WireType> {
            ::std::vec![(__vfio_user::value_io:: < u64 > ().wire) ()]
        }
        fn save_private(
            &self,
            __out: &mut __vfio_user::StateWriter<'_>,
        ) -> ::core::result::Result<(), __vfio_user::StateError> {
            __vfio_user::value_io::<u64>()
                .put(
                    __out,
                    &__STATE.fields[0],
                    __vfio_user::Written::One(&self.counter),
                    ::core::option::Option::None,
                )?;
            ::core::result::Result::Ok(())
        }
        fn load_private(
            __from: &mut __vfio_user::StateReader<'_>,
        ) -> ::core::result::Result<
            __vfio_user::Exchange<Self>,
            __vfio_user::StateError,
        > {
            let __value = __vfio_user::value_io::<u64>()
                .take(__from, &__STATE.fields[0])?;
            let __value = __from.required(&__STATE.fields[0], __value)?;
            let mut __value_0: u64 = __value;
            ::core::result::Result::Ok(
                __vfio_user::exchange(move |__device: &mut Self| {
                    ::core::mem::swap(&mut __device.counter, &mut __value_0);
                }),
            )
        }
    }
};
