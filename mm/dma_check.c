/*
 * dma_check.c - the invariants of DMA memory, verified: D1 to D3 of dma.c.
 *
 * IDEA.  A violation is printed and counted, and the check goes on.
 *
 * LOCKING.  dma_lock is held while all records are walked; what is broken is printed under it.
 *
 * CONTEXT.  Any.
 *
 * NOT HERE.  Pools: they are caches, and slab_check.c looks after their limit.
 */
#include <quarry/align.h>
#include <quarry/mm.h>
#include <quarry/printk.h>

#include "dma.h"
#include "internal.h"

/* The pages of a block are in use by its head; those of a split one each for itself. */
static unsigned int check_pages(const struct dma_mem *m)
{
	pfn_t first = (pfn_t)(m->pa >> PAGE_SHIFT);
	unsigned long nr = DIV_ROUND_UP(m->size, PAGE_SIZE);
	unsigned int nr_bad = 0;

	if ((m->pa & (PAGE_SIZE - 1)) || !m->size || first + nr > mm_layout.lowmem_end_pfn) {
		BAD(nr_bad, "dma_check: D2 broken: 0x%llx, %zu bytes, is no lowmem\n", m->pa,
		    m->size);
		return nr_bad;
	}
	for (pfn_t pfn = first; pfn < first + nr; pfn++) {
		const struct page *page = pfn_to_page(pfn);
		bool has_count = pfn == first || (nr & (nr - 1));

		if ((page->flags & PG_FREE_FORBIDDEN) ||
		    atomic_read(&page->_count) != (has_count ? 1 : 0))
			BAD(nr_bad, "dma_check: D2 broken: pfn %#lx flags %08lx count %d\n", pfn,
			    page->flags, atomic_read(&page->_count));
	}
	return nr_bad;
}

static void tally(struct dma_counts *t, const struct dma_mem *m)
{
	bool bounced = m->kind == DMA_BOUNCE;

	t->nr_bounces += bounced;
	t->bounce_bytes += bounced ? m->size : 0;
	t->nr_coherent += !bounced;
	t->coherent_bytes += bounced ? 0 : m->size;
}

static unsigned int check_tree(const struct dma_state *s, struct dma_counts *t)
{
	unsigned int nr_bad = 0;
	phys_addr_t end = 0;

	for (const struct rb_node *n = rb_first(s->tree); n; n = rb_next(n)) {
		const struct dma_mem *m = rb_entry(n, struct dma_mem, node);

		if (m->pa < end)
			BAD(nr_bad, "dma_check: D1 broken: 0x%llx lies below 0x%llx\n", m->pa, end);
		end = m->pa + m->size;
		nr_bad += check_pages(m);
		tally(t, m);
	}
	return nr_bad;
}

QAPI unsigned int dma_check(void)
{
	struct dma_counts t = { 0 };
	unsigned int nr_bad;
	struct dma_state s;
	unsigned long flags;

	dma_state_get(&s);
	flags = spin_lock_irqsave(s.lock);
	nr_bad = check_tree(&s, &t);
	if (t.nr_coherent != s.counts->nr_coherent ||
	    t.coherent_bytes != s.counts->coherent_bytes || t.nr_bounces != s.counts->nr_bounces ||
	    t.bounce_bytes != s.counts->bounce_bytes || t.nr_bounces != dma_nr_bounces)
		BAD(nr_bad,
		    "dma_check: D3 broken: coherent %lu/%lu bytes %lu/%lu bounced %lu/%lu bytes "
		    "%lu/%lu\n",
		    t.nr_coherent, s.counts->nr_coherent, t.coherent_bytes,
		    s.counts->coherent_bytes, t.nr_bounces, s.counts->nr_bounces, t.bounce_bytes,
		    s.counts->bounce_bytes);
	spin_unlock_irqrestore(s.lock, flags);
	return nr_bad;
}
