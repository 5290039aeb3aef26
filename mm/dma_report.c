/*
 * dma_report.c - DMA memory in words: what is wrong with a call, and what is this address?
 *
 * THEORY. A device is told addresses of the direct map, so whoever asks what an address is asks for
 * the virtual one.
 *
 * STATE.  None of its own.
 *
 * LOCKING.  whatis may be asked in the middle of a change, by a panic: its search takes no lock,
 * goes down no further than a tree can be deep, and follows a link only if it leads to lowmem,
 * where every record is.
 *
 * CONTEXT.  Any.
 *
 * NOT HERE.  All of it: dma_show.c.
 */
#include <quarry/bug.h>
#include <quarry/mm.h>
#include <quarry/out.h>

#include "dma.h"
#include "vmalloc.h"

#define DEPTH_MAX 64u /* of a red-black tree of all the pages that 32 bits address: 40 */

QAPI const char *dma_direction_name(enum dma_data_direction dir)
{
	static const char *const names[] = { "both", "to-device", "from-device" };

	return dir < DMA_NONE ? names[dir] : "none";
}

static const char *kind_of(const struct dma_mem *m)
{
	return m->kind == DMA_COHERENT ? "coherent" : "bounced";
}

__cold QAPI void dma_mem_mismatch(const struct dma_mem *m, const struct dma_mem *want,
				  const char *who)
{
	const char *dev = want->dev->name;

	if (m->pa != want->pa)
		panic("%s(%s): 0x%llx is not the start, which is 0x%llx", who, dev, want->pa,
		      m->pa);
	if (m->dev != want->dev)
		panic("%s(%s): 0x%llx is of the device %s", who, dev, want->pa, m->dev->name);
	if (m->size != want->size)
		panic("%s(%s): 0x%llx has %zu bytes, not %zu", who, dev, want->pa, m->size,
		      want->size);
	panic("%s(%s): 0x%llx was mapped %s, not %s", who, dev, want->pa,
	      dma_direction_name(m->dir), dma_direction_name(want->dir));
}

/* ---- whatis ------------------------------------------------------------------------------ */

static __racy_report const struct dma_mem *mem_at(phys_addr_t pa)
{
	const struct rb_node *node;
	struct dma_state s;

	dma_state_get(&s);
	node = READ_ONCE(s.tree->top);
	for (unsigned int i = 0; i < DEPTH_MAX && lowmem_page(node); i++) {
		const struct dma_mem *m = rb_entry(node, struct dma_mem, node);

		if (m->pa <= pa && pa < m->pa + m->size)
			return m;
		node = READ_ONCE(node->child[pa < m->pa ? RB_LEFT : RB_RIGHT]);
	}
	return NULL;
}

static __racy_report QAPI bool describe_dma(struct out *o, uintptr_t va)
{
	const struct dma_mem *m;

	if (!virt_addr_valid((const void *)va))
		return false;
	if (dma_pool_describe(o, va))
		return true;
	m = mem_at(va_to_pa((const void *)va));
	if (!m)
		return false;
	out_printf(o, "dma kind=%s handle=0x%08llx size=%zu offset=%lu", kind_of(m), m->pa, m->size,
		   (unsigned long)(va_to_pa((const void *)va) - m->pa));
	if (m->kind == DMA_BOUNCE)
		out_printf(o, " original=0x%08llx dir=%s", m->original, dma_direction_name(m->dir));
	out_printf(o, " by=");
	vm_caller_show(o, m->caller);
	out_printf(o, " dev=%s\n", m->dev->name);
	return true;
}

__init QAPI void dma_init(void)
{
	static struct whatis_source source = { .describe = describe_dma };

	whatis_register(&source);
}
