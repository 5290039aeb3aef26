/*
 * dma.c - coherent memory: where it lies, what it is, and what is given back.
 *
 * CONTEXT.  Thread.
 */
#include "helpers.h"

#include <quarry/align.h>
#include <quarry/asm/restart.h>
#include <quarry/bits.h>
#include <quarry/dma.h>
#include <quarry/errno.h>
#include <quarry/percpu.h>
#include <quarry/sizes.h>
#include <quarry/string.h>

#define LIMIT_28 (256 * MiB)

static struct device device = DEVICE_INIT("test");

static struct device device_of(uint64_t mask)
{
	return (struct device){ "test", mask, mask };
}

/* One page within @mask, if there is one: its handle. */
static dma_addr_t handle_within(struct ktest *t, uint64_t mask)
{
	struct device dev = device_of(mask);
	dma_addr_t handle = DMA_MAPPING_ERROR;
	void *va = dma_alloc_coherent(&dev, PAGE_SIZE, &handle, GFP_KERNEL);

	EXPECT_NE(t, NULL, va);
	dma_free_coherent(&dev, PAGE_SIZE, va, handle);
	return handle;
}

/* ---- masks ------------------------------------------------------------------------------- */

KTEST(dma, a_mask_that_reaches_no_page_is_refused_and_nothing_changes)
{
	struct device dev = device;

	EXPECT_ERR(t, -EIO, dma_set_mask(&dev, 0));
	EXPECT_ERR(t, -EIO, dma_set_coherent_mask(&dev, DMA_BIT_MASK(11)));
	EXPECT_ERR(t, -EIO, dma_set_mask_and_coherent(&dev, DMA_BIT_MASK(1)));
	EXPECT_EQ(t, DMA_BIT_MASK(32), dev.dma_mask);
	EXPECT_EQ(t, DMA_BIT_MASK(32), dev.coherent_dma_mask);
}

KTEST(dma, a_mask_with_a_gap_is_refused_and_nothing_changes)
{
	struct device dev = device;

	EXPECT_ERR(t, -EINVAL, dma_set_mask(&dev, 0xf0ffffff));
	EXPECT_ERR(t, -EINVAL, dma_set_coherent_mask(&dev, 0xfffffffe));
	EXPECT_ERR(t, -EINVAL, dma_set_mask_and_coherent(&dev, 1ull << 32));
	EXPECT_EQ(t, DMA_BIT_MASK(32), dev.dma_mask);
	EXPECT_EQ(t, DMA_BIT_MASK(32), dev.coherent_dma_mask);
}

KTEST(dma, masks_are_set_apart_or_together)
{
	struct device dev = device;

	EXPECT_EQ(t, 0, dma_set_mask(&dev, DMA_BIT_MASK(24)));
	EXPECT_EQ(t, DMA_BIT_MASK(32), dev.coherent_dma_mask);
	EXPECT_EQ(t, 0, dma_set_coherent_mask(&dev, DMA_BIT_MASK(28)));
	EXPECT_EQ(t, 0xffffffull, dev.dma_mask);
	EXPECT_EQ(t, 0xfffffffull, dev.coherent_dma_mask);
	EXPECT_EQ(t, 0, dma_set_mask_and_coherent(&dev, DMA_BIT_MASK(64)));
	EXPECT_TRUE(t, dev.dma_mask == ~0ull && dev.coherent_dma_mask == ~0ull);
}

/* ---- where it lies ------------------------------------------------------------------------ */

KTEST(dma, a_handle_lies_within_a_mask_of_any_width)
{
	for (unsigned int bits = 22; bits <= 64; bits++)
		EXPECT_LE(t, DMA_BIT_MASK(bits) >> 1, handle_within(t, DMA_BIT_MASK(bits)) >> 1);
}

KTEST(dma, a_mask_at_the_end_of_the_dma_zone_is_served_from_it)
{
	EXPECT_LE(t, 16 * MiB - PAGE_SIZE, handle_within(t, 16 * MiB - 1));
}

/* The zone's last page is not within reach, by one byte. */
KTEST(dma, a_mask_one_byte_short_of_a_page_leaves_the_page_out)
{
	EXPECT_LE(t, 16 * MiB - 2 * PAGE_SIZE, handle_within(t, 16 * MiB - 2));
	EXPECT_LE(t, 4 * MiB - 2 * PAGE_SIZE, handle_within(t, 4 * MiB - 2));
	EXPECT_LE(t, 4 * MiB - PAGE_SIZE, handle_within(t, 4 * MiB - 1));
}

KTEST_NEEDS(dma, a_mask_at_or_beyond_the_end_of_lowmem_is_no_limit, .zones = KTEST_ZONE_NORMAL,
	    .ram_mib = 64)
{
	uint64_t last = mm_layout.lowmem_end - 1;

	EXPECT_GE(t, 16 * MiB, handle_within(t, last));
	EXPECT_GE(t, 16 * MiB, handle_within(t, last + 1));
	EXPECT_GE(t, 16 * MiB, handle_within(t, DMA_BIT_MASK(64)));
}

KTEST_NEEDS(dma, the_last_byte_of_lowmem_out_of_reach_is_a_limit, .zones = KTEST_ZONE_NORMAL,
	    .ram_mib = 64)
{
	uint64_t last = mm_layout.lowmem_end - 1;
	dma_addr_t handle = handle_within(t, last - 1);

	EXPECT_GE(t, 16 * MiB, handle);
	EXPECT_LE(t, last - PAGE_SIZE, handle + PAGE_SIZE - 1);
}

KTEST_NEEDS(dma, a_mask_within_normal_is_served_from_normal_below_it, .ram_mib = 512)
{
	dma_addr_t handle = handle_within(t, DMA_BIT_MASK(28));

	EXPECT_GE(t, 16 * MiB, handle);
	EXPECT_LE(t, LIMIT_28 - PAGE_SIZE, handle);
}

/* Of Normal, free above a mask: more than the zone keeps for itself. */
#define ABOVE_MASK (16 * MiB)

/*
 * The end of the largest mask above which @all holds that much.  struct pages lie at the end of
 * lowmem, and may be half of it.
 */
static phys_addr_t end_of_a_mask_within(const struct hoard *all)
{
	phys_addr_t last = 0;
	struct page *page;

	list_for_each_entry(page, &all->blocks, lru)
		if (page->private == MAX_ORDER - 1)
			last = max(last, page_to_phys(page));
	return last > ABOVE_MASK ? 1ul << bit_highest((unsigned long)(last - ABOVE_MASK)) : 0;
}

/* Of what @all holds, give back all that begins at @pa or above. */
static void free_above(struct hoard *all, phys_addr_t pa)
{
	struct page *page, *next;
	HOARD(above);

	list_for_each_entry_safe(page, next, &all->blocks, lru) {
		if (page_to_phys(page) < pa)
			continue;
		list_move(&page->lru, &above.blocks);
		above.nr_pages += 1ul << page->private;
		all->nr_pages -= 1ul << page->private;
	}
	hoard_free(&above);
}

/* A block of 4 MiB that @all holds below @end becomes free; its address, 0: there is none. */
static phys_addr_t free_one_large(struct hoard *all, phys_addr_t end)
{
	struct page *page;

	list_for_each_entry(page, &all->blocks, lru) {
		if (page->private != MAX_ORDER - 1 || page_to_phys(page) >= end)
			continue;
		list_del(&page->lru);
		all->nr_pages -= 1ul << page->private;
		__free_pages(page, MAX_ORDER - 1);
		return page_to_phys(page);
	}
	return 0;
}

/* Can ZONE_DMA give 4 MiB to who could have used Normal?  Firmware may keep most of it. */
static bool dma_zone_can_spare_4_mib(void)
{
	const struct zone *z = &zones[ZONE_DMA];
	unsigned long floor = z->watermark[WMARK_MIN] + z->lowmem_reserve[ZONE_NORMAL];

	return z->nr_free >= floor + (1ul << (MAX_ORDER - 1)) && zone_nr_blocks(z, MAX_ORDER - 1);
}

KTEST_NEEDS(dma, four_mib_come_from_normal_below_the_mask_while_any_are_free_there, .ram_mib = 512)
{
	dma_addr_t first, second;
	phys_addr_t end, free_pa;
	struct device dev;
	bool can_spare;
	void *a, *b;
	HOARD(all);

	hoard_zone(&all, ZONE_NORMAL, MAX_ORDER - 1);
	end = end_of_a_mask_within(&all);
	dev = device_of(end - 1);
	free_above(&all, end);
	mm_quiesce();
	EXPECT_GE(t, 1, zone_nr_blocks(&zones[ZONE_NORMAL], MAX_ORDER - 1));
	free_pa = free_one_large(&all, end);
	EXPECT_TRUE(t, free_pa >= 16 * MiB && free_pa < end);
	a = dma_alloc_coherent(&dev, 4 * MiB, &first, GFP_KERNEL);
	EXPECT_NE(t, NULL, a);
	EXPECT_EQ(t, free_pa, first);
	can_spare = dma_zone_can_spare_4_mib();
	b = dma_alloc_coherent(&dev, 4 * MiB, &second, GFP_KERNEL | __GFP_NOWARN);
	EXPECT_EQ(t, can_spare, b != NULL);
	if (b) {
		EXPECT_LE(t, 12 * MiB, second);
		dma_free_coherent(&dev, 4 * MiB, b, second);
	}
	dma_free_coherent(&dev, 4 * MiB, a, first);
	hoard_free(&all);
}

/* ---- what it is --------------------------------------------------------------------------- */

static const size_t sizes[] = { 1,     64,        PAGE_SIZE, PAGE_SIZE + 1, 3 * PAGE_SIZE,
				16384, 16384 + 1, 64 * KiB,  100000 };

/* Dirty blocks of every order on top of the lists. */
static void dirty_memory(void)
{
	for (unsigned int order = 0; order <= 5; order++) {
		struct page *page = alloc_pages(GFP_KERNEL, order);

		if (!page)
			continue;
		block_fill(page, order, 0xd1a7);
		__free_pages(page, order);
	}
}

KTEST(dma, coherent_memory_is_zero_and_aligned_to_the_power_of_two_of_its_size)
{
	dirty_memory();
	for (unsigned int i = 0; i < ARRAY_SIZE(sizes); i++) {
		size_t align = max((size_t)1 << log2_roundup(sizes[i]), (size_t)PAGE_SIZE);
		dma_addr_t handle;
		char *va = dma_alloc_coherent(&device, sizes[i], &handle, GFP_KERNEL);

		ASSERT_NE(t, NULL, va);
		EXPECT_EQ(t, 0, handle & (align - 1));
		EXPECT_TRUE(t, va_to_pa(va) == handle);
		EXPECT_EQ(t, NULL, memchr_inv(va, 0, ALIGN_UP(sizes[i], PAGE_SIZE)));
		memset(va, 0x5a, sizes[i]);
		dma_free_coherent(&device, sizes[i], va, handle);
	}
}

KTEST(dma, what_a_block_has_beyond_the_size_is_given_back)
{
	dma_addr_t warm_handle, handle;
	void *warm = dma_alloc_coherent(&device, 1, &warm_handle, GFP_KERNEL), *va;
	unsigned long before;

	ASSERT_NE(t, NULL, warm);
	mm_quiesce();
	before = nr_available();
	va = dma_alloc_coherent(&device, 4 * PAGE_SIZE + 1, &handle, GFP_KERNEL);
	ASSERT_NE(t, NULL, va);
	mm_quiesce();
	EXPECT_EQ(t, before - 5, nr_available());
	EXPECT_EQ(t, 0, dma_check());
	dma_free_coherent(&device, 4 * PAGE_SIZE + 1, va, handle);
	EXPECT_EQ(t, before, nr_available());
	dma_free_coherent(&device, 1, warm, warm_handle);
}

/* 4 MiB where memory is not in pieces. */
KTEST(dma, the_largest_free_block_can_be_had_and_is_zero)
{
	size_t size = PAGE_SIZE << largest_order(GFP_KERNEL);
	dma_addr_t handle;
	char *va = dma_alloc_coherent(&device, size, &handle, GFP_KERNEL);

	ASSERT_NE(t, NULL, va);
	EXPECT_EQ(t, 0, handle & (size - 1));
	EXPECT_EQ(t, NULL, memchr_inv(va, 0, size));
	dma_free_coherent(&device, size, va, handle);
}

KTEST(dma, a_size_that_cannot_be_is_refused_with_one_report)
{
	struct capture *c = capture_begin();
	dma_addr_t handle = 1;
	void *none = dma_alloc_coherent(&device, 0, &handle, GFP_KERNEL);
	void *large = dma_alloc_coherent(&device, DMA_SIZE_MAX + 1, &handle, GFP_KERNEL);
	void *silent = dma_alloc_coherent(&device, DMA_SIZE_MAX + 1, &handle,
					  T_GFP(t, GFP_KERNEL | __GFP_NOWARN));

	capture_end(c);
	EXPECT_EQ(t, NULL, none);
	EXPECT_EQ(t, NULL, large);
	EXPECT_EQ(t, NULL, silent);
	EXPECT_EQ(t, 1, handle);
	EXPECT_EQ(t, 1, capture_count(c, "test: no coherent memory of 0 bytes up to 0xffffffff"));
	EXPECT_EQ(t, 1, capture_count(c, "no coherent memory of 4194305 bytes"));
	EXPECT_EQ(t, 0, capture_count(c, "page allocation failure"));
}

KTEST(dma, flags_that_name_a_zone_or_a_kind_of_block_are_ignored)
{
	static const gfp_t ignored[] = { __GFP_DMA,     __GFP_HIGHMEM,     __GFP_DMA32,
					 __GFP_MOVABLE, __GFP_RECLAIMABLE, __GFP_COMP,
					 __GFP_ZERO };

	for (unsigned int i = 0; i < ARRAY_SIZE(ignored); i++) {
		dma_addr_t handle;
		void *va = dma_alloc_coherent(&device, 2 * PAGE_SIZE, &handle,
					      T_GFP(t, GFP_KERNEL | ignored[i]));

		ASSERT_NE(t, NULL, va);
		EXPECT_TRUE(t, virt_addr_valid(va));
		EXPECT_EQ(t, 0, virt_to_page(va)->flags & PG_head);
		dma_free_coherent(&device, 2 * PAGE_SIZE, va, handle);
	}
}

static struct {
	void *va;
	dma_addr_t handle;
} taken;

static QAPI void take_in_interrupt(void)
{
	taken.va = dma_alloc_coherent(&device, 100, &taken.handle, GFP_ATOMIC);
}

static QAPI void give_in_interrupt(void)
{
	dma_free_coherent(&device, 100, taken.va, taken.handle);
}

static DEFINE_PER_CPU(struct percpu_stack, stack);

KTEST(dma, an_interrupt_may_take_and_give_back)
{
	bool hit = false;

	restart_step_pop(&stack, 1, &hit, take_in_interrupt);
	EXPECT_TRUE(t, hit);
	ASSERT_NE(t, NULL, taken.va);
	hit = false;
	restart_step_pop(&stack, 1, &hit, give_in_interrupt);
	EXPECT_TRUE(t, hit);
}

KTEST(dma, nothing_is_an_address_that_can_be_freed)
{
	struct dma_counts before, after;

	dma_count(&before);
	dma_free_coherent(&device, PAGE_SIZE, NULL, 0);
	dma_count(&after);
	EXPECT_EQ(t, before.nr_coherent, after.nr_coherent);
}

/* ---- when there is none -------------------------------------------------------------------- */

KTEST(dma, without_memory_there_is_one_report_with_size_and_mask)
{
	struct capture *c;
	dma_addr_t handle;
	void *va;
	HOARD(all);

	hoard_machine(&all);
	c = capture_begin();
	va = dma_alloc_coherent(&device, 8 * PAGE_SIZE, &handle, GFP_ATOMIC);
	capture_end(c);
	EXPECT_EQ(t, NULL, va);
	EXPECT_EQ(t, 1, capture_count(c, "test: no coherent memory of 32768 bytes up to 0x"));
	EXPECT_EQ(t, 1, capture_count(c, "page allocation failure: order:3"));
	hoard_free(&all);
}

/* One page is left, which the record's slab takes or the block does: either way all comes back. */
KTEST(dma, what_was_taken_when_the_rest_cannot_be_had_comes_back)
{
	struct dma_counts before, after;
	dma_addr_t handle;
	HOARD(all);

	dma_count(&before);
	hoard_machine(&all);
	for (unsigned int nr = 1; nr <= 2; nr++) {
		EXPECT_TRUE(t, hoard_free_one(&all));
		EXPECT_EQ(t, NULL,
			  dma_alloc_coherent(&device, 16 * PAGE_SIZE, &handle,
					     GFP_KERNEL | __GFP_MEMALLOC | __GFP_NOWARN));
	}
	hoard_free(&all);
	dma_count(&after);
	EXPECT_EQ(t, before.nr_coherent, after.nr_coherent);
	EXPECT_EQ(t, 0, dma_check());
}

KTEST_NEEDS(dma, below_the_mask_only_who_may_take_all_goes_below_the_watermarks, .ram_mib = 512)
{
	struct device dev = device_of(DMA_BIT_MASK(28));
	unsigned long floor = zones[ZONE_NORMAL].watermark[WMARK_MIN];
	dma_addr_t warm_handle, handle;
	void *warm = dma_alloc_coherent(&device, 1, &warm_handle, GFP_KERNEL), *va;
	HOARD(all);
	HOARD(isa);

	hoard_zone(&all, ZONE_NORMAL, MAX_ORDER - 1);
	hoard_zone(&isa, ZONE_DMA, MAX_ORDER - 1);
	EXPECT_NE(t, 0, free_one_large(&all, LIMIT_28));
	mm_quiesce();
	EXPECT_LE(t, floor + PAGEBLOCK_NR_PAGES - 1, zones[ZONE_NORMAL].nr_free);
	EXPECT_EQ(t, NULL,
		  dma_alloc_coherent(&dev, 4 * MiB, &handle,
				     GFP_KERNEL | __GFP_NORETRY | __GFP_NOWARN));
	va = dma_alloc_coherent(&dev, 4 * MiB, &handle, T_GFP(t, GFP_KERNEL | __GFP_MEMALLOC));
	EXPECT_NE(t, NULL, va);
	dma_free_coherent(&dev, 4 * MiB, va, handle);
	hoard_free(&isa);
	hoard_free(&all);
	dma_free_coherent(&device, 1, warm, warm_handle);
}

KTEST(dma, a_device_that_reaches_nothing_gets_nothing)
{
	static const uint64_t masks[] = { 0, 1, PAGE_SIZE - 2 };
	dma_addr_t handle;

	for (unsigned int i = 0; i < ARRAY_SIZE(masks); i++) {
		struct device dev = device_of(masks[i]);

		EXPECT_EQ(t, NULL, dma_alloc_coherent(&dev, 1, &handle, GFP_KERNEL | __GFP_NOWARN));
	}
}

/* What the DMA zone keeps from those who could use Normal is there for those who cannot. */
KTEST_NEEDS(dma, the_reserve_of_the_dma_zone_is_for_who_reaches_nothing_else, .ram_mib = 512)
{
	static const unsigned int bits[] = { 24, 23 };
	dma_addr_t warm_handle, handle;
	void *warm = dma_alloc_coherent(&device, 1, &warm_handle, GFP_KERNEL);
	HOARD(all);

	hoard_everything(&all, GFP_KERNEL | __GFP_NORETRY);
	EXPECT_EQ(t, NULL,
		  dma_alloc_coherent(&device, PAGE_SIZE, &handle,
				     GFP_KERNEL | __GFP_NORETRY | __GFP_NOWARN));
	for (unsigned int i = 0; i < ARRAY_SIZE(bits); i++) {
		struct device dev = device_of(DMA_BIT_MASK(bits[i]));
		void *va = dma_alloc_coherent(&dev, PAGE_SIZE, &handle,
					      GFP_KERNEL | __GFP_NORETRY | __GFP_NOWARN);

		EXPECT_NE(t, NULL, va);
		dma_free_coherent(&dev, PAGE_SIZE, va, handle);
	}
	hoard_free(&all);
	dma_free_coherent(&device, 1, warm, warm_handle);
}
