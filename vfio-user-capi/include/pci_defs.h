/* The header of configuration space (type 0), register by register. */

#ifndef LIBVFIO_USER_PCI_DEFS_H
#define LIBVFIO_USER_PCI_DEFS_H

#include <stdbool.h>
#include <stdint.h>

#include <linux/pci_regs.h>

#include "pci_caps/common.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Values of `locatable` of a memory BAR. */
#define PCI_BASE_ADDRESS_MEM_TYPE_LOCATABLE_32 (PCI_BASE_ADDRESS_MEM_TYPE_32 / 2)
#define PCI_BASE_ADDRESS_MEM_TYPE_LOCATABLE_1M (PCI_BASE_ADDRESS_MEM_TYPE_1M / 2)
#define PCI_BASE_ADDRESS_MEM_TYPE_LOCATABLE_64 (PCI_BASE_ADDRESS_MEM_TYPE_64 / 2)

#define PCI_BARS_NR 6

/* Vendor and device. */
typedef union {
    uint32_t raw;
    struct {
        uint16_t vid;
        uint16_t did;
    } __attribute__((packed));
} __attribute__((packed)) vfu_pci_hdr_id_t;

/* Vendor and device of the subsystem. */
typedef union {
    uint32_t raw;
    struct {
        uint16_t vid;
        uint16_t sid;
    } __attribute__((packed));
} __attribute__((packed)) vfu_pci_hdr_ss_t;

/* Command. */
typedef union {
    uint16_t raw;
    struct {
        uint8_t iose:1; /* I/O space */
        uint8_t mse:1;  /* memory space */
        uint8_t bme:1;  /* bus master */
        uint8_t sce:1;  /* special cycles */
        uint8_t mwie:1; /* memory write and invalidate */
        uint8_t vga:1;  /* VGA palette snoop */
        uint8_t pee:1;  /* parity error response */
        uint8_t zero:1;
        uint8_t see:1;  /* SERR# */
        uint8_t fbe:1;  /* fast back-to-back */
        uint8_t id:1;   /* INTx disable */
        uint8_t res1:5;
    } __attribute__((packed));
} __attribute__((packed)) vfu_pci_hdr_cmd_t;

/* Status. */
typedef union {
    uint16_t raw;
    struct {
        unsigned int res1:3;
        unsigned int is:1;   /* INTx is asserted */
        unsigned int cl:1;   /* there is a list of capabilities */
        unsigned int c66:1;  /* 66 MHz */
        unsigned int res2:1;
        unsigned int fbc:1;  /* fast back-to-back */
        unsigned int dpd:1;  /* master data parity error */
        unsigned int devt:2; /* DEVSEL timing */
        unsigned int sta:1;  /* signalled target abort */
        unsigned int rta:1;  /* received target abort */
        unsigned int rma:1;  /* received master abort */
        unsigned int sse:1;  /* signalled system error */
        unsigned int dpe:1;  /* detected parity error */
    } __attribute__((packed));
} __attribute__((packed)) vfu_pci_hdr_sts_t;

/* Class code: programming interface, subclass, base class. */
typedef union {
    uint8_t raw[3];
    struct {
        uint8_t pi;
        uint8_t scc;
        uint8_t bcc;
    } __attribute__((packed));
} __attribute__((packed)) vfu_pci_hdr_cc_t;

/* Header type. */
typedef union {
    uint8_t raw;
} __attribute__((packed)) vfu_pci_hdr_htype_t;

/* Built-in self test. */
typedef union {
    uint8_t raw;
} __attribute__((packed)) vfu_pci_hdr_bist_t;

/* A base address register. */
typedef union {
    uint32_t raw;
    union {
        struct {
            unsigned int region_type:1; /* 0 */
            unsigned int locatable:2;
            unsigned int prefetchable:1;
            unsigned int base_address:28;
        } __attribute__((packed)) mem;
        struct {
            unsigned int region_type:1; /* 1 */
            unsigned int reserved:1;
            unsigned int base_address:30;
        } __attribute__((packed)) io;
    } __attribute__((packed));
} __attribute__((packed)) vfu_bar_t;

/* Interrupt line and pin. */
typedef union {
    uint16_t raw;
    struct {
        uint8_t iline;
        uint8_t ipin;
    } __attribute__((packed));
} __attribute__((packed)) vfu_pci_hdr_intr_t;

typedef union {
    uint8_t raw[PCI_STD_HEADER_SIZEOF];
    struct {
        vfu_pci_hdr_id_t id;
        vfu_pci_hdr_cmd_t cmd;
        vfu_pci_hdr_sts_t sts;
        uint8_t rid;        /* revision */
        vfu_pci_hdr_cc_t cc;
        uint8_t cls;        /* cache line size */
        uint8_t mlt;        /* latency timer */
        vfu_pci_hdr_htype_t htype;
        vfu_pci_hdr_bist_t bist;
        vfu_bar_t bars[PCI_BARS_NR];
        uint32_t ccptr;     /* CardBus CIS pointer */
        vfu_pci_hdr_ss_t ss;
        uint32_t erom;      /* address of the ROM */
        uint8_t cap;        /* offset of the first capability */
        uint8_t res1[7];
        vfu_pci_hdr_intr_t intr;
        uint8_t mgnt;       /* minimum grant */
        uint8_t mlat;       /* maximum latency */
    } __attribute__((packed));
} __attribute__((packed)) vfu_pci_hdr_t;

/* Configuration space: 256 bytes, or 4096 of a PCI Express function, of which the rest follows. */
typedef struct {
    union {
        uint8_t raw[PCI_CFG_SPACE_SIZE];
        vfu_pci_hdr_t hdr;
    } __attribute__((packed));
    uint8_t extended[];
} __attribute__((packed)) vfu_pci_config_space_t;

_Static_assert(sizeof(vfu_bar_t) == 4, "layout");
_Static_assert(sizeof(vfu_pci_hdr_cmd_t) == 2, "layout");
_Static_assert(sizeof(vfu_pci_hdr_sts_t) == 2, "layout");
_Static_assert(sizeof(vfu_pci_hdr_t) == PCI_STD_HEADER_SIZEOF, "layout");
_Static_assert(sizeof(vfu_pci_config_space_t) == PCI_CFG_SPACE_SIZE, "layout");

#ifdef __cplusplus
}
#endif

#endif
