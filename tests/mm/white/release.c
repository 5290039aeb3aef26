/*
 * release.c - reserved pages that become memory: mm_release() and what it is made of.
 *
 * THEORY.  Releasing cannot be taken back, so the test makes the reservation first: a page that it
 * allocated is turned into what boot would have left, reserved and not managed, and then released.
 * Afterwards everything is as it was.
 */
#include "../../../mm/internal.h"

#include <quarry/gfp.h>
#include <quarry/ktest.h>
#include <quarry/memblock.h>
#include <quarry/mm.h>

#define OUR_NAME "a reservation of the tests"

/* As memmap_init() leaves a page of RAM that a reservation covers. */
static void make_reserved(struct page *page)
{
	page->flags = (page->flags & PG_ZONE_MASK) | PG_reserved;
	atomic_set(&page->_count, 0);
	page_zone(page)->nr_managed--;
	memblock_reserve(page_to_phys(page), PAGE_SIZE, OUR_NAME);
}

KTEST(release, a_released_reservation_is_free_managed_memory_without_a_name)
{
	struct page *page[2] = { alloc_page(GFP_KERNEL), alloc_page(GFP_KERNEL) };
	struct mm_account before, reserved, after;
	unsigned long low;
	struct zone *z;

	ASSERT_TRUE(t, page[0] && page[1]);
	z = page_zone(page[0]);
	low = z->watermark[WMARK_LOW];
	mm_account(&before);
	make_reserved(page[0]);
	make_reserved(page[1]);
	mm_account(&reserved);
	EXPECT_EQ(t, before.nr_reserved + 2, reserved.nr_reserved);
	EXPECT_EQ(t, reserved.nr_ram, reserved.nr_managed + reserved.nr_reserved);
	z->watermark[WMARK_LOW] = 0;
	EXPECT_EQ(t, 2, mm_release(OUR_NAME));
	EXPECT_EQ(t, low, z->watermark[WMARK_LOW]); /* derived anew */
	mm_account(&after);
	EXPECT_EQ(t, before.nr_managed, after.nr_managed);
	EXPECT_EQ(t, before.nr_reserved, after.nr_reserved);
	EXPECT_EQ(t, before.nr_free + before.nr_pcp + 2, after.nr_free + after.nr_pcp);
	EXPECT_EQ(t, 0, page[0]->flags & PG_reserved);
	EXPECT_EQ(t, 0, mm_release(OUR_NAME));
}

/* A reservation that does not fill a page leaves it to whoever has the rest, and stays. */
KTEST(release, a_reservation_of_parts_of_pages_frees_no_page)
{
	struct page *page = alloc_page(GFP_KERNEL);
	phys_addr_t pa;

	ASSERT_NE(t, NULL, page);
	pa = page_to_phys(page);
	memblock_reserve(pa + 16, 100, OUR_NAME);
	EXPECT_EQ(t, 0, mm_release(OUR_NAME));
	EXPECT_EQ(t, 1, page_count(page));
	memblock_free(pa + 16, 100);
	__free_page(page);
}

static bool is_ram(phys_addr_t pa)
{
	for (unsigned int i = 0; i < memblock.memory.nr; i++)
		if (memblock.memory.region[i].start <= pa && pa < memblock.memory.region[i].end)
			return true;
	return false;
}

/* Device memory is reserved too, and must never become anybody's. */
KTEST(release, a_reservation_of_what_is_no_ram_frees_no_page)
{
	const pfn_t first = 0xA0000 >> PAGE_SHIFT;
	struct mm_account before, after;

	ASSERT_FALSE(t, is_ram((phys_addr_t)first << PAGE_SHIFT));
	mm_account(&before);
	memblock_free((phys_addr_t)first << PAGE_SHIFT, PAGE_SIZE);
	memblock_reserve((phys_addr_t)first << PAGE_SHIFT, PAGE_SIZE, OUR_NAME);
	EXPECT_EQ(t, 0, mm_release(OUR_NAME));
	mm_account(&after);
	EXPECT_EQ(t, before.nr_managed, after.nr_managed);
	EXPECT_NE(t, 0, pfn_to_page(first)->flags & PG_reserved);
	memblock_free((phys_addr_t)first << PAGE_SHIFT, PAGE_SIZE);
	memblock_reserve((phys_addr_t)first << PAGE_SHIFT, PAGE_SIZE, "VGA window");
}

/* The image, the page tables and the struct pages are in use for ever, whatever they are called. */
KTEST(release, what_the_kernel_stands_on_is_not_released)
{
	static const char *const names[] = { "kernel text",    "kernel rodata",   "kernel bss",
					     NAME_PAGE_TABLES, NAME_STRUCT_PAGES, NAME_PAGEBLOCKS };
	struct mm_account before, after;

	mm_account(&before);
	for (unsigned int i = 0; i < ARRAY_SIZE(names); i++)
		EXPECT_EQ(t, 0, mm_release(names[i]));
	mm_account(&after);
	EXPECT_EQ(t, before.nr_reserved, after.nr_reserved);
}
