/*
 * whatis.c - what is this pointer?
 *
 * IDEA.  Whoever hands out addresses registers a function that describes one.  All of them are
 * asked, the last registered first, because an address can be several things: an object, in a page,
 * in the direct map.  mm/ itself answers for what it always has, from the most to the least
 * particular:
 *
 *	object of a slab   kmalloc() of whole pages   page   slot of the fixmap   part of the space
 *
 * Each line begins with the kind of thing that it is about.
 *
 * STATE.  The list of sources; nobody leaves it.
 *
 * LOCKING.  sources_lock guards the list against a second writer.  It is walked without a lock: a
 * source is complete before the one word is stored that links it in.
 *
 * CONTEXT.  Any, a panic included: no lock is taken, nothing is believed to stay as it is, and an
 * address is never read from.
 */
#include <quarry/align.h>
#include <quarry/fixmap.h>
#include <quarry/mm.h>
#include <quarry/out.h>
#include <quarry/percpu.h>
#include <quarry/pgtable.h>
#include <quarry/port.h>
#include <quarry/slab.h>
#include <quarry/spinlock.h>
#include <quarry/whatis.h>

#include "debug/page_owner.h"
#include "internal.h"
#include "kmap.h"
#include "slab.h"

/* Enums, because the debug information has no macros. */
enum va_mark {
	VA_PKMAP_START = PKMAP_START,
	VA_PKMAP_END = PKMAP_START + PKMAP_NR_PAGES * PAGE_SIZE,
	VA_FIXMAP_START = FIXMAP_START,
	VA_KMAP_LOCAL_START = FIX_KMAP_LOCAL_START,
	VA_FIXMAP_END = FIXMAP_TOP,
	VA_KMAP_LOCAL_SLOTS = KMAP_LOCAL_SLOTS, /* of each CPU */
};

static LIST_HEAD(sources);
static spinlock_t sources_lock = SPINLOCK_INIT;

QAPI void whatis_register(struct whatis_source *s)
{
	unsigned long flags = spin_lock_irqsave(&sources_lock);

	s->link.prev = &sources;
	s->link.next = sources.next;
	sources.next->prev = &s->link;
	barrier();
	WRITE_ONCE(sources.next, &s->link);
	spin_unlock_irqrestore(&sources_lock, flags);
}

/* ---- what mm/ has ----------------------------------------------------------------------- */

/* A kmalloc() of whole pages is a compound page: what is asked for may be any byte of it. */
static void show_large_kmalloc(struct out *o, uintptr_t va, struct page *page)
{
	const struct page *head = compound_head(page);
	uintptr_t start = (uintptr_t)page_address(head);

	if (head->flags & PG_kmalloc)
		out_printf(o, "kmalloc start=0x%08lx size=%lu offset=%lu\n", (unsigned long)start,
			   PAGE_SIZE << compound_order(head), (unsigned long)(va - start));
}

static void show_page(struct out *o, const struct page *page)
{
	out_printf(o, "page ");
	page_show(o, page);
	page_owner_show(o, page);
}

static bool show_lowmem(struct out *o, uintptr_t va)
{
	struct page *page = lowmem_page((const void *)va);

	if (!page)
		return false;
	slab_object_show(o, (const void *)va);
	show_large_kmalloc(o, va, page);
	show_page(o, page);
	return true;
}

/* A slot's page may be a device's, which has no struct page. */
static void show_slot_of(struct out *o, uintptr_t va)
{
	unsigned long slot = (va - VA_FIXMAP_START) >> PAGE_SHIFT;
	pte_t pte = pte_read(port_fixmap_slot(va));

	out_printf(o, "fixmap slot=%lu use=%s", slot, fixmap_user((unsigned int)slot));
	if (va >= VA_KMAP_LOCAL_START)
		kmap_local_describe(o, (va - VA_KMAP_LOCAL_START) >> PAGE_SHIFT);
	if (!pte_present(pte)) {
		out_printf(o, " pfn=none\n");
		return;
	}
	out_printf(o, " pfn=0x%05lx\n", pte_pfn(pte));
	if (pfn_valid(pte_pfn(pte)))
		show_page(o, pfn_to_page(pte_pfn(pte)));
}

/* The page that a slot of kmap() maps, after the slot. */
static bool show_pkmap(struct out *o, uintptr_t va)
{
	const struct page *page;

	if (!pkmap_describe(o, va))
		return false;
	page = READ_ONCE(pkmap[(va - VA_PKMAP_START) >> PAGE_SHIFT].page);
	if (page)
		show_page(o, page);
	return true;
}

static bool show_slot(struct out *o, uintptr_t va)
{
	if (va < VA_FIXMAP_START || va >= VA_FIXMAP_END)
		return false;
	show_slot_of(o, va);
	return true;
}

/* The name comes last, because it has blanks. */
static void show_region(struct out *o, uintptr_t va)
{
	struct pt_walk w;

	pgtable_walk(va, &w);
	out_printf(o, "region address=0x%08lx mapped=%s name=%s\n", (unsigned long)va,
		   w.present ? "yes" : "no", va_region(va));
}

/* ---- asking everybody ------------------------------------------------------------------- */

QAPI void whatis_show(struct out *o, uintptr_t va)
{
	const struct list_head *pos;
	bool known = false;

	for (pos = READ_ONCE(sources.next); pos != &sources; pos = READ_ONCE(pos->next))
		known |= list_entry(pos, struct whatis_source, link)->describe(o, va);
	known |= show_lowmem(o, va);
	known |= show_pkmap(o, va);
	known |= show_slot(o, va);
	if (!known)
		out_printf(o, "nothing address=0x%08lx\n", (unsigned long)va);
	show_region(o, va);
}

QAPI void kmem_dump_obj(const void *p)
{
	whatis_show(&out_console, (uintptr_t)p);
}
