/*
 * dma_show.c - what is told of DMA memory: all of it, and of one address.
 *
 * STATE.  Two devices, and the line that is looked for.
 */
#include "../shown.h"
#include "helpers.h"

#include <quarry/dmapool.h>
#include <quarry/out.h>
#include <quarry/string.h>
#include <quarry/whatis.h>

static char want[160];

static struct device device = DEVICE_INIT("shown");
static struct device near = { "near", 4 * 1024 * 1024 - 1, 4 * 1024 * 1024 - 1 };

static const char *whatis(uintptr_t va)
{
	whatis_show(to_shown(), va);
	return shown_text;
}

KTEST(dma_show, coherent_memory_is_listed_and_known_by_each_of_its_addresses)
{
	dma_addr_t handle;
	char *va = dma_alloc_coherent(&device, 5000, &handle, GFP_KERNEL);

	ASSERT_NE(t, NULL, va);
	snprintf(want, sizeof(want), "coherent handle=0x%08llx va=0x%08lx size=5000 by=", handle,
		 (unsigned long)(uintptr_t)va);
	EXPECT_NE(t, NULL, strstr(shown(t, dma_show), want));
	EXPECT_NE(t, NULL,
		  strstr(shown_text, "coherent_memory_is_listed_and_known_by_each_of_its"));
	EXPECT_NE(t, NULL, strstr(shown_text, " dev=shown\n"));
	EXPECT_NE(t, NULL,
		  strstr(shown_text, "\ntotal coherent=1 bytes=5000 bounced=0 bytes=0 failed="));
	snprintf(want, sizeof(want),
		 "dma kind=coherent handle=0x%08llx size=5000 offset=4999 by=", handle);
	EXPECT_NE(t, NULL, strstr(whatis((uintptr_t)va + 4999), want));
	EXPECT_EQ(t, NULL, strstr(whatis((uintptr_t)va + 5000), "dma kind="));
	dma_free_coherent(&device, 5000, va, handle);
	EXPECT_EQ(t, NULL, strstr(whatis((uintptr_t)va), "dma kind="));
	EXPECT_EQ(t, NULL, strstr(shown(t, dma_show), "dev=shown"));
}

KTEST_NEEDS(dma_show, bounced_memory_is_listed_with_what_it_is_a_copy_of, .ram_mib = 16)
{
	struct page *page = alloc_page(GFP_KERNEL);
	unsigned long long pa;
	dma_addr_t handle;

	ASSERT_NE(t, NULL, page);
	pa = page_to_phys(page) + 8;
	handle = dma_map_page(&near, page, 8, 64, DMA_FROM_DEVICE);
	ASSERT_EQ(t, 0, dma_mapping_error(&near, handle));
	ASSERT_TRUE(t, handle != pa);
	snprintf(want, sizeof(want),
		 "bounced handle=0x%08llx original=0x%08llx size=64 dir=from-device by=", handle,
		 pa);
	EXPECT_NE(t, NULL, strstr(shown(t, dma_show), want));
	EXPECT_NE(t, NULL, strstr(shown_text, " bounced=1 bytes=64 failed="));
	snprintf(want, sizeof(want),
		 "dma kind=bounced handle=0x%08llx size=64 offset=63 original=0x%08llx "
		 "dir=from-device by=",
		 handle, pa);
	EXPECT_NE(t, NULL, strstr(whatis((uintptr_t)pa_to_va(handle) + 63), want));
	dma_unmap_page(&near, handle, 64, DMA_FROM_DEVICE);
	EXPECT_EQ(t, NULL, strstr(shown(t, dma_show), "dev=near"));
	__free_page(page);
}

KTEST(dma_show, a_pool_is_listed_and_its_blocks_are_known)
{
	struct dma_pool *pool = dma_pool_create("shown pool", &device, 100, 0, 128);
	dma_addr_t handle;
	void *va;

	ASSERT_NE(t, NULL, pool);
	va = dma_pool_alloc(pool, GFP_KERNEL, &handle);
	ASSERT_NE(t, NULL, va);
	EXPECT_NE(t, NULL,
		  strstr(shown(t, dma_show),
			 "pool name=shown pool size=100 align=128 boundary=128 limit=0x"));
	EXPECT_NE(t, NULL, strstr(shown_text, " in_use=1 dev=shown\n"));
	snprintf(want, sizeof(want),
		 "dma kind=pool handle=0x%08llx size=100 pool=shown pool dev=shown\n", handle);
	EXPECT_NE(t, NULL, strstr(whatis((uintptr_t)va), want));
	dma_pool_free(pool, va, handle);
	EXPECT_EQ(t, 0, dma_pool_destroy(pool));
	EXPECT_EQ(t, NULL, strstr(shown(t, dma_show), "shown pool"));
}
