/* The capability MSI, in its longest form: 64-bit addresses and masks. */

#ifndef LIB_VFIO_USER_PCI_CAPS_MSI_H
#define LIB_VFIO_USER_PCI_CAPS_MSI_H

#include "common.h"

#ifdef __cplusplus
extern "C" {
#endif

#define VFIO_USER_PCI_CAP_MSI_SIZEOF 0x18

/* Message Control. The guest writes `msie` and `mme`. */
struct mc {
    unsigned int msie:1; /* MSI is enabled */
    unsigned int mmc:3;  /* messages that the device has, as a power of two */
    unsigned int mme:3;  /* messages that the guest has enabled, likewise */
    unsigned int c64:1;  /* 64-bit addresses */
    unsigned int pvm:1;  /* masks for each message */
    unsigned int res1:7;
} __attribute__((packed));

/* Message Address; the two lowest bits are zero. */
struct ma {
    unsigned int res1:2;
    unsigned int addr:30;
} __attribute__((packed));

struct msicap {
    struct cap_hdr hdr;
    struct mc mc;
    struct ma ma;
    uint32_t mua;     /* upper half of the address */
    uint16_t md;      /* data */
    uint16_t padding;
    uint32_t mmask;   /* masked messages */
    uint32_t mpend;   /* pending messages, which the device sets */
} __attribute__((packed));

_Static_assert(sizeof(struct mc) == 2, "layout");
_Static_assert(sizeof(struct ma) == 4, "layout");
_Static_assert(sizeof(struct msicap) == VFIO_USER_PCI_CAP_MSI_SIZEOF, "layout");

#ifdef __cplusplus
}
#endif

#endif
