/*
 * dma.c - memory that a device reaches: pages below its mask, and the records of who has which.
 *
 * THEORY.  A device drives so many address lines, which is seldom where a zone ends.  Asking for
 * ZONE_DMA whenever the mask is less than all memory would leave most of what a device reaches out,
 * and ZONE_DMA to be fought for.  So the mask becomes a limit, a frame number: the page
 * allocator takes pages of the highest zone that begins below it, those that lie below it, and then
 * goes down the zones as always (zonelist.c, page_alloc.c).
 *
 *	mask beyond lowmem     an ordinary request
 *	mask at a zone's end   an ordinary request of that zone
 *	mask within a zone     the frames below the limit are searched, from it downwards
 *
 * Whoever got memory must give back the same, so each piece has a record in a tree that is ordered
 * by address.  In it is what nobody should have to believe: device, size, and of a copy its
 * direction and what it is a copy of.
 *
 * STATE.  tree, counts.
 *
 * INVARIANTS, all checked by dma_check():
 *   D1  the records are in ascending order of address, and do not overlap;
 *   D2  the pages of each are in use, lowmem, and nobody else's;
 *   D3  counts is the sum over the records, and dma_nr_bounces the number of the bounced.
 * Always: what a device is given lies within its mask (BUG_ON at each allocation).
 *
 * LOCKING. dma_lock, irq-safe, a leaf, guards the tree and the counts. What a record says does not
 * change while it is in the tree; one that was taken out is the taker's.
 *
 * CONTEXT.  Any; allocations as their mask says.
 *
 * NOT HERE.  Copies: dma_map.c.  Small blocks: dma_pool.c.  Words: dma_report.c.
 */
#include <quarry/align.h>
#include <quarry/bits.h>
#include <quarry/bug.h>
#include <quarry/env.h>
#include <quarry/errno.h>
#include <quarry/gfp.h>
#include <quarry/printk.h>
#include <quarry/slab.h>
#include <quarry/string.h>

#include "dma.h"
#include "internal.h"

/* What dma_alloc_coherent() decides by itself. */
#define GFP_IGNORED (GFP_PLACE_MASK | __GFP_COMP | __GFP_ZERO)

static struct rb_root tree;
static struct dma_counts counts;
static spinlock_t dma_lock = SPINLOCK_INIT;
unsigned long dma_nr_bounces;

/* ---- masks ------------------------------------------------------------------------------- */

QAPI pfn_t dma_limit(uint64_t mask)
{
	uint64_t nr = (mask >> PAGE_SHIFT) + ((mask & (PAGE_SIZE - 1)) == PAGE_SIZE - 1);

	return (pfn_t)min(nr, (uint64_t)mm_layout.lowmem_end_pfn);
}

/* Does any page of the allocator's lie below @limit? */
static bool has_memory_below(pfn_t limit)
{
	for (pfn_t pfn = 0; pfn < limit; pfn++) {
		if (!(READ_ONCE(pfn_to_page(pfn)->flags) & PG_reserved))
			return true;
	}
	return false;
}

static int check_mask(uint64_t mask)
{
	if (mask & (mask + 1))
		return -EINVAL;
	return has_memory_below(dma_limit(mask)) ? 0 : -EIO;
}

QAPI int dma_set_mask(struct device *dev, uint64_t mask)
{
	int err = check_mask(mask);

	if (!err)
		dev->dma_mask = mask;
	return err;
}

QAPI int dma_set_coherent_mask(struct device *dev, uint64_t mask)
{
	int err = check_mask(mask);

	if (!err)
		dev->coherent_dma_mask = mask;
	return err;
}

QAPI int dma_set_mask_and_coherent(struct device *dev, uint64_t mask)
{
	int err = dma_set_mask(dev, mask);

	if (!err)
		dev->coherent_dma_mask = mask;
	return err;
}

/* ---- pages ------------------------------------------------------------------------------- */

static unsigned long nr_pages_of(size_t size)
{
	return DIV_ROUND_UP(size, PAGE_SIZE);
}

/* As many pages as @size needs; what the block has beyond them is given back. */
static struct page *take_pages(size_t size, uint64_t mask, gfp_t gfp)
{
	unsigned long nr = nr_pages_of(size);
	unsigned int order = log2_roundup(nr);
	struct page *page = alloc_pages_below(gfp, order, dma_limit(mask));

	if (!page || nr == 1ul << order)
		return page;
	split_page(page, order);
	for (unsigned long i = nr; i < 1ul << order; i++)
		__free_page(page + i);
	return page;
}

/* A number that is no power of two was split. */
static void give_pages(struct page *page, unsigned long nr)
{
	if (is_power_of_2(nr)) {
		__free_pages(page, bit_lowest(nr));
		return;
	}
	for (unsigned long i = 0; i < nr; i++)
		__free_page(page + i);
}

/* ---- records ----------------------------------------------------------------------------- */

/* Not inline: reports know the record by who took it. */
__noinline QAPI struct dma_mem *dma_mem_get(size_t size, uint64_t mask, gfp_t gfp)
{
	struct dma_mem *m = kmalloc(sizeof(*m), gfp | __GFP_NOWARN);
	struct page *page;

	if (!m)
		return NULL;
	page = take_pages(size, mask, gfp | __GFP_NOWARN);
	if (!page) {
		kfree(m);
		return NULL;
	}
	m->pa = page_to_phys(page);
	m->size = size;
	BUG_ON(m->pa + (size - 1) > mask);
	return m;
}

QAPI void dma_mem_put(struct dma_mem *m)
{
	give_pages(virt_to_page(dma_mem_va(m)), nr_pages_of(m->size));
	kfree(m);
}

static void count(const struct dma_mem *m, bool more) __must_hold(dma_lock)
{
	unsigned long *nr = m->kind == DMA_BOUNCE ? &counts.nr_bounces : &counts.nr_coherent;
	unsigned long *bytes =
		m->kind == DMA_BOUNCE ? &counts.bounce_bytes : &counts.coherent_bytes;

	*nr += more ? 1 : -1ul;
	*bytes += more ? m->size : -m->size;
	WRITE_ONCE(dma_nr_bounces, counts.nr_bounces);
}

QAPI void dma_mem_insert(struct dma_mem *m)
{
	unsigned long flags = spin_lock_irqsave(&dma_lock);
	struct rb_node *parent = NULL, *node = tree.top;
	unsigned int side = RB_LEFT;

	while (node) {
		parent = node;
		side = m->pa < rb_entry(node, struct dma_mem, node)->pa ? RB_LEFT : RB_RIGHT;
		node = node->child[side];
	}
	rb_insert(&tree, &m->node, parent, side);
	count(m, true);
	spin_unlock_irqrestore(&dma_lock, flags);
}

/* The lowest record that ends above @pa; NULL: none. */
static struct dma_mem *mem_from(phys_addr_t pa) __must_hold(dma_lock)
{
	struct rb_node *node = tree.top;
	struct dma_mem *found = NULL;

	while (node) {
		struct dma_mem *m = rb_entry(node, struct dma_mem, node);
		bool below = m->pa + m->size <= pa;

		found = below ? found : m;
		node = node->child[below ? RB_RIGHT : RB_LEFT];
	}
	return found;
}

/* The record that @pa lies in; NULL: none. */
static struct dma_mem *mem_at(phys_addr_t pa) __must_hold(dma_lock)
{
	struct dma_mem *m = mem_from(pa);

	return m && m->pa <= pa ? m : NULL;
}

static bool matches(const struct dma_mem *m, const struct dma_mem *want)
{
	return m->pa == want->pa && m->size == want->size && m->dev == want->dev &&
	       m->dir == want->dir;
}

QAPI struct dma_mem *dma_mem_take(const struct dma_mem *want, const char *who)
{
	unsigned long flags = spin_lock_irqsave(&dma_lock);
	struct dma_mem *m = mem_at(want->pa);
	bool right;

	if (m && m->kind != want->kind)
		m = NULL;
	right = m && matches(m, want);
	if (right) {
		rb_erase(&tree, &m->node);
		count(m, false);
	}
	spin_unlock_irqrestore(&dma_lock, flags);
	if (m && !right)
		dma_mem_mismatch(m, want, who);
	return m;
}

QAPI const struct dma_mem *dma_bounce_find(phys_addr_t pa)
{
	unsigned long flags = spin_lock_irqsave(&dma_lock);
	const struct dma_mem *m = mem_at(pa);

	spin_unlock_irqrestore(&dma_lock, flags);
	return m && m->kind == DMA_BOUNCE ? m : NULL;
}

QAPI bool dma_mem_copy(phys_addr_t pa, struct dma_mem *copy)
{
	unsigned long flags = spin_lock_irqsave(&dma_lock);
	const struct dma_mem *m = mem_from(pa);

	if (m)
		*copy = *m;
	spin_unlock_irqrestore(&dma_lock, flags);
	return m != NULL;
}

QAPI void dma_mapping_failed(void)
{
	unsigned long flags = spin_lock_irqsave(&dma_lock);

	counts.nr_failed++;
	spin_unlock_irqrestore(&dma_lock, flags);
}

QAPI void dma_count(struct dma_counts *c)
{
	unsigned long flags = spin_lock_irqsave(&dma_lock);

	*c = counts;
	spin_unlock_irqrestore(&dma_lock, flags);
}

QAPI void dma_state_get(struct dma_state *s)
{
	*s = (struct dma_state){ &dma_lock, &tree, &counts };
}

/* ---- coherent memory --------------------------------------------------------------------- */

static __cold void report_failure(const struct device *dev, size_t size, gfp_t gfp)
{
	if (gfp & __GFP_NOWARN)
		return;
	pr_warn("%s: no coherent memory of %zu bytes up to 0x%llx\n", dev->name, size,
		(dma_addr_t)dev->coherent_dma_mask);
	if (size && size <= DMA_SIZE_MAX)
		alloc_failed(gfp, log2_roundup(nr_pages_of(size)));
}

QAPI void *dma_alloc_coherent(struct device *dev, size_t size, dma_addr_t *handle, gfp_t gfp)
{
	struct dma_mem *m = NULL;
	void *va;

	BUG_ON((gfp & __GFP_WAIT) && !env_can_sleep());
	BUG_ON(gfp & (__GFP_NOFAIL | ~__GFP_ALL));
	gfp &= ~GFP_IGNORED;
	if (size && size <= DMA_SIZE_MAX)
		m = dma_mem_get(size, dev->coherent_dma_mask, gfp);
	if (!m) {
		report_failure(dev, size, gfp);
		return NULL;
	}
	m->kind = DMA_COHERENT;
	m->dir = DMA_BIDIRECTIONAL;
	m->dev = dev;
	m->caller = __builtin_return_address(0);
	*handle = m->pa;
	va = dma_mem_va(m);
	dma_mem_insert(m);
	return memset32(va, 0, nr_pages_of(size) * (PAGE_SIZE / sizeof(uint32_t)));
}

QAPI void dma_free_coherent(struct device *dev, size_t size, void *va, dma_addr_t handle)
{
	struct dma_mem want = {
		.size = size, .kind = DMA_COHERENT, .dir = DMA_BIDIRECTIONAL, .dev = dev
	};
	struct dma_mem *m = NULL;

	if (!va)
		return;
	if (virt_addr_valid(va)) {
		want.pa = va_to_pa(va);
		if (want.pa != handle)
			panic("dma_free_coherent(%s): %p has not the handle 0x%llx", dev->name, va,
			      handle);
		m = dma_mem_take(&want, "dma_free_coherent");
	}
	if (!m)
		panic("dma_free_coherent(%s): %p is no coherent memory, or was freed before",
		      dev->name, va);
	dma_mem_put(m);
}
