/*
 * libvfio-user.so: PCI devices in user space, for C and C++.
 *
 * A program creates a context, describes its device by calls on it, realizes it, attaches a client
 * and serves its requests, which call the program's functions. The interface is that of libvfio-user;
 * docs/c.md lists what differs.
 *
 * A context belongs to one thread at a time. The program's functions may call the library with the
 * context that they receive, except vfu_run_ctx, vfu_attach_ctx and vfu_destroy_ctx, which fail there
 * with EBUSY.
 *
 * Functions that return int return 0, or -1 with errno set, unless something else is said. A null
 * context is EINVAL.
 */

#ifndef LIB_VFIO_USER_H
#define LIB_VFIO_USER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <syslog.h>
#include <unistd.h>

#include "pci_caps/dsn.h"
#include "pci_caps/msi.h"
#include "pci_caps/msix.h"
#include "pci_caps/pm.h"
#include "pci_caps/px.h"
#include "pci_defs.h"
#include "vfio-user.h"

#ifdef __cplusplus
extern "C" {
#endif

#define LIB_VFIO_USER_MAJOR 0
#define LIB_VFIO_USER_MINOR 2

/* A device and its server. */
typedef struct vfu_ctx vfu_ctx_t;

/* ---- Life cycle ---------------------------------------------------------------------------- */

/* vfu_attach_ctx and vfu_run_ctx do not wait. */
#define LIBVFIO_USER_FLAG_ATTACH_NB (1 << 0)

typedef enum {
    VFU_TRANS_SOCK, /* a UNIX socket */
    VFU_TRANS_PIPE, /* not supported */
    VFU_TRANS_MAX
} vfu_trans_t;

typedef enum {
    VFU_DEV_TYPE_PCI
} vfu_dev_type_t;

/*
 * Creates a context that listens at a path. A socket that a dead program has left there is replaced; a
 * live one is not (EADDRINUSE). `pvt` is what vfu_get_private returns. Returns NULL on an error.
 */
vfu_ctx_t *
vfu_create_ctx(vfu_trans_t trans, const char *path, int flags, void *pvt,
               vfu_dev_type_t dev_type);

/* Completes the description: clients can connect. */
int
vfu_realize_ctx(vfu_ctx_t *vfu_ctx);

/*
 * Waits for a client. With LIBVFIO_USER_FLAG_ATTACH_NB it fails with EAGAIN while there is none. It
 * fails with EINVAL if a client is attached.
 */
int
vfu_attach_ctx(vfu_ctx_t *vfu_ctx);

/*
 * Returns a descriptor that is readable when vfu_attach_ctx or vfu_run_ctx have something to do. It stays
 * the same as long as the context.
 */
int
vfu_get_poll_fd(vfu_ctx_t *vfu_ctx);

/*
 * Serves the client: until it leaves, or with LIBVFIO_USER_FLAG_ATTACH_NB what it has sent so far. Returns
 * the number of requests. Fails with ENOTCONN when no client is attached any more, and with EBUSY while
 * the device quiesces.
 */
int
vfu_run_ctx(vfu_ctx_t *vfu_ctx);

/*
 * Disconnects the client and frees the context; NULL is ignored. The quiesce callback is not called; the
 * reset callback is, with VFU_RESET_LOST_CONN.
 */
void
vfu_destroy_ctx(vfu_ctx_t *vfu_ctx);

void *
vfu_get_private(vfu_ctx_t *vfu_ctx);

/* ---- Messages for people -------------------------------------------------------------------- */

/* Receives a message without a line end. `level` is one of syslog(3). */
typedef void (vfu_log_fn_t)(vfu_ctx_t *vfu_ctx, int level, const char *msg);

/* Sets who receives messages, up to a level (LOG_EMERG to LOG_DEBUG). */
int
vfu_setup_log(vfu_ctx_t *vfu_ctx, vfu_log_fn_t *log, int level);

/* Logs a message, formatted as by printf(3). Keeps errno. */
void
vfu_log(vfu_ctx_t *vfu_ctx, int level, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* ---- Regions -------------------------------------------------------------------------------- */

enum {
    VFU_PCI_DEV_BAR0_REGION_IDX,
    VFU_PCI_DEV_BAR1_REGION_IDX,
    VFU_PCI_DEV_BAR2_REGION_IDX,
    VFU_PCI_DEV_BAR3_REGION_IDX,
    VFU_PCI_DEV_BAR4_REGION_IDX,
    VFU_PCI_DEV_BAR5_REGION_IDX,
    VFU_PCI_DEV_ROM_REGION_IDX,
    VFU_PCI_DEV_CFG_REGION_IDX,
    VFU_PCI_DEV_VGA_REGION_IDX,
    VFU_PCI_DEV_NUM_REGIONS,
};

enum {
    VFU_GENERIC_DEV_MIGR_REGION_IDX,
    VFU_GENERIC_DEV_NUM_REGIONS
};

#define VFU_REGION_FLAG_READ      (1 << 0)
#define VFU_REGION_FLAG_WRITE     (1 << 1)
#define VFU_REGION_FLAG_RW        (VFU_REGION_FLAG_READ | VFU_REGION_FLAG_WRITE)
#define VFU_REGION_FLAG_MEM       (1 << 2) /* memory; I/O ports without it */
#define VFU_REGION_FLAG_ALWAYS_CB (1 << 3) /* configuration space: all of it by the callback */
#define VFU_REGION_FLAG_64_BITS   (1 << 4) /* the BAR uses the next one as well */
#define VFU_REGION_FLAG_PREFETCH  (1 << 5)
#define VFU_REGION_FLAG_MASK      0x3f

/*
 * Reads or writes `count` bytes at `offset` of a region. Returns `count`, or -1 with errno set, which the
 * client receives. `buf` is not to be written to if `is_write` is set.
 */
typedef ssize_t (vfu_region_access_cb_t)(vfu_ctx_t *vfu_ctx, char *buf, size_t count,
                                         loff_t offset, bool is_write);

/*
 * Describes a region. `fd` is a file that clients may map from `offset` on, or -1; the library duplicates
 * it. `mmap_areas` are the parts that may be mapped, with offsets as bases; NULL means all of it. Accesses
 * by message call `region_access` whether memory is mapped or not.
 *
 * For VFU_PCI_DEV_CFG_REGION_IDX the size is that of the function. The library keeps its header and
 * capabilities; `region_access` handles the other bytes and capabilities with VFU_CAP_FLAG_CALLBACK.
 */
int
vfu_setup_region(vfu_ctx_t *vfu_ctx, int region_idx, size_t size,
                 vfu_region_access_cb_t *region_access, int flags,
                 struct iovec *mmap_areas, uint32_t nr_mmap_areas,
                 int fd, uint64_t offset);

/*
 * Lets clients replace writes of `size` bytes at `gpa_offset` by signals of the eventfd `fd`, which the
 * program waits for itself. `flags` are KVM_IOEVENTFD_FLAG_*. With `shadow_fd` other than -1 the written
 * value goes to `shadow_offset` of that memory.
 */
int
vfu_create_ioeventfd(vfu_ctx_t *vfu_ctx, uint32_t region_idx, int fd,
                     size_t gpa_offset, uint32_t size, uint32_t flags,
                     uint64_t datamatch, int shadow_fd, size_t shadow_offset);

/* ---- Quiesce and reset ---------------------------------------------------------------------- */

/*
 * Is called before the client's memory changes, before a reset and before a change of the migration state.
 * Returns 0 if the device is quiet: it starts no access to the client's memory until vfu_run_ctx returns,
 * other than in callbacks. Returns -1 with EBUSY if it will be, and then calls vfu_device_quiesced;
 * vfu_run_ctx fails with EBUSY until then. Another error fails the client's request.
 */
typedef int (vfu_device_quiesce_cb_t)(vfu_ctx_t *vfu_ctx);

void
vfu_setup_device_quiesce_cb(vfu_ctx_t *vfu_ctx, vfu_device_quiesce_cb_t *quiesce_cb);

/*
 * Completes a quiesce: the request that has waited is done before this returns. With an errno other than 0
 * the request fails. Fails with EINVAL if no quiesce is pending.
 */
int
vfu_device_quiesced(vfu_ctx_t *vfu_ctx, int quiesce_errno);

typedef enum vfu_reset_type {
    VFU_RESET_DEVICE,    /* by the client, for example because its guest reboots */
    VFU_RESET_LOST_CONN, /* the client has left: its memory and interrupts are gone */
    VFU_RESET_PCI_FLR    /* by the guest: function level reset */
} vfu_reset_type_t;

/* Resets the device. */
typedef int (vfu_reset_cb_t)(vfu_ctx_t *vfu_ctx, vfu_reset_type_t type);

int
vfu_setup_device_reset_cb(vfu_ctx_t *vfu_ctx, vfu_reset_cb_t *reset);

/* ---- Interrupts ----------------------------------------------------------------------------- */

enum vfu_dev_irq_type {
    VFU_DEV_INTX_IRQ,
    VFU_DEV_MSI_IRQ,
    VFU_DEV_MSIX_IRQ,
    VFU_DEV_ERR_IRQ,
    VFU_DEV_REQ_IRQ,
    VFU_DEV_NUM_IRQS
};

/* Sets the number of vectors. A new context has one of each VFU_DEV_ERR_IRQ and VFU_DEV_REQ_IRQ. */
int
vfu_setup_device_nr_irqs(vfu_ctx_t *vfu_ctx, enum vfu_dev_irq_type type, uint32_t count);

/* Is called when the client has masked or unmasked vectors. */
typedef void (vfu_dev_irq_state_cb_t)(vfu_ctx_t *vfu_ctx, uint32_t start, uint32_t count,
                                      bool mask);

int
vfu_setup_irq_state_callback(vfu_ctx_t *vfu_ctx, enum vfu_dev_irq_type type,
                             vfu_dev_irq_state_cb_t *cb);

/*
 * Raises an interrupt: MSI-X, MSI or INTx, whichever the client uses. While it is masked, or the client has
 * no eventfd for it, it is pending.
 */
int
vfu_irq_trigger(vfu_ctx_t *vfu_ctx, uint32_t subindex);

/* ---- The client's memory -------------------------------------------------------------------- */

/* An address by which the device reaches the client's memory. */
typedef void *vfu_dma_addr_t;

/* A part of the client's memory, of dma_sg_size() bytes. */
typedef struct dma_sg dma_sg_t;

size_t
dma_sg_size(void);

/* A region that the client has mapped for the device. */
typedef struct vfu_dma_info {
    struct iovec iova;    /* the addresses of the device */
    void *vaddr;          /* where it starts in this process; NULL if it is not mapped */
    struct iovec mapping; /* the pages around that */
    size_t page_size;     /* their size, in bytes */
    uint32_t prot;        /* PROT_READ and PROT_WRITE: what the device may do */
} vfu_dma_info_t;

/* Is called when the client has mapped a region. */
typedef void (vfu_dma_register_cb_t)(vfu_ctx_t *vfu_ctx, vfu_dma_info_t *info);

/* Is called before a region is unmapped: its addresses are invalid afterwards. */
typedef void (vfu_dma_unregister_cb_t)(vfu_ctx_t *vfu_ctx, vfu_dma_info_t *info);

#define LIBVFIO_USER_MAX_DMA_REGIONS (1000 * 1000)

/*
 * Makes the client's memory accessible. vfu_sgl_get needs `dma_unregister`. A client that maps more than
 * `max_regions` regions receives EINVAL.
 */
int
vfu_setup_device_dma(vfu_ctx_t *vfu_ctx, size_t max_regions,
                     vfu_dma_register_cb_t *dma_register,
                     vfu_dma_unregister_cb_t *dma_unregister);

/*
 * Divides a range by the regions that it touches. `prot` is what is done with it, of PROT_READ and
 * PROT_WRITE. Returns the number of parts; -1 with ENOENT for memory that is not mapped, or EACCES; or
 * -x - 1 if x parts are needed and `max_nr_sgs` is less, with errno 0.
 */
int
vfu_addr_to_sgl(vfu_ctx_t *vfu_ctx, vfu_dma_addr_t dma_addr, size_t len,
                dma_sg_t *sgl, size_t max_nr_sgs, int prot);

/*
 * Returns where parts are in this process. Fails with EFAULT if one is not mapped. `flags` is 0. The
 * addresses are valid until the region is unregistered.
 */
int
vfu_sgl_get(vfu_ctx_t *vfu_ctx, dma_sg_t *sgl, struct iovec *iov, size_t cnt, int flags);

/* Ends the use of parts. Those that were obtained for writing count as written, for a migration. */
void
vfu_sgl_put(vfu_ctx_t *vfu_ctx, dma_sg_t *sgl, struct iovec *iov, size_t cnt);

/* Marks parts as written while they stay in use. */
void
vfu_sgl_mark_dirty(vfu_ctx_t *vfu_ctx, dma_sg_t *sgl, size_t cnt);

/*
 * Accesses mapped memory without a message. Outside of callbacks the client is asked otherwise, and observes
 * the access; in callbacks mapped memory is always accessed without a message.
 */
#define VFU_SGL_DIRECT_ACCESS 1

/*
 * Reads a part (`sg_cnt` is 1). A callback cannot wait for the answer to a message (EDEADLK).
 */
int
vfu_sgl_read(vfu_ctx_t *vfu_ctx, dma_sg_t *sg, size_t sg_cnt, void *data, int flags);

/* Writes a part. In a callback a write by message is sent after the answer to the client. */
int
vfu_sgl_write(vfu_ctx_t *vfu_ctx, dma_sg_t *sg, size_t sg_cnt, void *data, int flags);

/* Returns whether vfu_sgl_get works for a part. */
bool
vfu_sg_is_mappable(vfu_ctx_t *vfu_ctx, dma_sg_t *sg);

/* ---- Migration ------------------------------------------------------------------------------ */

typedef enum {
    VFU_MIGR_STATE_STOP,
    VFU_MIGR_STATE_RUNNING,
    VFU_MIGR_STATE_STOP_AND_COPY,
    VFU_MIGR_STATE_PRE_COPY,
    VFU_MIGR_STATE_RESUME
} vfu_migr_state_t;

#define VFU_MIGR_CALLBACKS_VERS 2

typedef struct {
    /* VFU_MIGR_CALLBACKS_VERS. */
    int version;
    /* Changes the state. Returns 0, or -1 with errno set: the state stays. */
    int (*transition)(vfu_ctx_t *vfu_ctx, vfu_migr_state_t state);
    /* Reads the next bytes of the device's state; returns their number, 0 at the end. */
    ssize_t (*read_data)(vfu_ctx_t *vfu_ctx, void *buf, uint64_t count);
    /* Writes the next bytes of a state; returns `count`. */
    ssize_t (*write_data)(vfu_ctx_t *vfu_ctx, void *buf, uint64_t count);
} vfu_migration_callbacks_t;

int
vfu_setup_device_migration_callbacks(vfu_ctx_t *vfu_ctx,
                                     const vfu_migration_callbacks_t *callbacks);

/* ---- Configuration space -------------------------------------------------------------------- */

typedef enum {
    VFU_PCI_TYPE_CONVENTIONAL, /* 256 bytes */
    VFU_PCI_TYPE_PCI_X_1,      /* 256 bytes */
    VFU_PCI_TYPE_PCI_X_2,      /* 4096 bytes */
    VFU_PCI_TYPE_EXPRESS       /* 4096 bytes */
} vfu_pci_type_t;

/* Creates configuration space, once. `hdr_type` is PCI_HEADER_TYPE_NORMAL. */
int
vfu_pci_init(vfu_ctx_t *vfu_ctx, vfu_pci_type_t pci_type, int hdr_type, int revision);

void
vfu_pci_set_id(vfu_ctx_t *vfu_ctx, uint16_t vid, uint16_t did, uint16_t ssvid, uint16_t ssid);

void
vfu_pci_set_class(vfu_ctx_t *vfu_ctx, uint8_t base, uint8_t sub, uint8_t pi);

/* Returns its bytes, which the program may read and write; NULL before there are any. */
vfu_pci_config_space_t *
vfu_pci_get_config_space(vfu_ctx_t *vfu_ctx);

#define VFU_CAP_FLAG_EXTENDED (1 << 0) /* an extended capability */
#define VFU_CAP_FLAG_CALLBACK (1 << 1) /* the callback of configuration space handles it */
#define VFU_CAP_FLAG_READONLY (1 << 2) /* clients do not write it */

/*
 * Adds a capability: PM, MSI, MSI-X, PCI Express, vendor-specific, and as extended ones serial number and
 * vendor-specific. `data` is copied; the library sets its `next`. A `pos` of 0 lets the library choose its
 * place. Returns the offset; fails with ENOTSUP for other capabilities.
 */
ssize_t
vfu_pci_add_capability(vfu_ctx_t *vfu_ctx, size_t pos, int flags, void *data);

/* Returns the offset of the first capability with an id; 0 with ENOENT if there is none. */
size_t
vfu_pci_find_capability(vfu_ctx_t *vfu_ctx, bool extended, int cap_id);

/* As vfu_pci_find_capability, from the capability after the one at `pos` on. */
size_t
vfu_pci_find_next_capability(vfu_ctx_t *vfu_ctx, bool extended, size_t pos, int cap_id);

#ifdef __cplusplus
}
#endif

#endif
