/*
 * fixmap.c - fixed addresses, and what is mapped there.
 *
 * STATE.  The spare pages; none is mapped between tests.
 */
#include <quarry/errno.h>
#include <quarry/fixmap.h>
#include <quarry/pgtable.h>
#include <quarry/port.h>

#include "helpers.h"

KTEST(fixmap, numbers_and_addresses_are_each_others_inverse)
{
	EXPECT_EQ(t, FIXMAP_START, fix_to_virt(FIX_EARLY_FIRST));
	EXPECT_EQ(t, FIX_MISC_START, fix_to_virt(FIX_MISC_FIRST));
	EXPECT_EQ(t, FIX_KMAP_LOCAL_START, fix_to_virt(FIX_KMAP_LOCAL_FIRST));
	for (unsigned int i = 0; i < NR_FIXED_ADDRESSES; i++)
		if (virt_to_fix(__fix_to_virt(i) + PAGE_SIZE - 1) != i)
			EXPECT_EQ(t, i, virt_to_fix(__fix_to_virt(i)));
}

KTEST(fixmap, each_page_has_a_user)
{
	static const struct {
		unsigned int end;
		const char *user;
	} runs[] = {
		{ FIX_EARLY_END, "early_ioremap" },   { FIX_LAPIC + 1, "lapic" },
		{ FIX_VGA_TEXT + 1, "vga_text" },     { FIX_SPARE_END, "spare" },
		{ NR_FIXED_ADDRESSES, "kmap_local" },
	};
	unsigned int index = 0;

	for (unsigned int run = 0; run < ARRAY_SIZE(runs); run++)
		for (; index < runs[run].end; index++)
			EXPECT_STREQ(t, runs[run].user, fixmap_user(index));
	EXPECT_STREQ(t, "nobody", fixmap_user(NR_FIXED_ADDRESSES));
}

KTEST(fixmap, a_page_that_is_set_is_seen_there_and_faults_once_it_is_cleared)
{
	struct page *page = alloc_page(GFP_KERNEL);
	unsigned long word;

	ASSERT_NE(t, NULL, page);
	*(uint32_t *)page_address(page) = 0xfeedf00d;
	set_fixmap(FIX_SPARE_FIRST, page_to_phys(page));
	EXPECT_EQ(t, 0xfeedf00d, *(uint32_t *)fix_to_virt(FIX_SPARE_FIRST));
	clear_fixmap(FIX_SPARE_FIRST);
	EXPECT_ERR(t, -EFAULT, probe_read((void *)fix_to_virt(FIX_SPARE_FIRST), &word));
	__free_page(page);
}

KTEST(fixmap, a_second_set_replaces_the_first)
{
	struct page *pages = alloc_pages(GFP_KERNEL, 1);

	ASSERT_NE(t, NULL, pages);
	for (uint32_t i = 0; i < 2; i++) {
		*(uint32_t *)page_address(pages + i) = i;
		set_fixmap(FIX_SPARE_FIRST, page_to_phys(pages + i));
		EXPECT_EQ(t, i, *(uint32_t *)fix_to_virt(FIX_SPARE_FIRST));
	}
	clear_fixmap(FIX_SPARE_FIRST);
	__free_pages(pages, 1);
}

KTEST(fixmap, registers_are_mapped_uncached_and_ram_is_not)
{
	struct page *page = alloc_page(GFP_KERNEL);
	struct pt_walk w;

	ASSERT_NE(t, NULL, page);
	set_fixmap_nocache(FIX_SPARE_FIRST, page_to_phys(page));
	pgtable_walk(fix_to_virt(FIX_SPARE_FIRST), &w);
	EXPECT_TRUE(t, w.present && (pte_prot(w.pte) & PROT_UNCACHED));
	set_fixmap(FIX_SPARE_FIRST, page_to_phys(page));
	pgtable_walk(fix_to_virt(FIX_SPARE_FIRST), &w);
	EXPECT_TRUE(t, w.present && !(pte_prot(w.pte) & PROT_UNCACHED));
	clear_fixmap(FIX_SPARE_FIRST);
	__free_page(page);
}

KTEST(fixmap, a_page_set_read_only_cannot_be_written)
{
	struct page *page = alloc_page(GFP_KERNEL);

	ASSERT_NE(t, NULL, page);
	__set_fixmap(FIX_SPARE_END - 1, page_to_phys(page), PROT_READ);
	EXPECT_ERR(t, -EFAULT, probe_write((void *)fix_to_virt(FIX_SPARE_END - 1), 1));
	clear_fixmap(FIX_SPARE_END - 1);
	__free_page(page);
}
