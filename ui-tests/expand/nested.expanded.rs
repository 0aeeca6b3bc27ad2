///The hooks of a [`Ring`], in a device that has it.
///
///`index` is the number of the block among those of the device.
pub trait RingHost: ::vfio_user::Device {
    ///Runs when `patience` expires.
    fn expired(
        &mut self,
        cx: &mut ::vfio_user::Cx<'_, Self>,
        index: ::core::primitive::usize,
    );
    ///Runs after a write to `base`.
    fn moved(
        &mut self,
        cx: &mut ::vfio_user::Cx<'_, Self>,
        index: ::core::primitive::usize,
        old: u64,
        new: u64,
    );
}
const _: () = {
    use ::vfio_user::__private as __vfio_user;
    mod __registers {
        pub(super) const BASE: ::core::primitive::usize = 0;
    }
    mod __timers {
        pub(super) const PATIENCE: ::core::primitive::usize = 0;
    }
    mod __blocks {
        pub(super) const CHANNELS: ::core::primitive::usize = 0;
        pub(super) const MONITOR: ::core::primitive::usize = 1;
    }
    const __STATE: __vfio_user::StateLayout = __vfio_user::StateLayout::new(1, 1, &[]);
    const __REGISTERS: &[__vfio_user::Register] = &[
        __vfio_user::Register::new::<u64>("base", 0x00)
            .with_hooks(__vfio_user::Hooks::ON_WRITE),
    ];
    const __OWN_BLOCKS: &[__vfio_user::Block] = &[
        __vfio_user::Block::new(
                "channels",
                0x20,
                <Channel as __vfio_user::RegisterBlock>::CONTENTS,
            )
            .with_count(4)
            .with_stride(0x10)
            .with_doc("In order of their priority."),
        __vfio_user::Block::new(
            "monitor",
            0x10,
            <Monitor as __vfio_user::RegisterBlock>::CONTENTS,
        ),
    ];
    const __BLOCKS: &[__vfio_user::Block] = &__vfio_user::all_blocks::<
        { __vfio_user::block_count(__OWN_BLOCKS) },
    >(__OWN_BLOCKS);
    const __TIMERS: &[__vfio_user::DeclaredTimer] = &[
        __vfio_user::DeclaredTimer::new("patience"),
    ];
    const __DESCRIPTOR: __vfio_user::Descriptor = __vfio_user::descriptor_of_block(
            __REGISTERS,
        )
        .with_blocks(__BLOCKS);
    const __CHECKED: &__vfio_user::Descriptor = &__DESCRIPTOR;
    const __CROWDED: &[bool] = &__vfio_user::crowded::<3>(__CHECKED);
    const _: () = __vfio_user::enforce(__vfio_user::check_block_array(__CHECKED, 0));
    const _: () = __vfio_user::enforce(
        __vfio_user::check_inner_place(__CHECKED, 0, __CROWDED),
    );
    const _: () = __vfio_user::enforce(
        __vfio_user::check_inner_place(__CHECKED, 1, __CROWDED),
    );
    const _: () = __vfio_user::enforce_block_migrates(
        <Channel as __vfio_user::RegisterBlock>::STATE,
    );
    const _: () = __vfio_user::enforce_block_migrates(
        <Monitor as __vfio_user::RegisterBlock>::STATE,
    );
    #[automatically_derived]
    impl __vfio_user::RegisterBlock for Ring {
        type Hooks = Self;
        const REGISTERS: &'static [__vfio_user::Register] = __REGISTERS;
        const BLOCKS: &'static [__vfio_user::Block] = __BLOCKS;
        const INDICES: ::core::option::Option<u8> = ::core::option::Option::Some(1);
        fn load(&self, __slot: __vfio_user::Slot) -> u64 {
            let (__within, __slot) = __vfio_user::enter(__BLOCKS, 2, __slot);
            match (__within, __slot.register) {
                (::core::option::Option::None, 0) => __vfio_user::bits(self.base),
                (
                    ::core::option::Option::Some(
                        __vfio_user::BlockElement {
                            block: __blocks::CHANNELS,
                            element: __element,
                        },
                    ),
                    _,
                ) => {
                    <Channel as __vfio_user::RegisterBlock>::load(
                        &self.channels[__element],
                        __slot,
                    )
                }
                (
                    ::core::option::Option::Some(
                        __vfio_user::BlockElement { block: __blocks::MONITOR, .. },
                    ),
                    _,
                ) => <Monitor as __vfio_user::RegisterBlock>::load(&self.monitor, __slot),
                _ => 0,
            }
        }
        fn store(&mut self, __slot: __vfio_user::Slot, __bits: u64) {
            let (__within, __slot) = __vfio_user::enter(__BLOCKS, 2, __slot);
            match (__within, __slot.register) {
                (::core::option::Option::None, 0) => {
                    self.base = __vfio_user::value(__bits);
                }
                (
                    ::core::option::Option::Some(
                        __vfio_user::BlockElement {
                            block: __blocks::CHANNELS,
                            element: __element,
                        },
                    ),
                    _,
                ) => {
                    <Channel as __vfio_user::RegisterBlock>::store(
                        &mut self.channels[__element],
                        __slot,
                        __bits,
                    )
                }
                (
                    ::core::option::Option::Some(
                        __vfio_user::BlockElement { block: __blocks::MONITOR, .. },
                    ),
                    _,
                ) => {
                    <Monitor as __vfio_user::RegisterBlock>::store(
                        &mut self.monitor,
                        __slot,
                        __bits,
                    )
                }
                _ => {}
            }
        }
        const TIMERS: &'static [__vfio_user::DeclaredTimer] = __TIMERS;
        fn timer(
            &self,
            __slot: __vfio_user::Slot,
        ) -> ::core::option::Option<&__vfio_user::Timer> {
            let (__within, __slot) = __vfio_user::enter(__BLOCKS, 2, __slot);
            match (__within, __slot.register) {
                (::core::option::Option::None, __timers::PATIENCE) => {
                    ::core::option::Option::Some(
                        <Timer as __vfio_user::TimerField>::timer(&self.patience),
                    )
                }
                (
                    ::core::option::Option::Some(
                        __vfio_user::BlockElement {
                            block: __blocks::CHANNELS,
                            element: __at,
                        },
                    ),
                    _,
                ) => {
                    <Channel as __vfio_user::RegisterBlock>::timer(
                        &self.channels[__at],
                        __slot,
                    )
                }
                (
                    ::core::option::Option::Some(
                        __vfio_user::BlockElement { block: __blocks::MONITOR, .. },
                    ),
                    _,
                ) => {
                    <Monitor as __vfio_user::RegisterBlock>::timer(&self.monitor, __slot)
                }
                _ => ::core::option::Option::None,
            }
        }
        fn timer_mut(
            &mut self,
            __slot: __vfio_user::Slot,
        ) -> ::core::option::Option<&mut __vfio_user::Timer> {
            let (__within, __slot) = __vfio_user::enter(__BLOCKS, 2, __slot);
            match (__within, __slot.register) {
                (::core::option::Option::None, __timers::PATIENCE) => {
                    ::core::option::Option::Some(
                        <Timer as __vfio_user::TimerField>::timer_mut(&mut self.patience),
                    )
                }
                (
                    ::core::option::Option::Some(
                        __vfio_user::BlockElement {
                            block: __blocks::CHANNELS,
                            element: __at,
                        },
                    ),
                    _,
                ) => {
                    <Channel as __vfio_user::RegisterBlock>::timer_mut(
                        &mut self.channels[__at],
                        __slot,
                    )
                }
                (
                    ::core::option::Option::Some(
                        __vfio_user::BlockElement { block: __blocks::MONITOR, .. },
                    ),
                    _,
                ) => {
                    <Monitor as __vfio_user::RegisterBlock>::timer_mut(
                        &mut self.monitor,
                        __slot,
                    )
                }
                _ => ::core::option::Option::None,
            }
        }
        const STATE: ::core::option::Option<__vfio_user::StateLayout> = ::core::option::Option::Some(
            __STATE,
        );
        fn inner_state_types(
            __block: ::core::primitive::usize,
        ) -> ::std::vec::Vec<__vfio_user::WireType> {
            let (__block, __inner) = __vfio_user::enter_block(__BLOCKS, __block);
            match __block {
                __blocks::CHANNELS => {
                    <Channel as __vfio_user::RegisterBlock>::types_of(__inner)
                }
                __blocks::MONITOR => {
                    <Monitor as __vfio_user::RegisterBlock>::types_of(__inner)
                }
                _ => ::std::vec::Vec::new(),
            }
        }
        fn save_inner(
            __elements: &[&Self],
            __block: ::core::primitive::usize,
            __out: &mut __vfio_user::StateWriter<'_>,
        ) -> ::core::result::Result<(), __vfio_user::StateError> {
            let (__block, __inner) = __vfio_user::enter_block(__BLOCKS, __block);
            match __block {
                __blocks::CHANNELS => {
                    let __device = ::core::iter::Iterator::collect::<
                        ::std::vec::Vec<_>,
                    >(
                        ::core::iter::Iterator::flat_map(
                            __elements.iter(),
                            |__device| &__device.channels,
                        ),
                    );
                    <Channel as __vfio_user::RegisterBlock>::save_elements(
                        &__device,
                        __inner,
                        __out,
                    )
                }
                __blocks::MONITOR => {
                    let __device = ::core::iter::Iterator::collect::<
                        ::std::vec::Vec<_>,
                    >(
                        ::core::iter::Iterator::map(
                            __elements.iter(),
                            |__device| &__device.monitor,
                        ),
                    );
                    <Monitor as __vfio_user::RegisterBlock>::save_elements(
                        &__device,
                        __inner,
                        __out,
                    )
                }
                _ => ::core::result::Result::Ok(()),
            }
        }
        fn load_inner(
            __count: ::core::primitive::usize,
            __block: ::core::primitive::usize,
            __from: &mut __vfio_user::StateReader<'_>,
        ) -> ::core::result::Result<
            __vfio_user::ExchangeAll<Self>,
            __vfio_user::StateError,
        > {
            let (__block, __inner) = __vfio_user::enter_block(__BLOCKS, __block);
            match __block {
                __blocks::CHANNELS => {
                    let mut __value = <Channel as __vfio_user::RegisterBlock>::load_elements(
                        __count
                            * __BLOCKS[__blocks::CHANNELS].own_count()
                                as ::core::primitive::usize,
                        __inner,
                        __from,
                    )?;
                    ::core::result::Result::Ok(
                        __vfio_user::exchange_all(move |__elements: &mut [&mut Self]| {
                            let mut __device = ::core::iter::Iterator::collect::<
                                ::std::vec::Vec<_>,
                            >(
                                ::core::iter::Iterator::flat_map(
                                    __elements.iter_mut(),
                                    |__device| &mut __device.channels,
                                ),
                            );
                            __value(&mut __device)
                        }),
                    )
                }
                __blocks::MONITOR => {
                    let mut __value = <Monitor as __vfio_user::RegisterBlock>::load_elements(
                        __count
                            * __BLOCKS[__blocks::MONITOR].own_count()
                                as ::core::primitive::usize,
                        __inner,
                        __from,
                    )?;
                    ::core::result::Result::Ok(
                        __vfio_user::exchange_all(move |__elements: &mut [&mut Self]| {
                            let mut __device = ::core::iter::Iterator::collect::<
                                ::std::vec::Vec<_>,
                            >(
                                ::core::iter::Iterator::map(
                                    __elements.iter_mut(),
                                    |__device| &mut __device.monitor,
                                ),
                            );
                            __value(&mut __device)
                        }),
                    )
                }
                _ => ::core::result::Result::Ok(__vfio_user::exchange_all(|_| {})),
            }
        }
    }
    #[automatically_derived]
    impl<__Host: RingHost> __vfio_user::BlockHooks<__Host> for Ring
    where
        <Channel as __vfio_user::RegisterBlock>::Hooks: __vfio_user::BlockHooks<__Host>,
        <Monitor as __vfio_user::RegisterBlock>::Hooks: __vfio_user::BlockHooks<__Host>,
    {
        fn hook(
            __device: &mut __Host,
            __cx: &mut __vfio_user::Cx<'_, __Host>,
            __at: __vfio_user::Indices,
            __slot: __vfio_user::Slot,
            __call: __vfio_user::Hook,
        ) -> u64 {
            let (__within, __slot) = __vfio_user::enter(__BLOCKS, 2, __slot);
            match (__within, __slot.register, __call) {
                (
                    ::core::option::Option::None,
                    __registers::BASE,
                    __vfio_user::Hook::AfterWrite(__old, __bits),
                ) => {
                    <__Host as RingHost>::moved(
                        __device,
                        __cx,
                        __at.first(),
                        __vfio_user::value(__old),
                        __vfio_user::value(__bits),
                    );
                    0
                }
                (
                    ::core::option::Option::Some(
                        __vfio_user::BlockElement {
                            block: __blocks::CHANNELS,
                            element: __element,
                        },
                    ),
                    _,
                    __call,
                ) => {
                    <<Channel as __vfio_user::RegisterBlock>::Hooks as __vfio_user::BlockHooks<
                        __Host,
                    >>::hook(__device, __cx, __at.then(__element), __slot, __call)
                }
                (
                    ::core::option::Option::Some(
                        __vfio_user::BlockElement {
                            block: __blocks::MONITOR,
                            element: __element,
                        },
                    ),
                    _,
                    __call,
                ) => {
                    <<Monitor as __vfio_user::RegisterBlock>::Hooks as __vfio_user::BlockHooks<
                        __Host,
                    >>::hook(__device, __cx, __at.then(__element), __slot, __call)
                }
                _ => 0,
            }
        }
        fn computed_status(
            __device: &__Host,
            __at: __vfio_user::Indices,
            __slot: __vfio_user::Slot,
        ) -> u64 {
            let (__within, __slot) = __vfio_user::enter(__BLOCKS, 2, __slot);
            match (__within, __slot.register) {
                (
                    ::core::option::Option::Some(
                        __vfio_user::BlockElement {
                            block: __blocks::CHANNELS,
                            element: __element,
                        },
                    ),
                    _,
                ) => {
                    <<Channel as __vfio_user::RegisterBlock>::Hooks as __vfio_user::BlockHooks<
                        __Host,
                    >>::computed_status(__device, __at.then(__element), __slot)
                }
                (
                    ::core::option::Option::Some(
                        __vfio_user::BlockElement {
                            block: __blocks::MONITOR,
                            element: __element,
                        },
                    ),
                    _,
                ) => {
                    <<Monitor as __vfio_user::RegisterBlock>::Hooks as __vfio_user::BlockHooks<
                        __Host,
                    >>::computed_status(__device, __at.then(__element), __slot)
                }
                _ => 0,
            }
        }
        fn run_timer(
            __device: &mut __Host,
            __cx: &mut __vfio_user::Cx<'_, __Host>,
            __at: __vfio_user::Indices,
            __slot: __vfio_user::Slot,
        ) {
            let (__within, __slot) = __vfio_user::enter(__BLOCKS, 2, __slot);
            match (__within, __slot.register) {
                (::core::option::Option::None, __timers::PATIENCE) => {
                    <__Host as RingHost>::expired(__device, __cx, __at.first())
                }
                (
                    ::core::option::Option::Some(
                        __vfio_user::BlockElement {
                            block: __blocks::CHANNELS,
                            element: __element,
                        },
                    ),
                    _,
                ) => {
                    <<Channel as __vfio_user::RegisterBlock>::Hooks as __vfio_user::BlockHooks<
                        __Host,
                    >>::run_timer(__device, __cx, __at.then(__element), __slot)
                }
                (
                    ::core::option::Option::Some(
                        __vfio_user::BlockElement {
                            block: __blocks::MONITOR,
                            element: __element,
                        },
                    ),
                    _,
                ) => {
                    <<Monitor as __vfio_user::RegisterBlock>::Hooks as __vfio_user::BlockHooks<
                        __Host,
                    >>::run_timer(__device, __cx, __at.then(__element), __slot)
                }
                _ => {}
            }
        }
    }
};
