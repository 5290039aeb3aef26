/*
 * tlb.c - the software TLB forgets what it is told to forget, and nothing else.
 *
 * THEORY.  On a real machine a translation may or may not be cached, so that a forgotten flush may
 * or may not show.  Here a translation that was used stays until it is flushed: that is what makes
 * a forgotten flush a wrong result in every run, and so it is a promise, tested here.
 */
#include <quarry/align.h>
#include <quarry/errno.h>
#include <quarry/gfp.h>
#include <quarry/ktest.h>
#include <quarry/mm.h>
#include <quarry/pgtable.h>
#include <quarry/port.h>

#define MARK     0x71BFu
#define NR_PAGES 8u

/* Pages side by side, marked, and mapped where nothing else is. */
struct mapped {
	struct page *block;
	uintptr_t va;
};

static bool map_block(struct ktest *t, struct mapped *m)
{
	m->block = alloc_pages(GFP_KERNEL, 3);
	m->va = ALIGN_UP(mm_layout.vmalloc_start, 1ul << pt_shift(1));
	if (!m->block)
		return false;
	for (unsigned int i = 0; i < NR_PAGES; i++)
		*(uint32_t *)page_address(m->block + i) = MARK + i;
	EXPECT_EQ(t, 0,
		  pgtable_map(m->va, page_to_phys(m->block), NR_PAGES * PAGE_SIZE, PROT_KERNEL,
			      false));
	return true;
}

static void unmap_block(struct ktest *t, struct mapped *m)
{
	EXPECT_EQ(t, 0, pgtable_unmap(m->va, NR_PAGES * PAGE_SIZE));
	__free_pages(m->block, 3);
}

static uint32_t *page_va(const struct mapped *m, unsigned int i)
{
	return (uint32_t *)(m->va + i * PAGE_SIZE);
}

/* Write the entry of page @i behind the back of the TLB. */
static void set_entry(const struct mapped *m, unsigned int i, pte_t pte)
{
	struct pt_walk w;

	pgtable_walk((uintptr_t)page_va(m, i), &w);
	pte_set(w.slot, pte);
}

static pte_t entry_of(const struct mapped *m, unsigned int i, uint32_t prot)
{
	return pte_make(page_to_pfn(m->block + i), prot, 0);
}

KTEST(soft_tlb, an_exchanged_page_is_seen_only_after_its_flush)
{
	struct mapped m;

	ASSERT_TRUE(t, map_block(t, &m));
	EXPECT_EQ(t, MARK, READ_ONCE(*page_va(&m, 0)));
	set_entry(&m, 0, entry_of(&m, 5, PROT_KERNEL));
	EXPECT_EQ(t, MARK, READ_ONCE(*page_va(&m, 0)));
	tlb_flush_page(m.va + PAGE_SIZE);
	EXPECT_EQ(t, MARK, READ_ONCE(*page_va(&m, 0)));
	tlb_flush_page(m.va);
	EXPECT_EQ(t, MARK + 5, READ_ONCE(*page_va(&m, 0)));
	unmap_block(t, &m);
}

KTEST(soft_tlb, an_unmapped_page_can_be_touched_until_its_flush)
{
	struct mapped m;
	unsigned long val;

	ASSERT_TRUE(t, map_block(t, &m));
	EXPECT_EQ(t, MARK + 1, READ_ONCE(*page_va(&m, 1)));
	set_entry(&m, 1, pte_none());
	EXPECT_EQ(t, 0, probe_read(page_va(&m, 1), &val));
	tlb_flush_range(m.va, m.va + 2 * PAGE_SIZE);
	EXPECT_EQ(t, -EFAULT, probe_read(page_va(&m, 1), &val));
	EXPECT_EQ(t, MARK, READ_ONCE(*page_va(&m, 0)));
	unmap_block(t, &m);
}

KTEST(soft_tlb, a_page_made_read_only_can_be_written_until_its_flush)
{
	struct mapped m;

	ASSERT_TRUE(t, map_block(t, &m));
	WRITE_ONCE(*page_va(&m, 2), MARK);
	set_entry(&m, 2, entry_of(&m, 2, PROT_KERNEL_RO));
	EXPECT_EQ(t, 0, probe_write(page_va(&m, 2), MARK));
	tlb_flush_all();
	EXPECT_EQ(t, -EFAULT, probe_write(page_va(&m, 2), MARK));
	EXPECT_EQ(t, MARK, READ_ONCE(*page_va(&m, 2)));
	unmap_block(t, &m);
}

KTEST(soft_tlb, a_page_made_writable_faults_until_its_flush)
{
	struct mapped m;

	ASSERT_TRUE(t, map_block(t, &m));
	set_entry(&m, 3, entry_of(&m, 3, PROT_KERNEL_RO));
	EXPECT_EQ(t, MARK + 3, READ_ONCE(*page_va(&m, 3)));
	set_entry(&m, 3, entry_of(&m, 3, PROT_KERNEL));
	EXPECT_EQ(t, -EFAULT, probe_write(page_va(&m, 3), MARK));
	tlb_flush_page(m.va + 3 * PAGE_SIZE);
	EXPECT_EQ(t, 0, probe_write(page_va(&m, 3), MARK));
	unmap_block(t, &m);
}

/* The neighbours were never touched, but came with the page that was. */
KTEST(soft_tlb, a_fill_takes_in_neighbours_whose_frames_follow)
{
	struct mapped m;

	ASSERT_TRUE(t, map_block(t, &m));
	set_entry(&m, 6, entry_of(&m, 0, PROT_KERNEL));
	EXPECT_EQ(t, MARK + 3, READ_ONCE(*page_va(&m, 3)));
	for (unsigned int i = 0; i < NR_PAGES; i++)
		set_entry(&m, i, pte_none());
	for (unsigned int i = 0; i < 6; i++)
		EXPECT_EQ(t, MARK + i, READ_ONCE(*page_va(&m, i)));
	for (unsigned int i = 6; i < NR_PAGES; i++) {
		unsigned long val;

		EXPECT_EQ(t, -EFAULT, probe_read(page_va(&m, i), &val));
	}
	unmap_block(t, &m);
}

/* What is cached is not replaced by a fill beside it. */
KTEST(soft_tlb, a_fill_leaves_stale_neighbours_stale)
{
	struct mapped m;

	ASSERT_TRUE(t, map_block(t, &m));
	for (unsigned int i = 0; i < NR_PAGES; i++)
		set_entry(&m, i, i == 4 ? entry_of(&m, 0, PROT_KERNEL) : pte_none());
	EXPECT_EQ(t, MARK, READ_ONCE(*page_va(&m, 4)));
	for (unsigned int i = 0; i < NR_PAGES; i++)
		set_entry(&m, i, entry_of(&m, i, PROT_KERNEL));
	EXPECT_EQ(t, MARK + 3, READ_ONCE(*page_va(&m, 3)));
	EXPECT_EQ(t, MARK, READ_ONCE(*page_va(&m, 4)));
	EXPECT_EQ(t, MARK + 5, READ_ONCE(*page_va(&m, 5)));
	unmap_block(t, &m);
}
