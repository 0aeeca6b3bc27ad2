///A driver of a [`Nic`], over BARs that it owns or borrows.
#[derive(::core::fmt::Debug)]
#[allow(dead_code)]
pub struct NicDriver<B> {
    __bars: B,
}
const _: () = {
    use ::vfio_user::__private as __vfio_user;
    mod __blocks {
        pub(super) const QUEUES: ::core::primitive::usize = 0;
    }
    const __REGISTERS: &[__vfio_user::Register] = &[
        __vfio_user::register_of_width(
                <Control as __vfio_user::RegisterValue>::WIDTH,
                "control",
                0x00,
            )
            .with_fields(<Control as __vfio_user::RegisterValue>::FIELDS)
            .with_doc("Of the whole card."),
        __vfio_user::Register::new::<u32>("causes", 0x04)
            .with_policy(__vfio_user::Policy::W1c),
        __vfio_user::Register::new::<u16>("errors", 0x08)
            .with_count(2)
            .with_policy(__vfio_user::Policy::Rc),
    ];
    const __OWN_BLOCKS: &[__vfio_user::Block] = &[
        __vfio_user::Block::new(
                "queues",
                0x100,
                <Queue as __vfio_user::RegisterBlock>::CONTENTS,
            )
            .with_count(8)
            .with_stride(0x10),
    ];
    const __BLOCKS: &[__vfio_user::Block] = &__vfio_user::all_blocks::<
        { __vfio_user::block_count(__OWN_BLOCKS) },
    >(__OWN_BLOCKS);
    const __DESCRIPTOR: __vfio_user::Descriptor = __vfio_user::Descriptor::new(
            "nic",
            __vfio_user::Ids {
                vendor: 0x1234,
                device: 0xcafe,
                class: 0xff_0000,
                revision: 0,
                subsystem_vendor: 0,
                subsystem: 0,
            },
        )
        .with_bar(0, __vfio_user::Bar::new(__vfio_user::BarKind::Mem32, 0x1000))
        .with_registers(__REGISTERS)
        .with_blocks(__BLOCKS);
    const __CHECKED: &__vfio_user::Descriptor = &__DESCRIPTOR;
    const __CROWDED: &[bool] = &__vfio_user::crowded::<4>(__CHECKED);
    const _: () = __vfio_user::enforce(
        __vfio_user::check_place(__CHECKED, 0, __CROWDED),
    );
    const _: () = __vfio_user::enforce(__vfio_user::check_wide(__CHECKED, 0));
    const _: () = __vfio_user::enforce(
        __vfio_user::check_place(__CHECKED, 1, __CROWDED),
    );
    const _: () = __vfio_user::enforce(__vfio_user::check_array(__CHECKED, 2));
    const _: () = __vfio_user::enforce(
        __vfio_user::check_place(__CHECKED, 2, __CROWDED),
    );
    const _: () = __vfio_user::enforce(__vfio_user::check_block_array(__CHECKED, 0));
    const _: () = __vfio_user::enforce(
        __vfio_user::check_block_place(__CHECKED, 0, __CROWDED),
    );
    const _: () = __vfio_user::enforce(__vfio_user::check_block_vectors(__CHECKED, 0));
    const _: () = __vfio_user::enforce(__vfio_user::check_block_nesting(__CHECKED, 0));
    #[automatically_derived]
    impl __vfio_user::PciDevice for Nic
    where
        Nic: __vfio_user::Device,
    {
        const DESCRIPTOR: __vfio_user::Descriptor = __DESCRIPTOR;
        const EVENTS: ::core::option::Option<__vfio_user::EventCodec<Self::Event>> = {
            #[allow(unused_imports)]
            use __vfio_user::NotRecorded as _;
            __vfio_user::Recordable::<Self::Event>::CODEC
        };
        fn load(&self, __slot: __vfio_user::Slot) -> u64 {
            let (__within, __slot) = __vfio_user::enter(__BLOCKS, 1, __slot);
            match (__within, __slot.register) {
                (::core::option::Option::None, 0) => {
                    <Control as __vfio_user::RegisterValue>::to_bits(self.control)
                }
                (::core::option::Option::None, 1) => __vfio_user::bits(self.causes),
                (::core::option::Option::None, 2) => {
                    __vfio_user::bits(self.errors[__slot.element])
                }
                (
                    ::core::option::Option::Some(
                        __vfio_user::BlockElement {
                            block: __blocks::QUEUES,
                            element: __element,
                        },
                    ),
                    _,
                ) => {
                    <Queue as __vfio_user::RegisterBlock>::load(
                        &self.queues[__element],
                        __slot,
                    )
                }
                _ => 0,
            }
        }
        fn store(&mut self, __slot: __vfio_user::Slot, __bits: u64) {
            let (__within, __slot) = __vfio_user::enter(__BLOCKS, 1, __slot);
            match (__within, __slot.register) {
                (::core::option::Option::None, 0) => {
                    self.control = <Control as __vfio_user::RegisterValue>::from_bits(
                        __bits,
                    );
                }
                (::core::option::Option::None, 1) => {
                    self.causes = __vfio_user::value(__bits);
                }
                (::core::option::Option::None, 2) => {
                    self.errors[__slot.element] = __vfio_user::value(__bits);
                }
                (
                    ::core::option::Option::Some(
                        __vfio_user::BlockElement {
                            block: __blocks::QUEUES,
                            element: __element,
                        },
                    ),
                    _,
                ) => {
                    <Queue as __vfio_user::RegisterBlock>::store(
                        &mut self.queues[__element],
                        __slot,
                        __bits,
                    )
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
            let (__within, __slot) = __vfio_user::enter(__BLOCKS, 1, __slot);
            match (__within, __slot.register, __call) {
                (
                    ::core::option::Option::Some(
                        __vfio_user::BlockElement {
                            block: __blocks::QUEUES,
                            element: __element,
                        },
                    ),
                    _,
                    __call,
                ) => {
                    <<Queue as __vfio_user::RegisterBlock>::Hooks as __vfio_user::BlockHooks<
                        Self,
                    >>::hook(
                        self,
                        __cx,
                        __vfio_user::Indices::of(__element),
                        __slot,
                        __call,
                    )
                }
                _ => 0,
            }
        }
        fn computed_status(&self, __slot: __vfio_user::Slot) -> u64 {
            let (__within, __slot) = __vfio_user::enter(__BLOCKS, 1, __slot);
            match (__within, __slot.register) {
                (
                    ::core::option::Option::Some(
                        __vfio_user::BlockElement {
                            block: __blocks::QUEUES,
                            element: __element,
                        },
                    ),
                    _,
                ) => {
                    <<Queue as __vfio_user::RegisterBlock>::Hooks as __vfio_user::BlockHooks<
                        Self,
                    >>::computed_status(
                        self,
                        __vfio_user::Indices::of(__element),
                        __slot,
                    )
                }
                _ => 0,
            }
        }
        fn timer(
            &self,
            __slot: __vfio_user::Slot,
        ) -> ::core::option::Option<&__vfio_user::Timer> {
            let (__within, __slot) = __vfio_user::enter(__BLOCKS, 1, __slot);
            match (__within, __slot.register) {
                (
                    ::core::option::Option::Some(
                        __vfio_user::BlockElement {
                            block: __blocks::QUEUES,
                            element: __at,
                        },
                    ),
                    _,
                ) => {
                    <Queue as __vfio_user::RegisterBlock>::timer(
                        &self.queues[__at],
                        __slot,
                    )
                }
                _ => ::core::option::Option::None,
            }
        }
        fn timer_mut(
            &mut self,
            __slot: __vfio_user::Slot,
        ) -> ::core::option::Option<&mut __vfio_user::Timer> {
            let (__within, __slot) = __vfio_user::enter(__BLOCKS, 1, __slot);
            match (__within, __slot.register) {
                (
                    ::core::option::Option::Some(
                        __vfio_user::BlockElement {
                            block: __blocks::QUEUES,
                            element: __at,
                        },
                    ),
                    _,
                ) => {
                    <Queue as __vfio_user::RegisterBlock>::timer_mut(
                        &mut self.queues[__at],
                        __slot,
                    )
                }
                _ => ::core::option::Option::None,
            }
        }
        fn run_timer(
            &mut self,
            __cx: &mut __vfio_user::Cx<'_, Self>,
            __slot: __vfio_user::Slot,
        ) {
            let (__within, __slot) = __vfio_user::enter(__BLOCKS, 1, __slot);
            match (__within, __slot.register) {
                (
                    ::core::option::Option::Some(
                        __vfio_user::BlockElement {
                            block: __blocks::QUEUES,
                            element: __element,
                        },
                    ),
                    _,
                ) => {
                    <<Queue as __vfio_user::RegisterBlock>::Hooks as __vfio_user::BlockHooks<
                        Self,
                    >>::run_timer(
                        self,
                        __cx,
                        __vfio_user::Indices::of(__element),
                        __slot,
                    )
                }
                _ => {}
            }
        }
    }
    const __DRIVEN: &__vfio_user::Descriptor = &__DESCRIPTOR;
    const __BAR_0: __vfio_user::Origin = __vfio_user::Origin::of_bar(__DRIVEN, 0);
    const _: () = __vfio_user::enforce(
        __vfio_user::check_driven(&__BAR_0, &__REGISTERS[0]),
    );
    const _: () = __vfio_user::enforce(
        __vfio_user::check_driven(&__BAR_0, &__REGISTERS[1]),
    );
    const _: () = __vfio_user::enforce(
        __vfio_user::check_driven(&__BAR_0, &__REGISTERS[2]),
    );
    const _: () = __vfio_user::enforce(
        __vfio_user::check_driven_block(
            &__BAR_0,
            &__OWN_BLOCKS[0],
            &<Queue as __vfio_user::HasDriver>::DRIVEN,
        ),
    );
    #[automatically_derived]
    #[allow(dead_code, private_interfaces)]
    impl<__B: __vfio_user::Bars> NicDriver<__B> {
        /// Creates a driver that accesses the device by its BARs.
        pub fn new(bars: __B) -> Self {
            NicDriver { __bars: bars }
        }
        /// Returns the BARs.
        pub fn bars(&mut self) -> &mut __B {
            &mut self.__bars
        }
        /// Returns the BARs and ends the driver.
        pub fn into_bars(self) -> __B {
            self.__bars
        }
        ///Reads `control`. Its policy is `rw`.
        ///
        ///Of the whole card.
        #[track_caller]
        pub fn control(&mut self) -> ::core::result::Result<Control, __B::Error> {
            __BAR_0.read(&mut self.__bars, &__REGISTERS[0], 0)
        }
        ///Writes `control`. Its policy is `rw`.
        ///
        ///Of the whole card.
        #[track_caller]
        pub fn set_control(
            &mut self,
            value: Control,
        ) -> ::core::result::Result<(), __B::Error> {
            __BAR_0.write(&mut self.__bars, &__REGISTERS[0], 0, value)
        }
        ///Reads `control`, changes the value and writes it. Its policy is `rw`.
        ///
        ///Of the whole card.
        #[track_caller]
        pub fn update_control(
            &mut self,
            change: impl ::core::ops::FnOnce(&mut Control),
        ) -> ::core::result::Result<(), __B::Error> {
            __BAR_0.update(&mut self.__bars, &__REGISTERS[0], 0, change)
        }
        ///Reads `causes`. Its policy is `w1c`.
        #[track_caller]
        pub fn causes(&mut self) -> ::core::result::Result<u32, __B::Error> {
            __BAR_0.read(&mut self.__bars, &__REGISTERS[1], 0)
        }
        ///Writes `causes`. Its policy is `w1c`.
        #[track_caller]
        pub fn clear_causes(
            &mut self,
            value: u32,
        ) -> ::core::result::Result<(), __B::Error> {
            __BAR_0.write(&mut self.__bars, &__REGISTERS[1], 0, value)
        }
        ///Reads `errors`, which may change something in the device. Its policy is `rc`.
        #[track_caller]
        pub fn take_errors(
            &mut self,
            index: ::core::primitive::usize,
        ) -> ::core::result::Result<u16, __B::Error> {
            __BAR_0.read(&mut self.__bars, &__REGISTERS[2], index)
        }
        ///Returns the driver of `queues`.
        #[track_caller]
        pub fn queues(
            &mut self,
            index: ::core::primitive::usize,
        ) -> <Queue as __vfio_user::HasDriver>::Driver<'_, __B> {
            <Queue as __vfio_user::HasDriver>::driver(
                &mut self.__bars,
                __BAR_0.within(&__OWN_BLOCKS[0], index),
            )
        }
    }
};
