/*
 * check.c - the validators of zones and per-CPU lists: each invariant is broken, and found.
 *
 * THEORY.  A test changes one word of a sound zone, looks, and changes it back.  What is broken in
 * one way only is counted once: a validator that says more has misread something else.  Nothing is
 * allocated or freed in between, so nobody else meets what is broken.
 *
 * CONTEXT.  A thread; nothing else runs.
 */
#include "../helpers.h"

#include <quarry/bits.h>

#include "../../../mm/debug/page_owner.h"
#include "../../../mm/internal.h"

/* A zone, and a free block on one of its lists. */
struct found {
	struct zone *z;
	struct page *head;
	unsigned int order;
	enum mobility mob;
	struct free_area *area;
};

/* A block of at least @order; false: no zone has one. */
static bool find_block(struct found *f, unsigned int order)
{
	for_each_zone(f->z) {
		for (unsigned int mob = 0; mob < NR_MOBILITIES; mob++) {
			unsigned int orders = f->z->nonempty[mob] >> order;

			if (!orders)
				continue;
			f->order = order + bit_lowest(orders);
			f->mob = (enum mobility)mob;
			f->area = &f->z->free_area[f->order];
			f->head = list_first_entry(&f->area->list[mob], struct page, lru);
			return true;
		}
	}
	return false;
}

static enum mobility another(enum mobility mob)
{
	return mob == MOB_MOVABLE ? MOB_UNMOVABLE : MOB_MOVABLE;
}

KTEST(zone_check, a_wrong_number_of_free_pages_or_of_blocks_is_found)
{
	struct found f;

	ASSERT_TRUE(t, find_block(&f, 0));
	EXPECT_EQ(t, 0, zone_check(f.z));
	f.z->nr_free++;
	EXPECT_EQ(t, 1, zone_check(f.z));
	f.z->nr_free--;
	f.area->nr_blocks[f.mob]--;
	EXPECT_EQ(t, 1, zone_check(f.z));
	f.area->nr_blocks[f.mob]++;
	EXPECT_EQ(t, 0, zone_check(f.z));
}

KTEST(zone_check, a_bit_that_is_not_its_lists_is_found)
{
	struct found f;

	ASSERT_TRUE(t, find_block(&f, 0));
	for (unsigned int order = 0; order < MAX_ORDER; order++) {
		f.z->nonempty[f.mob] ^= 1u << order;
		EXPECT_EQ(t, 1, zone_check(f.z));
		f.z->nonempty[f.mob] ^= 1u << order;
	}
	EXPECT_EQ(t, 0, zone_check(f.z));
}

KTEST(zone_check, a_block_whose_flags_are_not_its_lists_is_found)
{
	struct found f;
	unsigned long flags;

	ASSERT_TRUE(t, find_block(&f, 1));
	flags = f.head->flags;
	f.head->flags ^= PG_buddy; /* on a list, and not a block: three differ */
	EXPECT_GE(t, 2, zone_check(f.z));
	f.head->flags = flags;
	block_mark(f.head, f.order, another(f.mob));
	f.head->flags |= PG_buddy;
	EXPECT_EQ(t, 1, zone_check(f.z));
	block_mark(f.head, f.order - 1, f.mob);
	f.head->flags |= PG_buddy;
	EXPECT_EQ(t, 2, zone_check(f.z)); /* and there are fewer pages by frames than by lists */
	f.head->flags = flags;
	EXPECT_EQ(t, 0, zone_check(f.z));
}

KTEST(zone_check, a_block_of_another_mobility_than_its_pageblock_is_found)
{
	struct found f;
	pfn_t pfn;

	ASSERT_TRUE(t, find_block(&f, 0));
	pfn = page_to_pfn(f.head);
	pageblock_set(pfn, another(f.mob));
	EXPECT_GE(t, 1, zone_check(f.z)); /* each free block of the pageblock */
	pageblock_set(pfn, f.mob);
	EXPECT_EQ(t, 0, zone_check(f.z));
}

KTEST(zone_check, a_free_page_with_a_reference_or_a_flag_is_found)
{
	struct found f;

	ASSERT_TRUE(t, find_block(&f, 1));
	atomic_set(&f.head->_count, 1);
	EXPECT_EQ(t, 1, zone_check(f.z));
	atomic_set(&f.head->_count, 0);
	for (unsigned long i = 1; i < 1ul << f.order; i <<= 1) {
		atomic_set(&f.head[i]._count, 1);
		EXPECT_EQ(t, 1, zone_check(f.z));
		atomic_set(&f.head[i]._count, 0);
		f.head[i].flags |= PG_slab;
		EXPECT_EQ(t, 1, zone_check(f.z));
		f.head[i].flags &= ~(unsigned long)PG_slab;
	}
	EXPECT_EQ(t, 0, zone_check(f.z));
}

KTEST(zone_check, a_page_that_names_another_zone_is_found)
{
	struct page *page = alloc_page(GFP_KERNEL);
	struct zone *z;

	ASSERT_NE(t, NULL, page);
	z = page_zone(page);
	page->flags ^= 1ul << PG_ZONE_SHIFT;
	EXPECT_EQ(t, 1, zone_check(z));
	page->flags ^= 1ul << PG_ZONE_SHIFT;
	EXPECT_EQ(t, 0, zone_check(z));
	__free_page(page);
}

/* As if the page had been given back without a look at its buddy. */
static void pretend_free(struct page *page, bool is_free)
{
	struct zone *z = page_zone(page);
	enum mobility mob = pageblock_get(page_to_pfn(page));
	struct free_area *area = &z->free_area[0];

	block_mark(page, 0, mob);
	if (is_free) {
		page->flags |= PG_buddy;
		list_add(&page->lru, &area->list[mob]);
		area->nr_blocks[mob]++;
		z->nr_free++;
	} else {
		list_del(&page->lru);
		area->nr_blocks[mob]--;
		z->nr_free--;
	}
	atomic_set(&page->_count, is_free ? 0 : 1);
	z->nonempty[mob] = (z->nonempty[mob] & ~1u) | (area->nr_blocks[mob] ? 1u : 0);
}

KTEST(zone_check, two_free_buddies_are_found)
{
	struct page *pair = alloc_pages(GFP_KERNEL, 1);

	ASSERT_NE(t, NULL, pair);
	split_page(pair, 1);
	pretend_free(&pair[0], true);
	EXPECT_EQ(t, 0, zone_check(page_zone(pair)));
	pretend_free(&pair[1], true);
	EXPECT_EQ(t, 2, zone_check(page_zone(pair))); /* each has the other */
	pretend_free(&pair[1], false);
	pretend_free(&pair[0], false);
	EXPECT_EQ(t, 0, zone_check(page_zone(pair)));
	__free_page(&pair[0]);
	__free_page(&pair[1]);
}

KTEST(zone_check, a_sum_that_is_not_all_of_ram_is_found)
{
	EXPECT_EQ(t, 0, mm_check_all());
	zones[ZONE_DMA].nr_managed++;
	EXPECT_EQ(t, page_owner_on() ? 2 : 1, mm_check_all()); /* whose owners are fewer, too */
	zones[ZONE_DMA].nr_managed--;
	EXPECT_EQ(t, 0, mm_check_all());
}

KTEST(pcp_check, a_list_that_is_out_of_its_bounds_is_found)
{
	struct percpu_stack *used = this_cpu_ptr(&pcp_stack[PCP_INDEX(0u, ZONE_DMA, 0u)]);
	struct percpu_stack *unused = this_cpu_ptr(&pcp_stack[PCP_STACKS - 1]);
	unsigned int limit = used->limit;

	pcp_drain_this_cpu();
	used->bottom = used;
	EXPECT_EQ(t, 1, mm_check_all());
	used->bottom = NULL;
	used->limit = PERCPU_STACK_SLOTS + 1;
	EXPECT_EQ(t, 1, mm_check_all());
	used->limit = limit;
	unused->limit = 1;
	EXPECT_EQ(t, 1, mm_check_all());
	unused->limit = 0;
	EXPECT_EQ(t, 0, mm_check_all());
}

KTEST(pcp_check, a_block_that_is_not_its_lists_is_found)
{
	struct page *page = alloc_page(gfp_with_lists());
	unsigned long flags;

	ASSERT_NE(t, NULL, page);
	__free_page(page);
	if (!lists_in_use() || (page->flags & PG_buddy))
		return;
	atomic_set(&page->_count, 1);
	EXPECT_EQ(t, 1, mm_check_all());
	atomic_set(&page->_count, 0);
	flags = page->flags;
	page->flags |= PG_head;
	EXPECT_EQ(t, 1, mm_check_all());
	page->flags = flags ^ 1ul << PG_ORDER_SHIFT;
	EXPECT_EQ(t, 1, mm_check_all());
	page->flags = flags;
	EXPECT_EQ(t, 0, mm_check_all());
}
