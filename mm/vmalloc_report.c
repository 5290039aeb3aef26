/*
 * vmalloc_report.c - areas in words: what is this address, and who asked for it.
 *
 * THEORY.  An address of the vmalloc range lies in an area, in the guard behind one, or in neither.
 * Whoever runs off the end of an area has an address of the guard, so it is answered for, too.
 *
 * STATE.  None of its own.
 *
 * LOCKING.  vm_area_copy() holds the lock and copies.  whatis may be asked in the middle of a
 * change, by a panic: its search takes no lock, goes down no further than a tree can be deep, and
 * follows a link only if it leads to lowmem, where every area's descriptor is.
 *
 * CONTEXT.  Any.
 *
 * NOT HERE.  All areas: vmalloc_show.c.
 */
#include <quarry/ksyms.h>
#include <quarry/mm.h>
#include <quarry/out.h>
#include <quarry/pgtable.h>
#include <quarry/whatis.h>

#include "vmalloc.h"

#define DEPTH_MAX 64u /* of a red-black tree of all the pages that 32 bits address: 40 */

/* The lowest area whose grip ends above @va; NULL: none. */
static __racy_report const struct vm_area *area_from(const struct va_space *s, uintptr_t va)
{
	const struct rb_node *node = READ_ONCE(s->root.top);
	const struct va_range *found = NULL;

	for (unsigned int i = 0; i < DEPTH_MAX && lowmem_page(node); i++) {
		const struct va_range *r = rb_entry(node, struct va_range, node);
		bool below = r->grip_end <= va;

		if (!below)
			found = r;
		node = READ_ONCE(node->child[below ? RB_RIGHT : RB_LEFT]);
	}
	return found ? container_of(found, struct vm_area, range) : NULL;
}

QAPI bool vm_area_copy(uintptr_t va, struct vm_area *copy)
{
	struct vm_state s;
	const struct vm_area *area;
	unsigned long flags;

	vm_state_get(&s);
	flags = spin_lock_irqsave(s.lock);
	area = area_from(s.space, va);
	if (area)
		*copy = *area;
	spin_unlock_irqrestore(s.lock, flags);
	return area != NULL;
}

QAPI void vm_caller_show(struct out *o, const void *caller)
{
	unsigned long offset, size;
	const char *name = ksym_lookup((uintptr_t)caller, &offset, &size);

	if (name)
		out_printf(o, "%s+0x%lx/0x%lx", name, offset, size);
	else
		out_printf(o, "0x%08lx", (unsigned long)(uintptr_t)caller);
}

/* ---- whatis ----------------------------------------------------------------------------- */

static __racy_report const char *kind_of(const struct vm_area *area)
{
	if (area->freed && !area->caller) /* neighbours of any kinds, which are one */
		return "several";
	if (area->flags & VM_ALLOC)
		return "vmalloc";
	return area->flags & VM_MAP ? "vmap" : "ioremap";
}

/* The page behind @va, if it is one that has a struct page. */
static void show_backing(struct out *o, uintptr_t va)
{
	struct page *page = vmalloc_to_page((const void *)va);

	if (!page)
		return;
	out_printf(o, "page ");
	page_show(o, page);
	page_owner_show(o, page);
}

static __racy_report QAPI bool describe_area(struct out *o, uintptr_t va)
{
	const struct vm_area *area;
	struct vm_state s;

	if (!is_vmalloc_addr((const void *)va))
		return false;
	vm_state_get(&s);
	area = area_from(s.space, va);
	if (!area || va < area->range.start)
		return false;
	out_printf(o, "area kind=%s start=0x%08lx size=%zu offset=%lu part=%s state=%s by=",
		   kind_of(area), (unsigned long)area->range.start, area->size,
		   (unsigned long)(va - area->range.start),
		   va < area->range.end ? "inside" : "guard", area->freed ? "freed" : "living");
	if (area->caller)
		vm_caller_show(o, area->caller);
	else
		out_printf(o, "several");
	out_printf(o, "\n");
	show_backing(o, va);
	return true;
}

struct whatis_source vmalloc_whatis = { .describe = describe_area };
