/*
 * kmap_check.c - the validator of highmem.c: counts violations of K1 and K3 to K6, never stops.
 *
 * IDEA.  Slots are looked at under their lock, pages in portions, so that interrupts are not off
 * for as long as a large machine has pages.  Each CPU looks at its own local slots, in a function
 * that may have interrupted a claim: only a thread can say of its CPU that none is on its way.
 *
 * STATE.  None.
 *
 * CONTEXT.  Any; where sleeping is forbidden, other CPUs are not looked at.
 */
#include <quarry/align.h>
#include <quarry/highmem.h>
#include <quarry/printk.h>

#include "internal.h"
#include "kmap.h"

#define PORTION 1024ul /* pages looked at with interrupts off */

static unsigned int check_slot(unsigned long i) __must_hold(pkmap_lock)
{
	const struct kmap_slot *s = &pkmap[i];
	int count = atomic_read(&s->count);
	pte_t pte = pte_read(s->pte);
	unsigned int nr_bad = 0;

	if (!count) {
		if (s->page || !pte_is_none(pte))
			BAD(nr_bad, "kmap_check: K1 broken: free slot %lu has page %p\n", i,
			    s->page);
		return nr_bad;
	}
	if (count < 0 || !s->page || !pte_present(pte) || pte_pfn(pte) != page_to_pfn(s->page)) {
		BAD(nr_bad, "kmap_check: K3 broken: slot %lu count %d page %p by %p\n", i, count,
		    s->page, s->caller);
		return nr_bad;
	}
	if (PageHighMem(s->page) && s->page->virtual != (void *)pkmap_va(i))
		BAD(nr_bad, "kmap_check: K4 broken: slot %lu, pfn %#lx is at %p\n", i,
		    page_to_pfn(s->page), s->page->virtual);
	return nr_bad;
}

static unsigned int check_slots(void)
{
	unsigned long flags = spin_lock_irqsave(&pkmap_lock);
	unsigned int nr_bad = 0;

	for (unsigned long i = 0; i < PKMAP_NR_PAGES; i++)
		nr_bad += check_slot(i);
	spin_unlock_irqrestore(&pkmap_lock, flags);
	return nr_bad;
}

/* A page whose address is a slot's must be the one that the slot has. */
static unsigned int check_pages(pfn_t pfn, pfn_t end)
{
	unsigned long flags = spin_lock_irqsave(&pkmap_lock);
	unsigned int nr_bad = 0;

	for (; pfn < end; pfn++) {
		const struct page *page = pfn_to_page(pfn);
		unsigned long slot = ((uintptr_t)page->virtual - PKMAP_START) >> PAGE_SHIFT;

		if (page->virtual && (slot >= PKMAP_NR_PAGES || pkmap[slot].page != page))
			BAD(nr_bad, "kmap_check: K4 broken: pfn %#lx says it is at %p\n", pfn,
			    page->virtual);
	}
	spin_unlock_irqrestore(&pkmap_lock, flags);
	return nr_bad;
}

/* This CPU's stack; interrupts are off. */
static QAPI void check_stack(void *arg)
{
	const struct kmap_local_stack *s = this_cpu_ptr(&kmap_local_stack);
	unsigned int cpu = smp_cpu_id(), *nr_bad = arg;

	if (s->depth > KMAP_LOCAL_SLOTS)
		BAD(*nr_bad, "kmap_check: K5 broken: CPU %u has depth %u\n", cpu, s->depth);
	for (unsigned int i = 0; i < KMAP_LOCAL_SLOTS; i++) {
		bool mapped = pte_present(pte_read(port_fixmap_slot(kmap_local_va(cpu, i))));

		if (mapped == (i < s->depth) || (!mapped && in_interrupt()))
			continue;
		BAD(*nr_bad, "kmap_check: K5 broken: CPU %u slot %u, depth %u\n", cpu, i, s->depth);
	}
}

static unsigned int check_stacks(void)
{
	unsigned int nr_bad = 0;
	unsigned long flags;

	if (env_can_sleep()) {
		env_for_each_cpu(check_stack, &nr_bad);
		return nr_bad;
	}
	flags = irq_save();
	check_stack(&nr_bad);
	irq_restore(flags);
	return nr_bad;
}

/* What a thread that may sleep still holds of kmap_local_page(), it has forgotten. */
static unsigned int check_forgotten(void)
{
	const struct kmap_local_stack *s = this_cpu_ptr(&kmap_local_stack);
	unsigned int nr_bad = 0;

	for (unsigned int i = 0; env_can_sleep() && i < min(s->depth, KMAP_LOCAL_SLOTS); i++) {
		unsigned long offset;
		const char *name = kmap_caller_name(s->caller[i], &offset);

		BAD(nr_bad, "kmap_check: K6 broken: slot %u is still held by %s+0x%lx\n", i, name,
		    offset);
	}
	return nr_bad;
}

QAPI unsigned int kmap_check(void)
{
	unsigned int nr_bad = check_forgotten() + check_slots() + check_stacks();

	for (pfn_t pfn = mm_layout.lowmem_end_pfn; pfn < max_pfn; pfn += PORTION)
		nr_bad += check_pages(pfn, min(max_pfn, pfn + PORTION));
	return nr_bad;
}
