/* everything, PCI device 1234:f00d: A device that has one of everything. */
#ifndef EVERYTHING_REGISTERS_H
#define EVERYTHING_REGISTERS_H

/* Get and make the value of a field: name a field without `_MASK` and `_SHIFT`. */
#define EVERYTHING_GET(field, value) (((value) & field##_MASK) >> field##_SHIFT)
#define EVERYTHING_PREP(field, value) \
    (((field##_MASK & 0u) | (value)) << field##_SHIFT & field##_MASK)

/* Ids */
#define EVERYTHING_VENDOR_ID                     0x1234u
#define EVERYTHING_DEVICE_ID                     0xf00du
#define EVERYTHING_CLASS                         0x123456u

/* BAR 0: 1 MiB, 32-bit memory */
#define EVERYTHING_BAR0_SIZE                     0x100000u

/* 32 bits, rw, acts on reads, acts on writes, sticky: Starts and stops. */
#define EVERYTHING_CONTROL                       0u
#define EVERYTHING_CONTROL_RESET                 0x12000010u
#define EVERYTHING_CONTROL_ENABLE_MASK           0x00000001u /* bit 0, rw: The engine runs. */
#define EVERYTHING_CONTROL_ENABLE_SHIFT          0u
#define EVERYTHING_CONTROL_MODE_MASK             0x00000070u /* bits 6:4, rw */
#define EVERYTHING_CONTROL_MODE_SHIFT            4u
#define EVERYTHING_CONTROL_MODE_OFF              0u
#define EVERYTHING_CONTROL_MODE_SLOW             1u
#define EVERYTHING_CONTROL_MODE_FAST             5u
#define EVERYTHING_CONTROL_KICK_MASK             0x00000100u /* bit 8, rw */
#define EVERYTHING_CONTROL_KICK_SHIFT            8u
#define EVERYTHING_CONTROL_BUSY_MASK             0x00000200u /* bit 9, ro */
#define EVERYTHING_CONTROL_BUSY_SHIFT            9u
#define EVERYTHING_CONTROL_VERSION_MASK          0xff000000u /* bits 31:24, ro: Major | minor. */
#define EVERYTHING_CONTROL_VERSION_SHIFT         24u

/* 32 bits, ro, volatile, raises interrupt 2 where enable is set and mask is clear */
#define EVERYTHING_STATUS                        0x10u
#define EVERYTHING_STATUS_VECTOR                 2u

/* 32 bits, rw, big-endian, kept over function-level resets, kept over soft reset 0, kept over
   soft reset 3 */
#define EVERYTHING_ENABLE                        0x14u

/* 32 bits, rw, bits 0xff */
#define EVERYTHING_MASK                          0x18u
#define EVERYTHING_MASK_RESET                    0xffu

/* 32 bits, wo, ones set status */
#define EVERYTHING_TEST                          0x1cu

/* 64 bits, ro, computed */
#define EVERYTHING_NOW                           0x20u

/* 32 bits, wo, ones clear status */
#define EVERYTHING_CLEAR                         0x28u

/* 32 bits, ro, window to BAR 2 at enable, of mask bytes, which moves by 0x4 */
#define EVERYTHING_PEEPHOLE                      0x2cu

/* 32 bits, wo, acts on writes, doorbell for 0x7 */
#define EVERYTHING_BELL                          0x30u

/* 32 bits, ro, port */
#define EVERYTHING_RECEIVED                      0x34u

/* 16 bits, wo, acts on writes, doorbell */
#define EVERYTHING_BELLS(n)                      (0x38u + 0x2u * (n))
#define EVERYTHING_BELLS_COUNT                   4u

/* 8 bits, rw, writable 0xf, locked by control.enable */
#define EVERYTHING_RING(n)                       (0x40u + 0x8u * (n))
#define EVERYTHING_RING_COUNT                    4u

/* 8 bits, ro: Of the port. */
#define EVERYTHING_LINK                          0x60u
#define EVERYTHING_LINK_VALUE_MASK               0xffu /* bits 7:0, ro: Whether there is a cable. */
#define EVERYTHING_LINK_VALUE_SHIFT              0u
#define EVERYTHING_LINK_VALUE_DOWN               0u
#define EVERYTHING_LINK_VALUE_UP                 1u

/* One per processor. */
#define EVERYTHING_QUEUES(i)                     (0x80000u + 0x20u * (i))
#define EVERYTHING_QUEUES_COUNT                  8u

/* 64 bits, rw, written with its lower half, locked by running: Where its descriptors lie. */
#define EVERYTHING_QUEUES_BASE(i)                (EVERYTHING_QUEUES(i) + 0u)

/* 32 bits, rw */
#define EVERYTHING_QUEUES_RUNNING(i)             (EVERYTHING_QUEUES(i) + 8u)

/* 16 bits, wo, acts on writes */
#define EVERYTHING_QUEUES_DOORBELLS(i, n)        (EVERYTHING_QUEUES(i) + 0xcu + 0x2u * (n))
#define EVERYTHING_QUEUES_DOORBELLS_COUNT        2u

/* 8 bits, w1c, raises interrupt 1 + i where enable is set */
#define EVERYTHING_QUEUES_STATUS(i)              (EVERYTHING_QUEUES(i) + 0x10u)
#define EVERYTHING_QUEUES_STATUS_VECTOR(i)       (1u + 1u * (i))

/* 8 bits, rw */
#define EVERYTHING_QUEUES_ENABLE(i)              (EVERYTHING_QUEUES(i) + 0x11u)

/* Each has ports with lanes. */
#define EVERYTHING_SWITCHES(i)                   (0x81000u + 0x40u * (i))
#define EVERYTHING_SWITCHES_COUNT                3u

/* 32 bits, rw */
#define EVERYTHING_SWITCHES_ROUTES(i)            (EVERYTHING_SWITCHES(i) + 0u)

#define EVERYTHING_SWITCHES_PORTS(i, j)          (EVERYTHING_SWITCHES(i) + 0x10u + 0x10u * (j))
#define EVERYTHING_SWITCHES_PORTS_COUNT          2u

/* 8 bits, rw */
#define EVERYTHING_SWITCHES_PORTS_LANE(i, j)     (EVERYTHING_SWITCHES_PORTS(i, j) + 0u)

/* 8 bits, w1c, raises interrupt 1 + i * 2 + j */
#define EVERYTHING_SWITCHES_PORTS_STATUS(i, j)   (EVERYTHING_SWITCHES_PORTS(i, j) + 1u)
#define EVERYTHING_SWITCHES_PORTS_STATUS_VECTOR(i, j) (1u + 2u * (i) + 1u * (j))

/* one of 4 elements, selected by lane: The lanes of a port lie at the same place. */
#define EVERYTHING_SWITCHES_PORTS_LANES(i, j)    (EVERYTHING_SWITCHES_PORTS(i, j) + 4u)

/* 8 bits, rw: How strong it sends. */
#define EVERYTHING_SWITCHES_PORTS_LANES_LEVEL(i, j) (EVERYTHING_SWITCHES_PORTS_LANES(i, j) + 0u)
#define EVERYTHING_SWITCHES_PORTS_LANES_LEVEL_RESET 3u

/* 8 bits, rw */
#define EVERYTHING_SWITCHES_PORTS_LANES_TAPS(i, j, n) (EVERYTHING_SWITCHES_PORTS_LANES(i, j) + 2u + 0x1u * (n))
#define EVERYTHING_SWITCHES_PORTS_LANES_TAPS_COUNT 2u

/* memory, 64 KiB, acts on writes, cleared by resets: What it shows. */
#define EVERYTHING_SCREEN                        0x90000u
#define EVERYTHING_SCREEN_SIZE                   0x10000u

/* not modelled, 4 bytes, holds what is written */
#define EVERYTHING_PHYCTL                        0xa0000u
#define EVERYTHING_PHYCTL_SIZE                   4u

/* not modelled, 64 KiB, holds what is written */
#define EVERYTHING_DEBUG                         0xb0000u
#define EVERYTHING_DEBUG_SIZE                    0x10000u

/* BAR 1: 4 KiB, 32-bit memory */
#define EVERYTHING_BAR1_SIZE                     0x1000u

/* BAR 2: 4 GiB, 64-bit memory, prefetchable */
#define EVERYTHING_BAR2_SIZE                     0x100000000ull

/* 32 bits, rw, watched */
#define EVERYTHING_TAIL                          0x1000u

/* memory, 1 KiB, kept over resets */
#define EVERYTHING_LOG                           0x3000u
#define EVERYTHING_LOG_SIZE                      0x400u

/* BAR 4: 64 bytes, I/O ports */
#define EVERYTHING_BAR4_SIZE                     0x40u

/* 8 bits, rw, clears itself, locked unless control.enable */
#define EVERYTHING_GO                            0u

/* 8 bits, rw */
#define EVERYTHING_PAGE                          1u

/* 8 bits, ro, when page = 0x0 | 0x4..=0x7, answers reads only */
#define EVERYTHING_IDENTITY                      2u
#define EVERYTHING_IDENTITY_RESET                1u

/* 8 bits, wo, when page = 0x0, answers writes only */
#define EVERYTHING_FIFO                          2u

/* 16 bits, rw, answers accesses of 2 or 4 bytes only */
#define EVERYTHING_DATA                          4u

/* 16 bits, rw, one of 5 elements, selected by control.mode */
#define EVERYTHING_SIZES                         0x38u

/* one of 2 elements, selected by page: One at a time. */
#define EVERYTHING_LEGACY                        0x20u

/* 64 bits, rw, written with its lower half, locked by running: Where its descriptors lie. */
#define EVERYTHING_LEGACY_BASE                   (EVERYTHING_LEGACY + 0u)

/* 32 bits, rw */
#define EVERYTHING_LEGACY_RUNNING                (EVERYTHING_LEGACY + 8u)

/* 16 bits, wo, acts on writes */
#define EVERYTHING_LEGACY_DOORBELLS(n)           (EVERYTHING_LEGACY + 0xcu + 0x2u * (n))
#define EVERYTHING_LEGACY_DOORBELLS_COUNT        2u

/* 8 bits, w1c, raises interrupt 0 where enable is set */
#define EVERYTHING_LEGACY_STATUS                 (EVERYTHING_LEGACY + 0x10u)
#define EVERYTHING_LEGACY_STATUS_VECTOR          0u

/* 8 bits, rw */
#define EVERYTHING_LEGACY_ENABLE                 (EVERYTHING_LEGACY + 0x11u)

/* memory, 15 bytes */
#define EVERYTHING_ADDRESS                       0x10u
#define EVERYTHING_ADDRESS_SIZE                  0xfu

/* not modelled, 4 bytes, reads zero */
#define EVERYTHING_COUNT                         0x3cu
#define EVERYTHING_COUNT_SIZE                    4u

/* BAR 5: 32 bytes, I/O ports, mirrors BAR 4 */
#define EVERYTHING_BAR5_SIZE                     0x20u

/* Configuration space */

/* 32 bits, rw */
#define EVERYTHING_EXTRA                         0xc0u

#endif
