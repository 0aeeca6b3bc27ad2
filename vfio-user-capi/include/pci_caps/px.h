/* The capability PCI Express, of version 2. Registers without named bits hold them in `stuff`. */

#ifndef LIB_VFIO_USER_PCI_CAPS_PX_H
#define LIB_VFIO_USER_PCI_CAPS_PX_H

#include "common.h"

#ifdef __cplusplus
extern "C" {
#endif

#define VFIO_USER_PCI_CAP_EXP_SIZEOF 0x3c

/* PCI Express Capabilities. */
struct pxcaps {
    uint16_t ver:4; /* version */
    uint16_t dpt:4; /* type of the device or port */
    uint16_t si:1;  /* slot is implemented */
    uint16_t imn:5; /* interrupt message number */
    uint16_t res1:2;
} __attribute__((packed));

/* Device Capabilities. */
struct pxdcap {
    uint32_t mps:3;   /* maximum payload size */
    uint32_t pfs:2;   /* phantom functions */
    uint32_t etfs:1;  /* extended tags */
    uint32_t l0sl:3;  /* latency of L0s */
    uint32_t l1l:3;   /* latency of L1 */
    uint32_t res1:3;
    uint32_t rer:1;   /* role based error reporting */
    uint32_t res2:2;
    uint32_t csplv:8; /* slot power limit, value */
    uint32_t cspls:2; /* slot power limit, scale */
    uint32_t flrc:1;  /* function level reset: the library then reports FLRs */
    uint32_t res3:3;
} __attribute__((packed));

/* Device Control. */
union pxdc {
    uint16_t raw;
    struct {
        uint16_t cere:1;  /* report correctable errors */
        uint16_t nfere:1; /* report non-fatal errors */
        uint16_t fere:1;  /* report fatal errors */
        uint16_t urre:1;  /* report unsupported requests */
        uint16_t ero:1;   /* relaxed ordering */
        uint16_t mps:3;   /* maximum payload size */
        uint16_t ete:1;   /* extended tags */
        uint16_t pfe:1;   /* phantom functions */
        uint16_t appme:1; /* auxiliary power */
        uint16_t ens:1;   /* no snoop */
        uint16_t mrrs:3;  /* maximum read request size */
        uint16_t iflr:1;  /* initiate function level reset; reads as 0 */
    } __attribute__((packed));
} __attribute__((packed));

/* Device Status. */
struct pxds {
    uint16_t stuff:16;
} __attribute__((packed));

/* Link Capabilities. */
struct pxlcap {
    uint32_t stuff:32;
} __attribute__((packed));

/* Link Control. */
union pxlc {
    uint16_t raw;
    struct {
        uint16_t aspmc:2;     /* active state power management */
        uint16_t rsvdp1:1;
        uint16_t rcb:1;       /* read completion boundary */
        uint16_t ld:1;        /* link disable */
        uint16_t rl:1;        /* retrain link */
        uint16_t ccc:1;       /* common clock configuration */
        uint16_t es:1;        /* extended synch */
        uint16_t clkreq_en:1; /* clock power management */
        uint16_t hawd:1;      /* autonomous width disable */
        uint16_t lbmie:1;     /* interrupt on bandwidth management */
        uint16_t labie:1;     /* interrupt on autonomous bandwidth */
        uint16_t rsvdp2:4;
    };
} __attribute__((packed));

/* Link Status. */
struct pxls {
    uint16_t stuff:16;
} __attribute__((packed));

/* Slot Capabilities, Control, Status. */
struct pxscap {
    uint32_t stuff:32;
} __attribute__((packed));
struct pxsc {
    uint16_t stuff:16;
} __attribute__((packed));
struct pxss {
    uint16_t stuff:16;
} __attribute__((packed));

/* Root Control, Capabilities, Status. */
struct pxrc {
    uint16_t stuff:16;
} __attribute__((packed));
struct pxrcap {
    uint16_t stuff:16;
} __attribute__((packed));
struct pxrs {
    uint32_t stuff:32;
} __attribute__((packed));

/* Device Capabilities 2. */
struct pxdcap2 {
    uint32_t ctrs:4;   /* completion timeout ranges */
    uint32_t ctds:1;   /* completion timeout can be disabled */
    uint32_t arifs:1;  /* ARI forwarding */
    uint32_t aors:1;   /* AtomicOp routing */
    uint32_t aocs32:1; /* 32-bit AtomicOps */
    uint32_t aocs64:1; /* 64-bit AtomicOps */
    uint32_t ccs128:1; /* 128-bit CAS */
    uint32_t nprpr:1;  /* no relaxed ordering between peers */
    uint32_t ltrs:1;   /* latency tolerance reporting */
    uint32_t tphcs:2;  /* TPH completer */
    uint32_t ln:2;     /* lightweight notifications */
    uint32_t tcs:1;    /* 10-bit tags, completer */
    uint32_t trs:1;    /* 10-bit tags, requester */
    uint32_t obffs:2;  /* OBFF */
    uint32_t effs:1;   /* extended format field */
    uint32_t eetps:1;  /* end-to-end TLP prefixes */
    uint32_t meetp:2;  /* maximum number of those */
    uint32_t eprs:2;   /* emergency power reduction */
    uint32_t eprir:1;  /* its initialization */
    uint32_t res1:1;
    uint32_t dmwcs:1;  /* DMWr, completer */
    uint32_t dmwls:2;  /* DMWr, lengths */
    uint32_t frss:1;   /* function readiness status */
} __attribute__((packed));

/* Device Control 2. */
union pxdc2 {
    uint16_t raw;
    struct {
        uint32_t comp_timeout:4;
        uint32_t comp_timout_dis:1;
        uint32_t ari:1;
        uint32_t atomic_req:1;
        uint32_t atomic_egress_block:1;
        uint32_t ido_req_en:1;
        uint32_t ido_cmp_en:1;
        uint32_t ltr_en:1;
        uint32_t obff_en:2;
        uint32_t end_end_tlp_prefix_block:1;
    } __attribute__((packed));
} __attribute__((packed));

/* Device Status 2. */
struct pxds2 {
    uint16_t stuff:16;
} __attribute__((packed));

/* Link Capabilities, Control, Status 2. */
struct pxlcap2 {
    uint32_t stuff:32;
} __attribute__((packed));
struct pxlc2 {
    uint16_t stuff:16;
} __attribute__((packed));
struct pxls2 {
    uint16_t stuff:16;
} __attribute__((packed));

/* Slot Capabilities, Control, Status 2. */
struct pxscap2 {
    uint32_t stuff:32;
} __attribute__((packed));
struct pxsc2 {
    uint16_t stuff:16;
} __attribute__((packed));
struct pxss2 {
    uint16_t stuff:16;
} __attribute__((packed));

struct pxcap {
    struct cap_hdr hdr;
    struct pxcaps pxcaps;
    struct pxdcap pxdcap;
    union pxdc pxdc;
    struct pxds pxds;
    struct pxlcap pxlcap;
    union pxlc pxlc;
    struct pxls pxls;
    struct pxscap pxscap;
    struct pxsc pxsc;
    struct pxss pxss;
    struct pxrc pxrc;
    struct pxrcap pxrcap;
    struct pxrs pxrs;
    struct pxdcap2 pxdcap2;
    union pxdc2 pxdc2;
    struct pxds2 pxds2;
    struct pxlcap2 pxlcap2;
    struct pxlc2 pxlc2;
    struct pxls2 pxls2;
    struct pxscap2 pxscap2;
    struct pxsc2 pxsc2;
    struct pxss2 pxss2;
} __attribute__((packed));

_Static_assert(sizeof(union pxdc) == 2, "layout");
_Static_assert(sizeof(union pxlc) == 2, "layout");
_Static_assert(sizeof(union pxdc2) == 2, "layout");
_Static_assert(offsetof(struct pxcap, pxdcap2) == PCI_EXP_DEVCAP2, "layout");
_Static_assert(sizeof(struct pxcap) == VFIO_USER_PCI_CAP_EXP_SIZEOF, "layout");

#ifdef __cplusplus
}
#endif

#endif
