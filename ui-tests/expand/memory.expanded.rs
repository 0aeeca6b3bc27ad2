const _: () = {
    use ::vfio_user::__private as __vfio_user;
    mod __registers {
        pub(super) const CONTROL: ::core::primitive::usize = 0;
        pub(super) const START: ::core::primitive::usize = 1;
        pub(super) const DATA: ::core::primitive::usize = 3;
    }
    mod __memories {
        pub(super) const BUFFER: ::core::primitive::usize = 0;
        pub(super) const IMAGE: ::core::primitive::usize = 1;
    }
    const __STATE: __vfio_user::StateLayout = __vfio_user::StateLayout::new(
        1,
        1,
        &[
            __vfio_user::StateField::new("buffer", "Box<[u8]>")
                .with_elements(__vfio_user::memory_size(__MEMORIES, 0)),
            __vfio_user::StateField::new("image", "[u8; LEN]")
                .with_elements(__vfio_user::memory_size(__MEMORIES, 1)),
        ],
    );
    const __REGISTERS: &[__vfio_user::Register] = &[
        __vfio_user::register_of_width(
                <Control as __vfio_user::RegisterValue>::WIDTH,
                "control",
                0x00,
            )
            .with_fields(<Control as __vfio_user::RegisterValue>::FIELDS)
            .with_hooks(__vfio_user::Hooks::ON_WRITE),
        __vfio_user::Register::new::<u32>("start", 0x10)
            .with_policy(__vfio_user::Policy::Wo)
            .without_storage()
            .with_hooks(__vfio_user::Hooks::WRITE_WITH)
            .with_ioeventfd(1),
        __vfio_user::Register::new::<u32>("tail", 0x1000)
            .with_bar(2)
            .with_flags(__vfio_user::RegisterFlags::WATCH),
        __vfio_user::Register::new::<u32>("data", 0x18)
            .with_count(2)
            .without_storage()
            .with_hooks(
                __vfio_user::Hooks::READ_WITH.union(__vfio_user::Hooks::WRITE_WITH),
            )
            .with_flags(__vfio_user::RegisterFlags::PORT),
    ];
    const __MEMORIES: &[__vfio_user::MemoryRange] = &[
        __vfio_user::MemoryRange::new("buffer", 0x2000, 0x3000)
            .with_reset(__vfio_user::MemoryReset::Zero)
            .with_hook()
            .with_doc("Of the queues."),
        __vfio_user::MemoryRange::new(
                "image",
                __vfio_user::int(__vfio_user::Constant(START).integer() as i128),
                __vfio_user::int(__vfio_user::Constant(START + LEN).integer() as i128),
            )
            .with_bar(2),
    ];
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
        .with_bar(
            2,
            __vfio_user::Bar::new(
                    __vfio_user::BarKind::Mem64,
                    __vfio_user::int(__vfio_user::Constant(LARGE).integer() as i128),
                )
                .with_shared_areas(
                    &[
                        (
                            0x1000,
                            __vfio_user::int(
                                __vfio_user::Constant(LARGE).integer() as i128,
                            ),
                        ),
                    ],
                ),
        )
        .with_registers(__REGISTERS)
        .with_memories(__MEMORIES)
        .with_state(__STATE);
    const __CHECKED: &__vfio_user::Descriptor = &__DESCRIPTOR;
    const __CROWDED: &[bool] = &__vfio_user::crowded::<6>(__CHECKED);
    const _: () = __vfio_user::enforce(__vfio_user::check_bar(__CHECKED, 2));
    const _: () = __vfio_user::enforce(__vfio_user::check_shared_area(__CHECKED, 2, 0));
    const _: () = __vfio_user::enforce(
        __vfio_user::check_place(__CHECKED, 0, __CROWDED),
    );
    const _: () = __vfio_user::enforce(__vfio_user::check_wide(__CHECKED, 0));
    const _: () = __vfio_user::enforce(
        __vfio_user::check_place(__CHECKED, 1, __CROWDED),
    );
    const _: () = __vfio_user::enforce(
        __vfio_user::check_place(__CHECKED, 2, __CROWDED),
    );
    const _: () = __vfio_user::enforce(__vfio_user::check_unshared(__CHECKED, 2));
    const _: () = __vfio_user::enforce(__vfio_user::check_array(__CHECKED, 3));
    const _: () = __vfio_user::enforce(
        __vfio_user::check_place(__CHECKED, 3, __CROWDED),
    );
    const _: () = __vfio_user::enforce(
        __vfio_user::check_memory(__CHECKED, 0, __CROWDED),
    );
    const _: () = __vfio_user::enforce(
        __vfio_user::check_memory(__CHECKED, 1, __CROWDED),
    );
    const _: () = __vfio_user::enforce(
        __vfio_user::check_memory_length(
            __CHECKED,
            1,
            __vfio_user::int(__vfio_user::Constant(LEN).integer() as i128),
        ),
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
            match (__slot.block, __slot.register) {
                (::core::option::Option::None, 0) => {
                    <Control as __vfio_user::RegisterValue>::to_bits(self.control)
                }
                (::core::option::Option::None, 1) => __vfio_user::no_bits(self.start),
                (::core::option::Option::None, 2) => __vfio_user::bits(self.tail),
                (::core::option::Option::None, 3) => {
                    __vfio_user::no_bits(self.data[__slot.element])
                }
                _ => 0,
            }
        }
        fn store(&mut self, __slot: __vfio_user::Slot, __bits: u64) {
            match (__slot.block, __slot.register) {
                (::core::option::Option::None, 0) => {
                    self.control = <Control as __vfio_user::RegisterValue>::from_bits(
                        __bits,
                    );
                }
                (::core::option::Option::None, 2) => {
                    self.tail = __vfio_user::value(__bits);
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
                    ::core::option::Option::None,
                    __registers::START,
                    __vfio_user::Hook::Write(__bits),
                ) => {
                    let __hook: fn(&mut Self, &mut __vfio_user::Cx<'_, Self>, u32) = Self::start;
                    __hook(self, __cx, __vfio_user::value(__bits));
                    0
                }
                (
                    ::core::option::Option::None,
                    __registers::DATA,
                    __vfio_user::Hook::ReadBytes(__len),
                ) => {
                    let __hook: fn(
                        &mut Self,
                        &mut __vfio_user::Cx<'_, Self>,
                        usize,
                        &mut [u8],
                    ) = Self::pop;
                    __vfio_user::read_bytes(
                        __len,
                        |__bytes| __hook(self, __cx, __slot.element, __bytes),
                    )
                }
                (
                    ::core::option::Option::None,
                    __registers::DATA,
                    __vfio_user::Hook::WriteBytes(__bits, __len),
                ) => {
                    let __hook: fn(
                        &mut Self,
                        &mut __vfio_user::Cx<'_, Self>,
                        usize,
                        &[u8],
                    ) = Self::push;
                    __vfio_user::write_bytes(
                        __bits,
                        __len,
                        |__bytes| __hook(self, __cx, __slot.element, __bytes),
                    )
                }
                _ => 0,
            }
        }
        fn state_types() -> ::std::vec::Vec<__vfio_user::WireType> {
            ::std::vec![
                __vfio_user::WireType::of:: < __vfio_user::ByteBuf > (),
                __vfio_user::WireType::of:: < __vfio_user::ByteBuf > ()
            ]
        }
        fn save_private(
            &self,
            __out: &mut __vfio_user::StateWriter<'_>,
        ) -> ::core::result::Result<(), __vfio_user::StateError> {
            __out.check_elements(&__STATE.fields[0], (&self.buffer).len())?;
            __out
                .put(
                    &__STATE.fields[0],
                    __vfio_user::WireType::of::<__vfio_user::ByteBuf>(),
                    &__vfio_user::as_bytes(&self.buffer),
                )?;
            __out
                .put(
                    &__STATE.fields[1],
                    __vfio_user::WireType::of::<__vfio_user::ByteBuf>(),
                    &__vfio_user::as_bytes(&self.image),
                )?;
            ::core::result::Result::Ok(())
        }
        fn load_private(
            __from: &mut __vfio_user::StateReader<'_>,
        ) -> ::core::result::Result<
            __vfio_user::Exchange<Self>,
            __vfio_user::StateError,
        > {
            let __value = __from
                .take_if_there::<
                    __vfio_user::ByteBuf,
                >(
                    &__STATE.fields[0],
                    __vfio_user::WireType::of::<__vfio_user::ByteBuf>(),
                )?;
            let __value = __from.required(&__STATE.fields[0], __value)?;
            let mut __value_0: Box<[u8]> = {
                let __value: Box<[u8]> = __value.into_vec().into_boxed_slice();
                __from.check_elements(&__STATE.fields[0], (&__value).len())?;
                __value
            };
            let __value = __from
                .take_if_there::<
                    __vfio_user::ByteBuf,
                >(
                    &__STATE.fields[1],
                    __vfio_user::WireType::of::<__vfio_user::ByteBuf>(),
                )?;
            let __value = __from.required(&__STATE.fields[1], __value)?;
            let mut __value_1: [u8; LEN] = __from
                .array(&__STATE.fields[1], __value.into_vec())?;
            ::core::result::Result::Ok(
                __vfio_user::exchange(move |__device: &mut Self| {
                    ::core::mem::swap(&mut __device.buffer, &mut __value_0);
                    ::core::mem::swap(&mut __device.image, &mut __value_1);
                }),
            )
        }
        fn memory(&self, __index: usize) -> &[u8] {
            match __index {
                __memories::BUFFER => &self.buffer[..],
                __memories::IMAGE => &self.image[..],
                _ => &[],
            }
        }
        fn memory_mut(&mut self, __index: usize) -> &mut [u8] {
            match __index {
                __memories::BUFFER => &mut self.buffer[..],
                __memories::IMAGE => &mut self.image[..],
                _ => &mut [],
            }
        }
        fn allocate_memory(&mut self, __index: usize, __len: usize) {
            match __index {
                __memories::BUFFER => {
                    self.buffer = ::std::vec![0; __len].into_boxed_slice();
                }
                __memories::IMAGE => {}
                _ => {}
            }
        }
        fn memory_written(
            &mut self,
            __cx: &mut __vfio_user::Cx<'_, Self>,
            __index: usize,
            __range: ::core::ops::Range<usize>,
        ) {
            match __index {
                __memories::BUFFER => {
                    let __hook: fn(
                        &mut Self,
                        &mut __vfio_user::Cx<'_, Self>,
                        ::core::ops::Range<usize>,
                    ) = Self::touched;
                    __hook(self, __cx, __range);
                }
                __memories::IMAGE => {}
                _ => {}
            }
        }
    }
};
