///The hooks of a [`Queue`], in a device that has it.
///
///`index` is the number of the block among those of the device.
pub trait QueueHost: ::vfio_user::Device {
    ///Handles a write to `doorbell`.
    fn doorbell(
        &mut self,
        cx: &mut ::vfio_user::Cx<'_, Self>,
        index: ::core::primitive::usize,
        value: u32,
    );
    ///Runs when `patience` expires.
    fn expired(
        &mut self,
        cx: &mut ::vfio_user::Cx<'_, Self>,
        index: ::core::primitive::usize,
    );
    ///Runs after a write of any value to `kick`.
    fn kicked(
        &mut self,
        cx: &mut ::vfio_user::Cx<'_, Self>,
        index: ::core::primitive::usize,
        element: ::core::primitive::usize,
    );
    ///Returns the value of `levels`.
    fn level(
        &mut self,
        cx: &mut ::vfio_user::Cx<'_, Self>,
        index: ::core::primitive::usize,
        element: ::core::primitive::usize,
    ) -> u16;
    ///Fills the bytes of a read of `data`.
    fn pop(
        &mut self,
        cx: &mut ::vfio_user::Cx<'_, Self>,
        index: ::core::primitive::usize,
        data: &mut [u8],
    );
    ///Handles the bytes of a write to `data`.
    fn push(
        &mut self,
        cx: &mut ::vfio_user::Cx<'_, Self>,
        index: ::core::primitive::usize,
        data: &[u8],
    );
}
const _: () = {
    use ::vfio_user::__private as __vfio_user;
    mod __registers {
        pub(super) const DOORBELL: ::core::primitive::usize = 1;
        pub(super) const LEVELS: ::core::primitive::usize = 2;
        pub(super) const KICK: ::core::primitive::usize = 3;
        pub(super) const DATA: ::core::primitive::usize = 4;
    }
    mod __timers {
        pub(super) const PATIENCE: ::core::primitive::usize = 0;
    }
    const __STATE: __vfio_user::StateLayout = __vfio_user::StateLayout::new(
        1,
        1,
        &[__vfio_user::StateField::new("kicks", "u64")],
    );
    const __REGISTERS: &[__vfio_user::Register] = &[
        __vfio_user::Register::new::<u64>("base", 0x00)
            .with_doc("Where its descriptors lie."),
        __vfio_user::Register::new::<u32>("doorbell", 0x08)
            .with_policy(__vfio_user::Policy::Wo)
            .without_storage()
            .with_hooks(__vfio_user::Hooks::WRITE_WITH),
        __vfio_user::Register::new::<u16>("levels", 0x0c)
            .with_count(2)
            .with_policy(__vfio_user::Policy::Ro)
            .without_storage()
            .with_hooks(__vfio_user::Hooks::READ_WITH),
        __vfio_user::Register::new::<u32>("kick", 0x10)
            .with_count(4)
            .with_policy(__vfio_user::Policy::Wo)
            .without_storage()
            .with_hooks(__vfio_user::Hooks::KICK),
        __vfio_user::Register::new::<u32>("data", 0x20)
            .without_storage()
            .with_hooks(
                __vfio_user::Hooks::READ_WITH.union(__vfio_user::Hooks::WRITE_WITH),
            )
            .with_flags(__vfio_user::RegisterFlags::PORT),
    ];
    const __TIMERS: &[__vfio_user::DeclaredTimer] = &[
        __vfio_user::DeclaredTimer::new("patience"),
    ];
    #[automatically_derived]
    impl __vfio_user::RegisterBlock for Queue {
        type Hooks = Self;
        const REGISTERS: &'static [__vfio_user::Register] = __REGISTERS;
        const INDICES: ::core::option::Option<u8> = ::core::option::Option::Some(1);
        fn load(&self, __slot: __vfio_user::Slot) -> u64 {
            match __slot.register {
                0 => __vfio_user::bits(self.base),
                1 => __vfio_user::no_bits(self.doorbell),
                2 => __vfio_user::no_bits(self.levels[__slot.element]),
                3 => __vfio_user::no_bits(self.kick[__slot.element]),
                4 => __vfio_user::no_bits(self.data),
                _ => 0,
            }
        }
        fn store(&mut self, __slot: __vfio_user::Slot, __bits: u64) {
            match __slot.register {
                0 => self.base = __vfio_user::value(__bits),
                _ => {}
            }
        }
        const TIMERS: &'static [__vfio_user::DeclaredTimer] = __TIMERS;
        fn timer(
            &self,
            __slot: __vfio_user::Slot,
        ) -> ::core::option::Option<&__vfio_user::Timer> {
            match __slot.register {
                __timers::PATIENCE => {
                    ::core::option::Option::Some(
                        <Timer as __vfio_user::TimerField>::timer(&self.patience),
                    )
                }
                _ => ::core::option::Option::None,
            }
        }
        fn timer_mut(
            &mut self,
            __slot: __vfio_user::Slot,
        ) -> ::core::option::Option<&mut __vfio_user::Timer> {
            match __slot.register {
                __timers::PATIENCE => {
                    ::core::option::Option::Some(
                        <Timer as __vfio_user::TimerField>::timer_mut(&mut self.patience),
                    )
                }
                _ => ::core::option::Option::None,
            }
        }
        const STATE: ::core::option::Option<__vfio_user::StateLayout> = ::core::option::Option::Some(
            __STATE,
        );
        fn state_types() -> ::std::vec::Vec<__vfio_user::WireType> {
            ::std::vec![(__vfio_user::value_io:: < u64 > ().wire) ()]
        }
        fn save_private(
            __elements: &[&Self],
            __out: &mut __vfio_user::StateWriter<'_>,
        ) -> ::core::result::Result<(), __vfio_user::StateError> {
            __vfio_user::value_io::<u64>()
                .put(
                    __out,
                    &__STATE.fields[0],
                    __vfio_user::Written::Column(
                        ::core::iter::Iterator::collect::<
                            ::std::vec::Vec<_>,
                        >(
                            ::core::iter::Iterator::map(
                                __elements.iter(),
                                |__device| &__device.kicks,
                            ),
                        ),
                    ),
                    ::core::option::Option::None,
                )?;
            ::core::result::Result::Ok(())
        }
        fn load_private(
            __count: ::core::primitive::usize,
            __from: &mut __vfio_user::StateReader<'_>,
        ) -> ::core::result::Result<
            __vfio_user::ExchangeAll<Self>,
            __vfio_user::StateError,
        > {
            let mut __value_0 = ::std::vec::Vec::<u64>::new();
            let __column = __vfio_user::value_io::<u64>()
                .take_column(__from, &__STATE.fields[0], __count)?;
            let __column = __from.required(&__STATE.fields[0], __column)?;
            for __value in __column {
                __value_0.push(__value);
            }
            ::core::result::Result::Ok(
                __vfio_user::exchange_all(move |__elements: &mut [&mut Self]| {
                    for (__device, __value) in ::core::iter::Iterator::zip(
                        __elements.iter_mut(),
                        &mut __value_0,
                    ) {
                        ::core::mem::swap(&mut __device.kicks, __value);
                    }
                }),
            )
        }
    }
    #[automatically_derived]
    impl<__Host: QueueHost> __vfio_user::BlockHooks<__Host> for Queue {
        fn hook(
            __device: &mut __Host,
            __cx: &mut __vfio_user::Cx<'_, __Host>,
            __at: __vfio_user::Indices,
            __slot: __vfio_user::Slot,
            __call: __vfio_user::Hook,
        ) -> u64 {
            match (__slot.register, __call) {
                (__registers::DOORBELL, __vfio_user::Hook::Write(__bits)) => {
                    <__Host as QueueHost>::doorbell(
                        __device,
                        __cx,
                        __at.first(),
                        __vfio_user::value(__bits),
                    );
                    0
                }
                (__registers::LEVELS, __vfio_user::Hook::Read) => {
                    __vfio_user::bits(
                        <__Host as QueueHost>::level(
                            __device,
                            __cx,
                            __at.first(),
                            __slot.element,
                        ),
                    )
                }
                (__registers::KICK, __vfio_user::Hook::Kick) => {
                    <__Host as QueueHost>::kicked(
                        __device,
                        __cx,
                        __at.first(),
                        __slot.element,
                    );
                    0
                }
                (__registers::DATA, __vfio_user::Hook::ReadBytes(__len)) => {
                    __vfio_user::read_bytes(
                        __len,
                        |__bytes| <__Host as QueueHost>::pop(
                            __device,
                            __cx,
                            __at.first(),
                            __bytes,
                        ),
                    )
                }
                (__registers::DATA, __vfio_user::Hook::WriteBytes(__bits, __len)) => {
                    __vfio_user::write_bytes(
                        __bits,
                        __len,
                        |__bytes| <__Host as QueueHost>::push(
                            __device,
                            __cx,
                            __at.first(),
                            __bytes,
                        ),
                    )
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
            match __slot.register {
                __timers::PATIENCE => {
                    <__Host as QueueHost>::expired(__device, __cx, __at.first())
                }
                _ => {}
            }
        }
    }
};
