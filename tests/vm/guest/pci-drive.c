/*
 * pci-drive: drive a PCI device from user space: through vfio-pci if the guest
 * has a (virtual) IOMMU, otherwise through sysfs, with physical addresses for
 * the device and without interrupts.
 *
 *   pci-drive BDF COMMAND...
 *
 * Commands, run in order (numbers as in C; exit status 1 at the first that
 * fails). Regions are those of VFIO: 0 to 5 the BARs, 7 configuration space;
 * memory BARs are mapped, so that every access is one instruction.
 *   info                  print the regions
 *   r REGION OFF WIDTH    read; the value is "last" for eq
 *   w REGION OFF WIDTH V  write
 *   wa REGION OFF IOVA    write 8 bytes: where the device finds IOVA
 *   eq V                  fail unless last == V
 *   map IOVA SIZE         map SIZE bytes of fresh, zeroed memory for DMA
 *   unmap IOVA            the reverse
 *   fill IOVA LEN BYTE    fill mapped memory
 *   m IOVA WIDTH V        write to mapped memory
 *   ma IOVA TO            write 8 bytes: where the device finds TO
 *   all IOVA LEN BYTE     fail unless mapped memory holds only BYTE
 *   soon IOVA LEN BYTE    fail unless it does within 5 seconds
 *   irq INDEX COUNT       arm COUNT eventfds (0 INTx, 1 MSI, 2 MSI-X)
 *   noirq INDEX           disarm
 *   wait VECTOR           fail unless it fires within 5 seconds
 *   quiet VECTOR          fail if it fires within 50 milliseconds
 *   unmask                let INTx fire again
 */
#include <err.h>
#include <fcntl.h>
#include <linux/vfio.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_VECTORS 64
#define MAX_MAPS 4096
#define REGIONS 8
#define CONFIG 7
#define HUGE_PAGE (2ul << 20)

typedef unsigned long num;

static const char *bdf;
static int container, device, iommu, eventfds[MAX_VECTORS];
static num last;
static struct region {
    int fd;
    num offset, size;
    volatile uint8_t *mapped;
} regions[REGIONS];
static struct map {
    num iova, size, seen_by_device;
    uint8_t *memory;
} maps[MAX_MAPS];

/* --- memory --------------------------------------------------------------- */

static struct map *find(num iova, num len)
{
    for (struct map *m = maps; m < maps + MAX_MAPS; m++)
        if (m->memory && iova >= m->iova && iova + len <= m->iova + m->size)
            return m;
    errx(1, "%#lx is not mapped", iova);
}

static uint8_t *at(num iova, num len)
{
    struct map *m = find(iova, len);
    return m->memory + (iova - m->iova);
}

/* See Documentation/admin-guide/mm/pagemap.rst. */
static num physical(void *address)
{
    uint64_t entry;
    int fd = open("/proc/self/pagemap", O_RDONLY);
    num page = (num)address / 4096;
    if (fd < 0 || pread(fd, &entry, sizeof entry, page * sizeof entry) != sizeof entry)
        err(1, "pagemap");
    close(fd);
    return (entry & ((1ull << 55) - 1)) * 4096;
}

static void map(num *a)
{
    struct map *m = maps;
    while (m < maps + MAX_MAPS && m->memory)
        m++;
    if (m == maps + MAX_MAPS)
        errx(2, "no more than %d maps", MAX_MAPS);
    int contiguous = iommu ? 0 : MAP_HUGETLB;
    if (!iommu && a[1] > HUGE_PAGE)
        errx(2, "no more than %#lx bytes without an IOMMU", HUGE_PAGE);
    m->iova = m->seen_by_device = a[0];
    m->size = iommu ? a[1] : HUGE_PAGE;
    m->memory = mmap(NULL, m->size, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE | contiguous, -1, 0);
    if (m->memory == MAP_FAILED)
        err(1, "mmap");
    if (!iommu) {
        m->seen_by_device = physical(m->memory);
        return;
    }
    struct vfio_iommu_type1_dma_map d = { .argsz = sizeof d, .flags = 3,
        .vaddr = (uintptr_t)m->memory, .iova = m->iova, .size = m->size };
    if (ioctl(container, VFIO_IOMMU_MAP_DMA, &d) < 0)
        err(1, "VFIO_IOMMU_MAP_DMA");
}

static void unmap(num *a)
{
    struct map *m = find(a[0], 1);
    struct vfio_iommu_type1_dma_unmap d = { .argsz = sizeof d, .iova = m->iova, .size = m->size };
    if (iommu && ioctl(container, VFIO_IOMMU_UNMAP_DMA, &d) < 0)
        err(1, "VFIO_IOMMU_UNMAP_DMA");
    munmap(m->memory, m->size);
    m->memory = NULL;
}

static void fill(num *a)
{
    memset(at(a[0], a[1]), a[2], a[1]);
}

static num seen_by_device(num iova)
{
    struct map *m = find(iova, 1);
    return m->seen_by_device + (iova - m->iova);
}

static void store(num *a)
{
    if (a[1] > sizeof a[2])
        errx(2, "a width of %lu", a[1]);
    memcpy(at(a[0], a[1]), &a[2], a[1]);
}

static void store_address(num *a)
{
    store((num[]){ a[0], 8, seen_by_device(a[1]) });
}

static void all(num *a)
{
    const volatile uint8_t *p = at(a[0], a[1]);
    for (num i = 0; i < a[1]; i++)
        if (p[i] != (uint8_t)a[2])
            errx(1, "%#lx holds %#x, not %#lx", a[0] + i, p[i], a[2]);
}

static void soon(num *a)
{
    const volatile uint8_t *p = at(a[0], a[1]);
    for (num i = 0, ms = 0; i < a[1]; ms++) {
        if (p[i] == (uint8_t)a[2])
            i++;
        else if (ms < 5000)
            usleep(1000);
        else
            errx(1, "%#lx still holds %#x, not %#lx", a[0] + i, p[i], a[2]);
    }
}

/* --- registers ------------------------------------------------------------ */

static struct region *region(num index, num offset, num width)
{
    if (index >= REGIONS || offset + width > regions[index].size)
        errx(2, "region %lu has no %lu bytes at %#lx", index, width, offset);
    return &regions[index];
}

static void rd(num *a)
{
    struct region *r = region(a[0], a[1], a[2]);
    volatile void *p = r->mapped + a[1];
    last = 0;
    if (!r->mapped) {
        if (pread(r->fd, &last, a[2], r->offset + a[1]) != (ssize_t)a[2])
            err(1, "read %lu+%#lx", a[0], a[1]);
    } else {
        switch (a[2]) {
        case 1: last = *(volatile uint8_t *)p; break;
        case 2: last = *(volatile uint16_t *)p; break;
        case 4: last = *(volatile uint32_t *)p; break;
        case 8: last = *(volatile uint64_t *)p; break;
        }
    }
    printf("r %lu+%#lx = %#lx\n", a[0], a[1], last);
}

static void wr(num *a)
{
    struct region *r = region(a[0], a[1], a[2]);
    volatile void *p = r->mapped + a[1];
    if (!r->mapped) {
        if (pwrite(r->fd, &a[3], a[2], r->offset + a[1]) != (ssize_t)a[2])
            err(1, "write %lu+%#lx", a[0], a[1]);
        return;
    }
    switch (a[2]) {
    case 1: *(volatile uint8_t *)p = a[3]; break;
    case 2: *(volatile uint16_t *)p = a[3]; break;
    case 4: *(volatile uint32_t *)p = a[3]; break;
    case 8: *(volatile uint64_t *)p = a[3]; break;
    }
}

static void wr_address(num *a)
{
    wr((num[]){ a[0], a[1], 8, seen_by_device(a[2]) });
}

static void eq(num *a)
{
    if (last != a[0])
        errx(1, "%#lx, not %#lx", last, a[0]);
}

static void info(num *a)
{
    (void)a;
    for (int i = 0; i < REGIONS; i++)
        if (regions[i].size)
            printf("region %d: %#lx bytes%s\n", i, regions[i].size,
                   regions[i].mapped ? ", mapped" : "");
}

/* --- interrupts ----------------------------------------------------------- */

static void set_irqs(int index, int count, uint32_t flags)
{
    struct {
        struct vfio_irq_set head;
        int fds[MAX_VECTORS];
    } s = { .head = { .argsz = sizeof s, .flags = flags, .index = index, .count = count } };
    memcpy(s.fds, eventfds, sizeof s.fds);
    if (ioctl(device, VFIO_DEVICE_SET_IRQS, &s) < 0)
        err(1, "VFIO_DEVICE_SET_IRQS index %d count %d", index, count);
}

static void irq(num *a)
{
    if (a[1] > MAX_VECTORS)
        errx(2, "no more than %d vectors", MAX_VECTORS);
    for (num i = 0; i < a[1]; i++)
        eventfds[i] = eventfd(0, EFD_CLOEXEC);
    set_irqs(a[0], a[1], VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER);
}

static void noirq(num *a)
{
    set_irqs(a[0], 0, VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_TRIGGER);
}

static void unmask(num *a)
{
    (void)a;
    set_irqs(VFIO_PCI_INTX_IRQ_INDEX, 1, VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_UNMASK);
}

static int fires(num vector, int ms)
{
    uint64_t count;
    struct pollfd p = { .fd = eventfds[vector], .events = POLLIN };
    return poll(&p, 1, ms) == 1 && read(p.fd, &count, sizeof count) == sizeof count;
}

static void wait_for(num *a)
{
    if (!fires(a[0], 5000))
        errx(1, "vector %lu did not fire", a[0]);
}

static void quiet(num *a)
{
    if (fires(a[0], 50))
        errx(1, "vector %lu fired", a[0]);
}

/* --- start ---------------------------------------------------------------- */

static const char *sysfs(const char *name)
{
    static char path[128];
    snprintf(path, sizeof path, "/sys/bus/pci/devices/%s/%s", bdf, name);
    return path;
}

static int open_file(const char *path)
{
    int fd = open(path, O_RDWR);
    if (fd < 0)
        err(1, "%s", path);
    return fd;
}

static void put(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY);
    if (fd < 0 || write(fd, text, strlen(text)) < 0)
        err(1, "%s", path);
    close(fd);
}

static void map_region(struct region *r)
{
    void *p = mmap(NULL, r->size, PROT_READ | PROT_WRITE, MAP_SHARED, r->fd, r->offset);
    r->mapped = p == MAP_FAILED ? NULL : p; /* I/O ports cannot be mapped */
}

static void open_sysfs(void)
{
    char name[16];
    struct stat st;
    put("/proc/sys/vm/nr_hugepages", "8");
    for (int i = 0; i < REGIONS; i++) {
        snprintf(name, sizeof name, i == CONFIG ? "config" : "resource%d", i);
        if (stat(sysfs(name), &st) < 0)
            continue;
        regions[i] = (struct region){ .fd = open_file(sysfs(name)), .size = st.st_size };
        map_region(&regions[i]);
    }
}

static void bind_vfio(void)
{
    if (system("modprobe vfio-pci") || system("modprobe vfio_iommu_type1"))
        errx(1, "modprobe");
    put(sysfs("driver_override"), "vfio-pci");
    put("/sys/bus/pci/drivers_probe", bdf);
}

static void open_vfio(const char *group_number)
{
    char path[64];
    snprintf(path, sizeof path, "/dev/vfio/%s", group_number);
    bind_vfio();
    int group = open_file(path);
    container = open_file("/dev/vfio/vfio");
    if (ioctl(group, VFIO_GROUP_SET_CONTAINER, &container) < 0)
        err(1, "VFIO_GROUP_SET_CONTAINER");
    if (ioctl(container, VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU) < 0)
        err(1, "VFIO_SET_IOMMU");
    if ((device = ioctl(group, VFIO_GROUP_GET_DEVICE_FD, bdf)) < 0)
        err(1, "VFIO_GROUP_GET_DEVICE_FD");
    for (int i = 0; i < REGIONS; i++) {
        struct vfio_region_info info = { .argsz = sizeof info, .index = i };
        if (ioctl(device, VFIO_DEVICE_GET_REGION_INFO, &info) < 0)
            continue;
        regions[i] = (struct region){ .fd = device, .offset = info.offset, .size = info.size };
        if (info.flags & VFIO_REGION_INFO_FLAG_MMAP)
            map_region(&regions[i]);
    }
}

static void open_device(void)
{
    char link[256];
    ssize_t n = readlink(sysfs("iommu_group"), link, sizeof link - 1);
    iommu = n > 0;
    if (iommu) {
        link[n] = 0;
        open_vfio(strrchr(link, '/') + 1);
    } else {
        open_sysfs();
    }
    /* I/O and memory space, bus mastering */
    wr((num[]){ CONFIG, 4, 2, 7 });
}

static const struct command {
    const char *name;
    int arguments;
    void (*run)(num *);
} commands[] = {
    { "info", 0, info },   { "r", 3, rd },        { "w", 4, wr },       { "wa", 3, wr_address },
    { "eq", 1, eq },       { "map", 2, map },     { "unmap", 1, unmap }, { "fill", 3, fill },
    { "m", 3, store },     { "ma", 2, store_address },
    { "all", 3, all },     { "soon", 3, soon },   { "irq", 2, irq },    { "noirq", 1, noirq },
    { "wait", 1, wait_for }, { "quiet", 1, quiet }, { "unmask", 0, unmask },
};

static const struct command *command(const char *name)
{
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
        if (!strcmp(commands[i].name, name))
            return &commands[i];
    errx(2, "unknown command %s", name);
}

int main(int argc, char **argv)
{
    if (argc < 3)
        errx(2, "usage: pci-drive BDF COMMAND... (see the source)");
    bdf = argv[1];
    open_device();
    for (int i = 2; i < argc;) {
        const struct command *c = command(argv[i++]);
        num a[4] = { 0 };
        if (i + c->arguments > argc)
            errx(2, "%s: missing argument", c->name);
        for (int k = 0; k < c->arguments; k++)
            a[k] = strtoul(argv[i++], NULL, 0);
        c->run(a);
        fflush(stdout);
    }
    return 0;
}
