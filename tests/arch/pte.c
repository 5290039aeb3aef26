/*
 * pte.c - page-table entries of this port: what is put in comes out.
 *
 * THEORY.  mm/pgtable.c is generic; it trusts that an entry remembers its frame and its protection,
 * and that none, leaf and table are told apart.  Nothing here is entered into a table in use.
 */
#include <quarry/ktest.h>
#include <quarry/port.h>

#define SOME_PFN 0x12345ul

KTEST(pte, no_entry_is_neither_present_nor_anything)
{
	EXPECT_TRUE(t, pte_is_none(pte_none()));
	EXPECT_FALSE(t, pte_present(pte_none()));
	EXPECT_EQ(t, 0, pte_raw(pte_none()));
}

KTEST(pte, a_page_remembers_its_frame_and_its_protection)
{
	static const uint32_t prots[] = {
		PROT_READ,
		PROT_READ | PROT_WRITE,
		PROT_READ | PROT_WRITE | PROT_UNCACHED,
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(prots); i++) {
		pte_t pte = pte_make(SOME_PFN, prots[i], 0);

		EXPECT_TRUE(t, pte_present(pte) && pte_is_leaf(pte, 0) && !pte_is_none(pte));
		EXPECT_EQ(t, SOME_PFN, pte_pfn(pte));
		EXPECT_EQ(t, prots[i], pte_prot(pte) & ~PROT_EXEC);
	}
}

KTEST(pte, a_table_is_no_leaf_and_leads_to_its_frame)
{
	pte_t pte = pte_make_table((phys_addr_t)SOME_PFN << PAGE_SHIFT);

	EXPECT_TRUE(t, pte_present(pte));
	EXPECT_FALSE(t, pte_is_leaf(pte, 1));
	EXPECT_EQ(t, SOME_PFN, pte_pfn(pte));
}

KTEST(pte, a_stored_entry_is_read_back)
{
	pte_t slot = pte_none(), pte = pte_make(SOME_PFN, PROT_READ, 0);

	pte_set(&slot, pte);
	EXPECT_EQ(t, pte_raw(pte), pte_raw(pte_read(&slot)));
}

KTEST(pte, the_indices_of_all_levels_make_up_the_address)
{
	uintptr_t va = PAGE_OFFSET + 0x345 * PAGE_SIZE, sum = 0;

	for (unsigned int level = 0; level < PT_LEVELS; level++) {
		EXPECT_LE(t, PT_ENTRIES - 1, pt_index(va, level));
		sum += (uintptr_t)pt_index(va, level) << pt_shift(level);
	}
	EXPECT_EQ(t, va, sum);
}

KTEST(pte, an_advanced_entry_maps_a_later_frame_in_the_same_way)
{
	pte_t pte = pte_advance(pte_make(SOME_PFN, PROT_READ | PROT_WRITE, 0), 17);

	EXPECT_EQ(t, pte_raw(pte_make(SOME_PFN + 17, PROT_READ | PROT_WRITE, 0)), pte_raw(pte));
	EXPECT_EQ(t, pte_raw(pte),
		  pte_raw(pte_advance(pte_make(0, PROT_READ | PROT_WRITE, 0), SOME_PFN + 17)));
}
