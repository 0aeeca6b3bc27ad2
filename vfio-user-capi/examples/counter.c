/*
 * A device in C: a counter with an interrupt.
 *
 * BAR 0 has four registers of 32 bits: the count, the step that each write to the count register adds, the
 * address of a word in the guest's memory to which the count is written, and the number of resets.
 *
 *     counter /tmp/counter.sock
 */

#include <err.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <libvfio-user.h>

enum { COUNT, STEP, ADDRESS, RESETS, REGISTERS };

struct counter {
    uint32_t registers[REGISTERS];
    size_t saved;
};

static void log_line(vfu_ctx_t *ctx, int level, const char *line)
{
    (void)ctx;
    fprintf(stderr, "counter: <%d> %s\n", level, line);
}

/* Writes the count to the guest's memory, if the guest has set an address. */
static void publish(vfu_ctx_t *ctx, struct counter *counter)
{
    uint32_t address = counter->registers[ADDRESS];
    dma_sg_t *part = malloc(dma_sg_size());
    vfu_dma_addr_t from = (vfu_dma_addr_t)(uintptr_t)address;

    if (part == NULL) {
        return;
    }
    if (address != 0 && vfu_addr_to_sgl(ctx, from, sizeof(uint32_t), part, 1, PROT_WRITE) == 1) {
        if (vfu_sgl_write(ctx, part, 1, &counter->registers[COUNT], 0) < 0) {
            vfu_log(ctx, LOG_ERR, "cannot write to %#x: %m", address);
        }
    }
    free(part);
}

static ssize_t access_bar(vfu_ctx_t *ctx, char *buf, size_t count, loff_t offset, bool is_write)
{
    struct counter *counter = vfu_get_private(ctx);
    size_t index = (size_t)offset / 4;
    uint32_t value;

    if (count != 4 || offset % 4 != 0 || index >= REGISTERS) {
        errno = EINVAL;
        return -1;
    }
    if (!is_write) {
        memcpy(buf, &counter->registers[index], 4);
        return 4;
    }
    memcpy(&value, buf, 4);
    switch (index) {
    case COUNT:
        counter->registers[COUNT] += counter->registers[STEP];
        publish(ctx, counter);
        vfu_irq_trigger(ctx, 0);
        break;
    case STEP:
    case ADDRESS:
        counter->registers[index] = value;
        break;
    }
    return 4;
}

static int reset(vfu_ctx_t *ctx, vfu_reset_type_t type)
{
    struct counter *counter = vfu_get_private(ctx);

    if (type != VFU_RESET_LOST_CONN) {
        uint32_t resets = counter->registers[RESETS] + 1;
        memset(counter, 0, sizeof(*counter));
        counter->registers[STEP] = 1;
        counter->registers[RESETS] = resets;
    }
    return 0;
}

static int quiesce(vfu_ctx_t *ctx)
{
    (void)ctx;
    return 0;
}

static void dma_changed(vfu_ctx_t *ctx, vfu_dma_info_t *info)
{
    vfu_log(ctx, LOG_DEBUG, "memory at %p, %zu bytes", info->iova.iov_base, info->iova.iov_len);
}

static int transition(vfu_ctx_t *ctx, vfu_migr_state_t state)
{
    struct counter *counter = vfu_get_private(ctx);

    (void)state;
    counter->saved = 0;
    return 0;
}

static ssize_t read_state(vfu_ctx_t *ctx, void *buf, uint64_t count)
{
    struct counter *counter = vfu_get_private(ctx);
    size_t left = sizeof(counter->registers) - counter->saved;
    size_t len = count < left ? count : left;

    memcpy(buf, (char *)counter->registers + counter->saved, len);
    counter->saved += len;
    return (ssize_t)len;
}

static ssize_t write_state(vfu_ctx_t *ctx, void *buf, uint64_t count)
{
    struct counter *counter = vfu_get_private(ctx);

    if (count > sizeof(counter->registers) - counter->saved) {
        errno = EINVAL;
        return -1;
    }
    memcpy((char *)counter->registers + counter->saved, buf, count);
    counter->saved += count;
    return (ssize_t)count;
}

static void describe(vfu_ctx_t *ctx)
{
    static const vfu_migration_callbacks_t migration = {
        .version = VFU_MIGR_CALLBACKS_VERS,
        .transition = transition,
        .read_data = read_state,
        .write_data = write_state,
    };
    struct pmcap pm = { .hdr.id = PCI_CAP_ID_PM, .pmcs.nsfrst = 1 };
    struct msicap msi = { .hdr.id = PCI_CAP_ID_MSI, .mc.c64 = 1 };
    int flags = VFU_REGION_FLAG_RW | VFU_REGION_FLAG_MEM;

    if (vfu_setup_log(ctx, log_line, LOG_WARNING) < 0 ||
        vfu_pci_init(ctx, VFU_PCI_TYPE_EXPRESS, PCI_HEADER_TYPE_NORMAL, 0) < 0) {
        err(EXIT_FAILURE, "PCI");
    }
    vfu_pci_set_id(ctx, 0x1234, 0xc0de, 0x1234, 0x0001);
    vfu_pci_set_class(ctx, 0xff, 0, 0);
    vfu_setup_device_quiesce_cb(ctx, quiesce);
    if (vfu_pci_add_capability(ctx, 0, 0, &pm) < 0 ||
        vfu_pci_add_capability(ctx, 0, 0, &msi) < 0 ||
        vfu_setup_region(ctx, VFU_PCI_DEV_BAR0_REGION_IDX, 0x1000, access_bar, flags,
                         NULL, 0, -1, 0) < 0 ||
        vfu_setup_device_nr_irqs(ctx, VFU_DEV_INTX_IRQ, 1) < 0 ||
        vfu_setup_device_nr_irqs(ctx, VFU_DEV_MSI_IRQ, 1) < 0 ||
        vfu_setup_device_dma(ctx, LIBVFIO_USER_MAX_DMA_REGIONS, dma_changed, dma_changed) < 0 ||
        vfu_setup_device_reset_cb(ctx, reset) < 0 ||
        vfu_setup_device_migration_callbacks(ctx, &migration) < 0) {
        err(EXIT_FAILURE, "the description");
    }
}

int main(int argc, char **argv)
{
    struct counter counter = { .registers[STEP] = 1 };
    vfu_ctx_t *ctx;

    if (argc != 2) {
        errx(EXIT_FAILURE, "usage: %s SOCKET", argv[0]);
    }
    ctx = vfu_create_ctx(VFU_TRANS_SOCK, argv[1], 0, &counter, VFU_DEV_TYPE_PCI);
    if (ctx == NULL) {
        err(EXIT_FAILURE, "%s", argv[1]);
    }
    describe(ctx);
    if (vfu_realize_ctx(ctx) < 0 || vfu_attach_ctx(ctx) < 0) {
        err(EXIT_FAILURE, "no client");
    }
    if (vfu_run_ctx(ctx) < 0 && errno != ENOTCONN) {
        err(EXIT_FAILURE, "the client cannot be served");
    }
    vfu_destroy_ctx(ctx);
    return EXIT_SUCCESS;
}
