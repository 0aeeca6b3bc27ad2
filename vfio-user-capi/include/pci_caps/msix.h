/* The capability MSI-X. The table and the pending bits are in a BAR of the device. */

#ifndef LIB_VFIO_USER_PCI_CAPS_MSIX_H
#define LIB_VFIO_USER_PCI_CAPS_MSIX_H

#include "common.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Message Control. The guest writes `fm` and `mxe`. */
struct mxc {
    uint16_t ts:11;  /* vectors of the table, less one */
    uint16_t reserved:3;
    uint16_t fm:1;   /* all vectors are masked */
    uint16_t mxe:1;  /* MSI-X is enabled */
} __attribute__((packed));

/* The BAR of the table, and the offset in it in units of eight bytes. */
struct mtab {
    uint32_t tbir:3;
    uint32_t to:29;
} __attribute__((packed));

/* The same of the pending bits. */
struct mpba {
    uint32_t pbir:3;
    uint32_t pbao:29;
} __attribute__((packed));

struct msixcap {
    struct cap_hdr hdr;
    struct mxc mxc;
    struct mtab mtab;
    struct mpba mpba;
} __attribute__((packed)) __attribute__((aligned(4)));

_Static_assert(sizeof(struct mxc) == 2, "layout");
_Static_assert(sizeof(struct mtab) == 4, "layout");
_Static_assert(sizeof(struct mpba) == 4, "layout");
_Static_assert(sizeof(struct msixcap) == PCI_CAP_MSIX_SIZEOF, "layout");

#ifdef __cplusplus
}
#endif

#endif
