const _: () = {
    use ::vfio_user::__private as __vfio_user;
    mod __registers {
        pub(super) const CONTROL: ::core::primitive::usize = 0;
    }
    mod __blocks {
        pub(super) const QUEUES: ::core::primitive::usize = 0;
        pub(super) const ADMIN: ::core::primitive::usize = 1;
    }
    const __STATE: __vfio_user::StateLayout = __vfio_user::StateLayout::new(1, 1, &[]);
    const __REGISTERS: &[__vfio_user::Register] = &[
        __vfio_user::register_of_width(
                <Control as __vfio_user::RegisterValue>::WIDTH,
                "control",
                0x00,
            )
            .with_fields(<Control as __vfio_user::RegisterValue>::FIELDS)
            .with_hooks(__vfio_user::Hooks::ON_WRITE),
    ];
    const __OWN_BLOCKS: &[__vfio_user::Block] = &[
        __vfio_user::Block::new(
                "queues",
                0x100,
                <Queue as __vfio_user::RegisterBlock>::CONTENTS,
            )
            .with_count(64)
            .with_stride(0x40)
            .with_doc("Those of the guest."),
        __vfio_user::Block::new(
            "admin",
            __vfio_user::int(__vfio_user::Constant(ADMIN).integer() as i128),
            <Queue as __vfio_user::RegisterBlock>::CONTENTS,
        ),
    ];
    const __BLOCKS: &[__vfio_user::Block] = &__vfio_user::all_blocks::<
        { __vfio_user::block_count(__OWN_BLOCKS) },
    >(__OWN_BLOCKS);
    const __DESCRIPTOR: __vfio_user::Descriptor = __vfio_user::Descriptor::new(
            "dma",
            __vfio_user::Ids {
                vendor: 0x1234,
                device: 0xcafe,
                class: 0xff_0000,
                revision: 0,
                subsystem_vendor: 0,
                subsystem: 0,
            },
        )
        .with_bar(0, __vfio_user::Bar::new(__vfio_user::BarKind::Mem32, 0x4000))
        .with_registers(__REGISTERS)
        .with_blocks(__BLOCKS)
        .with_state(__STATE);
    const __CHECKED: &__vfio_user::Descriptor = &__DESCRIPTOR;
    const __CROWDED: &[bool] = &__vfio_user::crowded::<3>(__CHECKED);
    const _: () = __vfio_user::enforce(
        __vfio_user::check_place(__CHECKED, 0, __CROWDED),
    );
    const _: () = __vfio_user::enforce(__vfio_user::check_wide(__CHECKED, 0));
    const _: () = __vfio_user::enforce(__vfio_user::check_block_array(__CHECKED, 0));
    const _: () = __vfio_user::enforce(
        __vfio_user::check_block_place(__CHECKED, 0, __CROWDED),
    );
    const _: () = __vfio_user::enforce(__vfio_user::check_block_vectors(__CHECKED, 0));
    const _: () = __vfio_user::enforce(__vfio_user::check_block_nesting(__CHECKED, 0));
    const _: () = __vfio_user::enforce(
        __vfio_user::check_block_place(__CHECKED, 1, __CROWDED),
    );
    const _: () = __vfio_user::enforce(__vfio_user::check_block_vectors(__CHECKED, 1));
    const _: () = __vfio_user::enforce(__vfio_user::check_block_nesting(__CHECKED, 1));
    const _: () = __vfio_user::enforce_block_migrates(
        <Queue as __vfio_user::RegisterBlock>::STATE,
    );
    const _: () = __vfio_user::enforce_block_migrates(
        <Queue as __vfio_user::RegisterBlock>::STATE,
    );
    #[automatically_derived]
    impl __vfio_user::PciDevice for Dma
    where
        Dma: __vfio_user::Device,
    {
        const DESCRIPTOR: __vfio_user::Descriptor = __DESCRIPTOR;
        const EVENTS: ::core::option::Option<__vfio_user::EventCodec<Self::Event>> = {
            #[allow(unused_imports)]
            use __vfio_user::NotRecorded as _;
            __vfio_user::Recordable::<Self::Event>::CODEC
        };
        fn load(&self, __slot: __vfio_user::Slot) -> u64 {
            let (__within, __slot) = __vfio_user::enter(__BLOCKS, 2, __slot);
            match (__within, __slot.register) {
                (::core::option::Option::None, 0) => {
                    <Control as __vfio_user::RegisterValue>::to_bits(self.control)
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
                (
                    ::core::option::Option::Some(
                        __vfio_user::BlockElement { block: __blocks::ADMIN, .. },
                    ),
                    _,
                ) => <Queue as __vfio_user::RegisterBlock>::load(&self.admin, __slot),
                _ => 0,
            }
        }
        fn store(&mut self, __slot: __vfio_user::Slot, __bits: u64) {
            let (__within, __slot) = __vfio_user::enter(__BLOCKS, 2, __slot);
            match (__within, __slot.register) {
                (::core::option::Option::None, 0) => {
                    self.control = <Control as __vfio_user::RegisterValue>::from_bits(
                        __bits,
                    );
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
                (
                    ::core::option::Option::Some(
                        __vfio_user::BlockElement { block: __blocks::ADMIN, .. },
                    ),
                    _,
                ) => {
                    <Queue as __vfio_user::RegisterBlock>::store(
                        &mut self.admin,
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
            let (__within, __slot) = __vfio_user::enter(__BLOCKS, 2, __slot);
            match (__within, __slot.register, __call) {
                (
                    ::core::option::Option::None,
                    __registers::CONTROL,
                    __vfio_user::Hook::AfterWrite(__old, __bits),
                ) => {
                    let __hook: fn(
                        &mut Self,
                        &mut __vfio_user::Cx<'_, Self>,
                        Control,
                        Control,
                    ) = Self::controlled;
                    __hook(
                        self,
                        __cx,
                        <Control as __vfio_user::RegisterValue>::from_bits(__old),
                        <Control as __vfio_user::RegisterValue>::from_bits(__bits),
                    );
                    0
                }
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
                (
                    ::core::option::Option::Some(
                        __vfio_user::BlockElement {
                            block: __blocks::ADMIN,
                            element: __element,
                        },
                    ),
                    _,
                    __call,
                ) => {
                    const __FIRST: u64 = 64;
                    <<Queue as __vfio_user::RegisterBlock>::Hooks as __vfio_user::BlockHooks<
                        Self,
                    >>::hook(
                        self,
                        __cx,
                        __vfio_user::Indices::of(__element + __FIRST as usize),
                        __slot,
                        __call,
                    )
                }
                _ => 0,
            }
        }
        fn computed_status(&self, __slot: __vfio_user::Slot) -> u64 {
            let (__within, __slot) = __vfio_user::enter(__BLOCKS, 2, __slot);
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
                (
                    ::core::option::Option::Some(
                        __vfio_user::BlockElement {
                            block: __blocks::ADMIN,
                            element: __element,
                        },
                    ),
                    _,
                ) => {
                    const __FIRST: u64 = 64;
                    <<Queue as __vfio_user::RegisterBlock>::Hooks as __vfio_user::BlockHooks<
                        Self,
                    >>::computed_status(
                        self,
                        __vfio_user::Indices::of(__element + __FIRST as usize),
                        __slot,
                    )
                }
                _ => 0,
            }
        }
        fn block_state_types(
            __block: ::core::primitive::usize,
        ) -> ::std::vec::Vec<__vfio_user::WireType> {
            let (__block, __inner) = __vfio_user::enter_block(__BLOCKS, __block);
            match __block {
                __blocks::QUEUES => {
                    <Queue as __vfio_user::RegisterBlock>::types_of(__inner)
                }
                __blocks::ADMIN => {
                    <Queue as __vfio_user::RegisterBlock>::types_of(__inner)
                }
                _ => ::std::vec::Vec::new(),
            }
        }
        fn save_block(
            &self,
            __block: ::core::primitive::usize,
            __elements: ::core::ops::Range<::core::primitive::usize>,
            __out: &mut __vfio_user::StateWriter<'_>,
        ) -> ::core::result::Result<(), __vfio_user::StateError> {
            let (__block, __inner, __elements) = __vfio_user::enter_elements(
                __BLOCKS,
                __block,
                __elements,
            );
            match __block {
                __blocks::QUEUES => {
                    <Queue as __vfio_user::RegisterBlock>::save_elements(
                        &__vfio_user::each(&self.queues[__elements]),
                        __inner,
                        __out,
                    )
                }
                __blocks::ADMIN => {
                    <Queue as __vfio_user::RegisterBlock>::save_elements(
                        &__vfio_user::each(
                            &::core::slice::from_ref(&self.admin)[__elements],
                        ),
                        __inner,
                        __out,
                    )
                }
                _ => ::core::result::Result::Ok(()),
            }
        }
        fn load_block(
            __block: ::core::primitive::usize,
            __elements: ::core::ops::Range<::core::primitive::usize>,
            __from: &mut __vfio_user::StateReader<'_>,
        ) -> ::core::result::Result<
            __vfio_user::Exchange<Self>,
            __vfio_user::StateError,
        > {
            let (__block, __inner, __elements) = __vfio_user::enter_elements(
                __BLOCKS,
                __block,
                __elements,
            );
            match __block {
                __blocks::QUEUES => {
                    let mut __value = <Queue as __vfio_user::RegisterBlock>::load_elements(
                        __elements.end - __elements.start,
                        __inner,
                        __from,
                    )?;
                    ::core::result::Result::Ok(
                        __vfio_user::exchange(move |__device: &mut Self| {
                            let __elements = ::core::clone::Clone::clone(&__elements);
                            __value(
                                &mut __vfio_user::each_mut(&mut __device.queues[__elements]),
                            )
                        }),
                    )
                }
                __blocks::ADMIN => {
                    let mut __value = <Queue as __vfio_user::RegisterBlock>::load_elements(
                        __elements.end - __elements.start,
                        __inner,
                        __from,
                    )?;
                    ::core::result::Result::Ok(
                        __vfio_user::exchange(move |__device: &mut Self| {
                            let __elements = ::core::clone::Clone::clone(&__elements);
                            __value(
                                &mut __vfio_user::each_mut(
                                    &mut ::core::slice::from_mut(
                                        &mut __device.admin,
                                    )[__elements],
                                ),
                            )
                        }),
                    )
                }
                _ => ::core::result::Result::Ok(__vfio_user::exchange(|_| {})),
            }
        }
        fn timer(
            &self,
            __slot: __vfio_user::Slot,
        ) -> ::core::option::Option<&__vfio_user::Timer> {
            let (__within, __slot) = __vfio_user::enter(__BLOCKS, 2, __slot);
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
                (
                    ::core::option::Option::Some(
                        __vfio_user::BlockElement { block: __blocks::ADMIN, .. },
                    ),
                    _,
                ) => <Queue as __vfio_user::RegisterBlock>::timer(&self.admin, __slot),
                _ => ::core::option::Option::None,
            }
        }
        fn timer_mut(
            &mut self,
            __slot: __vfio_user::Slot,
        ) -> ::core::option::Option<&mut __vfio_user::Timer> {
            let (__within, __slot) = __vfio_user::enter(__BLOCKS, 2, __slot);
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
                (
                    ::core::option::Option::Some(
                        __vfio_user::BlockElement { block: __blocks::ADMIN, .. },
                    ),
                    _,
                ) => {
                    <Queue as __vfio_user::RegisterBlock>::timer_mut(
                        &mut self.admin,
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
            let (__within, __slot) = __vfio_user::enter(__BLOCKS, 2, __slot);
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
                (
                    ::core::option::Option::Some(
                        __vfio_user::BlockElement {
                            block: __blocks::ADMIN,
                            element: __element,
                        },
                    ),
                    _,
                ) => {
                    const __FIRST: u64 = 64;
                    <<Queue as __vfio_user::RegisterBlock>::Hooks as __vfio_user::BlockHooks<
                        Self,
                    >>::run_timer(
                        self,
                        __cx,
                        __vfio_user::Indices::of(__element + __FIRST as usize),
                        __slot,
                    )
                }
                _ => {}
            }
        }
    }
};
