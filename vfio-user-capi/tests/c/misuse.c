/* Calls that a program should not make: they fail, and harm nothing. */

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include <libvfio-user.h>
#include <pci_caps/pm.h>

static int calls;
static int failures;

#define CHECK(condition)                                                                            \
    do {                                                                                            \
        if (!(condition)) {                                                                         \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);                        \
            failures++;                                                                             \
        }                                                                                           \
    } while (0)

/* A callback destroys its context. */
static int reset(vfu_ctx_t *ctx, vfu_reset_type_t type)
{
    (void)type;
    calls++;
    errno = 0;
    vfu_destroy_ctx(ctx);
    CHECK(errno == EBUSY);
    CHECK(vfu_get_private(ctx) == &calls);
    return 0;
}

static void destroy_in_a_callback(const char *path)
{
    vfu_ctx_t *ctx =
        vfu_create_ctx(VFU_TRANS_SOCK, path, LIBVFIO_USER_FLAG_ATTACH_NB, &calls, VFU_DEV_TYPE_PCI);

    CHECK(ctx != NULL);
    CHECK(vfu_setup_device_reset_cb(ctx, reset) == 0);
    CHECK(vfu_realize_ctx(ctx) == 0);
    vfu_destroy_ctx(ctx);
    CHECK(calls == 1);
}

/* Entries of a scatter list that the library has not filled in. */
static void use_parts_of_nothing(vfu_ctx_t *ctx)
{
    unsigned char memory[64];
    dma_sg_t *part = (dma_sg_t *)memory;
    struct iovec place;

    memset(memory, 0xa5, sizeof(memory));
    CHECK(dma_sg_size() <= sizeof(memory));
    CHECK(vfu_setup_device_dma(ctx, 8, NULL, NULL) == 0);
    CHECK(vfu_sgl_read(ctx, part, 1, &place, 0) == -1 && errno == EINVAL);
    CHECK(vfu_sgl_write(ctx, part, 1, &place, 0) == -1 && errno == EINVAL);
    CHECK(!vfu_sg_is_mappable(ctx, part));
    vfu_sgl_mark_dirty(ctx, part, 1);
}

/* Pointers of 8 bits do not lead to a capability behind the first 256 bytes. */
static void misplace_capabilities(vfu_ctx_t *ctx)
{
    struct pmcap pm = { .hdr.id = PCI_CAP_ID_PM };

    CHECK(vfu_pci_init(ctx, VFU_PCI_TYPE_EXPRESS, PCI_HEADER_TYPE_NORMAL, 0) == 0);
    CHECK(vfu_pci_add_capability(ctx, 0x100, 0, &pm) == -1 && errno == ENOSPC);
    CHECK(vfu_pci_add_capability(ctx, 0xfc, 0, &pm) == -1 && errno == ENOSPC);
    CHECK(vfu_pci_add_capability(ctx, 0x4c, 0, &pm) == 0x4c);
    CHECK(vfu_pci_add_capability(ctx, 0x44, 0, &pm) == 0x44);
    /* After the last one, where another one is. */
    CHECK(vfu_pci_add_capability(ctx, 0, 0, &pm) == -1 && errno == ENOSPC);
}

/* More vectors than an interrupt type has. */
static void count_too_many_vectors(vfu_ctx_t *ctx)
{
    CHECK(vfu_setup_device_nr_irqs(ctx, VFU_DEV_MSIX_IRQ, 65536) == -1 && errno == EINVAL);
    CHECK(vfu_setup_device_nr_irqs(ctx, VFU_DEV_MSIX_IRQ, 65535) == 0);
}

/* A device that no client reaches, for its configuration space. */
static void listen_nowhere(void)
{
    vfu_ctx_t *ctx =
        vfu_create_ctx(VFU_TRANS_SOCK, "", LIBVFIO_USER_FLAG_ATTACH_NB, NULL, VFU_DEV_TYPE_PCI);

    CHECK(ctx != NULL);
    CHECK(vfu_realize_ctx(ctx) == 0);
    CHECK(vfu_attach_ctx(ctx) == -1 && errno == EAGAIN);
    vfu_destroy_ctx(ctx);
}

/* However many descriptors are there, the error says that they are too few. */
static void create_without_descriptors(void)
{
    vfu_ctx_t *ctx = NULL;
    struct rlimit limit;
    rlim_t most;
    int refused = 0;

    CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    most = limit.rlim_cur;
    for (limit.rlim_cur = 3; ctx == NULL && limit.rlim_cur < 64; limit.rlim_cur++) {
        CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
        ctx = vfu_create_ctx(VFU_TRANS_SOCK, "", LIBVFIO_USER_FLAG_ATTACH_NB, NULL,
                             VFU_DEV_TYPE_PCI);
        if (ctx == NULL) {
            refused++;
            if (errno != EMFILE) {
                fprintf(stderr, "with %d descriptors: %s\n", (int)limit.rlim_cur, strerror(errno));
                failures++;
            }
        }
    }
    CHECK(ctx != NULL);
    CHECK(refused > 3);
    limit.rlim_cur = most;
    CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    vfu_destroy_ctx(ctx);
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        return 2;
    }
    create_without_descriptors();
    destroy_in_a_callback(argv[1]);
    vfu_ctx_t *ctx = vfu_create_ctx(VFU_TRANS_SOCK, argv[1], 0, NULL, VFU_DEV_TYPE_PCI);
    CHECK(ctx != NULL);
    use_parts_of_nothing(ctx);
    misplace_capabilities(ctx);
    count_too_many_vectors(ctx);
    listen_nowhere();
    vfu_destroy_ctx(ctx);
    return failures == 0 ? 0 : 1;
}
