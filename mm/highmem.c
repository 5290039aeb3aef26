/*
 * highmem.c - addresses for pages that have none: slots shared by all, and slots of each CPU.
 *
 * IDEA.  kmap() has PKMAP_NR_PAGES slots, which are given out round and round.  A slot that nobody
 * uses any more keeps its mapping, and page->virtual leads to it: the next kmap() of the page is a
 * count.  Only when the round is over are all unused slots unmapped, with one flush for all of
 * them, which on several CPUs is one interrupt to each instead of one for each kunmap().  kmap.h
 * draws what a slot goes through.
 *
 * kmap_local_page() has a stack of slots in the fixmap for each CPU.  Whoever holds one stays on
 * its CPU and does not sleep, so mappings end in the reverse order, and no other CPU ever knows
 * them: a flush is one instruction, done when the mapping ends.  Flushed at the beginning instead
 * of at the end it would cost as much, but a pointer that is used too long would not fault.
 *
 * STATE.  pkmap[], where the round is; each CPU's depth and the callers below it.
 *
 * INVARIANTS, all checked by kmap_check():
 *   K1  a slot of count 0 has no page and no entry; any other has both, of the same frame;
 *   K2  page->virtual of a highmem page is the slot that maps it; no page has two slots;
 *   K3  the slots below a CPU's depth are present, those above it are not;
 *   K4  a CPU that may sleep has depth 0.
 *
 * A page of lowmem, which has a slot with kmap_debug=1 only, is found by a search, because its
 * page->virtual says where lowmem has it.
 *
 * LOCKING.  pkmap_lock guards pkmap[] and page->virtual of highmem.  The stacks have none: an
 * interrupt on the same CPU pushes above and has popped when it ends.  depth is stored before the
 * slot is written and after it is emptied, so what lies at or above it is nobody's.
 *
 * CONTEXT.  kmap(): a thread that may sleep.  Everything else: any.
 *
 * NOT HERE.  Reports: kmap_show.c.  The validator: kmap_check.c.
 */
#include <quarry/bug.h>
#include <quarry/highmem.h>
#include <quarry/pgtable.h>
#include <quarry/printk.h>
#include <quarry/string.h>

#include "internal.h"
#include "kmap.h"

#define KMAP_WAIT_MS      10u
#define NR_HOLDERS_SHOWN  8u
#define KMAP_PROT         (PROT_READ | PROT_WRITE)
#define KMAP_END          (PKMAP_START + PKMAP_NR_PAGES * PAGE_SIZE)
#define HIGHMEM_ZONE_BITS ((unsigned long)ZONE_HIGHMEM << PG_ZONE_SHIFT)

struct kmap_slot pkmap[PKMAP_NR_PAGES];
spinlock_t pkmap_lock = SPINLOCK_INIT;
unsigned long kmap_first_zone = HIGHMEM_ZONE_BITS;
DEFINE_PER_CPU(struct kmap_local_stack, kmap_local_stack);

static unsigned long pkmap_next; /* the slot to look at next; guarded by pkmap_lock */

__init QAPI void kmap_set_debug(bool on)
{
	kmap_first_zone = on ? 0 : HIGHMEM_ZONE_BITS;
}

__init QAPI void kmap_init(void)
{
	struct pt_walk w;

	if (pgtable_add_tables(PKMAP_START, KMAP_END))
		panic("kmap: no memory for the page table of its slots");
	for (unsigned long i = 0; i < PKMAP_NR_PAGES; i++) {
		pgtable_walk(pkmap_va(i), &w);
		pkmap[i].pte = w.slot;
	}
}

/* ---- slots that all share --------------------------------------------------------------- */

/* The slot that maps @page, or NULL. */
static struct kmap_slot *slot_of(const struct page *page) __must_hold(pkmap_lock)
{
	if (PageHighMem(page))
		return page->virtual ?
			       &pkmap[((uintptr_t)page->virtual - PKMAP_START) >> PAGE_SHIFT] :
			       NULL;
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

/* Free what nobody uses; the flush comes before anybody can be given such a slot. */
static void flush_unused(void) __must_hold(pkmap_lock)
{
	bool any = false;

	for (struct kmap_slot *s = pkmap; s < pkmap + PKMAP_NR_PAGES; s++) {
		if (s->count != 1)
			continue;
		pte_set(s->pte, pte_none());
		if (PageHighMem(s->page))
			s->page->virtual = NULL;
		s->page = NULL;
		s->count = 0;
		any = true;
	}
	if (any)
		tlb_flush_range(PKMAP_START, KMAP_END);
}

/*
 * A free slot; NULL when all are held.  A slot that was passed before the flush of this round is
 * free only in the next one: hence two.
 */
static struct kmap_slot *free_slot(void) __must_hold(pkmap_lock)
{
	for (unsigned long tries = 0; tries < 2 * PKMAP_NR_PAGES; tries++) {
		struct kmap_slot *s = &pkmap[pkmap_next];

		if (!pkmap_next)
			flush_unused();
		pkmap_next = (pkmap_next + 1) % PKMAP_NR_PAGES;
		if (!s->count)
			return s;
	}
	return NULL;
}

/* One more user of @page's slot, which may be a new one; NULL when all are held. */
static void *map_shared(struct page *page, const void *caller) __must_hold(pkmap_lock)
{
	struct kmap_slot *s = slot_of(page);

	if (!s) {
		s = free_slot();
		if (!s)
			return NULL;
		pte_set(s->pte, pte_make(page_to_pfn(page), KMAP_PROT, 0));
		s->page = page;
		s->count = 1;
		if (PageHighMem(page))
			page->virtual = slot_address(s);
	}
	if (s->count++ == 1)
		s->caller = caller;
	return slot_address(s);
}

/* Is slot @i the first one that its caller holds?  *@nr is how many he has. */
static bool first_of_caller(unsigned long i, unsigned long *nr)
{
	*nr = 0;
	for (unsigned long k = 0; k < PKMAP_NR_PAGES; k++) {
		if (pkmap[k].count < 2 || pkmap[k].caller != pkmap[i].caller)
			continue;
		if (k < i)
			return false;
		++*nr;
	}
	return *nr != 0;
}

/* Who has all the slots; not under the lock: the numbers are for a reader. */
static __cold void report_exhaustion(const struct page *page, const void *caller)
{
	unsigned long nr, nr_shown = 0;

	pr_err("kmap: no slot for pfn=0x%05lx by=%p: %lu of %lu are held, nobody to wait for\n",
	       page_to_pfn(page), caller, kmap_nr_held(), PKMAP_NR_PAGES);
	for (unsigned long i = 0; i < PKMAP_NR_PAGES && nr_shown < NR_HOLDERS_SHOWN; i++) {
		if (!first_of_caller(i, &nr))
			continue;
		pr_err("kmap: held by=%p slots=%lu\n", pkmap[i].caller, nr);
		nr_shown++;
	}
}

QAPI void *kmap_slot(struct page *page)
{
	const void *caller = __builtin_return_address(0);

	for (;;) {
		unsigned long flags = spin_lock_irqsave(&pkmap_lock);
		void *va = map_shared(page, caller);

		spin_unlock_irqrestore(&pkmap_lock, flags);
		if (likely(va))
			return va;
		if (!env_wait_for_memory(KMAP_WAIT_MS))
			break;
	}
	report_exhaustion(page, caller);
	return NULL;
}

QAPI void kunmap_slot(struct page *page)
{
	unsigned long flags = spin_lock_irqsave(&pkmap_lock);
	struct kmap_slot *s = slot_of(page);
	bool held = s && s->count > 1;

	if (likely(held))
		s->count--;
	spin_unlock_irqrestore(&pkmap_lock, flags);
	if (unlikely(!held))
		panic("kunmap: pfn 0x%05lx is not mapped by kmap()", page_to_pfn(page));
}

QAPI void kmap_flush_unused(void)
{
	unsigned long flags = spin_lock_irqsave(&pkmap_lock);

	flush_unused();
	spin_unlock_irqrestore(&pkmap_lock, flags);
}

QAPI unsigned long kmap_nr_held(void)
{
	unsigned long nr = 0;

	for (unsigned long i = 0; i < PKMAP_NR_PAGES; i++)
		nr += READ_ONCE(pkmap[i].count) > 1;
	return nr;
}

/* ---- slots of this CPU ------------------------------------------------------------------ */

QAPI void *kmap_local_slot(struct page *page)
{
	struct kmap_local_stack *s = this_cpu_ptr(&kmap_local_stack);
	unsigned int nr = s->depth;
	uintptr_t va = kmap_local_va(smp_cpu_id(), nr);

	if (unlikely(nr >= KMAP_LOCAL_SLOTS))
		panic("kmap_local_page: all %u slots of CPU %u are held, the newest by %p", nr,
		      smp_cpu_id(), s->caller[nr - 1]);
	WRITE_ONCE(s->depth, nr + 1);
	barrier();
	s->caller[nr] = __builtin_return_address(0);
	pte_set(port_fixmap_slot(va), pte_make(page_to_pfn(page), KMAP_PROT, 0));
	return (void *)va;
}

static __cold void bad_order(const void *va, const struct kmap_local_stack *s)
{
	if (!s->depth)
		panic("kunmap_local: %p, but CPU %u has nothing mapped", va, smp_cpu_id());
	panic("kunmap_local: %p, but the newest of %u is %p by %p", va, s->depth,
	      (void *)kmap_local_va(smp_cpu_id(), s->depth - 1), s->caller[s->depth - 1]);
}

QAPI void kunmap_local_slot(const void *address)
{
	struct kmap_local_stack *s = this_cpu_ptr(&kmap_local_stack);
	uintptr_t va = (uintptr_t)address & PAGE_MASK;
	unsigned int nr = s->depth - 1;

	if (unlikely(nr >= KMAP_LOCAL_SLOTS || va != kmap_local_va(smp_cpu_id(), nr)))
		bad_order(address, s);
	pte_set(port_fixmap_slot(va), pte_none());
	tlb_flush_page_local(va);
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
