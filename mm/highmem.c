/*
 * highmem.c - addresses for pages that have none: slots shared by all, and slots of each CPU.
 *
 * IDEA.  kmap() has PKMAP_NR_PAGES slots, which are given out round after round.  A slot that
 * nobody uses any more keeps its mapping, and page->virtual leads to it: the next kmap() of the
 * page is a count.  Only when the round is over are all unused slots unmapped, with one flush for
 * all of them, which on several CPUs is one interrupt to each instead of one for each kunmap().
 * kmap.h draws what a slot goes through.
 *
 * The flush waits for other CPUs, so no lock is held and interrupts are on meanwhile.  Nobody is
 * given a slot until it is over (K2); the round was over anyway.  Pages that are mapped can be
 * mapped again and unmapped at any time.
 *
 * kmap_local_page() has a stack of slots in the fixmap for each CPU.  Whoever holds one stays on
 * its CPU and does not sleep, so mappings end in the reverse order, and no other CPU ever knows
 * them: a flush is one instruction, done when the mapping ends.  Flushed at the beginning instead
 * of at the end it would cost as much, but a pointer that is used too long would not fault.
 *
 * STATE.  pkmap[], where the round is, whether somebody flushes; each CPU's depth and the callers
 * below it; the page-table entry of the first local slot.
 *
 * INVARIANTS.  kmap_check() looks at K1 and K3 to K6; K2 is what code keeps.
 *   K1  a slot of count 0 has no page and no entry;
 *   K2  while nobody flushes, a slot of count 0 is in no TLB; while somebody does, none is taken;
 *   K3  a slot of any other count has a page and an entry, of the same frame, until it is 0 again;
 *   K4  page->virtual of a highmem page is the slot that maps it; no page has two slots;
 *   K5  of a CPU's local slots, those from its depth on are not present; those below are, unless
 *       an interrupt came between claim and use;
 *   K6  a CPU that may sleep has depth 0.
 *
 * A page of lowmem, which has a slot with kmap_debug=1 only, is found by a search, because its
 * page->virtual says where lowmem has it.
 *
 * LOCKING.  pkmap_lock guards pkmap[], the round and page->virtual of highmem, but not a count on
 * its way between 1 and n: that is one atomic instruction anywhere.  It is safe because a count
 * leaves 0 and comes back to 0, from 1 only and by compare-and-exchange, under the lock.  Whoever
 * has added to a count above 0 has therefore pinned the slot's page, and looks whether it is his:
 * between his reading page->virtual and his adding, the slot may have changed hands.  A report
 * reads a slot's page and caller whoever changes them, so each is written in one access.
 *
 * Whoever flushes keeps his CPU meanwhile (preemption off), so those who wait for him may spin.
 *
 * The stacks have no lock: an interrupt on the same CPU pushes above and has popped when it ends.
 * depth is stored before the slot is written and after it is emptied, so what lies at or above it
 * is nobody's.
 *
 * WAITING.  When all slots are held, kmap() waits at most KMAP_WAIT_MS at a time and looks again.
 * So a kunmap() need not wake anybody, and one that comes between the look and the wait delays the
 * waiter by that much and is never lost.
 *
 * CONTEXT.  kmap(), kmap_flush_unused(): a thread that may sleep.  Everything else: any.
 *
 * NOT HERE.  Misuse and shortage in words: kmap_report.c.  Reports: kmap_show.c.  The validator:
 * kmap_check.c.
 */
#include <quarry/bug.h>
#include <quarry/highmem.h>
#include <quarry/pgtable.h>
#include <quarry/string.h>

#include "internal.h"
#include "kmap.h"

#define KMAP_WAIT_MS      10u
#define KMAP_PROT         (PROT_READ | PROT_WRITE)
#define KMAP_END          (PKMAP_START + PKMAP_NR_PAGES * PAGE_SIZE)
#define HIGHMEM_ZONE_BITS ((unsigned long)ZONE_HIGHMEM << PG_ZONE_SHIFT)

struct kmap_slot pkmap[PKMAP_NR_PAGES];
spinlock_t pkmap_lock = SPINLOCK_INIT;
bool pkmap_flushing;
unsigned long kmap_first_zone = HIGHMEM_ZONE_BITS;
DEFINE_PER_CPU(struct kmap_local_stack, kmap_local_stack);

static unsigned long pkmap_next; /* of this round: the slot to look at next; under pkmap_lock */
static pte_t *local_ptes;        /* of all CPUs' local slots; set once at boot */

__init QAPI void kmap_set_debug(bool on)
{
	kmap_first_zone = on ? 0 : HIGHMEM_ZONE_BITS;
}

__init QAPI void kmap_init(void)
{
	struct pt_walk w;

	local_ptes = port_fixmap_slot(FIX_KMAP_LOCAL_START);
	if (pgtable_add_tables(PKMAP_START, KMAP_END))
		panic("kmap: no memory for the page table of its slots");
	for (unsigned long i = 0; i < PKMAP_NR_PAGES; i++) {
		pgtable_walk(pkmap_va(i), &w);
		pkmap[i].pte = w.slot;
	}
}

/* ---- slots that all share --------------------------------------------------------------- */

/* The slot at an address; NULL when it is none's. */
static inline struct kmap_slot *slot_at(const void *va)
{
	unsigned long i = ((uintptr_t)va - PKMAP_START) >> PAGE_SHIFT;

	return i < PKMAP_NR_PAGES ? &pkmap[i] : NULL;
}

/* The slot that maps @page, or NULL. */
static struct kmap_slot *slot_of(const struct page *page) __must_hold(pkmap_lock)
{
	if (PageHighMem(page))
		return slot_at(page->virtual);
	for (unsigned long i = 0; i < PKMAP_NR_PAGES; i++) {
		if (pkmap[i].page == page)
			return &pkmap[i];
	}
	return NULL;
}

static void *slot_address(const struct kmap_slot *s)
{
	return (void *)pkmap_va((unsigned long)(s - pkmap));
}

/* One more user of a slot that is not free: the count before.  0: it is free, nothing was done. */
static inline int add_user(struct kmap_slot *s)
{
	int count = atomic_read(&s->count), was;

	while (count > 0) {
		was = atomic_cmpxchg(&s->count, count, count + 1);
		if (likely(was == count))
			break;
		count = was;
	}
	return count;
}

/* The next free slot of this round; NULL when it is over, or somebody flushes. */
static struct kmap_slot *next_free(void) __must_hold(pkmap_lock)
{
	while (pkmap_next < PKMAP_NR_PAGES && !pkmap_flushing) {
		struct kmap_slot *s = &pkmap[pkmap_next++];

		if (!atomic_read(&s->count))
			return s;
	}
	return NULL;
}

/* The count comes last and is a barrier: whoever adds to it finds the rest. */
static void fill(struct kmap_slot *s, struct page *page, const void *caller) __must_hold(pkmap_lock)
{
	pte_set(s->pte, pte_make(page_to_pfn(page), KMAP_PROT, 0));
	WRITE_ONCE(s->page, page);
	WRITE_ONCE(s->caller, caller);
	atomic_fetch_add(&s->count, 2);
	if (PageHighMem(page))
		WRITE_ONCE(page->virtual, slot_address(s));
}

/* One more user of @page's slot, or of a new one; NULL: none to be had just now. */
static inline void *map_shared(struct page *page, const void *caller) __must_hold(pkmap_lock)
{
	struct kmap_slot *s = slot_of(page);

	if (s) {
		if (add_user(s) == 1)
			WRITE_ONCE(s->caller, caller);
		return slot_address(s);
	}
	s = next_free();
	if (unlikely(!s))
		return NULL;
	fill(s, page, caller);
	return slot_address(s);
}

/* Empty a slot that nobody uses; false when somebody does, or it is free. */
static inline bool empty(struct kmap_slot *s) __must_hold(pkmap_lock)
{
	if (atomic_read(&s->count) != 1 || atomic_cmpxchg(&s->count, 1, 0) != 1)
		return false;
	pte_set(s->pte, pte_none());
	if (PageHighMem(s->page))
		WRITE_ONCE(s->page->virtual, NULL);
	WRITE_ONCE(s->page, NULL);
	return true;
}

/* Empty all that nobody uses: the addresses in between are to be flushed. */
static void empty_unused(uintptr_t *start, uintptr_t *end) __must_hold(pkmap_lock)
{
	unsigned long first = PKMAP_NR_PAGES, last = 0;

	for (unsigned long i = 0; i < PKMAP_NR_PAGES; i++) {
		if (!empty(&pkmap[i]))
			continue;
		if (first == PKMAP_NR_PAGES)
			first = i;
		last = i + 1;
	}
	*start = pkmap_va(first);
	*end = pkmap_va(last);
}

/* Take the lock when nobody flushes; then we do. */
static unsigned long flush_begin(void) __acquires(pkmap_lock) __no_lock_analysis
{
	unsigned long flags = spin_lock_irqsave(&pkmap_lock);

	while (pkmap_flushing) {
		spin_unlock_irqrestore(&pkmap_lock, flags);
		flags = spin_lock_irqsave(&pkmap_lock);
	}
	pkmap_flushing = true;
	return flags;
}

/* A new round, in which all that nobody used is free; with the lock held, and preemption off. */
static unsigned long new_round(void) __acquires(pkmap_lock) __no_lock_analysis
{
	unsigned long flags;
	uintptr_t start, end;

	might_sleep();
	preempt_disable();
	flags = flush_begin();
	empty_unused(&start, &end);
	spin_unlock_irqrestore(&pkmap_lock, flags);
	if (start < end)
		tlb_flush_range(start, end);
	flags = spin_lock_irqsave(&pkmap_lock);
	pkmap_flushing = false;
	pkmap_next = 0;
	return flags;
}

static void unlock_round(unsigned long flags) __releases(pkmap_lock)
{
	spin_unlock_irqrestore(&pkmap_lock, flags);
	preempt_enable();
}

QAPI void kmap_flush_unused(void)
{
	unlock_round(new_round());
}

static inline void *map_in_this_round(struct page *page, const void *caller)
{
	unsigned long flags = spin_lock_irqsave(&pkmap_lock);
	void *va = map_shared(page, caller);

	spin_unlock_irqrestore(&pkmap_lock, flags);
	return va;
}

QAPI void *kmap_try(struct page *page, const void *caller)
{
	return map_in_this_round(page, caller);
}

/* The lock is not left between the flush and the look: NULL means that all slots are held. */
static void *map_in_new_round(struct page *page, const void *caller)
{
	unsigned long flags = new_round();
	void *va = map_shared(page, caller);

	unlock_round(flags);
	return va;
}

static __noinline void *map_later(struct page *page, const void *caller)
{
	void *va;

	do {
		va = map_in_new_round(page, caller);
		if (likely(va))
			return va;
	} while (env_wait_for_memory(KMAP_WAIT_MS));
	kmap_report_exhaustion(page, caller);
	return NULL;
}

static __noinline void *map_new(struct page *page, const void *caller)
{
	void *va = map_in_this_round(page, caller);

	return likely(va) ? va : map_later(page, caller);
}

/* The way without the lock: @page has a slot, and nobody else changes its count at this moment. */
QAPI void *kmap_slot(struct page *page)
{
	void *va = READ_ONCE(page->virtual);
	struct kmap_slot *s = slot_at(va);
	int count = s ? atomic_read(&s->count) : 0;

	if (likely(count > 0 && atomic_cmpxchg(&s->count, count, count + 1) == count)) {
		if (likely(s->page == page)) {
			if (count == 1)
				WRITE_ONCE(s->caller, __builtin_return_address(0));
			return va;
		}
		atomic_fetch_add(&s->count, -1);
	}
	return map_new(page, __builtin_return_address(0));
}

/* A page of lowmem, whose address does not tell; or one that is not mapped. */
static __noinline void kunmap_by_search(struct page *page)
{
	unsigned long flags = spin_lock_irqsave(&pkmap_lock);
	struct kmap_slot *s = slot_of(page);

	spin_unlock_irqrestore(&pkmap_lock, flags);
	if (!s || atomic_fetch_add(&s->count, -1) < 2)
		kunmap_bad(page);
}

QAPI void kunmap_slot(struct page *page)
{
	struct kmap_slot *s = slot_at(page->virtual);

	if (unlikely(!s))
		kunmap_by_search(page);
	else if (unlikely(atomic_fetch_add(&s->count, -1) < 2))
		kunmap_bad(page);
}

QAPI unsigned long kmap_nr_held(void)
{
	unsigned long nr = 0;

	for (unsigned long i = 0; i < PKMAP_NR_PAGES; i++)
		nr += kmap_is_held(&pkmap[i]);
	return nr;
}

/* ---- slots of this CPU ------------------------------------------------------------------ */

QAPI void *kmap_local_slot(struct page *page)
{
	struct kmap_local_stack *s = this_cpu_ptr(&kmap_local_stack);
	unsigned int nr = s->depth;
	unsigned long i = kmap_local_index(smp_cpu_id(), nr);

	if (unlikely(nr >= KMAP_LOCAL_SLOTS))
		return kmap_local_full();
	WRITE_ONCE(s->depth, nr + 1);
	barrier();
	WRITE_ONCE(s->caller[nr], __builtin_return_address(0));
	pte_set(&local_ptes[i], pte_make(page_to_pfn(page), KMAP_PROT, 0));
	return (void *)(FIX_KMAP_LOCAL_START + i * PAGE_SIZE);
}

QAPI void kunmap_local_slot(const void *address)
{
	struct kmap_local_stack *s = this_cpu_ptr(&kmap_local_stack);
	unsigned long i = ((uintptr_t)address - FIX_KMAP_LOCAL_START) >> PAGE_SHIFT;
	unsigned int nr = s->depth - 1;

	if (unlikely(nr >= KMAP_LOCAL_SLOTS || i != kmap_local_index(smp_cpu_id(), nr))) {
		kunmap_local_bad(address);
		return;
	}
	pte_set(&local_ptes[i], pte_none());
	tlb_flush_page_local((uintptr_t)address);
	barrier();
	WRITE_ONCE(s->depth, nr);
}

/* ---- contents --------------------------------------------------------------------------- */

static void check_part(size_t offset, size_t size)
{
	BUG_ON(offset > PAGE_SIZE || size > PAGE_SIZE - offset);
}

QAPI void clear_highpage(struct page *page)
{
	void *va = kmap_local_page(page);

	memset32(va, 0, PAGE_SIZE / sizeof(uint32_t));
	kunmap_local(va);
}

QAPI void copy_highpage(struct page *to, struct page *from)
{
	void *src = kmap_local_page(from);
	void *dst = kmap_local_page(to);

	memcpy(dst, src, PAGE_SIZE);
	kunmap_local(dst);
	kunmap_local(src);
}

QAPI void zero_user(struct page *page, size_t offset, size_t size)
{
	char *va;

	check_part(offset, size);
	va = kmap_local_page(page);
	memset(va + offset, 0, size);
	kunmap_local(va);
}

QAPI void memcpy_to_page(struct page *page, size_t offset, const void *from, size_t size)
{
	char *va;

	check_part(offset, size);
	va = kmap_local_page(page);
	memcpy(va + offset, from, size);
	kunmap_local(va);
}

QAPI void memcpy_from_page(void *to, struct page *page, size_t offset, size_t size)
{
	const char *va;

	check_part(offset, size);
	va = kmap_local_page(page);
	memcpy(to, va + offset, size);
	kunmap_local(va);
}
