/*
 * pcp.c - per-CPU lists of free blocks of orders 0..3: where most requests end.
 *
 * THEORY.  The buddy of a zone is shared and locked.  In front of it each CPU has its own stacks of
 * blocks, one for each (order, zone, mobility), so that the common allocation and free touch
 * nothing that another CPU touches.  A stack is a bounded array with one committing word (see
 * <quarry/percpu.h>): pop and push need no lock and, where the port can restart them, no
 * interrupts off.  Last in, first out: the cache still knows the newest block.
 *
 * An empty stack is refilled with a batch under one zone lock; a full one gives back its oldest
 * batch.  The index of a block's stack is what its head's flags hold, in one shift, so a free looks
 * nothing up.
 *
 * STATE.  pcp_stack[PCP_STACKS], per CPU.  A stack's limit is its high mark; 0 takes it out of use.
 * Marks are in pages: a list of order k holds high >> k blocks, and moves batch >> k at a time.
 *
 * INVARIANTS, checked by mm_check_all():
 *   L1  a block on stack i has i in its flags, count 0, and no PG_ bit;
 *   L2  nr <= limit <= PERCPU_STACK_SLOTS, and bottom is NULL;
 *   L3  stacks of unused indices have limit 0.
 *
 * LOCKING.  None: only the own CPU touches its stacks; others ask it (pcp_drain_this_cpu() through
 * env_for_each_cpu()).  Slow paths switch interrupts off.
 *
 * CONTEXT.  Any.
 *
 * NOT HERE.  The fast path itself: zonelist.c.  Pop and push: the port.
 *
 * SOURCES.  Bonwick and Adams, "Magazines and vmem", USENIX 2001 (bounded per-CPU arrays).
 */
#include <quarry/align.h>
#include <quarry/mm.h>
#include <quarry/string.h>

#include "internal.h"

/* A zone's lists may hold this part of it on each CPU. */
#define PCP_ZONE_FRACTION 512ul

DEFINE_PER_CPU(struct percpu_stack, pcp_stack[PCP_STACKS]);

static bool enabled = true;

static unsigned int high_pages(const struct zone *z)
{
	unsigned long high = z->nr_managed / PCP_ZONE_FRACTION;

	return (unsigned int)min(high, (unsigned long)PERCPU_STACK_SLOTS);
}

static unsigned int batch_blocks(unsigned int limit)
{
	return max(limit / 2, 1u);
}

static void set_limits(unsigned int cpu)
{
	struct percpu_stack *stacks = per_cpu_ptr(&pcp_stack[0], cpu);

	for (unsigned int order = 0; order < PCP_ORDERS; order++) {
		for (unsigned int zone = 0; zone < NR_ZONES; zone++) {
			unsigned int limit = enabled ? high_pages(&zones[zone]) >> order : 0;

			for (unsigned int mob = 0; mob < NR_MOBILITIES; mob++)
				stacks[PCP_INDEX(order, zone, mob)].limit = limit;
		}
	}
}

/* What is above a lowered limit may not stay. */
static QAPI void set_limits_here(void *unused)
{
	(void)unused;
	set_limits(smp_cpu_id());
	pcp_drain_this_cpu();
}

QAPI void pcp_init(void)
{
	env_for_each_cpu(set_limits_here, NULL);
}

QAPI void pcp_enable(bool on)
{
	enabled = on;
	pcp_init();
}

/* Take up to @nr of the stack's oldest blocks; interrupts are off. */
static unsigned int take_oldest(struct percpu_stack *s, unsigned int nr, struct page **blocks)
{
	nr = min(nr, s->nr);
	memcpy(blocks, s->slot, nr * sizeof(*blocks));
	memmove(s->slot, s->slot + nr, (s->nr - nr) * sizeof(s->slot[0]));
	ADD_ONCE(s->nr, -nr);
	return nr;
}

QAPI struct page *pcp_refill(struct zone *z, unsigned int order, enum mobility mob,
			     unsigned long floor)
{
	struct percpu_stack *template = &pcp_stack[PCP_INDEX(order, z->type, mob)];
	struct page *blocks[PCP_BATCH_MAX + 1];
	unsigned int want = batch_blocks(this_cpu_ptr(template)->limit);
	unsigned int nr = zone_take_blocks(z, order, mob, floor, want, blocks);

	/* The last block is the caller's; what an interrupt left no room for goes back. */
	for (unsigned int i = 0; i + 1 < nr; i++) {
		if (!percpu_stack_push(template, blocks[i]))
			zone_give_blocks(z, 1, &blocks[i]);
	}
	return nr ? blocks[nr - 1] : NULL;
}

QAPI void pcp_free_slow(struct page *page)
{
	struct percpu_stack *template = &pcp_stack[pcp_index(page)];
	struct zone *z = page_zone(page);
	struct page *blocks[PCP_BATCH_MAX];
	unsigned long flags = irq_save();
	struct percpu_stack *s = this_cpu_ptr(template);
	unsigned int nr = 0;

	/* The push refused it for being on top: it is free, whatever its count said. */
	if (s->nr && s->slot[s->nr - 1] == page)
		page_bad(page, "is freed twice: it is the newest of its per-CPU list");
	if (s->nr >= s->limit)
		nr = take_oldest(s, batch_blocks(s->limit), blocks);
	if (s->nr < s->limit) {
		s->slot[s->nr] = page;
		ADD_ONCE(s->nr, 1);
		page = NULL;
	}
	irq_restore(flags);
	if (nr)
		zone_give_blocks(z, nr, blocks);
	if (page)
		zone_give_blocks(z, 1, &page);
}

QAPI void pcp_drain_this_cpu(void)
{
	for (unsigned int i = 0; i < PCP_STACKS; i++) {
		struct page *page;

		while ((page = percpu_stack_pop(&pcp_stack[i])) != NULL)
			zone_give_blocks(page_zone(page), 1, &page);
	}
}

QAPI void pcp_counts(unsigned int cpu, enum zone_type z, unsigned long *count, unsigned long *high,
		     unsigned long *batch)
{
	const struct percpu_stack *stacks = per_cpu_ptr(&pcp_stack[0], cpu);

	*count = 0;
	for (unsigned int order = 0; order < PCP_ORDERS; order++) {
		for (unsigned int mob = 0; mob < NR_MOBILITIES; mob++)
			*count += (unsigned long)READ_ONCE(stacks[PCP_INDEX(order, z, mob)].nr)
				  << order;
	}
	*high = stacks[PCP_INDEX(0, z, MOB_UNMOVABLE)].limit;
	*batch = *high ? batch_blocks((unsigned int)*high) : 0;
}

QAPI unsigned long pcp_nr_pages(void)
{
	unsigned long nr = 0;

	for (unsigned int cpu = 0; cpu < env_nr_cpus(); cpu++) {
		for (unsigned int z = 0; z < NR_ZONES; z++) {
			unsigned long count, high, batch;

			pcp_counts(cpu, (enum zone_type)z, &count, &high, &batch);
			nr += count;
		}
	}
	return nr;
}

static QAPI void drain_here(void *unused)
{
	(void)unused;
	pcp_drain_this_cpu();
}

QAPI void pcp_drain_all(void)
{
	env_for_each_cpu(drain_here, NULL);
}
