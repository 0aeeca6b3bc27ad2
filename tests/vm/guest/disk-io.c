/*
 * disk-io: read a block device as fast as it goes.
 *
 *   disk-io DEVICE BYTES DEPTH random|sequential [SECONDS]
 *
 * Keeps DEPTH direct reads of BYTES each under way. Prints reads a second.
 */
#define _GNU_SOURCE
#include <err.h>
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <linux/fs.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define MOST 256

static int fd;
static size_t bytes;
static uint64_t places, last, state = 88172645463325252ull;
static int is_random;
static aio_context_t context;

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + t.tv_nsec / 1e9;
}

static uint64_t next_place(void)
{
    if (!is_random)
        return last = (last + 1) % places;
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state % places;
}

static void submit(struct iocb *request)
{
    request->aio_offset = next_place() * bytes;
    if (syscall(SYS_io_submit, context, 1l, &request) != 1)
        err(1, "io_submit");
}

static void start(struct iocb *request)
{
    void *buffer;
    if (posix_memalign(&buffer, 4096, bytes))
        errx(1, "no memory");
    memset(request, 0, sizeof *request);
    request->aio_data = (uintptr_t)request;
    request->aio_fildes = fd;
    request->aio_lio_opcode = IOCB_CMD_PREAD;
    request->aio_buf = (uintptr_t)buffer;
    request->aio_nbytes = bytes;
    submit(request);
}

/* Waits for reads that are done, and starts as many. */
static unsigned long turn(void)
{
    struct io_event events[MOST];
    long n = syscall(SYS_io_getevents, context, 1l, (long)MOST, events, NULL);
    if (n < 1)
        err(1, "io_getevents");
    for (long i = 0; i < n; i++) {
        if (events[i].res != (long long)bytes)
            errx(1, "a read has returned %lld", (long long)events[i].res);
        submit((struct iocb *)(uintptr_t)events[i].data);
    }
    return n;
}

int main(int argc, char **argv)
{
    static struct iocb requests[MOST];
    uint64_t size;
    if (argc < 5)
        errx(2, "usage: disk-io DEVICE BYTES DEPTH random|sequential [SECONDS]");
    bytes = strtoul(argv[2], NULL, 0);
    unsigned long depth = strtoul(argv[3], NULL, 0);
    is_random = !strcmp(argv[4], "random");
    double seconds = argc > 5 ? atof(argv[5]) : 1;
    if (depth < 1 || depth > MOST || !bytes)
        errx(2, "from 1 to %d reads of some bytes", MOST);
    fd = open(argv[1], O_RDONLY | O_DIRECT);
    if (fd < 0 || ioctl(fd, BLKGETSIZE64, &size))
        err(1, "%s", argv[1]);
    places = size / bytes;
    if (!places)
        errx(1, "%s is too small", argv[1]);
    if (syscall(SYS_io_setup, depth, &context))
        err(1, "io_setup");
    for (unsigned long i = 0; i < depth; i++)
        start(&requests[i]);
    unsigned long count = 0;
    /* The first tenth warms up. */
    double begin = now(), warm = begin + seconds / 10;
    while (now() < warm)
        turn();
    begin = now();
    while (now() < begin + seconds)
        count += turn();
    printf("%.0f\n", count / (now() - begin));
    return 0;
}
