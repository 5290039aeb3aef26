/*
 * dma_map.c - memory for one transfer: mapped as it is, or bounced.
 *
 * THEORY.  A device that reaches 4 MiB less than there is makes memory to be bounced on every
 * machine: its mask is set below the page that a test has.
 *
 * CONTEXT.  Thread.
 */
#include "helpers.h"

#include <quarry/align.h>
#include <quarry/asm/restart.h>
#include <quarry/dma.h>
#include <quarry/errno.h>
#include <quarry/highmem.h>
#include <quarry/memblock.h>
#include <quarry/percpu.h>
#include <quarry/sizes.h>
#include <quarry/string.h>

/* Some pages are always free below. */
#define REACH (4 * MiB)

static struct device dev = { "test", REACH - 1, REACH - 1 };

/* A block beyond REACH. */
static struct page *far_block(gfp_t gfp, unsigned int order)
{
	struct page *page = alloc_pages(gfp, order);

	if (page && page_to_phys(page) >= REACH)
		return page;
	if (page)
		__free_pages(page, order);
	return NULL;
}

static struct dma_counts count(void)
{
	struct dma_counts c;

	dma_count(&c);
	return c;
}

static char *copy_of(dma_addr_t handle)
{
	return pa_to_va(handle);
}

KTEST(dma_map, memory_within_reach_is_mapped_as_it_is)
{
	struct dma_counts before = count();
	struct device any = DEVICE_INIT("any");
	char *p = page_address(alloc_page(GFP_KERNEL));
	dma_addr_t handle = dma_map_single(&any, p + 5, 100, DMA_TO_DEVICE);

	EXPECT_EQ(t, 0, dma_mapping_error(&any, handle));
	EXPECT_TRUE(t, handle == va_to_pa(p) + 5);
	EXPECT_EQ(t, before.nr_bounces, count().nr_bounces);
	dma_sync_single_for_cpu(&any, handle, 100, DMA_TO_DEVICE);
	dma_sync_single_for_device(&any, handle, 100, DMA_TO_DEVICE);
	dma_unmap_single(&any, handle, 100, DMA_TO_DEVICE);
	free_page((unsigned long)p);
}

KTEST(dma_map, the_last_byte_decides_what_is_within_reach)
{
	struct page *one = alloc_page(GFP_KERNEL), *other = alloc_page(GFP_KERNEL);
	struct page *page = max(one, other);
	struct device near = dev;
	dma_addr_t handle;

	ASSERT_TRUE(t, one && other);
	__free_page(min(one, other)); /* there is a page below */
	near.dma_mask = page_to_phys(page) + 99;
	handle = dma_map_single(&near, page_address(page), 100, DMA_BIDIRECTIONAL);
	EXPECT_EQ(t, page_to_phys(page), handle);
	dma_unmap_single(&near, handle, 100, DMA_BIDIRECTIONAL);
	handle = dma_map_single(&near, page_address(page), 101, DMA_BIDIRECTIONAL);
	EXPECT_EQ(t, 0, dma_mapping_error(&near, handle));
	EXPECT_NE(t, page_to_phys(page), handle);
	EXPECT_EQ(t, 1, count().nr_bounces);
	EXPECT_EQ(t, 101, count().bounce_bytes);
	dma_unmap_single(&near, handle, 101, DMA_BIDIRECTIONAL);
	EXPECT_EQ(t, 0, count().nr_bounces);
	__free_page(page);
}

/* Another mapping must be bounced, or nobody would look for a record at all. */
KTEST_NEEDS(dma_map, coherent_memory_that_was_mapped_as_well_stays_when_it_is_unmapped,
	    .ram_mib = 30)
{
	struct page *far = far_block(GFP_KERNEL, 0);
	dma_addr_t coherent, handle, bounce;
	void *va = dma_alloc_coherent(&dev, PAGE_SIZE, &coherent, GFP_KERNEL);

	ASSERT_TRUE(t, far && va);
	bounce = dma_map_page(&dev, far, 0, 100, DMA_TO_DEVICE);
	handle = dma_map_single(&dev, va, PAGE_SIZE, DMA_BIDIRECTIONAL);
	EXPECT_EQ(t, coherent, handle);
	dma_unmap_single(&dev, handle, PAGE_SIZE, DMA_BIDIRECTIONAL);
	EXPECT_EQ(t, 1, count().nr_coherent);
	dma_free_coherent(&dev, PAGE_SIZE, va, coherent);
	EXPECT_EQ(t, 0, count().nr_coherent);
	dma_unmap_page(&dev, bounce, 100, DMA_TO_DEVICE);
	__free_page(far);
}

/* What a test does with a block of two pages of memory that is bounced in part. */
struct bounced {
	struct page *pages;
	char *copy;
	dma_addr_t handle;
	size_t offset, size;
	enum dma_data_direction dir;
};

#define BLOCK_TAG 0x7e57u

static bool bounce(struct ktest *t, struct bounced *b, gfp_t gfp, enum dma_data_direction dir)
{
	*b = (struct bounced){ .offset = 4000, .size = 200, .dir = dir };
	b->pages = far_block(gfp, 1);
	EXPECT_NE(t, NULL, b->pages);
	if (!b->pages)
		return false;
	block_fill(b->pages, 1, BLOCK_TAG);
	b->handle = dma_map_page(&dev, b->pages, b->offset, b->size, dir);
	EXPECT_EQ(t, 0, dma_mapping_error(&dev, b->handle));
	EXPECT_LE(t, REACH - b->size, b->handle);
	b->copy = copy_of(b->handle);
	return true;
}

static void unbounce(struct bounced *b)
{
	dma_unmap_page(&dev, b->handle, b->size, b->dir);
}

/* Bytes of the original that differ from @copy; it lies in two pages. */
static size_t nr_different(const struct bounced *b, const char *copy)
{
	size_t nr = 0;

	for (size_t i = 0; i < b->size; i++) {
		char byte;

		memcpy_from_page(&byte, b->pages + (b->offset + i) / PAGE_SIZE,
				 (b->offset + i) % PAGE_SIZE, 1);
		nr += byte != copy[i];
	}
	return nr;
}

static void expect_both_ways(struct ktest *t, gfp_t gfp)
{
	char written[200];
	struct bounced b;

	ASSERT_TRUE(t, bounce(t, &b, gfp, DMA_BIDIRECTIONAL));
	EXPECT_EQ(t, 0, nr_different(&b, b.copy));
	memset(b.copy + 50, 0x42, 100);
	memcpy(written, b.copy, sizeof(written));
	EXPECT_NE(t, 0, nr_different(&b, written));
	unbounce(&b);
	EXPECT_EQ(t, 0, nr_different(&b, written));
	__free_pages(b.pages, 1);
}

KTEST_NEEDS(dma_map, lowmem_is_copied_there_and_back, .ram_mib = 16)
{
	expect_both_ways(t, GFP_KERNEL);
}

KTEST_NEEDS(dma_map, highmem_is_copied_there_and_back, .zones = KTEST_ZONE_HIGHMEM, .ram_mib = 16)
{
	expect_both_ways(t, GFP_KERNEL | __GFP_HIGHMEM);
}

KTEST_NEEDS(dma_map, what_a_device_only_reads_is_not_copied_back, .ram_mib = 16)
{
	struct bounced b;

	ASSERT_TRUE(t, bounce(t, &b, GFP_KERNEL, DMA_TO_DEVICE));
	EXPECT_EQ(t, 0, nr_different(&b, b.copy));
	memset(b.copy, 0x42, b.size);
	dma_sync_single_for_cpu(&dev, b.handle, b.size, DMA_TO_DEVICE);
	unbounce(&b);
	EXPECT_TRUE(t, block_holds(b.pages, 1, BLOCK_TAG));
	__free_pages(b.pages, 1);
}

KTEST_NEEDS(dma_map, what_a_device_does_not_write_stays_as_it_was, .ram_mib = 16)
{
	struct bounced b;

	ASSERT_TRUE(t, bounce(t, &b, GFP_KERNEL, DMA_FROM_DEVICE));
	unbounce(&b);
	EXPECT_TRUE(t, block_holds(b.pages, 1, BLOCK_TAG));
	__free_pages(b.pages, 1);
}

KTEST_NEEDS(dma_map, a_part_is_synchronised_for_who_asks, .ram_mib = 16)
{
	char kept[200];
	struct bounced b;

	ASSERT_TRUE(t, bounce(t, &b, GFP_KERNEL, DMA_BIDIRECTIONAL));
	memcpy(kept, b.copy, sizeof(kept));
	memset(b.copy, 0x11, b.size);
	dma_sync_single_for_cpu(&dev, b.handle + 10, 20, DMA_FROM_DEVICE);
	memset(kept + 10, 0x11, 20);
	EXPECT_EQ(t, 0, nr_different(&b, kept));
	/* The other way: all but the part that is the same anyway is overwritten. */
	dma_sync_single_for_device(&dev, b.handle, 100, DMA_BIDIRECTIONAL);
	EXPECT_EQ(t, 0, memcmp(b.copy, kept, 100));
	EXPECT_EQ(t, NULL, memchr_inv(b.copy + 100, 0x11, 100));
	/* Not in a direction that needs nothing. */
	dma_sync_single_for_device(&dev, b.handle, 200, DMA_FROM_DEVICE);
	dma_sync_single_for_cpu(&dev, b.handle, 200, DMA_TO_DEVICE);
	EXPECT_EQ(t, NULL, memchr_inv(b.copy + 100, 0x11, 100));
	EXPECT_EQ(t, 0, nr_different(&b, kept));
	unbounce(&b);
	__free_pages(b.pages, 1);
}

KTEST_NEEDS(dma_map, while_something_is_bounced_the_rest_is_mapped_as_it_is, .ram_mib = 16)
{
	struct device any = DEVICE_INIT("any");
	dma_addr_t handle, inside;
	struct bounced b;

	ASSERT_TRUE(t, bounce(t, &b, GFP_KERNEL, DMA_TO_DEVICE));
	handle = dma_map_single(&any, page_address(b.pages), 10, DMA_TO_DEVICE);
	EXPECT_EQ(t, page_to_phys(b.pages), handle);
	dma_sync_single_for_cpu(&any, handle, 10, DMA_TO_DEVICE);
	dma_unmap_single(&any, handle, 10, DMA_TO_DEVICE);
	inside = count().nr_bounces;
	EXPECT_EQ(t, 1, inside);
	unbounce(&b);
	EXPECT_EQ(t, 0, count().nr_bounces);
	__free_pages(b.pages, 1);
}

static struct page *far_page;
static dma_addr_t far_handle;

static QAPI void map_in_interrupt(void)
{
	far_handle = dma_map_page(&dev, far_page, 0, PAGE_SIZE, DMA_TO_DEVICE);
	if (!dma_mapping_error(&dev, far_handle))
		dma_unmap_page(&dev, far_handle, PAGE_SIZE, DMA_TO_DEVICE);
}

static DEFINE_PER_CPU(struct percpu_stack, stack);

KTEST_NEEDS(dma_map, an_interrupt_may_bounce, .ram_mib = 16)
{
	bool hit = false;

	far_page = far_block(GFP_KERNEL, 0);
	ASSERT_NE(t, NULL, far_page);
	restart_step_pop(&stack, 1, &hit, map_in_interrupt);
	EXPECT_TRUE(t, hit);
	EXPECT_LE(t, REACH - PAGE_SIZE, far_handle);
	__free_page(far_page);
}

/* ---- when there is none -------------------------------------------------------------------- */

KTEST_NEEDS(dma_map, without_memory_for_a_copy_there_is_no_mapping, .ram_mib = 16)
{
	struct page *page = far_block(GFP_KERNEL, 0);
	struct dma_counts before = count();
	dma_addr_t handle;
	HOARD(all);

	ASSERT_NE(t, NULL, page);
	hoard_machine(&all);
	handle = dma_map_page(&dev, page, 0, 100, DMA_TO_DEVICE);
	EXPECT_ERR(t, -ENOMEM, dma_mapping_error(&dev, handle));
	EXPECT_TRUE(t, handle == DMA_MAPPING_ERROR);
	hoard_free(&all);
	EXPECT_EQ(t, before.nr_failed + 1, count().nr_failed);
	EXPECT_EQ(t, before.nr_bounces, count().nr_bounces);
	__free_page(page);
}

/* @size bytes of RAM beyond REACH without a hole, whoever has them; NULL: there are none. */
static struct page *far_ram(size_t size)
{
	for (unsigned int i = 0; i < memblock.memory.nr; i++) {
		const struct memblock_region *r = &memblock.memory.region[i];
		phys_addr_t start = max(ALIGN_UP(r->start, PAGE_SIZE), (phys_addr_t)REACH);

		if (start + size <= r->end)
			return pfn_to_page((pfn_t)(start >> PAGE_SHIFT));
	}
	return NULL;
}

KTEST_NEEDS(dma_map, more_than_a_block_is_not_bounced_but_mapped_if_within_reach, .ram_mib = 32)
{
	struct device any = DEVICE_INIT("any");
	struct page *page = far_ram(DMA_SIZE_MAX + 1);
	dma_addr_t handle;

	ASSERT_NE(t, NULL, page);
	handle = dma_map_page(&dev, page, 0, DMA_SIZE_MAX + 1, DMA_TO_DEVICE);
	EXPECT_ERR(t, -ENOMEM, dma_mapping_error(&dev, handle));
	handle = dma_map_page(&any, page, 0, DMA_SIZE_MAX + 1, DMA_TO_DEVICE);
	EXPECT_EQ(t, page_to_phys(page), handle);
	dma_unmap_page(&any, handle, DMA_SIZE_MAX + 1, DMA_TO_DEVICE);
}

/* ---- in pieces ------------------------------------------------------------------------------ */

enum { NR_PIECES = 4 };

static bool make_list(struct scatterlist *list)
{
	bool all = true;

	for (unsigned int i = 0; i < NR_PIECES; i++) {
		struct page *page = far_block(GFP_KERNEL, 0);

		all = all && page;
		sg_set_page(&list[i], page, 100 + i, 10 * i);
		if (page)
			block_fill(page, 0, BLOCK_TAG + i);
	}
	return all;
}

static void free_list(struct scatterlist *list)
{
	for (unsigned int i = 0; i < NR_PIECES; i++)
		__free_page(list[i].page);
}

KTEST_NEEDS(dma_map, each_piece_of_a_list_is_bounced_and_comes_back, .ram_mib = 16)
{
	struct scatterlist list[NR_PIECES], *sg;
	unsigned int i;

	ASSERT_TRUE(t, make_list(list));
	ASSERT_EQ(t, NR_PIECES, dma_map_sg(&dev, list, NR_PIECES, DMA_BIDIRECTIONAL));
	EXPECT_EQ(t, NR_PIECES, count().nr_bounces);
	for_each_sg(list, sg, NR_PIECES, i)
	{
		EXPECT_EQ(t, 100 + i, sg_dma_len(sg));
		EXPECT_EQ(t, 0,
			  memcmp(copy_of(sg_dma_address(sg)),
				 (char *)page_address(sg->page) + sg->offset, sg->length));
		*copy_of(sg_dma_address(sg)) = (char)i;
	}
	dma_sync_sg_for_cpu(&dev, list, NR_PIECES, DMA_FROM_DEVICE);
	for_each_sg(list, sg, NR_PIECES, i)
	{
		char *original = (char *)page_address(sg->page) + sg->offset;

		EXPECT_EQ(t, i, *original);
		*original = (char)(i + 10);
	}
	dma_sync_sg_for_device(&dev, list, NR_PIECES, DMA_TO_DEVICE);
	for_each_sg(list, sg, NR_PIECES, i)
	{
		EXPECT_EQ(t, i + 10, *copy_of(sg_dma_address(sg)));
		*copy_of(sg_dma_address(sg)) = (char)(i + 20);
	}
	dma_unmap_sg(&dev, list, NR_PIECES, DMA_BIDIRECTIONAL);
	for_each_sg(list, sg, NR_PIECES, i)
		EXPECT_EQ(t, i + 20, ((char *)page_address(sg->page))[sg->offset]);
	EXPECT_EQ(t, 0, count().nr_bounces);
	free_list(list);
}

KTEST_NEEDS(dma_map, a_list_whose_last_piece_cannot_be_mapped_is_not_mapped_at_all, .ram_mib = 32)
{
	struct scatterlist list[NR_PIECES];
	struct page *last;

	ASSERT_TRUE(t, make_list(list));
	last = list[NR_PIECES - 1].page;
	sg_set_page(&list[NR_PIECES - 1], far_ram(DMA_SIZE_MAX + 1), DMA_SIZE_MAX + 1, 0);
	EXPECT_EQ(t, 0, dma_map_sg(&dev, list, NR_PIECES, DMA_TO_DEVICE));
	EXPECT_EQ(t, 0, count().nr_bounces);
	list[NR_PIECES - 1].page = last;
	EXPECT_EQ(t, 0, dma_map_sg(&dev, list, 0, DMA_TO_DEVICE));
	free_list(list);
}

KTEST(dma_map, a_piece_can_be_named_by_its_address)
{
	char *p = page_address(alloc_page(GFP_KERNEL));
	struct scatterlist sg;

	ASSERT_NE(t, NULL, p);
	sg_set_buf(&sg, p + 300, 50);
	EXPECT_EQ(t, virt_to_page(p), sg.page);
	EXPECT_EQ(t, 300, sg.offset);
	EXPECT_EQ(t, 50, sg.length);
	free_page((unsigned long)p);
}
