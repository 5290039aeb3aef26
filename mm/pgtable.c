/*
 * pgtable.c - the kernel's page tables: map, unmap, protect, walk.
 *
 * THEORY.  A table of level n holds entries that either map memory (leaves) or point to a table of
 * level n - 1; level 0 holds pages.  How many levels there are, how an entry looks and which levels
 * may have leaves is the port's business (<quarry/asm/pgtable.h>); this file only descends, creates
 * and splits.
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
 *   T2  after unmap, protect or a split returns, no CPU holds an old translation of the range.
 *
 * LOCKING.  None: a range has one user at a time (its allocator's duty), and different ranges share
 * tables but not entries.  Creating a shared table is the exception: tables_lock.
 *
 * CONTEXT.  Boot, or a thread that may sleep; walking: any.
 *
 * NOT HERE.  Who owns which addresses: paging.c, and the allocators of virtual ranges.
 */
#include <quarry/align.h>
#include <quarry/errno.h>
#include <quarry/list.h>
#include <quarry/mm.h>
#include <quarry/out.h>
#include <quarry/pgtable.h>
#include <quarry/spinlock.h>

#include "internal.h"

#define ROOT_LEVEL (PT_LEVELS - 1u)

static pte_t *root_table;
static unsigned long nr_tables;
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
	return nr_tables;
}

static size_t level_size(unsigned int level)
{
	return (size_t)1 << pt_shift(level);
}

static pte_t *table_of(pte_t pte)
{
	return pa_to_va((phys_addr_t)pte_pfn(pte) << PAGE_SHIFT);
}

/* An empty table; NULL when there is no page for it. */
QAPI pte_t *pgtable_alloc_table(void)
{
	struct page *page;

	if (!memblock.closed) {
		pte_t *table = memblock_alloc(PAGE_SIZE, PAGE_SIZE, NAME_PAGE_TABLES);

		nr_tables += table != NULL;
		return table;
	}
	page = alloc_page(GFP_KERNEL | __GFP_ZERO);
	if (!page)
		return NULL;
	page->flags |= PG_pgtable;
	nr_tables++;
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

/* The address behind everything that an entry of @level around @va covers, cut at @end. */
static uintptr_t next_va(uintptr_t va, unsigned int level, uintptr_t end)
{
	uintptr_t next = ALIGN_DOWN(va, level_size(level)) + level_size(level);

	return next - 1 < end - 1 ? next : end;
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
	virt_to_page(table)->flags &= ~(unsigned long)PG_pgtable;
	nr_tables--;
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
	struct pt_walk w;

	while (va != end) {
		pgtable_walk(va, &w);
		if (!w.level || !pte_is_none(w.pte))
			va = next_va(va, max(w.level, 1u), end); /* a table at once */
		else if (add_table(w.slot, va, w.level))
			return -ENOMEM;
	}
	return 0;
}

/* ---- mapping ---------------------------------------------------------------------------- */

/* Whole pages of the kernel's part of the space, which ends where it would wrap. */
static void check_range(uintptr_t va, size_t size)
{
	BUG_ON(!IS_ALIGNED(va, PAGE_SIZE) || !IS_ALIGNED(size, PAGE_SIZE));
	BUG_ON(size && (va < PAGE_OFFSET || va + (size - 1) < va));
}

static bool range_is_empty(uintptr_t va, uintptr_t end)
{
	struct pt_walk w;

	for (; va != end; va = next_va(va, w.level, end)) {
		pgtable_walk(va, &w);
		if (!pte_is_none(w.pte))
			return false;
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

/* Map as much as one entry can; how much that was, or -ENOMEM. */
static ssize_t map_one(uintptr_t va, phys_addr_t pa, size_t left, uint32_t prot, bool large)
{
	pte_t *table = root();

	for (unsigned int level = ROOT_LEVEL;; level--) {
		pte_t *slot = &table[pt_index(va, level)];

		if (!level ||
		    (leaf_fits(level, va, pa, left, large) && pte_is_none(pte_read(slot)))) {
			pte_t leaf = pte_make((pfn_t)(pa >> PAGE_SHIFT), prot, level);

			set_entry(slot, va, level, leaf);
			return (ssize_t)level_size(level);
		}
		if (pte_is_none(pte_read(slot)) && add_table(slot, va, level))
			return -ENOMEM;
		table = table_of(pte_read(slot));
	}
}

static void clear_range(uintptr_t va, uintptr_t end)
{
	uintptr_t start = va;
	struct pt_walk w;

	for (; va != end; va = next_va(va, w.level, end)) {
		pgtable_walk(va, &w);
		if (!pte_is_none(w.pte))
			set_entry(w.slot, va, w.level, pte_none());
	}
	tlb_flush_range(start, end);
}

QAPI int pgtable_map(uintptr_t va, phys_addr_t pa, size_t size, uint32_t prot, bool large)
{
	size_t done = 0;

	check_range(va, size);
	BUG_ON(!IS_ALIGNED(pa, PAGE_SIZE));
	if (!range_is_empty(va, va + size))
		return -EEXIST;
	while (done < size) {
		ssize_t step = map_one(va + done, pa + done, size - done, prot, large);

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

/* The entries of level 0 from @va on that lie side by side: the first, and how many up to @end. */
static pte_t *leaf_run(uintptr_t va, uintptr_t end, unsigned long *nr)
{
	struct pt_walk w;

	pgtable_walk(va, &w);
	*nr = (next_va(va, 1, end) - va) >> PAGE_SHIFT;
	BUG_ON(w.level && w.present);
	return w.level ? NULL : w.slot;
}

QAPI int pgtable_map_pages(uintptr_t va, struct page *const *pages, unsigned long nr, uint32_t prot)
{
	uintptr_t end = va + (nr << PAGE_SHIFT);
	unsigned long nr_run;
	int err;

	check_range(va, nr << PAGE_SHIFT);
	err = pgtable_add_tables(va, end);
	if (err)
		return err;
	for (; va != end; va += nr_run << PAGE_SHIFT) {
		pte_t *slot = leaf_run(va, end, &nr_run);

		for (unsigned long i = 0; i < nr_run; i++) {
			BUG_ON(!pte_is_none(pte_read(&slot[i])));
			pte_set(&slot[i], pte_make(page_to_pfn(*pages++), prot, 0));
		}
	}
	return 0;
}

/* Empty one entry: was there a page? */
static bool take_page(pte_t *slot, struct list_head *pages)
{
	pte_t pte = pte_read(slot);

	if (pte_is_none(pte))
		return false;
	pte_set(slot, pte_none());
	if (pages)
		list_add_tail(&pfn_to_page(pte_pfn(pte))->lru, pages);
	return true;
}

QAPI unsigned long pgtable_unmap_pages(uintptr_t va, size_t size, struct list_head *pages)
{
	uintptr_t end = va + size;
	unsigned long nr_run, nr = 0;

	check_range(va, size);
	for (; va != end; va += nr_run << PAGE_SHIFT) {
		pte_t *slot = leaf_run(va, end, &nr_run);

		for (unsigned long i = 0; slot && i < nr_run; i++)
			nr += take_page(&slot[i], pages);
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
