/* The headers are C++ as well. */

#include <libvfio-user.h>

static ssize_t access_bar(vfu_ctx_t *, char *, size_t count, loff_t, bool)
{
    return static_cast<ssize_t>(count);
}

int main()
{
    vfu_region_access_cb_t *callback = access_bar;
    // Null arguments are errors.
    bool survives = vfu_realize_ctx(nullptr) == -1 && vfu_get_private(nullptr) == nullptr &&
                    vfu_setup_region(nullptr, 0, 0, callback, VFU_REGION_FLAG_RW, nullptr, 0, -1, 0) == -1 &&
                    vfu_create_ctx(VFU_TRANS_SOCK, nullptr, 0, nullptr, VFU_DEV_TYPE_PCI) == nullptr;
    vfu_log(nullptr, LOG_ERR, "%d", 1);
    vfu_destroy_ctx(nullptr);
    return survives && dma_sg_size() == 40 ? 0 : 1;
}
