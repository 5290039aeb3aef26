/*
 * pgtable.c - the kernel's page tables: map, unmap, protect, walk.
 *
 * THEORY.  A table of level n holds entries that either map memory (leaves) or point to a table of
 * level n - 1; level 0 holds pages.  How many levels there are, how an entry looks and which levels
 * may have leaves is the port's business (<quarry/asm/pgtable.h>); this file only descends, creates
 * and splits.  It descends once for all the entries of a range that lie side by side in one table
 * of level 0: a run.
 *
 * A change of a range either happens in full or not at all.  What can fail is the allocation of a
 * table, so everything that needs one comes first: mapping checks that the range is empty and
 * takes back what it wrote when it runs out half-way; unmapping and protecting first split the
 * large pages that lie across the two ends of the range, which by itself changes nothing that
 * anybody could notice.
 *
 * STATE.  The root table; nr_tables.  A table is never freed: whoever walks needs no lock against
 * its disappearing, and the next mapping in the same place needs no allocation.
 *
 * INVARIANTS.
 *   T1  an entry above level 0 is empty, a leaf, or points to a table that this file made or the
 *       port installed;
 *   T2  after unmap, protect or a split returns, no CPU holds an old translation of the range;
 *       after pgtable_unmap_pages() that is its caller's business.
 *
 * LOCKING.  None: a range has one user at a time (its allocator's duty), and different ranges share
 * tables but not entries.  Creating a shared table is the exception: tables_lock.
 *
 * CONTEXT.  Boot, or a thread that may sleep; walking: any.
 *
 * NOT HERE.  Who owns which addresses: paging.c, and the allocators of virtual ranges.
 */
#include <quarry/align.h>
#include <quarry/atomic.h>
#include <quarry/errno.h>
#include <quarry/list.h>
#include <quarry/mm.h>
#include <quarry/out.h>
#include <quarry/pgtable.h>
#include <quarry/spinlock.h>

#include "debug/fault_inject.h"
#include "internal.h"

#define ROOT_LEVEL (PT_LEVELS - 1u)

static pte_t *root_table;
static atomic_t nr_tables;
static spinlock_t tables_lock = SPINLOCK_INIT;

static pte_t *root(void)
{
	return root_table ? root_table : port_root_table();
}

QAPI void pgtable_set_root(pte_t *new_root)
{
	root_table = new_root;
}

QAPI unsigned long pgtable_nr_pages(void)
{
	return (unsigned long)atomic_read(&nr_tables);
}

static size_t level_size(unsigned int level)
{
	return (size_t)1 << pt_shift(level);
}

/* How many pages @va lies behind the start of what an entry of @level around it covers. */
static pfn_t pages_into(uintptr_t va, unsigned int level)
{
	return (va & (level_size(level) - 1)) >> PAGE_SHIFT;
}

static pte_t *table_of(pte_t pte)
{
	return pa_to_va((phys_addr_t)pte_pfn(pte) << PAGE_SHIFT);
}

/* An empty table; NULL when there is no page for it: whoever needs it reports, if he has to. */
QAPI pte_t *pgtable_alloc_table(void)
{
	struct page *page;

	if (fault_pgtable())
		return NULL;
	if (!memblock.closed) {
		pte_t *table = memblock_alloc(PAGE_SIZE, PAGE_SIZE, NAME_PAGE_TABLES);

		if (table)
			atomic_inc(&nr_tables);
		return table;
	}
	page = alloc_page(GFP_KERNEL | __GFP_ZERO | __GFP_NOWARN);
	if (!page)
		return NULL;
	page_flags_set(page, PG_pgtable);
	atomic_inc(&nr_tables);
	return page_address(page);
}

static void set_entry(pte_t *slot, uintptr_t va, unsigned int level, pte_t pte)
{
	pte_set(slot, pte);
	if (level == ROOT_LEVEL)
		port_root_entry_added(ALIGN_DOWN(va, level_size(level)), pte);
}

/* ---- walking ---------------------------------------------------------------------------- */

QAPI void pgtable_walk(uintptr_t va, struct pt_walk *w)
{
	pte_t *table = root();

	for (unsigned int level = ROOT_LEVEL;; level--) {
		w->level = level;
		w->slot = &table[pt_index(va, level)];
		w->pte = pte_read(w->slot);
		w->present = pte_present(w->pte) && pte_is_leaf(w->pte, level);
		if (w->present)
			w->pa = ((phys_addr_t)pte_pfn(w->pte) << PAGE_SHIFT) +
				(va & (level_size(level) - 1));
		if (!level || !pte_present(w->pte) || w->present)
			return;
		table = table_of(w->pte);
	}
}

/* The table of level 0 for @va; NULL: there is none, and *slot is the last entry on the way. */
static inline __always_inline pte_t *leaf_table(uintptr_t va, pte_t **slot, unsigned int *level)
{
	pte_t *table = root();

	for (*level = ROOT_LEVEL; *level; --*level) {
		pte_t pte;

		*slot = &table[pt_index(va, *level)];
		pte = pte_read(*slot);
		if (!pte_present(pte) || pte_is_leaf(pte, *level))
			return NULL;
		table = table_of(pte);
	}
	return table;
}

/* Of an entry above level 0 that leads to no table. */
static __noinline pfn_t large_pfn(pte_t pte, uintptr_t va, unsigned int level)
{
	return pte_present(pte) ? pte_pfn(pte) + pages_into(va, level) : PFN_NONE;
}

QAPI pfn_t pgtable_pfn(uintptr_t va)
{
	const pte_t *table = root();
	pte_t pte;

	for (unsigned int level = ROOT_LEVEL; level; level--) {
		pte = pte_read(&table[pt_index(va, level)]);
		if (unlikely(!pte_present(pte) || pte_is_leaf(pte, level)))
			return large_pfn(pte, va, level);
		table = table_of(pte);
	}
	pte = pte_read(&table[pt_index(va, 0)]);
	return pte_present(pte) ? pte_pfn(pte) : PFN_NONE;
}

/* The address behind everything that an entry of @level around @va covers, cut at @end. */
static uintptr_t next_va(uintptr_t va, unsigned int level, uintptr_t end)
{
	uintptr_t next = ALIGN_DOWN(va, level_size(level)) + level_size(level);

	return next - 1 < end - 1 ? next : end;
}

/* Entries side by side that cover addresses from @va on. */
struct run {
	pte_t *slot;      /* the first */
	unsigned long nr; /* pages, in one table of level 0; above it 1, empty or a leaf */
	unsigned int level;
	uintptr_t next; /* behind what they cover, cut at the end that was asked for */
};

static inline __always_inline struct run run_at(uintptr_t va, uintptr_t end)
{
	struct run run;
	pte_t *table = leaf_table(va, &run.slot, &run.level);

	run.nr = 1;
	run.next = next_va(va, max(run.level, 1u), end);
	if (likely(table)) {
		run.slot = &table[pt_index(va, 0)];
		run.nr = (run.next - va) >> PAGE_SHIFT;
	}
	return run;
}

/* ---- tables and splits ------------------------------------------------------------------ */

/*
 * Replace the entry @old by a pointer to @table, which then is in use; if somebody else was
 * quicker, his table serves as well (nobody changes what a table maps outside his own range),
 * and ours goes.
 */
static void install_table(pte_t *slot, pte_t old, uintptr_t va, unsigned int level, pte_t *table)
{
	unsigned long flags = spin_lock_irqsave(&tables_lock);
	bool used = pte_raw(pte_read(slot)) == pte_raw(old);

	if (used)
		set_entry(slot, va, level, pte_make_table(va_to_pa(table)));
	spin_unlock_irqrestore(&tables_lock, flags);
	if (used)
		return;
	page_flags_clear(virt_to_page(table), PG_pgtable);
	atomic_fetch_add(&nr_tables, -1);
	free_page((unsigned long)table);
}

/* Make an empty entry point to an empty table. */
static int add_table(pte_t *slot, uintptr_t va, unsigned int level)
{
	pte_t *table = pgtable_alloc_table();

	if (!table)
		return -ENOMEM;
	install_table(slot, pte_none(), va, level, table);
	return 0;
}

/* Replace a leaf above level 0 by a table of leaves that map the same memory in the same way. */
static int split_leaf(const struct pt_walk *w, uintptr_t va)
{
	uintptr_t start = ALIGN_DOWN(va, level_size(w->level));
	unsigned long step = level_size(w->level - 1) >> PAGE_SHIFT;
	pte_t *table = pgtable_alloc_table();

	if (!table)
		return -ENOMEM;
	for (unsigned int i = 0; i < PT_ENTRIES; i++)
		pte_set(&table[i],
			pte_make(pte_pfn(w->pte) + i * step, pte_prot(w->pte), w->level - 1));
	install_table(w->slot, w->pte, va, w->level, table);
	tlb_flush_range(start, start + level_size(w->level));
	return 0;
}

/* Make sure that no leaf lies across @va. */
static int split_at(uintptr_t va)
{
	struct pt_walk w;
	int err;

	for (;;) {
		pgtable_walk(va, &w);
		if (!w.present || !w.level || IS_ALIGNED(va, level_size(w.level)))
			return 0;
		err = split_leaf(&w, va);
		if (err)
			return err;
	}
}

static int split_ends(uintptr_t va, size_t size)
{
	int err = size ? split_at(va) : 0;

	return err || !size ? err : split_at(va + size);
}

/* Make sure that no entry of the range above level 0 is empty: an empty table changes nothing. */
QAPI int pgtable_add_tables(uintptr_t va, uintptr_t end)
{
	while (va != end) {
		struct run run = run_at(va, end);

		if (!run.level || !pte_is_none(pte_read(run.slot)))
			va = run.next;
		else if (add_table(run.slot, va, run.level))
			return -ENOMEM;
	}
	return 0;
}

/* ---- mapping ---------------------------------------------------------------------------- */

/* Whole pages of the kernel's part of the space, which ends where it would wrap. */
static inline void check_range(uintptr_t va, size_t size)
{
	BUG_ON(!IS_ALIGNED(va, PAGE_SIZE) || !IS_ALIGNED(size, PAGE_SIZE));
	BUG_ON(size && (va < PAGE_OFFSET || va + (size - 1) < va));
}

static bool range_is_empty(uintptr_t va, uintptr_t end)
{
	while (va != end) {
		struct run run = run_at(va, end);

		for (unsigned long i = 0; i < run.nr; i++)
			if (!pte_is_none(pte_read(&run.slot[i])))
				return false;
		va = run.next;
	}
	return true;
}

/* May one entry of @level, above 0, map what starts at (@va, @pa), with @left bytes to go? */
static bool leaf_fits(unsigned int level, uintptr_t va, phys_addr_t pa, size_t left, bool large)
{
	size_t size = level_size(level);

	return large && pt_leaf_possible(level) && left >= size && IS_ALIGNED(va, size) &&
	       IS_ALIGNED(pa, size);
}

/* Map @nr pages at entries of level 0. */
static void map_run(pte_t *slot, pfn_t pfn, unsigned long nr, uint32_t prot)
{
	pte_t pte = pte_make(pfn, prot, 0);

	for (; nr; nr--) {
		pte_set(slot++, pte);
		pte = pte_advance(pte, 1);
	}
}

/* Map as much as one table of level 0 can, or one large page; how much that was, or -ENOMEM. */
static ssize_t map_some(uintptr_t va, phys_addr_t pa, size_t left, uint32_t prot, bool large)
{
	const pfn_t pfn = (pfn_t)(pa >> PAGE_SHIFT);
	pte_t *table = root();

	for (unsigned int level = ROOT_LEVEL;; level--) {
		pte_t *slot = &table[pt_index(va, level)];

		if (!level) {
			left = next_va(va, 1, va + left) - va;
			map_run(slot, pfn, left >> PAGE_SHIFT, prot);
			return (ssize_t)left;
		}
		if (leaf_fits(level, va, pa, left, large) && pte_is_none(pte_read(slot))) {
			set_entry(slot, va, level, pte_make(pfn, prot, level));
			return (ssize_t)level_size(level);
		}
		if (pte_is_none(pte_read(slot)) && add_table(slot, va, level))
			return -ENOMEM;
		table = table_of(pte_read(slot));
	}
}

/* Without the flush. */
static void clear_entries(uintptr_t va, uintptr_t end)
{
	while (va != end) {
		struct run run = run_at(va, end);

		for (unsigned long i = 0; i < run.nr; i++)
			if (!pte_is_none(pte_read(&run.slot[i])))
				set_entry(&run.slot[i], va, run.level, pte_none());
		va = run.next;
	}
}

static void clear_range(uintptr_t va, uintptr_t end)
{
	clear_entries(va, end);
	tlb_flush_range(va, end);
}

QAPI int pgtable_map(uintptr_t va, phys_addr_t pa, size_t size, uint32_t prot, bool large)
{
	size_t done = 0;

	check_range(va, size);
	BUG_ON(!IS_ALIGNED(pa, PAGE_SIZE));
	if (!range_is_empty(va, va + size))
		return -EEXIST;
	while (done < size) {
		ssize_t step = map_some(va + done, pa + done, size - done, prot, large);

		if (step < 0) {
			clear_range(va, va + done);
			return -ENOMEM;
		}
		done += (size_t)step;
	}
	return 0;
}

QAPI int pgtable_unmap(uintptr_t va, size_t size)
{
	int err;

	check_range(va, size);
	err = split_ends(va, size);
	if (!err)
		clear_range(va, va + size);
	return err;
}

/* ---- single pages ----------------------------------------------------------------------- */

static __cold __noreturn void bad_page_to_map(const struct page *page)
{
	panic("pgtable_map_pages: %p is no struct page", (const void *)page);
}

/* The same for pages that lie anywhere. */
static void map_pages(pte_t *slot, struct page *const *pages, unsigned long nr, pte_t zero)
{
	const pte_t *end = slot + nr;

	while (slot != end) {
		struct page *page = *pages;
		pte_t pte = pte_advance(zero, page_to_pfn(page));

		if (unlikely(page < mem_map || page >= mem_map + max_pfn))
			bad_page_to_map(page);
		/* Pages taken together are neighbours. */
		do {
			BUG_ON(!pte_is_none(pte_read(slot)));
			pte_set(slot++, pte);
			pte = pte_advance(pte, 1);
			page++;
			pages++;
		} while (slot != end && *pages == page);
	}
}

QAPI int pgtable_map_pages(uintptr_t va, struct page *const *pages, unsigned long nr, uint32_t prot)
{
	const uintptr_t end = va + (nr << PAGE_SHIFT);
	const pte_t zero = pte_make(0, prot, 0);

	check_range(va, nr << PAGE_SHIFT);
	while (va != end) {
		struct run run = run_at(va, end);

		/* Seen before the first page is mapped: all tables at once, then nothing fails. */
		if (unlikely(run.level || run.next != end) && pgtable_add_tables(va, end))
			return -ENOMEM;
		if (run.level) {
			BUG_ON(pte_is_leaf(pte_read(run.slot), run.level));
			continue;
		}
		map_pages(run.slot, pages, run.nr, zero);
		pages += run.nr;
		va = run.next;
	}
	return 0;
}

/* Empty @nr entries; how many had a page. */
static unsigned long clear_run(pte_t *slot, unsigned long nr)
{
	unsigned long nr_pages = 0;

	for (; nr; nr--, slot++) {
		if (pte_is_none(pte_read(slot)))
			continue;
		pte_set(slot, pte_none());
		nr_pages++;
	}
	return nr_pages;
}

/* The same, and the pages go to the end of a list, whose head is mended last. */
static unsigned long take_run(pte_t *slot, unsigned long nr, struct list_head *pages)
{
	struct page *const map = mem_map; /* what is written here is not it */
	struct list_head *last = pages->prev;
	unsigned long nr_pages = 0;

	for (; nr; nr--, slot++) {
		pte_t pte = pte_read(slot);
		struct page *page = map + pte_pfn(pte);

		if (pte_is_none(pte))
			continue;
		pte_set(slot, pte_none());
		page->lru.prev = last;
		last->next = &page->lru;
		last = &page->lru;
		nr_pages++;
	}
	last->next = pages;
	pages->prev = last;
	return nr_pages;
}

QAPI unsigned long pgtable_unmap_pages(uintptr_t va, size_t size, struct list_head *pages)
{
	const uintptr_t end = va + size;
	unsigned long nr = 0;

	check_range(va, size);
	while (va != end) {
		struct run run = run_at(va, end);

		BUG_ON(run.level && pte_present(pte_read(run.slot)));
		if (!run.level)
			nr += pages ? take_run(run.slot, run.nr, pages) :
				      clear_run(run.slot, run.nr);
		va = run.next;
	}
	return nr;
}

/* ---- protecting ------------------------------------------------------------------------- */

QAPI int pgtable_protect(uintptr_t va, size_t size, uint32_t prot)
{
	uintptr_t end = va + size;
	struct pt_walk w;
	int err;

	check_range(va, size);
	err = split_ends(va, size);
	if (err)
		return err;
	for (uintptr_t cur = va; cur != end; cur = next_va(cur, w.level, end)) {
		pgtable_walk(cur, &w);
		if (w.present)
			set_entry(w.slot, cur, w.level, pte_make(pte_pfn(w.pte), prot, w.level));
	}
	tlb_flush_range(va, end);
	return 0;
}

static bool in_direct_map(uintptr_t va, unsigned long nr_pages)
{
	unsigned long lowmem_pages = (unsigned long)(mm_layout.lowmem_end >> PAGE_SHIFT);

	return IS_ALIGNED(va, PAGE_SIZE) && va >= PAGE_OFFSET && nr_pages <= lowmem_pages &&
	       (va - PAGE_OFFSET) >> PAGE_SHIFT <= lowmem_pages - nr_pages;
}

/* Map again what set_memory_np() took away: its frames follow from the addresses. */
static void fill_direct_map(uintptr_t va, uintptr_t end)
{
	struct pt_walk w;

	for (; va != end; va = next_va(va, w.level, end)) {
		pfn_t pfn = (pfn_t)(va_to_pa((void *)va) >> PAGE_SHIFT);

		pgtable_walk(va, &w);
		if (pte_is_none(w.pte))
			set_entry(w.slot, va, w.level, pte_make(pfn, PROT_KERNEL, w.level));
	}
}

QAPI int set_memory_ro(uintptr_t va, unsigned long nr_pages)
{
	if (!in_direct_map(va, nr_pages))
		return -EINVAL;
	return pgtable_protect(va, nr_pages << PAGE_SHIFT, PROT_KERNEL_RO);
}

QAPI int set_memory_rw(uintptr_t va, unsigned long nr_pages)
{
	int err;

	if (!in_direct_map(va, nr_pages))
		return -EINVAL;
	err = pgtable_add_tables(va, va + (nr_pages << PAGE_SHIFT));
	if (!err)
		err = pgtable_protect(va, nr_pages << PAGE_SHIFT, PROT_KERNEL);
	if (!err)
		fill_direct_map(va, va + (nr_pages << PAGE_SHIFT));
	return err;
}

QAPI int set_memory_np(uintptr_t va, unsigned long nr_pages)
{
	if (!in_direct_map(va, nr_pages))
		return -EINVAL;
	return pgtable_unmap(va, nr_pages << PAGE_SHIFT);
}

/* ---- showing ---------------------------------------------------------------------------- */

static void show_prot(struct out *o, uint32_t prot)
{
	out_printf(o, " %s%s%s%s%s%s", prot & PROT_READ ? "r" : "-", prot & PROT_WRITE ? "w" : "-",
		   prot & PROT_EXEC ? "x" : "-", prot & PROT_UNCACHED ? " uncached" : "",
		   prot & PROT_WRITE_COMBINE ? " write-combining" : "",
		   prot & PROT_GLOBAL ? " global" : "");
}

static void show_entry(struct out *o, uintptr_t va, unsigned int level, pte_t pte)
{
	phys_addr_t pa = (phys_addr_t)pte_pfn(pte) << PAGE_SHIFT;

	out_printf(o, "level=%u index=%u entry=0x%llx", level, pt_index(va, level),
		   (unsigned long long)pte_raw(pte));
	if (!pte_present(pte)) {
		out_printf(o, " not present\n");
		return;
	}
	if (!pte_is_leaf(pte, level)) {
		out_printf(o, " table=0x%llx\n", pa);
		return;
	}
	out_printf(o, " pa=0x%llx size=%zuK", pa + (va & (level_size(level) - 1)),
		   level_size(level) >> 10);
	show_prot(o, pte_prot(pte));
	out_printf(o, "\n");
}

QAPI void pgtable_show(struct out *o, uintptr_t va)
{
	pte_t *table = root();

	out_printf(o, "va=0x%08lx region=%s\n", (unsigned long)va, va_region(va));
	for (unsigned int level = ROOT_LEVEL;; level--) {
		pte_t pte = pte_read(&table[pt_index(va, level)]);

		show_entry(o, va, level, pte);
		if (!level || !pte_present(pte) || pte_is_leaf(pte, level))
			return;
		table = table_of(pte);
	}
}
