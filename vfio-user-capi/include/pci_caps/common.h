/* Heads of PCI capabilities. */

#ifndef LIB_VFIO_USER_PCI_CAPS_COMMON_H
#define LIB_VFIO_USER_PCI_CAPS_COMMON_H

#include <stddef.h>
#include <stdint.h>

#include <linux/pci_regs.h>

/* C11's keyword in C++. */
#if defined(__cplusplus) && !defined(_Static_assert)
#define _Static_assert static_assert
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* A capability: its id (PCI_CAP_ID_*) and the offset of the next one, which the library sets. */
struct cap_hdr {
    uint8_t id;
    uint8_t next;
} __attribute__((packed));

/* A vendor-specific capability. `size` counts all of it, with the head. */
struct vsc {
    struct cap_hdr hdr;
    uint8_t size;
    uint8_t data[];
} __attribute__((packed));

/* An extended capability: its id (PCI_EXT_CAP_ID_*), its version, and the next one's offset. */
struct pcie_ext_cap_hdr {
    uint32_t id:16;
    uint32_t version:4;
    uint32_t next:12;
} __attribute__((packed));

/* An extended vendor-specific capability. `len` counts all of it, with both heads. */
struct pcie_ext_cap_vsc_hdr {
    struct pcie_ext_cap_hdr hdr;
    uint32_t id:16;
    uint32_t rev:4;
    uint32_t len:12;
    uint8_t data[];
} __attribute__((packed));

_Static_assert(sizeof(struct cap_hdr) == 2, "layout");
_Static_assert(sizeof(struct vsc) == 3, "layout");
_Static_assert(sizeof(struct pcie_ext_cap_hdr) == 4, "layout");
_Static_assert(sizeof(struct pcie_ext_cap_vsc_hdr) == 8, "layout");

#ifdef __cplusplus
}
#endif

#endif
