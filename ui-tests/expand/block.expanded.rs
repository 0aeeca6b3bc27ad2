///The hooks of the registers of a [`Queue`], in a device that has it.
///
/// `index` says which of the device's blocks it is.
pub trait QueueHost: ::vfio_user::Device {
    ///Takes what is written to `doorbell`.
    fn doorbell(
        &mut self,
        cx: &mut ::vfio_user::Cx<'_, Self>,
        index: ::core::primitive::usize,
        value: u32,
    );
    ///`kick` was written, whatever with.
    fn kicked(
        &mut self,
        cx: &mut ::vfio_user::Cx<'_, Self>,
        index: ::core::primitive::usize,
        element: ::core::primitive::usize,
    );
    ///Gives the value of `levels`.
    fn level(
        &mut self,
        cx: &mut ::vfio_user::Cx<'_, Self>,
        index: ::core::primitive::usize,
        element: ::core::primitive::usize,
    ) -> u16;
}
const _: () = {
    use ::vfio_user::__private as __vfio_user;
    const __STATE: __vfio_user::StateLayout = __vfio_user::StateLayout::new(
        1,
        1,
        &[__vfio_user::StateField::new("kicks", "u64")],
    );
    const __REGISTERS: &[__vfio_user::Register] = &[
        __vfio_user::Register::new::<u64>("base", 0x00)
            .doc("Where its descriptors lie."),
        __vfio_user::Register::new::<u32>("doorbell", 0x08)
            .policy(__vfio_user::Policy::Wo)
            .without_storage()
            .hooks(__vfio_user::Hooks::WRITE_WITH),
        __vfio_user::Register::new::<u16>("levels", 0x0c)
            .array(2)
            .policy(__vfio_user::Policy::Ro)
            .without_storage()
            .hooks(__vfio_user::Hooks::READ_WITH),
        __vfio_user::Register::new::<u32>("kick", 0x10)
            .array(4)
            .policy(__vfio_user::Policy::Wo)
            .without_storage()
            .hooks(__vfio_user::Hooks::KICK),
    ];
    #[automatically_derived]
    impl __vfio_user::RegisterBlock for Queue {
        type Hooks = Self;
        const REGISTERS: &'static [__vfio_user::Register] = __REGISTERS;
        fn load(&self, slot: __vfio_user::Slot) -> u64 {
            match slot.register {
                0 => __vfio_user::bits(self.base),
                1 => __vfio_user::no_bits(self.doorbell),
                2 => __vfio_user::no_bits(self.levels[slot.index]),
                3 => __vfio_user::no_bits(self.kick[slot.index]),
                _ => 0,
            }
        }
        fn store(&mut self, slot: __vfio_user::Slot, bits: u64) {
            match slot.register {
                0 => self.base = __vfio_user::value(bits),
                _ => {}
            }
        }
        const STATE: ::core::option::Option<__vfio_user::StateLayout> = ::core::option::Option::Some(
            __STATE,
        );
        fn state_types() -> ::std::vec::Vec<__vfio_user::WireType> {
            let _ = __vfio_user::migrated::<u64>;
            ::std::vec![__vfio_user::WireType::of:: < u64 > ()]
        }
        fn save_private(
            elements: &[Self],
            out: &mut __vfio_user::StateWriter<'_>,
        ) -> ::core::result::Result<(), __vfio_user::StateError> {
            out.put_column(
                &__STATE.fields[0],
                __vfio_user::WireType::of::<u64>(),
                &elements
                    .iter()
                    .map(|device| __vfio_user::migrated::<u64>(&device.kicks))
                    .collect::<::std::vec::Vec<_>>(),
            )?;
            ::core::result::Result::Ok(())
        }
        fn load_private(
            count: ::core::primitive::usize,
            from: &mut __vfio_user::StateReader<'_>,
        ) -> ::core::result::Result<
            __vfio_user::Exchange<[Self]>,
            __vfio_user::StateError,
        > {
            let mut value_0 = ::std::vec::Vec::<u64>::new();
            let column = from
                .column::<
                    u64,
                >(&__STATE.fields[0], __vfio_user::WireType::of::<u64>(), count)?;
            for value in column {
                value_0.push(value);
            }
            ::core::result::Result::Ok(
                __vfio_user::exchange(move |elements: &mut [Self]| {
                    for (device, value) in elements.iter_mut().zip(&mut value_0) {
                        ::core::mem::swap(&mut device.kicks, value);
                    }
                }),
            )
        }
    }
    #[automatically_derived]
    impl<__Host: QueueHost> __vfio_user::BlockHooks<__Host> for Queue {
        fn hook(
            device: &mut __Host,
            cx: &mut __vfio_user::Cx<'_, __Host>,
            at: ::core::primitive::usize,
            slot: __vfio_user::Slot,
            call: __vfio_user::Hook,
        ) -> u64 {
            match (slot.register, call) {
                (1, __vfio_user::Hook::Write(bits)) => {
                    <__Host as QueueHost>::doorbell(
                        device,
                        cx,
                        at,
                        __vfio_user::value(bits),
                    );
                    0
                }
                (2, __vfio_user::Hook::Read) => {
                    __vfio_user::bits(
                        <__Host as QueueHost>::level(device, cx, at, slot.index),
                    )
                }
                (3, __vfio_user::Hook::Kick) => {
                    <__Host as QueueHost>::kicked(device, cx, at, slot.index);
                    0
                }
                _ => 0,
            }
        }
    }
};
