/*
 * kmap_check.c - the validator of highmem.c: counts violations of K1 to K4, never stops.
 *
 * STATE.  None.
 *
 * CONTEXT.  Any.
 */
#include <quarry/highmem.h>
#include <quarry/printk.h>

#include "internal.h"
#include "kmap.h"

static unsigned int check_slot(unsigned long i) __must_hold(pkmap_lock)
{
	const struct kmap_slot *s = &pkmap[i];
	pte_t pte = pte_read(s->pte);
	unsigned int nr_bad = 0;

	if (!s->count) {
		if (s->page || !pte_is_none(pte))
			BAD(nr_bad, "kmap_check: K1 broken: free slot %lu has page %p\n", i,
			    s->page);
		return nr_bad;
	}
	if (!s->page || !pte_present(pte) || pte_pfn(pte) != page_to_pfn(s->page)) {
		BAD(nr_bad, "kmap_check: K1 broken: slot %lu count %u page %p by %p\n", i, s->count,
		    s->page, s->caller);
		return nr_bad;
	}
	if (PageHighMem(s->page) && s->page->virtual != (void *)pkmap_va(i))
		BAD(nr_bad, "kmap_check: K2 broken: slot %lu, pfn %#lx is at %p\n", i,
		    page_to_pfn(s->page), s->page->virtual);
	return nr_bad;
}

/* A page whose address is a slot's must be the one that the slot has. */
static unsigned int check_pages(void) __must_hold(pkmap_lock)
{
	unsigned int nr_bad = 0;

	for (pfn_t pfn = mm_layout.lowmem_end_pfn; pfn < max_pfn; pfn++) {
		const struct page *page = pfn_to_page(pfn);
		unsigned long slot = ((uintptr_t)page->virtual - PKMAP_START) >> PAGE_SHIFT;

		if (page->virtual && (slot >= PKMAP_NR_PAGES || pkmap[slot].page != page))
			BAD(nr_bad, "kmap_check: K2 broken: pfn %#lx says it is at %p\n", pfn,
			    page->virtual);
	}
	return nr_bad;
}

static unsigned int check_stack(unsigned int cpu)
{
	const struct kmap_local_stack *s = per_cpu_ptr(&kmap_local_stack, cpu);
	unsigned int nr_bad = 0;

	for (unsigned int i = 0; i < KMAP_LOCAL_SLOTS; i++) {
		bool mapped = pte_present(pte_read(port_fixmap_slot(kmap_local_va(cpu, i))));

		if (mapped != (i < s->depth))
			BAD(nr_bad, "kmap_check: K3 broken: CPU %u slot %u, depth %u\n", cpu, i,
			    s->depth);
	}
	return nr_bad;
}

/* What a thread that may sleep still holds of kmap_local_page(), it has forgotten. */
static unsigned int check_forgotten(void)
{
	const struct kmap_local_stack *s = this_cpu_ptr(&kmap_local_stack);
	unsigned int nr_bad = 0;

	for (unsigned int i = 0; env_can_sleep() && i < s->depth; i++)
		BAD(nr_bad, "kmap_check: K4 broken: slot %u is still held by %p\n", i,
		    s->caller[i]);
	return nr_bad;
}

QAPI unsigned int kmap_check(void)
{
	unsigned int nr_bad = check_forgotten();
	unsigned long flags = spin_lock_irqsave(&pkmap_lock);

	for (unsigned long i = 0; i < PKMAP_NR_PAGES; i++)
		nr_bad += check_slot(i);
	nr_bad += check_pages();
	nr_bad += check_stack(smp_cpu_id());
	spin_unlock_irqrestore(&pkmap_lock, flags);
	return nr_bad;
}
