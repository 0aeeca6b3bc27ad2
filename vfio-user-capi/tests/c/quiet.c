/*
 * A device with an event loop of its own, whose quiesce ends later: it doubles the first word of each
 * region that is mapped, into the second one, outside of callbacks. Before that it reads the word with
 * few descriptors left.
 */

#include <err.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <libvfio-user.h>

static void *mapped;

static int quiesce(vfu_ctx_t *ctx)
{
    (void)ctx;
    errno = EBUSY;
    return -1;
}

static void registered(vfu_ctx_t *ctx, vfu_dma_info_t *info)
{
    (void)ctx;
    mapped = info->iova.iov_base;
}

static void unregistered(vfu_ctx_t *ctx, vfu_dma_info_t *info)
{
    (void)ctx;
    (void)info;
}

/* Transfers a word of the client's memory. */
static int transfer(vfu_ctx_t *ctx, void *from, uint32_t *word, int prot)
{
    dma_sg_t *part = malloc(dma_sg_size());
    int done = vfu_addr_to_sgl(ctx, from, sizeof(*word), part, 1, prot) == 1 ? 0 : -1;

    if (done == 0 && prot == PROT_READ) {
        done = vfu_sgl_read(ctx, part, 1, word, 0);
    } else if (done == 0) {
        done = vfu_sgl_write(ctx, part, 1, word, 0);
    }
    free(part);
    return done;
}

/* Reads with this number of descriptors left: that succeeds, or fails at once. */
static void transfer_with(vfu_ctx_t *ctx, unsigned int left)
{
    int next = dup(STDERR_FILENO);
    time_t start = time(NULL);
    struct rlimit all, few;
    uint32_t word;

    close(next);
    getrlimit(RLIMIT_NOFILE, &all);
    few = (struct rlimit) { .rlim_cur = (rlim_t)next + left, .rlim_max = all.rlim_max };
    if (setrlimit(RLIMIT_NOFILE, &few) < 0) {
        err(EXIT_FAILURE, "setrlimit");
    }
    transfer(ctx, mapped, &word, PROT_READ);
    setrlimit(RLIMIT_NOFILE, &all);
    if (time(NULL) - start > 4) {
        errx(EXIT_FAILURE, "a read with %u descriptors left waits", left);
    }
}

static void wait_for(vfu_ctx_t *ctx)
{
    struct pollfd fd = { .fd = vfu_get_poll_fd(ctx), .events = POLLIN };

    if (poll(&fd, 1, -1) < 0) {
        err(EXIT_FAILURE, "poll");
    }
}

/* Serves the client once; returns whether it is there. */
static int serve(vfu_ctx_t *ctx)
{
    uint32_t word;

    if (vfu_run_ctx(ctx) < 0) {
        if (errno == ENOTCONN) {
            return 0;
        }
        if (errno != EBUSY || vfu_run_ctx(ctx) != -1 || errno != EBUSY) {
            err(EXIT_FAILURE, "vfu_run_ctx");
        }
        if (vfu_device_quiesced(ctx, 0) < 0 || vfu_device_quiesced(ctx, 0) == 0) {
            err(EXIT_FAILURE, "vfu_device_quiesced");
        }
    }
    /* The first transfer takes two for the library, which keeps them. */
    for (unsigned int left = 5; mapped != NULL && left-- > 0;) {
        transfer_with(ctx, left);
    }
    if (mapped != NULL && transfer(ctx, mapped, &word, PROT_READ) == 0) {
        word *= 2;
        if (transfer(ctx, (char *)mapped + 4, &word, PROT_WRITE) < 0) {
            err(EXIT_FAILURE, "a write");
        }
        mapped = NULL;
    }
    return 1;
}

int main(int argc, char **argv)
{
    int flags = LIBVFIO_USER_FLAG_ATTACH_NB;
    vfu_ctx_t *ctx = argc == 2
        ? vfu_create_ctx(VFU_TRANS_SOCK, argv[1], flags, NULL, VFU_DEV_TYPE_PCI) : NULL;

    if (ctx == NULL || vfu_pci_init(ctx, VFU_PCI_TYPE_CONVENTIONAL, 0, 0) < 0 ||
        vfu_setup_device_dma(ctx, 16, registered, unregistered) < 0) {
        err(EXIT_FAILURE, "the description");
    }
    vfu_setup_device_quiesce_cb(ctx, quiesce);
    if (vfu_realize_ctx(ctx) < 0) {
        err(EXIT_FAILURE, "vfu_realize_ctx");
    }
    while (vfu_attach_ctx(ctx) < 0) {
        if (errno != EAGAIN) {
            err(EXIT_FAILURE, "vfu_attach_ctx");
        }
        wait_for(ctx);
    }
    while (serve(ctx)) {
        wait_for(ctx);
    }
    vfu_destroy_ctx(ctx);
    return EXIT_SUCCESS;
}
