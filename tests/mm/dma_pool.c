/*
 * dma_pool.c - coherent memory in blocks: where they lie, and what a pool tells.
 *
 * CONTEXT.  Thread.
 */
#include "helpers.h"

#include <quarry/bits.h>
#include <quarry/dmapool.h>
#include <quarry/errno.h>
#include <quarry/sizes.h>
#include <quarry/string.h>

#define NR_BLOCKS 40u

static struct device device = DEVICE_INIT("test");

struct block {
	char *va;
	dma_addr_t handle;
};

static struct block blocks[NR_BLOCKS];

static bool overlaps(const struct block *a, const struct block *b, size_t size)
{
	return a->handle < b->handle + size && b->handle < a->handle + size;
}

/* Each block is aligned, within reach, crosses no boundary, and is nobody else's. */
static void check_blocks(struct ktest *t, const struct dma_pool *pool, unsigned int nr)
{
	size_t align = pool->align ? pool->align : 1;

	for (unsigned int i = 0; i < nr; i++) {
		dma_addr_t first = blocks[i].handle, last = first + pool->size - 1;

		EXPECT_TRUE(t, va_to_pa(blocks[i].va) == first);
		EXPECT_EQ(t, 0, first & (align - 1));
		EXPECT_TRUE(t, last <= pool->dev->coherent_dma_mask);
		if (pool->boundary)
			EXPECT_TRUE(t, (first ^ last) < pool->boundary);
		for (unsigned int k = 0; k < i; k++)
			EXPECT_FALSE(t, overlaps(&blocks[i], &blocks[k], pool->size));
	}
}

static void try_pool(struct ktest *t, struct device *dev, size_t size, size_t align,
		     size_t boundary, unsigned int nr)
{
	struct dma_pool *pool = dma_pool_create("ring entries", dev, size, align, boundary);

	ASSERT_NE(t, NULL, pool);
	EXPECT_EQ(t, size, pool->size);
	for (unsigned int i = 0; i < nr; i++) {
		blocks[i].va = dma_pool_alloc(pool, GFP_KERNEL, &blocks[i].handle);
		ASSERT_NE(t, NULL, blocks[i].va);
		memset(blocks[i].va, (int)i, size);
	}
	check_blocks(t, pool, nr);
	for (unsigned int i = 0; i < nr; i++) {
		EXPECT_EQ(t, NULL, memchr_inv(blocks[i].va, (int)i, size));
		dma_pool_free(pool, blocks[i].va, blocks[i].handle);
	}
	EXPECT_EQ(t, 0, dma_pool_destroy(pool));
}

KTEST(dma_pool, blocks_are_aligned_and_apart)
{
	static const struct {
		size_t size, align;
	} tries[] = {
		{ 1, 0 }, { 64, 64 }, { 100, 4 }, { 100, 256 }, { 4096, 4096 }, { 5000, 16 }
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(tries); i++)
		try_pool(t, &device, tries[i].size, tries[i].align, 0, NR_BLOCKS);
}

KTEST(dma_pool, no_block_crosses_a_boundary)
{
	static const struct {
		size_t size, align, boundary;
	} tries[] = { { 32, 8, 32 },     { 96, 32, 128 },    { 96, 0, 4096 },
		      { 600, 8, 1024 },  { 600, 8, 2048 },   { 3000, 0, 4096 },
		      { 5000, 8, 8192 }, { 5000, 8, 65536 }, { 12000, 4, 16384 } };

	for (unsigned int i = 0; i < ARRAY_SIZE(tries); i++)
		try_pool(t, &device, tries[i].size, tries[i].align, tries[i].boundary, 20);
}

KTEST(dma_pool, on_isa_no_block_crosses_64_kib_nor_lies_above_16_mib)
{
	struct device isa = { "isa", DMA_BIT_MASK(24), DMA_BIT_MASK(24) };

	try_pool(t, &isa, 40000, 16, 64 * KiB, 3);
	try_pool(t, &isa, 1500, 4, 64 * KiB, NR_BLOCKS);
}

/* Pages below @limit that are the allocator's. */
static unsigned long nr_managed_below(pfn_t limit)
{
	unsigned long nr = 0;

	for (pfn_t pfn = 0; pfn < limit; pfn++)
		nr += !(pfn_to_page(pfn)->flags & PG_reserved);
	return nr;
}

/* The fewest address lines below which there is enough: with most maps an end within ZONE_DMA. */
static unsigned int nr_lines(void)
{
	unsigned int nr = PAGE_SHIFT;

	while (nr < 31 && 1ul << (nr - PAGE_SHIFT) < max_pfn &&
	       nr_managed_below(1ul << (nr - PAGE_SHIFT)) < 8 * NR_BLOCKS)
		nr++;
	return nr;
}

KTEST(dma_pool, a_mask_within_a_zone_is_a_limit_of_every_block)
{
	const uint64_t mask = DMA_BIT_MASK(nr_lines());
	struct device dev = { "lines", mask, mask };

	try_pool(t, &dev, 2048, 0, 0, NR_BLOCKS);
	try_pool(t, &dev, 16384, 0, 0, NR_BLOCKS);
}

KTEST(dma_pool, a_block_of_zeroes_is_zero)
{
	struct dma_pool *pool = dma_pool_create("zeroes", &device, 200, 0, 0);
	dma_addr_t handle;
	char *va;

	ASSERT_NE(t, NULL, pool);
	va = dma_pool_alloc(pool, GFP_KERNEL, &handle);
	ASSERT_NE(t, NULL, va);
	memset(va, 0x5a, 200);
	dma_pool_free(pool, va, handle);
	va = dma_pool_zalloc(pool, GFP_KERNEL, &handle);
	ASSERT_NE(t, NULL, va);
	EXPECT_EQ(t, NULL, memchr_inv(va, 0, 200));
	dma_pool_free(pool, va, handle);
	EXPECT_EQ(t, 0, dma_pool_destroy(pool));
}

KTEST(dma_pool, flags_that_name_a_zone_are_ignored)
{
	struct dma_pool *pool = dma_pool_create("zones", &device, 64, 0, 0);
	dma_addr_t handle;
	char *va;

	ASSERT_NE(t, NULL, pool);
	va = dma_pool_alloc(pool, T_GFP(t, GFP_KERNEL | __GFP_DMA | __GFP_HIGHMEM), &handle);
	ASSERT_NE(t, NULL, va);
	dma_pool_free(pool, va, handle);
	EXPECT_EQ(t, 0, dma_pool_destroy(pool));
}

KTEST(dma_pool, a_pool_with_blocks_in_use_is_not_destroyed)
{
	struct dma_pool *pool = dma_pool_create("busy", &device, 64, 0, 0);
	struct capture *c;
	dma_addr_t handle;
	void *va;

	ASSERT_NE(t, NULL, pool);
	va = dma_pool_alloc(pool, GFP_KERNEL, &handle);
	ASSERT_NE(t, NULL, va);
	c = capture_begin();
	EXPECT_ERR(t, -EBUSY, dma_pool_destroy(pool));
	capture_end(c);
	EXPECT_EQ(t, 1, capture_count(c, "-busy): refused, 1 objects are in use"));
	dma_pool_free(pool, va, handle);
	EXPECT_EQ(t, 0, dma_pool_destroy(pool));
	EXPECT_EQ(t, 0, dma_pool_destroy(NULL));
}

KTEST(dma_pool, two_pools_may_have_one_name)
{
	struct dma_pool *a = dma_pool_create("twin", &device, 64, 0, 0);
	struct dma_pool *b = dma_pool_create("twin", &device, 64, 0, 0);

	ASSERT_TRUE(t, a && b);
	EXPECT_NE(t, a->cache, b->cache);
	EXPECT_EQ(t, 0, dma_pool_destroy(a));
	EXPECT_EQ(t, 0, dma_pool_destroy(b));
}

KTEST(dma_pool, without_memory_there_is_no_block)
{
	struct dma_pool *pool = dma_pool_create("empty", &device, 1000, 0, 0);
	dma_addr_t handle;
	HOARD(all);

	ASSERT_NE(t, NULL, pool);
	hoard_machine(&all);
	EXPECT_EQ(t, NULL, dma_pool_alloc(pool, GFP_ATOMIC | __GFP_NOWARN, &handle));
	hoard_free(&all);
	EXPECT_EQ(t, 0, dma_pool_destroy(pool));
}
