/*
 * tlb.c - a translation buffer in software: the process' mappings are what it has cached.
 *
 * IDEA.  Touching an address of the window that has no translation is a fault of the process.  The
 * handler walks the page tables that mm/pgtable.c wrote, as hardware does: by physical addresses,
 * and without asking mm/.  What it finds becomes a mapping of that piece of RAM at that address, so
 * that the next access, and all after it, are plain loads and stores.  A mapping stays until it is
 * flushed, whatever happens to the entry: an unmapping without a flush leaves a stale translation.
 *
 * A fill may take in more than was asked for, as hardware may: entries beside the one that was
 * needed, as long as their frames follow each other and they allow the same.  So the direct map
 * is one mapping, and the host's limit of them (65530) is far away; if it is reached all the
 * same, everything is forgotten, as a buffer that is too small forgets.  What is cached already is
 * never replaced by a fill.
 *
 * STATE.  cached: a bit for each page of the window, set while the process has it mapped; writable:
 * the same while it may be written; busy: somebody looks at or changes these; root_pa; bus: RAM
 * below DIRECT_MAP_MAX, mapped for good, which is where page tables lie.
 *
 * INVARIANTS.
 *   T1  a page that is not marked in @cached cannot be touched without a fault;
 *   T2  after a flush of a range returns, no page of it is marked.
 *
 * CONTEXT.  Any; a fill is part of whatever instruction needed it.  All CPUs share this one buffer:
 * a flush that forgets to tell the others is not found here.  Of CPUs that run at once, two may
 * fault at one page: the second finds it cached, and tries again.
 */
#include "host_ops.h"
#include "hosted.h"
#include <quarry/align.h>
#include <quarry/bug.h>
#include <quarry/port.h>

#define WINDOW_SIZE  (WINDOW_END - PAGE_OFFSET)
#define WINDOW_PAGES (WINDOW_SIZE >> PAGE_SHIFT)
#define WORD_BITS    (8 * (unsigned int)sizeof(unsigned long))

char *bus;

typedef unsigned long page_bits[DIV_ROUND_UP(WINDOW_PAGES, WORD_BITS)];

static page_bits cached, writable;
static bool busy;
static phys_addr_t root_pa;
static pte_t *root;

/* A leaf entry: where it is, and what it maps. */
struct leaf {
	const pte_t *table; /* by the bus */
	unsigned int index;
	unsigned int level;
	uintptr_t va; /* first address that it maps */
};

/* ---- what is cached ------------------------------------------------------------------------ */

static unsigned long page_of(uintptr_t va)
{
	return (va - PAGE_OFFSET) >> PAGE_SHIFT;
}

static bool test(const page_bits bits, unsigned long page)
{
	return bits[page / WORD_BITS] >> page % WORD_BITS & 1;
}

static bool is_cached(unsigned long page)
{
	return test(cached, page);
}

/* The first page of [page, end) that is cached; @end: none. */
static unsigned long next_cached(unsigned long page, unsigned long end)
{
	while (page < end) {
		unsigned long left = cached[page / WORD_BITS] >> page % WORD_BITS;

		if (left)
			return min(page + (unsigned int)__builtin_ctzl(left), end);
		page += WORD_BITS - page % WORD_BITS;
	}
	return end;
}

static void mark(page_bits bits, unsigned long page, unsigned long end, bool on)
{
	for (; page < end; page++) {
		unsigned long bit = 1ul << page % WORD_BITS;

		if (on)
			bits[page / WORD_BITS] |= bit;
		else
			bits[page / WORD_BITS] &= ~bit;
	}
}

/* ---- forgetting ---------------------------------------------------------------------------- */

/* Interrupts need not be off: they are calls, at points, and there are none here. */
static void lock(void)
{
	while (__atomic_exchange_n(&busy, true, __ATOMIC_ACQUIRE))
		;
}

static void unlock(void)
{
	__atomic_store_n(&busy, false, __ATOMIC_RELEASE);
}

static void forget(uintptr_t start, uintptr_t end)
{
	unsigned long first, last;

	start = clamp(start, PAGE_OFFSET, WINDOW_END);
	end = end ? clamp(end, start, WINDOW_END) : WINDOW_END;
	first = next_cached(page_of(start), page_of(end));
	last = page_of(end);
	if (first == last)
		return;
	while (!is_cached(last - 1))
		last--;
	mark(cached, first, last, false);
	host_unmap(PAGE_OFFSET + (first << PAGE_SHIFT), (last - first) << PAGE_SHIFT);
}

/* ---- filling ------------------------------------------------------------------------------- */

static const pte_t *table_at(phys_addr_t pa)
{
	return pa < DIRECT_MAP_MAX ? (const pte_t *)(bus + pa) : NULL;
}

static bool find_leaf(uintptr_t va, struct leaf *l)
{
	phys_addr_t pa = root_pa;

	for (unsigned int level = PT_LEVELS - 1;; level--) {
		pte_t pte;

		l->table = table_at(pa);
		if (!l->table)
			return false;
		l->index = pt_index(va, level);
		pte = pte_read(&l->table[l->index]);
		if (!pte_present(pte))
			return false;
		if (pte_is_leaf(pte, level)) {
			l->level = level;
			l->va = ALIGN_DOWN(va, 1ul << pt_shift(level));
			return true;
		}
		pa = (phys_addr_t)pte_pfn(pte) << PAGE_SHIFT;
	}
}

/* Does the entry @distance beside the leaf map the frames that far from its own, as it does? */
static bool continues(const struct leaf *l, int distance)
{
	const unsigned long nr_pages = 1ul << (pt_shift(l->level) - PAGE_SHIFT);
	unsigned int index = l->index + (unsigned int)distance;
	unsigned long first = page_of(l->va) + (unsigned long)distance * nr_pages;
	pte_t pte, own = pte_read(&l->table[l->index]);

	if (index >= PT_ENTRIES)
		return false;
	pte = pte_read(&l->table[index]);
	return pte_present(pte) && pte_is_leaf(pte, l->level) &&
	       pte_pfn(pte) == pte_pfn(own) + (pfn_t)distance * nr_pages &&
	       pte_prot(pte) == pte_prot(own) &&
	       next_cached(first, first + nr_pages) == first + nr_pages;
}

static void map_run(uintptr_t va, size_t size, phys_addr_t pa, bool may_write)
{
	if (host_map(va, size, pa, may_write)) {
		forget(PAGE_OFFSET, WINDOW_END);
		BUG_ON(host_map(va, size, pa, may_write));
	}
	mark(cached, page_of(va), page_of(va + size), true);
	mark(writable, page_of(va), page_of(va + size), may_write);
}

/* Map the leaf and what continues it; of a large page that is cached in part, the page at @va. */
static void map_leaf(const struct leaf *l, uintptr_t va)
{
	pte_t pte = pte_read(&l->table[l->index]);
	phys_addr_t pa = (phys_addr_t)pte_pfn(pte) << PAGE_SHIFT;
	size_t size = (size_t)1 << pt_shift(l->level);
	bool may_write = pte_prot(pte) & PROT_WRITE;
	int before = 0, after = 1;

	if (next_cached(page_of(l->va), page_of(l->va + size)) != page_of(l->va + size)) {
		va = ALIGN_DOWN(va, PAGE_SIZE);
		map_run(va, PAGE_SIZE, pa + (va - l->va), may_write);
		return;
	}
	while (continues(l, before - 1))
		before--;
	while (continues(l, after))
		after++;
	map_run(l->va - (size_t)-before * size, (size_t)(after - before) * size,
		pa - (size_t)-before * size, may_write);
}

static enum tlb_answer fill(uintptr_t va, bool is_write)
{
	struct leaf l;

	if (is_cached(page_of(va)))
		return is_write && !test(writable, page_of(va)) ? TLB_PROTECTED : TLB_FILLED;
	if (!find_leaf(va, &l))
		return TLB_NOT_PRESENT;
	if (is_write && !(pte_prot(pte_read(&l.table[l.index])) & PROT_WRITE))
		return TLB_PROTECTED;
	map_leaf(&l, va);
	return TLB_FILLED;
}

enum tlb_answer tlb_fill(uintptr_t va, bool is_write)
{
	enum tlb_answer answer;

	if (va < PAGE_OFFSET || va >= WINDOW_END)
		return TLB_NOT_PRESENT;
	lock();
	answer = fill(va, is_write);
	unlock();
	return answer;
}

/* ---- flushing ------------------------------------------------------------------------------ */

static void flush(uintptr_t start, uintptr_t end)
{
	lock();
	forget(start, end);
	unlock();
}

QAPI void tlb_flush_range(uintptr_t start, uintptr_t end)
{
	flush(start, end);
	smp_flush();
}

QAPI void tlb_flush_all(void)
{
	tlb_flush_range(PAGE_OFFSET, WINDOW_END);
}

QAPI void tlb_flush_page(uintptr_t va)
{
	tlb_flush_page_local(va);
	smp_flush();
}

QAPI void tlb_flush_page_local(uintptr_t va)
{
	va = ALIGN_DOWN(va, PAGE_SIZE);
	flush(va, va + PAGE_SIZE);
}

void hosted_forked(void)
{
	tlb_flush_all();
}

/* ---- the root ------------------------------------------------------------------------------ */

void tlb_init(phys_addr_t ram_size)
{
	bus = host_memory_init(ram_size, DIRECT_MAP_MAX, PAGE_OFFSET, WINDOW_SIZE);
	root_pa = boot_tables_make();
	root = pa_to_va(root_pa);
	host_catch_faults();
}

QAPI pte_t *port_root_table(void)
{
	return root;
}

QAPI void port_switch_root(pte_t *new_root)
{
	root = new_root;
	root_pa = va_to_pa(new_root);
	tlb_flush_all();
}

/* One root table, used by everybody: there is nothing to copy to. */
QAPI void port_root_entry_added(uintptr_t va, pte_t pte)
{
	(void)va;
	(void)pte;
}
