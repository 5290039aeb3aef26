/*
 * Layer: mm
 * kmap.h - the slots of kmap() and kmap_local_page(), for those who show and check them.
 */
#ifndef MM_KMAP_H
#define MM_KMAP_H

#include <quarry/mm.h>
#include <quarry/percpu.h>
#include <quarry/port.h>
#include <quarry/spinlock.h>
#include <quarry/types.h>

struct out;
struct page;

/*
 * A slot's count is its users + 1: 1 means that nobody uses it, but TLBs may still know it.
 *
 *	0 free --kmap--> 2 <--kmap, kunmap--> n
 *	^                | kunmap
 *	'--- flush ----- 1 --kmap of the same page--> 2
 */
struct kmap_slot {
	unsigned int count;
	struct page *page;  /* NULL when free */
	const void *caller; /* of the kmap() that made it 2 */
	pte_t *pte;
};

extern struct kmap_slot pkmap[PKMAP_NR_PAGES];
extern spinlock_t pkmap_lock;

/* A stack: slot[0..depth) are mapped, by those that caller[] names. */
struct kmap_local_stack {
	unsigned int depth;
	const void *caller[KMAP_LOCAL_SLOTS];
};

DECLARE_PER_CPU(struct kmap_local_stack, kmap_local_stack);

static inline uintptr_t pkmap_va(unsigned long slot)
{
	return PKMAP_START + slot * PAGE_SIZE;
}

static inline uintptr_t kmap_local_va(unsigned int cpu, unsigned int nr)
{
	return FIX_KMAP_LOCAL_START + (cpu * KMAP_LOCAL_SLOTS + nr) * PAGE_SIZE;
}

/* Make the page tables of kmap()'s slots: boot, as soon as there is memory for them. */
QAPI void kmap_init(void);

/* The option kmap_debug=1: lowmem through slots as well. */
QAPI void kmap_set_debug(bool on);

/* Slot whatever @va is one of: a line, and true. */
QAPI bool pkmap_describe(struct out *o, uintptr_t va);

#endif
