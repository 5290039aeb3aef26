/*
 * highmem.c - the slots of kmap() from inside: counts, the flush, and what the validator finds.
 */
#include "../../../mm/internal.h"
#include "../../../mm/kmap.h"

#include <quarry/config.h>
#include <quarry/fixmap.h>
#include <quarry/highmem.h>
#include <quarry/ktest.h>
#include <quarry/mm.h>
#include <quarry/printk.h>

#include "../helpers.h"

/* Violations; their reports are not for the log. */
static unsigned int nr_found(void)
{
	int level = console_loglevel;
	unsigned int nr;

	console_loglevel = 0;
	nr = CONFIG_CHECK ? kmap_check() : 0;
	console_loglevel = level;
	return nr;
}

static struct page *page_with_slot(void)
{
	return alloc_page(GFP_HIGHUSER);
}

static struct kmap_slot *slot_at(const void *va)
{
	unsigned long i = ((uintptr_t)va - PKMAP_START) >> PAGE_SHIFT;

	return i < PKMAP_NR_PAGES ? &pkmap[i] : NULL;
}

KTEST(kmap_slots, a_count_goes_0_2_3_2_1_0)
{
	struct page *page = page_with_slot();
	struct kmap_slot *s;

	ASSERT_NE(t, NULL, page);
	s = slot_at(kmap(page));
	if (s) {
		EXPECT_EQ(t, 2, atomic_read(&s->count));
		EXPECT_NE(t, NULL, kmap(page));
		EXPECT_EQ(t, 3, atomic_read(&s->count));
		kunmap(page);
		EXPECT_EQ(t, 2, atomic_read(&s->count));
	}
	kunmap(page);
	if (s) {
		EXPECT_EQ(t, 1, atomic_read(&s->count));
		EXPECT_TRUE(t, pte_present(pte_read(s->pte)));
		kmap_flush_unused();
		EXPECT_EQ(t, 0, atomic_read(&s->count));
		EXPECT_TRUE(t, pte_is_none(pte_read(s->pte)));
	}
	__free_page(page);
}

/* What kmap() finds if the slot goes to another page between its look and its claim. */
KTEST_NEEDS(kmap_slots, a_slot_that_is_no_longer_the_page_s_keeps_its_count,
	    .zones = KTEST_ZONE_HIGHMEM)
{
	struct page *page = page_with_slot();
	struct kmap_slot *s;

	ASSERT_TRUE(t, page && PageHighMem(page));
	s = slot_at(kmap(page));
	s->page = page + 1;
	EXPECT_EQ(t, pkmap_va((unsigned long)(s - pkmap)), (uintptr_t)kmap(page));
	s->page = page;
	EXPECT_EQ(t, 3, atomic_read(&s->count));
	kunmap(page);
	kunmap(page);
	kmap_flush_unused();
	__free_page(page);
}

KTEST(kmap_slots, the_validator_finds_a_lost_entry_a_wrong_page_and_a_wrong_address)
{
	struct page *page = page_with_slot();
	struct kmap_slot *s;

	ASSERT_NE(t, NULL, page);
	s = slot_at(kmap(page));
	if (s && CONFIG_CHECK) {
		pte_t pte = pte_read(s->pte);

		EXPECT_EQ(t, 0, nr_found());
		pte_set(s->pte, pte_none());
		EXPECT_EQ(t, 1, nr_found());
		pte_set(s->pte, pte);
		atomic_set(&s->count, 0);
		EXPECT_EQ(t, 1, nr_found());
		atomic_set(&s->count, 2);
		if (PageHighMem(page)) {
			page->virtual = (char *)page->virtual + PAGE_SIZE;
			EXPECT_EQ(t, 2, nr_found());
			page->virtual = (char *)page->virtual - PAGE_SIZE;
		}
		EXPECT_EQ(t, 0, nr_found());
	}
	kunmap(page);
	__free_page(page);
}

KTEST(kmap_slots, the_validator_finds_a_free_slot_with_an_entry_or_a_page)
{
	struct page *page = page_with_slot();
	struct kmap_slot *s = &pkmap[PKMAP_NR_PAGES - 1];

	ASSERT_NE(t, NULL, page);
	kmap_flush_unused();
	if (CONFIG_CHECK) {
		EXPECT_EQ(t, 0, nr_found());
		pte_set(s->pte, pte_make(page_to_pfn(page), PROT_READ, 0));
		EXPECT_EQ(t, 1, nr_found());
		pte_set(s->pte, pte_none());
		tlb_flush_page(pkmap_va(PKMAP_NR_PAGES - 1));
		s->page = page;
		EXPECT_EQ(t, 1, nr_found());
		s->page = NULL;
		EXPECT_EQ(t, 0, nr_found());
	}
	__free_page(page);
}

KTEST(kmap_slots, the_validator_finds_an_address_that_no_slot_has_in_the_last_page)
{
	struct page *page = pfn_to_page(max_pfn - 1);

	if (CONFIG_CHECK && max_pfn > mm_layout.lowmem_end_pfn && !page->virtual) {
		page->virtual = (void *)pkmap_va(3);
		EXPECT_EQ(t, 1, nr_found());
		page->virtual = (void *)PAGE_OFFSET;
		EXPECT_EQ(t, 1, nr_found());
		page->virtual = NULL;
		EXPECT_EQ(t, 0, nr_found());
	}
}

KTEST(kmap_slots, the_validator_finds_what_is_wrong_with_a_stack_of_local_slots)
{
	struct kmap_local_stack *s = this_cpu_ptr(&kmap_local_stack);
	pte_t *slot = port_fixmap_slot(kmap_local_va(smp_cpu_id(), KMAP_LOCAL_SLOTS - 1));
	struct page *page = page_with_slot();

	ASSERT_NE(t, NULL, page);
	if (CONFIG_CHECK) {
		pte_set(slot, pte_make(page_to_pfn(page), PROT_READ, 0));
		EXPECT_EQ(t, 1, nr_found());
		pte_set(slot, pte_none());
		tlb_flush_page(kmap_local_va(smp_cpu_id(), KMAP_LOCAL_SLOTS - 1));
		preempt_disable(); /* holding is right; that nothing is mapped there is not */
		s->depth = 2;
		EXPECT_EQ(t, 2, nr_found());
		s->depth = KMAP_LOCAL_SLOTS + 1;
		EXPECT_EQ(t, 1 + KMAP_LOCAL_SLOTS, nr_found());
		s->depth = 0;
		preempt_enable();
		EXPECT_EQ(t, 0, nr_found());
	}
	__free_page(page);
}

KTEST(kmap_slots, the_validator_names_what_a_sleeping_thread_forgot)
{
	struct page *page = page_with_slot();
	struct capture *c;
	void *va;

	ASSERT_NE(t, NULL, page);
	va = kmap_local_page(page);
	if (kmap_needs_slot(page) && CONFIG_CHECK) {
		EXPECT_EQ(t, 0, nr_found());
		preempt_enable();
		c = capture_begin();
		EXPECT_EQ(t, 1, kmap_check());
		capture_end(c);
		EXPECT_EQ(t, 1, capture_count(c, "K6 broken: slot 0 is still held by ktest_"));
		preempt_disable();
	}
	kunmap_local(va);
	__free_page(page);
}

KTEST(kmap_slots, local_slots_are_given_from_the_lowest_up_and_remember_who_took_them)
{
	const struct kmap_local_stack *s = this_cpu_ptr(&kmap_local_stack);
	struct page *page = page_with_slot();
	void *va[KMAP_LOCAL_SLOTS];

	ASSERT_NE(t, NULL, page);
	for (unsigned int i = 0; i < KMAP_LOCAL_SLOTS && kmap_needs_slot(page); i++) {
		va[i] = kmap_local_page(page);
		EXPECT_EQ(t, kmap_local_va(smp_cpu_id(), i), (uintptr_t)va[i]);
		EXPECT_EQ(t, i + 1, s->depth);
		EXPECT_TRUE(t, s->caller[i] == s->caller[0] && s->caller[i]);
	}
	for (unsigned int i = s->depth; i-- > 0;)
		kunmap_local(va[i]);
	EXPECT_EQ(t, 0, s->depth);
	__free_page(page);
}

/* The stack of slots lies behind those of pages, and has a count in front, too. */
KTEST(kmap_slots, a_drain_of_this_cpu_leaves_its_local_slots_alone)
{
	const struct kmap_local_stack *s = this_cpu_ptr(&kmap_local_stack);
	struct page *page = page_with_slot();
	void *va[KMAP_LOCAL_SLOTS];
	unsigned int nr = KMAP_LOCAL_SLOTS;

	ASSERT_NE(t, NULL, page);
	preempt_disable();
	for (unsigned int i = 0; i < nr; i++)
		va[i] = kmap_local_slot(page);
	while (nr > KMAP_LOCAL_SLOTS / 2)
		kunmap_local_slot(va[--nr]);
	pcp_drain_this_cpu();
	EXPECT_EQ(t, nr, s->depth);
	while (nr > 0)
		kunmap_local_slot(va[--nr]);
	preempt_enable();
	__free_page(page);
}

KTEST(kmap_slots, an_interrupt_between_claim_and_use_nests_above)
{
	struct kmap_local_stack *s = this_cpu_ptr(&kmap_local_stack);
	struct page *page = page_with_slot();
	void *va;

	ASSERT_NE(t, NULL, page);
	preempt_disable();
	s->depth = 1; /* claimed, not yet written */
	va = kmap_local_slot(page);
	EXPECT_EQ(t, __fix_to_virt(FIX_KMAP_LOCAL_FIRST + 1), (uintptr_t)va);
	kunmap_local_slot(va);
	EXPECT_EQ(t, 1, s->depth);
	s->depth = 0;
	preempt_enable();
	__free_page(page);
}
