/*
 * fixmap.c - fixed addresses, and what is mapped there.
 *
 * STATE.  The two pages that are for tests; not mapped between tests.
 */
#include <quarry/errno.h>
#include <quarry/fixmap.h>
#include <quarry/pgtable.h>
#include <quarry/port.h>

#include "helpers.h"

KTEST(fixmap, numbers_and_addresses_are_each_others_inverse)
{
	EXPECT_EQ(t, FIXMAP_START, fix_to_virt(FIX_EARLY_FIRST));
	EXPECT_EQ(t, FIX_MISC_START, fix_to_virt(FIX_NAMED_FIRST));
	EXPECT_EQ(t, FIX_KMAP_LOCAL_START, fix_to_virt(FIX_KMAP_LOCAL_FIRST));
	for (unsigned int i = 0; i < NR_FIXED_ADDRESSES; i++)
		if (virt_to_fix(__fix_to_virt(i) + PAGE_SIZE - 1) != i)
			EXPECT_EQ(t, i, virt_to_fix(__fix_to_virt(i)));
}

KTEST(fixmap, a_page_that_is_set_is_seen_there_and_faults_once_it_is_cleared)
{
	struct page *page = alloc_page(GFP_KERNEL);
	unsigned long word;

	ASSERT_NE(t, NULL, page);
	*(uint32_t *)page_address(page) = 0xfeedf00d;
	set_fixmap(FIX_TEST, page_to_phys(page));
	EXPECT_EQ(t, 0xfeedf00d, *(uint32_t *)fix_to_virt(FIX_TEST));
	clear_fixmap(FIX_TEST);
	EXPECT_ERR(t, -EFAULT, probe_read((void *)fix_to_virt(FIX_TEST), &word));
	__free_page(page);
}

KTEST(fixmap, a_second_set_replaces_the_first)
{
	struct page *pages = alloc_pages(GFP_KERNEL, 1);

	ASSERT_NE(t, NULL, pages);
	for (uint32_t i = 0; i < 2; i++) {
		*(uint32_t *)page_address(pages + i) = i;
		set_fixmap(FIX_TEST, page_to_phys(pages + i));
		EXPECT_EQ(t, i, *(uint32_t *)fix_to_virt(FIX_TEST));
	}
	clear_fixmap(FIX_TEST);
	__free_pages(pages, 1);
}

KTEST(fixmap, registers_are_mapped_uncached_and_ram_is_not)
{
	struct page *page = alloc_page(GFP_KERNEL);
	struct pt_walk w;

	ASSERT_NE(t, NULL, page);
	set_fixmap_nocache(FIX_TEST, page_to_phys(page));
	pgtable_walk(fix_to_virt(FIX_TEST), &w);
	EXPECT_TRUE(t, w.present && (pte_prot(w.pte) & PROT_UNCACHED));
	set_fixmap(FIX_TEST, page_to_phys(page));
	pgtable_walk(fix_to_virt(FIX_TEST), &w);
	EXPECT_TRUE(t, w.present && !(pte_prot(w.pte) & PROT_UNCACHED));
	clear_fixmap(FIX_TEST);
	__free_page(page);
}

KTEST(fixmap, a_page_set_read_only_cannot_be_written)
{
	struct page *page = alloc_page(GFP_KERNEL);

	ASSERT_NE(t, NULL, page);
	__set_fixmap(FIX_TEST_LAST, page_to_phys(page), PROT_READ);
	EXPECT_ERR(t, -EFAULT, probe_write((void *)fix_to_virt(FIX_TEST_LAST), 1));
	clear_fixmap(FIX_TEST_LAST);
	__free_page(page);
}
