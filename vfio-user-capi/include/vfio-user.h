/*
 * The vfio-user protocol as C structures, for programs that exchange its messages themselves. All
 * values are little-endian. `vfio-user/src/protocol` has the same in Rust, with references to the
 * specification.
 */

#ifndef VFIO_USER_H
#define VFIO_USER_H

#include <inttypes.h>

#include <linux/version.h>
#include <linux/vfio.h>

#include "pci_caps/common.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The data that a peer accepts in one message, unless it announces another limit. */
#define VFIO_USER_DEFAULT_MAX_DATA_XFER_SIZE (1024 * 1024)

enum vfio_user_command {
    VFIO_USER_VERSION = 1,
    VFIO_USER_DMA_MAP,
    VFIO_USER_DMA_UNMAP,
    VFIO_USER_DEVICE_GET_INFO,
    VFIO_USER_DEVICE_GET_REGION_INFO,
    VFIO_USER_DEVICE_GET_REGION_IO_FDS,
    VFIO_USER_DEVICE_GET_IRQ_INFO,
    VFIO_USER_DEVICE_SET_IRQS,
    VFIO_USER_REGION_READ,
    VFIO_USER_REGION_WRITE,
    VFIO_USER_DMA_READ,
    VFIO_USER_DMA_WRITE,
    VFIO_USER_DEVICE_RESET,
    VFIO_USER_REGION_WRITE_MULTI = 15,
    VFIO_USER_DEVICE_FEATURE,
    VFIO_USER_MIG_DATA_READ,
    VFIO_USER_MIG_DATA_WRITE,
    VFIO_USER_MAX,
};

enum vfio_user_message_type {
    VFIO_USER_MESSAGE_COMMAND,
    VFIO_USER_MESSAGE_REPLY,
};

#define VFIO_USER_FLAGS_NO_REPLY 0x1

/* Bits of `flags` of a header. */
#define VFIO_USER_F_TYPE_MASK    0xf
#define VFIO_USER_F_TYPE_COMMAND 0x0
#define VFIO_USER_F_TYPE_REPLY   0x1
#define VFIO_USER_F_NO_REPLY     0x10
#define VFIO_USER_F_ERROR        0x20

/* The start of every message. `msg_size` counts the header as well. */
struct vfio_user_header {
    uint16_t msg_id;
    uint16_t cmd;
    uint32_t msg_size;
    uint32_t flags;
    uint32_t error_no;
} __attribute__((packed));

/* VFIO_USER_VERSION; JSON follows, with a zero byte at its end. */
struct vfio_user_version {
    uint16_t major;
    uint16_t minor;
    uint8_t data[];
} __attribute__((packed));

/* VFIO_USER_DEVICE_GET_INFO; `flags` are VFIO_DEVICE_FLAGS_*. */
struct vfio_user_device_info {
    uint32_t argsz;
    uint32_t flags;
    uint32_t num_regions;
    uint32_t num_irqs;
} __attribute__((packed));

/* A bitmap of written pages; its `size` is in bytes. */
struct vfio_user_bitmap {
    uint64_t pgsize;
    uint64_t size;
    char data[];
} __attribute__((packed));

/* Bits of `flags` of a map. */
#define VFIO_USER_F_DMA_REGION_READ    (1 << 0)
#define VFIO_USER_F_DMA_REGION_WRITE   (1 << 1)
#define VFIO_USER_F_DMA_REGION_MMAP    (1 << 2)
#define VFIO_USER_F_DMA_REGION_FILE_IO (1 << 3)

/* VFIO_USER_DMA_MAP; `offset` is in the descriptor that comes with it, if one does. */
struct vfio_user_dma_map {
    uint32_t argsz;
    uint32_t flags;
    uint64_t offset;
    uint64_t addr;
    uint64_t size;
} __attribute__((packed));

#ifndef VFIO_DMA_UNMAP_FLAG_GET_DIRTY_BITMAP
#define VFIO_DMA_UNMAP_FLAG_GET_DIRTY_BITMAP (1 << 0)
#endif
#ifndef VFIO_DMA_UNMAP_FLAG_ALL
#define VFIO_DMA_UNMAP_FLAG_ALL (1 << 1)
#endif

/* VFIO_USER_DMA_UNMAP. */
struct vfio_user_dma_unmap {
    uint32_t argsz;
    uint32_t flags;
    uint64_t addr;
    uint64_t size;
    struct vfio_user_bitmap bitmap[];
};

/* VFIO_USER_REGION_READ and VFIO_USER_REGION_WRITE. */
struct vfio_user_region_access {
    uint64_t offset;
    uint32_t region;
    uint32_t count;
    uint8_t data[];
} __attribute__((packed));

/* VFIO_USER_DMA_READ and VFIO_USER_DMA_WRITE, from the server to the client. */
struct vfio_user_dma_region_access {
    uint64_t addr;
    uint64_t count;
    uint8_t data[];
} __attribute__((packed));

struct vfio_user_irq_info {
    uint32_t subindex;
} __attribute__((packed));

/* VFIO_USER_DEVICE_GET_REGION_IO_FDS. */
typedef struct vfio_user_region_io_fds_request {
    uint32_t argsz;
    uint32_t flags;
    uint32_t index;
    uint32_t count;
} __attribute__((packed)) vfio_user_region_io_fds_request_t;

/* Types of a sub-region. */
#define VFIO_USER_IO_FD_TYPE_IOEVENTFD        0
#define VFIO_USER_IO_FD_TYPE_IOREGIONFD       1
#define VFIO_USER_IO_FD_TYPE_IOEVENTFD_SHADOW 2

/* Writes that signal an eventfd; `shadow_*` is the memory that receives the values. */
typedef struct vfio_user_sub_region_ioeventfd {
    uint64_t gpa_offset;
    uint64_t size;
    uint32_t fd_index;
    uint32_t type;
    uint32_t flags;
    uint32_t shadow_mem_fd_index;
    uint64_t shadow_offset;
    uint64_t datamatch;
} __attribute__((packed)) vfio_user_sub_region_ioeventfd_t;

typedef struct vfio_user_sub_region_ioregionfd {
    uint64_t offset;
    uint64_t size;
    uint32_t fd_index;
    uint32_t type;
    uint32_t flags;
    uint32_t padding;
    uint64_t user_data;
} __attribute__((packed)) vfio_user_sub_region_ioregionfd_t;

typedef struct vfio_user_region_io_fds_reply {
    uint32_t argsz;
    uint32_t flags;
    uint32_t index;
    uint32_t count;
    union sub_region {
        struct vfio_user_sub_region_ioeventfd ioeventfd;
        struct vfio_user_sub_region_ioregionfd ioregionfd;
    } sub_regions[];
} __attribute__((packed)) vfio_user_region_io_fds_reply_t;

/* VFIO_USER_DEVICE_FEATURE; `flags` are VFIO_DEVICE_FEATURE_*. */
struct vfio_user_device_feature {
    uint32_t argsz;
    uint32_t flags;
    uint8_t data[];
} __attribute__((packed));

#ifndef VFIO_DEVICE_FEATURE_MASK
#define VFIO_DEVICE_FEATURE_MASK  0xffff
#define VFIO_DEVICE_FEATURE_GET   (1 << 16)
#define VFIO_DEVICE_FEATURE_SET   (1 << 17)
#define VFIO_DEVICE_FEATURE_PROBE (1 << 18)
#endif

/* Numbers of features that older kernel headers lack. */
#ifndef VFIO_REGION_TYPE_MIGRATION_DEPRECATED
#define VFIO_DEVICE_FEATURE_MIGRATION 1
#define VFIO_MIGRATION_STOP_COPY (1 << 0)
#define VFIO_MIGRATION_P2P       (1 << 1)
#endif
#ifndef VFIO_MIGRATION_PRE_COPY
#define VFIO_MIGRATION_PRE_COPY  (1 << 2)
#endif
#ifndef VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE
#define VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE 2
#endif
#ifndef VFIO_DEVICE_FEATURE_DMA_LOGGING_START
#define VFIO_DEVICE_FEATURE_DMA_LOGGING_START  6
#define VFIO_DEVICE_FEATURE_DMA_LOGGING_STOP   7
#define VFIO_DEVICE_FEATURE_DMA_LOGGING_REPORT 8
#endif

/* Data of VFIO_DEVICE_FEATURE_DMA_LOGGING_START. */
struct vfio_user_device_feature_dma_logging_range {
    uint64_t iova;
    uint64_t length;
} __attribute__((packed));

struct vfio_user_device_feature_dma_logging_control {
    uint64_t page_size;
    uint32_t num_ranges;
    uint32_t reserved;
    struct vfio_user_device_feature_dma_logging_range ranges[];
} __attribute__((packed));

/* Data of VFIO_DEVICE_FEATURE_DMA_LOGGING_REPORT. */
struct vfio_user_device_feature_dma_logging_report {
    uint64_t iova;
    uint64_t length;
    uint64_t page_size;
    uint8_t bitmap[];
} __attribute__((packed));

/* Data of VFIO_DEVICE_FEATURE_MIGRATION: VFIO_MIGRATION_*. */
struct vfio_user_device_feature_migration {
    uint64_t flags;
} __attribute__((packed));

/* Data of VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE. */
struct vfio_user_device_feature_mig_state {
    uint32_t device_state;
    uint32_t data_fd;
} __attribute__((packed));

enum vfio_user_device_mig_state {
    VFIO_USER_DEVICE_STATE_ERROR,
    VFIO_USER_DEVICE_STATE_STOP,
    VFIO_USER_DEVICE_STATE_RUNNING,
    VFIO_USER_DEVICE_STATE_STOP_COPY,
    VFIO_USER_DEVICE_STATE_RESUMING,
    VFIO_USER_DEVICE_STATE_RUNNING_P2P,
    VFIO_USER_DEVICE_STATE_PRE_COPY,
    VFIO_USER_DEVICE_STATE_PRE_COPY_P2P,
    VFIO_USER_DEVICE_NUM_STATES,
};

/* VFIO_USER_MIG_DATA_READ and VFIO_USER_MIG_DATA_WRITE. */
struct vfio_user_mig_data {
    uint32_t argsz;
    uint32_t size;
    uint8_t data[];
} __attribute__((packed));

_Static_assert(sizeof(struct vfio_user_header) == 16, "layout");
_Static_assert(sizeof(struct vfio_user_dma_map) == 32, "layout");
_Static_assert(sizeof(struct vfio_user_sub_region_ioeventfd) == 48, "layout");

#ifdef __cplusplus
}
#endif

#endif
