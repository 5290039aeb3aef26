/*
 * page_window.c - the contents of any page frame, mapped or not.
 *
 * IDEA.  A lowmem page has an address.  A highmem page gets one for as long as one page is worked
 * on: this CPU's first kmap_local slot in the fixmap, with interrupts off so that nobody else of
 * this CPU uses it meanwhile.
 *
 * STATE.  The slot; not present between uses.
 *
 * INVARIANTS.  W1: the slot is empty outside open() .. close().
 *
 * CONTEXT.  Any.  Interrupts are off for the time of one page.
 */
#include <quarry/mm.h>
#include <quarry/port.h>
#include <quarry/string.h>

#include "internal.h"

struct window {
	void *va;
	bool mapped;
	unsigned long flags;
};

static uintptr_t slot_va(void)
{
	return FIX_KMAP_LOCAL_START + smp_cpu_id() * KMAP_LOCAL_SLOTS * PAGE_SIZE;
}

static struct window open_window(const struct page *page)
{
	struct window w = { .va = page_address(page) };

	if (w.va)
		return w;
	w.mapped = true;
	w.flags = irq_save();
	w.va = (void *)slot_va();
	pte_set(port_fixmap_slot(slot_va()),
		pte_make(page_to_pfn(page), PROT_READ | PROT_WRITE, 0));
	return w;
}

static void close_window(const struct window *w)
{
	if (!w->mapped)
		return;
	pte_set(port_fixmap_slot((uintptr_t)w->va), pte_none());
	tlb_flush_page_local((uintptr_t)w->va);
	irq_restore(w->flags);
}

QAPI void pages_fill(struct page *page, unsigned int order, uint32_t word)
{
	for (unsigned long i = 0; i < 1ul << order; i++) {
		struct window w = open_window(page + i);

		memset32(w.va, word, PAGE_SIZE / sizeof(word));
		close_window(&w);
	}
}

QAPI bool pages_are_filled(struct page *page, unsigned int order, unsigned char byte,
			   unsigned long *offset)
{
	for (unsigned long i = 0; i < 1ul << order; i++) {
		struct window w = open_window(page + i);
		const char *other = memchr_inv(w.va, byte, PAGE_SIZE);

		if (other)
			*offset = i * PAGE_SIZE + (unsigned long)(other - (const char *)w.va);
		close_window(&w);
		if (other)
			return false;
	}
	return true;
}
