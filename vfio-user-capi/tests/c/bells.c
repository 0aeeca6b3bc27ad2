/* Three doorbells in a BAR of 12 KiB. The second eventfd has the number of the first, which is closed. */

#include <err.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <libvfio-user.h>

static ssize_t access_bar(vfu_ctx_t *ctx, char *buf, size_t count, loff_t offset, bool is_write)
{
    (void)ctx;
    (void)buf;
    (void)offset;
    (void)is_write;
    return (ssize_t)count;
}

static int add_doorbell(vfu_ctx_t *ctx, int fd, size_t offset)
{
    return vfu_create_ioeventfd(ctx, VFU_PCI_DEV_BAR0_REGION_IDX, fd, offset, 4, 0, 0, -1, 0);
}

static int add_doorbells(vfu_ctx_t *ctx)
{
    int first = eventfd(0, EFD_CLOEXEC);
    int second;

    if (add_doorbell(ctx, first, 0) < 0) {
        return -1;
    }
    close(first);
    second = eventfd(0, EFD_CLOEXEC);
    if (second != first) {
        errx(EXIT_FAILURE, "another number");
    }
    return add_doorbell(ctx, second, 8) < 0 ? -1 : add_doorbell(ctx, dup(second), 16);
}

int main(int argc, char **argv)
{
    int flags = VFU_REGION_FLAG_RW | VFU_REGION_FLAG_MEM;
    vfu_ctx_t *ctx;

    if (argc != 2) {
        return 2;
    }
    ctx = vfu_create_ctx(VFU_TRANS_SOCK, argv[1], 0, NULL, VFU_DEV_TYPE_PCI);
    if (ctx == NULL ||
        vfu_setup_region(ctx, VFU_PCI_DEV_BAR0_REGION_IDX, 0x3000, access_bar, flags, NULL, 0, -1,
                         0) < 0 ||
        add_doorbells(ctx) < 0 || vfu_realize_ctx(ctx) < 0 || vfu_attach_ctx(ctx) < 0) {
        err(EXIT_FAILURE, "%s", argv[1]);
    }
    if (vfu_run_ctx(ctx) < 0 && errno != ENOTCONN) {
        err(EXIT_FAILURE, "the client cannot be served");
    }
    vfu_destroy_ctx(ctx);
    return EXIT_SUCCESS;
}
