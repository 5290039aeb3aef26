/*
 * dma_edu.c - DMA with a real device: what it reads and writes is what is there.
 *
 * THEORY. edu has a mask of 28 bits, or of 24 if the row says so, and drops the rest of an address:
 * bytes are right only if each handle lies within. Every pattern goes from memory into the device's
 * buffer and comes back to other memory. Where there is no memory out of the device's reach, it is
 * taken to have a mask of 24 bits.
 *
 * CONTEXT.  Thread.
 */
#include "../edu.h"
#include "helpers.h"

#include <quarry/dmapool.h>
#include <quarry/errno.h>
#include <quarry/highmem.h>
#include <quarry/string.h>

#define MARK 0x5a /* what a device that writes less than it said leaves alone */

static unsigned char pattern_byte(uint32_t seed, size_t i)
{
	return (unsigned char)((seed + i * 7) ^ i >> 8);
}

static void pattern_write(unsigned char *p, size_t nr, uint32_t seed)
{
	for (size_t i = 0; i < nr; i++)
		p[i] = pattern_byte(seed, i);
}

/* How many bytes are not those of the pattern. */
static size_t pattern_nr_wrong(const unsigned char *p, size_t nr, uint32_t seed)
{
	size_t nr_wrong = 0;

	for (size_t i = 0; i < nr; i++)
		nr_wrong += p[i] != pattern_byte(seed, i);
	return nr_wrong;
}

static void fill_page(struct page *page, size_t offset, size_t nr, int byte)
{
	unsigned char *p = kmap_local_page(page);

	memset(p + offset, byte, nr);
	kunmap_local(p);
}

static bool page_is_filled(struct page *page, size_t offset, size_t nr, int byte)
{
	const unsigned char *p = kmap_local_page(page);
	bool filled = !memchr_inv(p + offset, byte, nr);

	kunmap_local(p);
	return filled;
}

static void write_page(struct page *page, size_t offset, size_t nr, uint32_t seed)
{
	unsigned char *p = kmap_local_page(page);

	pattern_write(p + offset, nr, seed);
	kunmap_local(p);
}

static size_t page_nr_wrong(struct page *page, size_t offset, size_t nr, uint32_t seed)
{
	const unsigned char *p = kmap_local_page(page);
	size_t nr_wrong = pattern_nr_wrong(p + offset, nr, seed);

	kunmap_local(p);
	return nr_wrong;
}

/* A page of @gfp that edu does not reach. */
static struct page *page_out_of_reach(struct ktest *t, struct edu *edu, gfp_t gfp)
{
	struct page *page = alloc_page(gfp);

	if (!page)
		return NULL;
	if (page_to_phys(page) <= edu->dev.dma_mask)
		EXPECT_EQ(t, 0, dma_set_mask(&edu->dev, DMA_BIT_MASK(24)));
	EXPECT_LE(t, page_to_phys(page), edu->dev.dma_mask);
	return page;
}

/* @nr bytes behind @offset in @page, which edu does not reach, go into its buffer and come back. */
static void bounce_there_and_back(struct ktest *t, struct edu *edu, struct page *page,
				  size_t offset, size_t nr)
{
	uint32_t seed = ktest_random(t);
	dma_addr_t handle;

	write_page(page, offset, nr, seed);
	handle = dma_map_page(&edu->dev, page, offset, nr, DMA_TO_DEVICE);
	ASSERT_EQ(t, 0, dma_mapping_error(&edu->dev, handle));
	EXPECT_TRUE(t,
		    handle != page_to_phys(page) + offset && handle + nr - 1 <= edu->dev.dma_mask);
	edu_read_memory(t, edu, handle, 0, nr);
	dma_unmap_page(&edu->dev, handle, nr, DMA_TO_DEVICE);

	fill_page(page, offset, nr, MARK);
	handle = dma_map_page(&edu->dev, page, offset, nr, DMA_FROM_DEVICE);
	ASSERT_EQ(t, 0, dma_mapping_error(&edu->dev, handle));
	/* Half of it only: the rest is to stay as it was. */
	edu_write_memory(t, edu, handle, 0, nr / 2);
	dma_unmap_page(&edu->dev, handle, nr, DMA_FROM_DEVICE);
	EXPECT_EQ(t, 0, page_nr_wrong(page, offset, nr / 2, seed));
	EXPECT_TRUE(t, page_is_filled(page, offset + nr / 2, nr - nr / 2, MARK));
}

KTEST_NEEDS(dma_edu, bytes_go_out_of_coherent_memory_and_into_it, .features = KTEST_EDU)
{
	const size_t nr = EDU_TRANSFER_MAX;
	uint32_t seed = ktest_random(t);
	unsigned char *from, *to;
	dma_addr_t source, target;
	struct edu edu;

	ASSERT_TRUE(t, edu_up(t, &edu));
	from = dma_alloc_coherent(&edu.dev, nr, &source, GFP_KERNEL);
	to = dma_alloc_coherent(&edu.dev, nr + PAGE_SIZE, &target, GFP_KERNEL);
	ASSERT_TRUE(t, from && to);
	pattern_write(from, nr, seed);
	edu_read_memory(t, &edu, source, 0, nr);
	edu_write_memory(t, &edu, target + PAGE_SIZE - 1, 0, nr);
	EXPECT_EQ(t, 0, pattern_nr_wrong(to + PAGE_SIZE - 1, nr, seed));
	EXPECT_EQ(t, NULL, memchr_inv(to, 0, PAGE_SIZE - 1));
	dma_free_coherent(&edu.dev, nr, from, source);
	dma_free_coherent(&edu.dev, nr + PAGE_SIZE, to, target);
	edu_down(&edu);
}

KTEST_NEEDS(dma_edu, highmem_is_bounced_both_ways, .zones = KTEST_ZONE_HIGHMEM,
	    .features = KTEST_EDU, .ram_mib = 32)
{
	struct page *page;
	struct edu edu;

	ASSERT_TRUE(t, edu_up(t, &edu));
	page = page_out_of_reach(t, &edu, T_GFP(t, GFP_KERNEL | __GFP_HIGHMEM));
	ASSERT_TRUE(t, page && PageHighMem(page));
	bounce_there_and_back(t, &edu, page, 100, EDU_TRANSFER_MAX);
	edu_down(&edu);
	__free_page(page);
}

KTEST_NEEDS(dma_edu, lowmem_out_of_reach_is_bounced_both_ways, .features = KTEST_EDU, .ram_mib = 32)
{
	struct page *page;
	struct edu edu;

	ASSERT_TRUE(t, edu_up(t, &edu));
	page = page_out_of_reach(t, &edu, GFP_KERNEL);
	ASSERT_NE(t, NULL, page);
	bounce_there_and_back(t, &edu, page, 0, 512);
	edu_down(&edu);
	__free_page(page);
}

KTEST_NEEDS(dma_edu, a_list_of_pieces_arrives_in_order, .features = KTEST_EDU)
{
	enum { NR = 3, PIECE = 500 };
	struct scatterlist list[NR], *sg;
	uint32_t seed = ktest_random(t);
	struct page *pages[NR] = { NULL };
	struct edu edu;
	unsigned char *to;
	dma_addr_t target;
	unsigned int i;

	ASSERT_TRUE(t, edu_up(t, &edu));
	ASSERT_EQ(t, NR, alloc_pages_bulk_array(GFP_KERNEL | __GFP_HIGHMEM, NR, pages));
	to = dma_alloc_coherent(&edu.dev, NR * PIECE, &target, GFP_KERNEL);
	ASSERT_NE(t, NULL, to);
	for_each_sg(list, sg, NR, i)
	{
		sg_set_page(sg, pages[i], PIECE, 64 * i);
		write_page(pages[i], 64 * i, PIECE, seed + i);
	}
	ASSERT_EQ(t, NR, dma_map_sg(&edu.dev, list, NR, DMA_TO_DEVICE));
	for_each_sg(list, sg, NR, i)
		edu_read_memory(t, &edu, sg_dma_address(sg), i * PIECE, sg_dma_len(sg));
	dma_unmap_sg(&edu.dev, list, NR, DMA_TO_DEVICE);
	edu_write_memory(t, &edu, target, 0, NR * PIECE);
	for (i = 0; i < NR; i++)
		EXPECT_EQ(t, 0, pattern_nr_wrong(to + i * PIECE, PIECE, seed + i));
	dma_free_coherent(&edu.dev, NR * PIECE, to, target);
	free_pages_bulk_array(NR, pages);
	edu_down(&edu);
}

KTEST_NEEDS(dma_edu, blocks_of_a_pool_are_where_their_handles_say, .features = KTEST_EDU)
{
	uint32_t seed = ktest_random(t);
	struct dma_pool *pool;
	unsigned char *from, *to;
	dma_addr_t source, target;
	struct edu edu;

	ASSERT_TRUE(t, edu_up(t, &edu));
	pool = dma_pool_create("edu", &edu.dev, 96, 32, 0);
	ASSERT_NE(t, NULL, pool);
	from = dma_pool_alloc(pool, GFP_KERNEL, &source);
	to = dma_pool_zalloc(pool, GFP_KERNEL, &target);
	ASSERT_TRUE(t, from && to);
	pattern_write(from, 96, seed);
	edu_read_memory(t, &edu, source, 0, 96);
	edu_write_memory(t, &edu, target, 0, 96);
	EXPECT_EQ(t, 0, pattern_nr_wrong(to, 96, seed));
	dma_pool_free(pool, from, source);
	dma_pool_free(pool, to, target);
	EXPECT_EQ(t, 0, dma_pool_destroy(pool));
	edu_down(&edu);
}

KTEST_NEEDS(dma_edu, synchronising_moves_bytes_while_the_memory_stays_mapped, .features = KTEST_EDU,
	    .ram_mib = 32)
{
	uint32_t seed = ktest_random(t);
	struct page *page;
	dma_addr_t handle;
	struct edu edu;

	ASSERT_TRUE(t, edu_up(t, &edu));
	page = page_out_of_reach(t, &edu, GFP_KERNEL | __GFP_HIGHMEM);
	ASSERT_NE(t, NULL, page);
	handle = dma_map_page(&edu.dev, page, 0, PAGE_SIZE, DMA_BIDIRECTIONAL);
	ASSERT_EQ(t, 0, dma_mapping_error(&edu.dev, handle));
	write_page(page, 0, 256, seed);
	dma_sync_single_for_device(&edu.dev, handle, 256, DMA_TO_DEVICE);
	edu_read_memory(t, &edu, handle, 0, 256);
	edu_write_memory(t, &edu, handle + 1024, 0, 256);
	EXPECT_NE(t, 0, page_nr_wrong(page, 1024, 256, seed));
	dma_sync_single_for_cpu(&edu.dev, handle + 1024, 256, DMA_FROM_DEVICE);
	EXPECT_EQ(t, 0, page_nr_wrong(page, 1024, 256, seed));
	dma_unmap_page(&edu.dev, handle, PAGE_SIZE, DMA_BIDIRECTIONAL);
	edu_down(&edu);
	__free_page(page);
}
