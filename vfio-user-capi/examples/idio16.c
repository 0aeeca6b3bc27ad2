/*
 * A device in C that Linux drives: the ACCES PCI-IDIO-16, with 16 outputs, 16 inputs and an interrupt when
 * an input changes. The driver is gpio-pci-idio-16: lines 0 to 15 and 16 to 31 of a GPIO chip.
 *
 *     idio16 /tmp/idio16.sock
 *
 * The inputs are read from standard input, a hexadecimal number a line; the outputs are printed whenever
 * they are written. The program has an event loop of its own, which waits for the library's descriptor.
 */

#include <err.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/signalfd.h>

#include <libvfio-user.h>

/* The ports of BAR 2. */
enum { OUTPUTS_LOW, INPUTS_LOW, ENABLE, FILTER, OUTPUTS_HIGH, INPUTS_HIGH, STATUS, PORTS = 0x100 };

/* Status: an input of the low half, of the high half, of any half has changed. */
enum { CHANGED_LOW = 1, CHANGED_HIGH = 2, PENDING = 4 };

struct idio {
    uint16_t outputs;
    uint16_t inputs;
    uint8_t status;
    bool is_enabled;
};

static uint8_t read_port(struct idio *idio, size_t port)
{
    switch (port) {
    case OUTPUTS_LOW:
        return idio->outputs & 0xff;
    case INPUTS_LOW:
        return idio->inputs & 0xff;
    case ENABLE:
        idio->is_enabled = true;
        return 0;
    case OUTPUTS_HIGH:
        return idio->outputs >> 8;
    case INPUTS_HIGH:
        return idio->inputs >> 8;
    case STATUS:
        return idio->status;
    default:
        return 0;
    }
}

static void write_port(struct idio *idio, size_t port, uint8_t value)
{
    switch (port) {
    case OUTPUTS_LOW:
        idio->outputs = (idio->outputs & 0xff00) | value;
        break;
    case OUTPUTS_HIGH:
        idio->outputs = (idio->outputs & 0xff) | value << 8;
        break;
    case INPUTS_LOW:
        idio->status = 0;
        return;
    case ENABLE:
        idio->is_enabled = false;
        return;
    default:
        return;
    }
    printf("%04x\n", idio->outputs);
}

static ssize_t access_ports(vfu_ctx_t *ctx, char *buf, size_t count, loff_t offset, bool is_write)
{
    struct idio *idio = vfu_get_private(ctx);

    for (size_t i = 0; i < count; i++) {
        if (is_write) {
            write_port(idio, (size_t)offset + i, (uint8_t)buf[i]);
        } else {
            buf[i] = (char)read_port(idio, (size_t)offset + i);
        }
    }
    return (ssize_t)count;
}

static int reset(vfu_ctx_t *ctx, vfu_reset_type_t type)
{
    struct idio *idio = vfu_get_private(ctx);

    (void)type;
    idio->outputs = 0;
    idio->status = 0;
    idio->is_enabled = false;
    return 0;
}

/* Sets the inputs, and raises the interrupt if they change. */
static void set_inputs(vfu_ctx_t *ctx, struct idio *idio, uint16_t inputs)
{
    uint16_t changed = idio->inputs ^ inputs;

    idio->inputs = inputs;
    if (!idio->is_enabled || changed == 0) {
        return;
    }
    idio->status |= PENDING;
    idio->status |= (changed & 0xff) != 0 ? CHANGED_LOW : 0;
    idio->status |= (changed >> 8) != 0 ? CHANGED_HIGH : 0;
    if (vfu_irq_trigger(ctx, 0) < 0) {
        warn("the interrupt");
    }
}

/* Reads a line of standard input. Returns false at its end. */
static bool read_line(vfu_ctx_t *ctx, struct idio *idio)
{
    char line[16];

    if (fgets(line, sizeof(line), stdin) == NULL) {
        return false;
    }
    set_inputs(ctx, idio, (uint16_t)strtoul(line, NULL, 16));
    return true;
}

/* Serves one client after the other. Returns false after an error. */
static bool serve(vfu_ctx_t *ctx, bool *is_attached)
{
    int done = *is_attached ? vfu_run_ctx(ctx) : vfu_attach_ctx(ctx);

    if (done >= 0) {
        *is_attached = true;
        return true;
    }
    if (errno == ENOTCONN) {
        *is_attached = false;
        return true;
    }
    return errno == EAGAIN || errno == EINTR;
}

/* Serves until a signal arrives. */
static void run(vfu_ctx_t *ctx, struct idio *idio, int signals)
{
    struct pollfd fds[] = {
        { .fd = vfu_get_poll_fd(ctx), .events = POLLIN },
        { .fd = signals, .events = POLLIN },
        { .fd = STDIN_FILENO, .events = POLLIN },
    };
    bool is_attached = false;

    while (poll(fds, 3, -1) >= 0 || errno == EINTR) {
        if (fds[1].revents != 0) {
            return;
        }
        if (fds[2].revents != 0 && !read_line(ctx, idio)) {
            fds[2].fd = -1;
        }
        if (!serve(ctx, &is_attached)) {
            err(EXIT_FAILURE, "the client cannot be served");
        }
        fds[0].fd = vfu_get_poll_fd(ctx);
    }
    err(EXIT_FAILURE, "poll");
}

static void describe(vfu_ctx_t *ctx)
{
    if (vfu_pci_init(ctx, VFU_PCI_TYPE_CONVENTIONAL, PCI_HEADER_TYPE_NORMAL, 0) < 0) {
        err(EXIT_FAILURE, "PCI");
    }
    vfu_pci_set_id(ctx, 0x494f, 0x0dc8, 0, 0);
    vfu_pci_set_class(ctx, 0xff, 0, 0);
    if (vfu_setup_region(ctx, VFU_PCI_DEV_BAR2_REGION_IDX, PORTS, access_ports, VFU_REGION_FLAG_RW,
                         NULL, 0, -1, 0) < 0 ||
        vfu_setup_device_nr_irqs(ctx, VFU_DEV_INTX_IRQ, 1) < 0 ||
        vfu_setup_device_reset_cb(ctx, reset) < 0 || vfu_realize_ctx(ctx) < 0) {
        err(EXIT_FAILURE, "the description");
    }
}

/* Returns a descriptor that is readable when the program is to end. */
static int end_signals(void)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigprocmask(SIG_BLOCK, &set, NULL);
    return signalfd(-1, &set, SFD_CLOEXEC);
}

int main(int argc, char **argv)
{
    struct idio idio = { .inputs = 0 };
    int signals = end_signals();
    vfu_ctx_t *ctx;

    if (argc != 2) {
        errx(EXIT_FAILURE, "usage: %s SOCKET", argv[0]);
    }
    /* What is printed and read is a line at a time, into pipes as well. */
    setlinebuf(stdout);
    setbuf(stdin, NULL);
    ctx = vfu_create_ctx(VFU_TRANS_SOCK, argv[1], LIBVFIO_USER_FLAG_ATTACH_NB, &idio,
                         VFU_DEV_TYPE_PCI);
    if (ctx == NULL || signals < 0) {
        err(EXIT_FAILURE, "%s", argv[1]);
    }
    describe(ctx);
    run(ctx, &idio, signals);
    vfu_destroy_ctx(ctx);
    return EXIT_SUCCESS;
}
