/* 16 registers of 32 bits behind a callback: registers SOCKET */

#include <err.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <libvfio-user.h>

static char registers[64];

static ssize_t access_bar(vfu_ctx_t *ctx, char *buf, size_t count, loff_t offset, bool is_write)
{
    (void)ctx;
    if (count != 4 || offset % 4 != 0) {
        errno = EINVAL;
        return -1;
    }
    if (is_write) {
        memcpy(registers + offset, buf, 4);
    } else {
        memcpy(buf, registers + offset, 4);
    }
    return 4;
}

int main(int argc, char **argv)
{
    int flags = VFU_REGION_FLAG_RW | VFU_REGION_FLAG_MEM;
    vfu_ctx_t *ctx;

    if (argc != 2) {
        errx(EXIT_FAILURE, "usage: %s SOCKET", argv[0]);
    }
    ctx = vfu_create_ctx(VFU_TRANS_SOCK, argv[1], 0, NULL, VFU_DEV_TYPE_PCI);
    if (ctx == NULL ||
        vfu_pci_init(ctx, VFU_PCI_TYPE_CONVENTIONAL, PCI_HEADER_TYPE_NORMAL, 0) < 0 ||
        vfu_setup_region(ctx, VFU_PCI_DEV_BAR0_REGION_IDX, sizeof(registers), access_bar, flags,
                         NULL, 0, -1, 0) < 0 ||
        vfu_realize_ctx(ctx) < 0 || vfu_attach_ctx(ctx) < 0) {
        err(EXIT_FAILURE, "%s", argv[1]);
    }
    while (vfu_run_ctx(ctx) == 0 || errno == EINTR) {
    }
    vfu_destroy_ctx(ctx);
    return EXIT_SUCCESS;
}
