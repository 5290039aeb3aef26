/*
 * account.c - where each page of RAM went: the books must balance to the page.
 */
#include "helpers.h"

#include <quarry/align.h>
#include <quarry/gfp.h>
#include <quarry/ktest.h>
#include <quarry/memblock.h>
#include <quarry/mm.h>
#include <quarry/pgtable.h>
#include <quarry/string.h>

KTEST(account, managed_and_reserved_pages_are_all_of_ram)
{
	struct mm_account a;

	mm_account(&a);
	EXPECT_EQ(t, a.nr_ram, a.nr_managed + a.nr_reserved);
	EXPECT_GE(t, a.nr_mem_map, a.nr_reserved);
}

KTEST(account, ram_is_what_memblock_knew_of)
{
	struct mm_account a;

	mm_account(&a);
	EXPECT_EQ(t, memblock_nr_pages(), a.nr_ram);
}

KTEST(account, the_zones_manage_and_hold_what_the_account_says)
{
	unsigned long present = 0, managed = 0, nr_free = 0;
	struct mm_account a;
	struct zone *z;

	mm_account(&a);
	for_each_zone(z) {
		present += z->nr_present;
		managed += z->nr_managed;
		nr_free += z->nr_free;
	}
	EXPECT_EQ(t, a.nr_ram, present);
	EXPECT_EQ(t, a.nr_managed, managed);
	EXPECT_EQ(t, a.nr_free, nr_free);
	EXPECT_EQ(t, a.nr_free, nr_free_pages());
}

/* The books on one side, the struct pages on the other. */
KTEST(account, as_many_pages_are_not_reserved_as_are_managed)
{
	unsigned long nr = 0;
	struct mm_account a;

	mm_account(&a);
	for (pfn_t pfn = 0; pfn < max_pfn; pfn++)
		nr += !(pfn_to_page(pfn)->flags & PG_reserved);
	EXPECT_EQ(t, a.nr_managed, nr);
}

KTEST(account, free_blocks_found_in_the_page_array_add_up_to_the_free_count)
{
	unsigned long nr = 0, nr_wrong = 0;

	for (pfn_t pfn = 0; pfn < max_pfn; pfn++) {
		const struct page *page = pfn_to_page(pfn);

		if (!(page->flags & PG_buddy))
			continue;
		nr += 1ul << (page->flags >> PG_ORDER_SHIFT);
		nr_wrong += (page->flags & PG_reserved) != 0;
		nr_wrong += atomic_read(&page->_count) != 0;
	}
	EXPECT_EQ(t, nr_free_pages(), nr);
	EXPECT_EQ(t, 0, nr_wrong);
}

KTEST(account, the_struct_pages_are_counted)
{
	struct mm_account a;

	mm_account(&a);
	EXPECT_GE(t, DIV_ROUND_UP(max_pfn * sizeof(struct page), PAGE_SIZE), a.nr_mem_map);
	EXPECT_LE(t, DIV_ROUND_UP((max_pfn + PAGEBLOCK_NR_PAGES) * sizeof(struct page), PAGE_SIZE),
		  a.nr_mem_map);
}

KTEST(account, every_frame_that_is_no_ram_is_reserved)
{
	unsigned long nr_wrong = 0;
	pfn_t pfn = 0;

	for (unsigned int i = 0; i < memblock.memory.nr; i++) {
		const struct memblock_region *r = &memblock.memory.region[i];

		for (; pfn < max_pfn && (phys_addr_t)pfn << PAGE_SHIFT < r->start; pfn++)
			nr_wrong += !(pfn_to_page(pfn)->flags & PG_reserved);
		pfn = (pfn_t)(r->end >> PAGE_SHIFT);
	}
	for (; pfn < max_pfn; pfn++)
		nr_wrong += !(pfn_to_page(pfn)->flags & PG_reserved);
	EXPECT_EQ(t, 0, nr_wrong);
}

KTEST(account, every_frame_that_has_a_reservation_is_reserved)
{
	unsigned long nr_wrong = 0;

	for (unsigned int i = 0; i < memblock.reserved.nr; i++) {
		const struct memblock_region *r = &memblock.reserved.region[i];
		pfn_t end = (pfn_t)((r->end + PAGE_SIZE - 1) >> PAGE_SHIFT);

		for (pfn_t pfn = (pfn_t)(r->start >> PAGE_SHIFT); pfn < end && pfn < max_pfn; pfn++)
			nr_wrong += !(pfn_to_page(pfn)->flags & PG_reserved);
	}
	EXPECT_EQ(t, 0, nr_wrong);
}

KTEST(account, page_tables_are_counted)
{
	struct mm_account a;

	mm_account(&a);
	EXPECT_EQ(t, pgtable_nr_pages(), a.nr_pgtable);
	EXPECT_GE(t, 2, a.nr_pgtable);
}

KTEST(account, a_reservation_that_does_not_exist_cannot_be_released)
{
	struct mm_account before, after;

	mm_account(&before);
	EXPECT_EQ(t, 0, mm_release("a reservation of no such name"));
	mm_account(&after);
	EXPECT_EQ(t, before.nr_managed, after.nr_managed);
}

KTEST(account, the_validators_find_nothing_wrong)
{
	struct zone *z;

	EXPECT_EQ(t, 0, mm_check_all());
	for_each_zone(z)
		EXPECT_EQ(t, 0, zone_check(z));
}
