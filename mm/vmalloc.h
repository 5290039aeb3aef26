/*
 * Layer: mm
 * vmalloc.h - areas of the vmalloc range, as vmalloc.c and ioremap.c share them.
 */
#ifndef MM_VMALLOC_H
#define MM_VMALLOC_H

#include <quarry/list.h>
#include <quarry/spinlock.h>
#include <quarry/vmalloc.h>
#include <quarry/whatis.h>

#include "debug/page_owner.h"
#include "va_range.h"

struct vm_area {
	struct va_range range;
	size_t size;            /* bytes mapped: all of the range */
	unsigned long flags;    /* VM_* */
	const void *caller;     /* NULL: of freed neighbours that became one, several */
	unsigned long nr_pages; /* of VM_ALLOC: its own, while it lives */
	phys_addr_t pa;         /* of VM_IOREMAP: of the first page */
	bool freed;
	bool lazy;             /* waits for the flush that comes next */
	struct list_head link; /* freed: unfinished or lazy, of vmalloc.c */
	struct owner_stamp taken;
};

/* Addresses for @size bytes, a page-aligned number; not mapped yet.  NULL: none, or no memory. */
QAPI struct vm_area *vm_area_get(size_t size, unsigned long flags, const void *caller);

/* Give back an area, not of VM_ALLOC, of which nothing is mapped, nor was since it was got. */
QAPI void vm_area_put(struct vm_area *area);

/* The living area that starts at @va and has one of @flags; anything else panics: "@who of ...". */
QAPI struct vm_area *vm_area_take(const void *va, unsigned long flags, const char *who);

/* Unmap @area, and leave it to the next flush: then its pages and addresses are free. */
QAPI void vm_area_retire(struct vm_area *area);

/* ---- for those who look at all areas ---------------------------------------------------- */

/* What vmalloc.c has; read it under the lock. */
struct vm_state {
	spinlock_t *lock;
	const struct va_space *space;
	const struct list_head *lazy;       /* areas, by link */
	const struct list_head *lazy_pages; /* theirs, by lru */
	const struct vm_counts *counts;
};

QAPI void vm_state_get(struct vm_state *s);

/* Somebody has what was lazy and is about to release it; guarded by the lock. */
extern bool vm_flushing;

/* Copy the lowest area that ends, guard included, above @va; false: there is none. */
QAPI bool vm_area_copy(uintptr_t va, struct vm_area *copy);

/* Print who asked for an area, as Linux does. */
QAPI void vm_caller_show(struct out *o, const void *caller);

extern struct whatis_source vmalloc_whatis;

/* ---- boot ------------------------------------------------------------------------------- */

QAPI void vmalloc_init(void);

/* Boot option vmalloc_debug=1. */
QAPI int vmalloc_debug_parse(const char *value);

#endif
