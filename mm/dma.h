/*
 * Layer: mm
 * dma.h - what the files of DMA share: the records of coherent and of bounced memory.
 */
#ifndef MM_DMA_H
#define MM_DMA_H

#include <quarry/dma.h>
#include <quarry/dmapool.h>
#include <quarry/rbtree.h>
#include <quarry/spinlock.h>
#include <quarry/whatis.h>

enum dma_kind { DMA_COHERENT, DMA_BOUNCE };

/* Memory that a device was given: a record, from kmalloc(). */
struct dma_mem {
	struct rb_node node;
	phys_addr_t pa; /* of the first byte: the handle */
	size_t size;    /* bytes that were asked for; whole pages are taken */
	enum dma_kind kind;
	enum dma_data_direction dir; /* of DMA_COHERENT: both */
	phys_addr_t original;        /* of DMA_BOUNCE: what it is a copy of */
	const struct device *dev;
	const void *caller;
};

/* What dma.c has; read it under the lock.  The tree is ordered by address. */
struct dma_state {
	spinlock_t *lock;
	const struct rb_root *tree;
	const struct dma_counts *counts;
};

QAPI void dma_state_get(struct dma_state *s);

/* ---- dma.c ------------------------------------------------------------------------------- */

/* The first frame that a device with @mask does not reach in full; of lowmem, at most its end. */
QAPI pfn_t dma_limit(uint64_t mask);

/* A record with pages for @size bytes within @mask, in no tree yet; NULL: no memory. */
QAPI struct dma_mem *dma_mem_get(size_t size, uint64_t mask, gfp_t gfp);

/* Give back what is in no tree any more. */
QAPI void dma_mem_put(struct dma_mem *m);

QAPI void dma_mem_insert(struct dma_mem *m);

/*
 * Take the memory that @want describes out of the tree.  NULL: none of that kind is at @want->pa.
 * Memory that is not so, in start, device, size or direction, is a panic: "@who(...".
 */
QAPI struct dma_mem *dma_mem_take(const struct dma_mem *want, const char *who);

/* The bounced memory that @pa lies in; NULL: none. */
QAPI const struct dma_mem *dma_bounce_find(phys_addr_t pa);

/* Copy the lowest record that ends above @pa; false: there is none. */
QAPI bool dma_mem_copy(phys_addr_t pa, struct dma_mem *copy);

/* One mapping more found no memory for a copy. */
QAPI void dma_mapping_failed(void);

static inline void *dma_mem_va(const struct dma_mem *m)
{
	return pa_to_va(m->pa);
}

/* ---- dma_pool.c -------------------------------------------------------------------------- */

/* Copy the pool number @i, with the blocks in use and the pages; false: there are no more. */
struct dma_pool_state {
	struct dma_pool pool;
	pfn_t limit;
	unsigned long nr_in_use;
};

QAPI bool dma_pool_copy(unsigned int i, struct dma_pool_state *copy);

/* A line on the block that @va lies in; false: it is in no pool. */
QAPI bool dma_pool_describe(struct out *o, uintptr_t va);

/* ---- dma_report.c ------------------------------------------------------------------------ */

QAPI const char *dma_direction_name(enum dma_data_direction dir);

/* @m is not what @want says: stop. */
QAPI void dma_mem_mismatch(const struct dma_mem *m, const struct dma_mem *want, const char *who)
	__noreturn __cold;

/* ---- boot -------------------------------------------------------------------------------- */

QAPI void dma_init(void);

#endif
