/* Signals end calls that block. BAR 0 counts how often they have ended vfu_run_ctx. */

#include <err.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

#include <libvfio-user.h>

static int interruptions;

static void on_alarm(int signal)
{
    (void)signal;
}

static ssize_t access_bar(vfu_ctx_t *ctx, char *buf, size_t count, loff_t offset, bool is_write)
{
    (void)ctx;
    if (is_write || offset != 0 || count != sizeof(interruptions)) {
        errno = EINVAL;
        return -1;
    }
    memcpy(buf, &interruptions, count);
    return (ssize_t)count;
}

/* Sends a signal again and again, so that one arrives while a call waits. */
static void start_alarms(void)
{
    struct sigaction action = { .sa_handler = on_alarm };
    struct itimerval timer = { .it_interval.tv_usec = 10000, .it_value.tv_usec = 10000 };

    if (sigaction(SIGALRM, &action, NULL) < 0 || setitimer(ITIMER_REAL, &timer, NULL) < 0) {
        err(EXIT_FAILURE, "the timer");
    }
}

/* Waits for a client that does not come. */
static void attach_without_a_client(void)
{
    vfu_ctx_t *ctx = vfu_create_ctx(VFU_TRANS_SOCK, "", 0, NULL, VFU_DEV_TYPE_PCI);

    if (ctx == NULL || vfu_realize_ctx(ctx) < 0 || vfu_attach_ctx(ctx) != -1 || errno != EINTR) {
        err(EXIT_FAILURE, "vfu_attach_ctx");
    }
    vfu_destroy_ctx(ctx);
}

static void attach(vfu_ctx_t *ctx)
{
    while (vfu_attach_ctx(ctx) < 0) {
        if (errno != EINTR) {
            err(EXIT_FAILURE, "no client");
        }
    }
}

int main(int argc, char **argv)
{
    int flags = VFU_REGION_FLAG_RW | VFU_REGION_FLAG_MEM;
    vfu_ctx_t *ctx;

    if (argc != 2) {
        return 2;
    }
    start_alarms();
    attach_without_a_client();
    ctx = vfu_create_ctx(VFU_TRANS_SOCK, argv[1], 0, NULL, VFU_DEV_TYPE_PCI);
    if (ctx == NULL ||
        vfu_setup_region(ctx, VFU_PCI_DEV_BAR0_REGION_IDX, 0x1000, access_bar, flags, NULL, 0, -1,
                         0) < 0 ||
        vfu_realize_ctx(ctx) < 0) {
        err(EXIT_FAILURE, "%s", argv[1]);
    }
    attach(ctx);
    while (vfu_run_ctx(ctx) < 0 && errno == EINTR) {
        interruptions++;
    }
    if (errno != ENOTCONN) {
        err(EXIT_FAILURE, "the client cannot be served");
    }
    vfu_destroy_ctx(ctx);
    return EXIT_SUCCESS;
}
