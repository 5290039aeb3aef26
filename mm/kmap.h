/*
 * Layer: mm
 * kmap.h - the slots of kmap() and kmap_local_page(), for those who show and check them.
 */
#ifndef MM_KMAP_H
#define MM_KMAP_H

#include <quarry/atomic.h>
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
	atomic_t count;
	struct page *page;  /* NULL when free */
	const void *caller; /* of the kmap() that made it 2 */
	pte_t *pte;
};

extern struct kmap_slot pkmap[PKMAP_NR_PAGES];
extern spinlock_t pkmap_lock;
extern bool pkmap_flushing; /* nobody is given a slot meanwhile; guarded by pkmap_lock */

static inline bool kmap_is_held(const struct kmap_slot *s)
{
	return atomic_read(&s->count) > 1;
}

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

/* Among those of all CPUs. */
static inline unsigned long kmap_local_index(unsigned int cpu, unsigned int nr)
{
	return cpu * KMAP_LOCAL_SLOTS + nr;
}

static inline uintptr_t kmap_local_va(unsigned int cpu, unsigned int nr)
{
	return FIX_KMAP_LOCAL_START + kmap_local_index(cpu, nr) * PAGE_SIZE;
}

/* One more user of @page: the slot that it has, or a new one.  NULL: none to be had just now. */
QAPI void *kmap_try(struct page *page, const void *caller);

/* The function that called; *@offset is how far behind its start. */
QAPI const char *kmap_caller_name(const void *caller, unsigned long *offset);

/* Every slot is held, and there is nobody to wait for: who holds them. */
QAPI void kmap_report_exhaustion(const struct page *page, const void *caller);

/* Misuse: these panic. */
QAPI void kunmap_bad(const struct page *page);
QAPI void *kmap_local_full(void);
QAPI void kunmap_local_bad(const void *va);

/* Make the page tables of kmap()'s slots: boot, as soon as there is memory for them. */
QAPI void kmap_init(void);

/* The option kmap_debug=1: lowmem through slots as well. */
QAPI void kmap_set_debug(bool on);

/* Local slot @index of all CPUs': its CPU, its place in the stack, and who holds it, if known. */
QAPI void kmap_local_describe(struct out *o, unsigned long index);

/* Slot whatever @va is one of: a line, and true. */
QAPI bool pkmap_describe(struct out *o, uintptr_t va);

#endif
