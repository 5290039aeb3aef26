/*
 * dma_show.c - all DMA memory as text: a line for each piece, each pool, and the totals.
 *
 * LOCKING. One piece at a time is copied under the lock and printed after it, because a sink may be
 * slow; the next one is the lowest above it at that moment. A device must live as long as what it
 * was given: its name is read after the lock was left.
 *
 * CONTEXT.  Any.
 */
#include <quarry/align.h>
#include <quarry/out.h>

#include "dma.h"
#include "vmalloc.h"

static void show_mem(struct out *o, const struct dma_mem *m)
{
	if (m->kind == DMA_COHERENT)
		out_printf(o, "coherent handle=0x%08llx va=0x%08lx size=%zu", m->pa,
			   (unsigned long)(uintptr_t)dma_mem_va(m), m->size);
	else
		out_printf(o, "bounced handle=0x%08llx original=0x%08llx size=%zu dir=%s", m->pa,
			   m->original, m->size, dma_direction_name(m->dir));
	out_printf(o, " by=");
	vm_caller_show(o, m->caller);
	out_printf(o, " dev=%s\n", m->dev->name);
}

static void show_pool(struct out *o, const struct dma_pool_state *s)
{
	const struct dma_pool *p = &s->pool;

	out_printf(
		o,
		"pool name=%s size=%zu align=%zu boundary=%zu limit=0x%08llx in_use=%lu dev=%s\n",
		p->name, p->size, p->align, p->boundary, (dma_addr_t)s->limit << PAGE_SHIFT,
		s->nr_in_use, p->dev->name);
}

QAPI void dma_show(struct out *o)
{
	struct dma_pool_state pool;
	struct dma_counts c;
	struct dma_mem m;

	for (phys_addr_t pa = 0; dma_mem_copy(pa, &m); pa = m.pa + m.size)
		show_mem(o, &m);
	for (unsigned int i = 0; dma_pool_copy(i, &pool); i++)
		show_pool(o, &pool);
	dma_count(&c);
	out_printf(o, "total coherent=%lu bytes=%lu bounced=%lu bytes=%lu failed=%lu\n",
		   c.nr_coherent, c.coherent_bytes, c.nr_bounces, c.bounce_bytes, c.nr_failed);
}
