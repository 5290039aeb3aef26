/*
 * dma.c - the records of DMA memory broken one at a time: dma_check() finds each, and names it.
 *
 * THEORY.  Two pieces of coherent memory and a bounced one have records of every kind; a record is
 * changed, the violations are counted, and it is changed back.
 *
 * CONTEXT.  Thread.
 */
#include "../../../mm/dma.h"
#include "../helpers.h"

#include <quarry/ktest.h>
#include <quarry/mm.h>
#include <quarry/sizes.h>

#define PIECE (3 * PAGE_SIZE) /* no power of two: each page has a reference */

struct pieces {
	struct page *page; /* that is bounced */
	void *va[2];
	dma_addr_t handle[2], bounced;
	struct dma_mem *mem[3]; /* the records of both, and of the bounced one */
};

static struct device any = DEVICE_INIT("any"), near;

static struct dma_mem *record_of(dma_addr_t handle)
{
	struct dma_state s;

	dma_state_get(&s);
	for (struct rb_node *n = rb_first(s.tree); n; n = rb_next(n)) {
		struct dma_mem *m = rb_entry(n, struct dma_mem, node);

		if (m->pa == handle)
			return m;
	}
	return NULL;
}

static bool pieces_take(struct ktest *t, struct pieces *p)
{
	p->page = alloc_page(GFP_KERNEL);
	for (unsigned int i = 0; i < 2; i++) {
		p->va[i] = dma_alloc_coherent(&any, PIECE, &p->handle[i], GFP_KERNEL);
		EXPECT_NE(t, NULL, p->va[i]);
		p->mem[i] = record_of(p->handle[i]);
	}
	EXPECT_NE(t, NULL, p->page);
	near = any;
	near.dma_mask = page_to_phys(p->page) - 1;
	p->bounced = dma_map_page(&near, p->page, 0, 100, DMA_TO_DEVICE);
	EXPECT_EQ(t, 0, dma_mapping_error(&near, p->bounced));
	p->mem[2] = record_of(p->bounced);
	EXPECT_TRUE(t, p->mem[0] && p->mem[1] && p->mem[2]);
	EXPECT_EQ(t, 0, dma_check());
	return !t->nr_failed;
}

/* The records must be as they were. */
static void pieces_give(struct ktest *t, struct pieces *p)
{
	EXPECT_EQ(t, 0, dma_check());
	dma_unmap_page(&near, p->bounced, 100, DMA_TO_DEVICE);
	for (unsigned int i = 0; i < 2; i++)
		dma_free_coherent(&any, PIECE, p->va[i], p->handle[i]);
	__free_page(p->page);
}

/* @nr violations are found now, of @invariant one at least. */
static void expect_broken(struct ktest *t, unsigned int nr, const char *invariant)
{
	struct capture *c = capture_begin();
	unsigned int nr_found = dma_check();

	capture_end(c);
	EXPECT_EQ(t, nr, nr_found);
	EXPECT_EQ(t, nr, capture_count(c, "dma_check: "));
	EXPECT_GE(t, 1, capture_count(c, invariant));
}

KTEST_NEEDS(dma_records, two_at_one_address_are_found, .ram_mib = 16)
{
	struct pieces p;

	ASSERT_TRUE(t, pieces_take(t, &p));
	p.mem[0]->pa = p.handle[1];
	expect_broken(t, 1, "D1 broken: ");
	p.mem[0]->pa = p.handle[0];
	pieces_give(t, &p);
}

KTEST_NEEDS(dma_records, an_address_or_a_size_that_cannot_be_is_found, .ram_mib = 16)
{
	struct dma_mem *last;
	phys_addr_t pa;
	struct pieces p;

	ASSERT_TRUE(t, pieces_take(t, &p));
	p.mem[2]->pa++;
	expect_broken(t, 1, "D2 broken: ");
	p.mem[2]->pa--;
	p.mem[2]->size = 0;
	expect_broken(t, 2, "D2 broken: ");
	p.mem[2]->size = 100;
	last = p.mem[p.handle[0] > p.handle[1] ? 0 : 1];
	last = last->pa > p.bounced ? last : p.mem[2];
	pa = last->pa;
	last->pa = (phys_addr_t)mm_layout.lowmem_end_pfn << PAGE_SHIFT;
	expect_broken(t, 1, "D2 broken: ");
	last->pa = pa;
	pieces_give(t, &p);
}

KTEST_NEEDS(dma_records, pages_that_are_free_shared_or_a_slabs_are_found, .ram_mib = 16)
{
	struct page *page;
	struct pieces p;

	ASSERT_TRUE(t, pieces_take(t, &p));
	page = virt_to_page(p.va[1]) + PIECE / PAGE_SIZE - 1;
	for (int nr = 0; nr <= 2; nr += 2) {
		atomic_set(&page->_count, nr);
		expect_broken(t, 1, "D2 broken: ");
	}
	atomic_set(&page->_count, 1);
	page->flags |= PG_slab;
	expect_broken(t, 1, "D2 broken: ");
	page->flags &= ~(unsigned long)PG_slab;
	pieces_give(t, &p);
}

KTEST_NEEDS(dma_records, each_sum_that_is_wrong_is_found, .ram_mib = 16)
{
	struct dma_counts *counts;
	struct dma_state s;
	struct pieces p;

	ASSERT_TRUE(t, pieces_take(t, &p));
	dma_state_get(&s);
	counts = (struct dma_counts *)(uintptr_t)s.counts;
	unsigned long *const sums[] = { &counts->nr_coherent, &counts->coherent_bytes,
					&counts->nr_bounces, &counts->bounce_bytes,
					&dma_nr_bounces };

	for (unsigned int i = 0; i < ARRAY_SIZE(sums); i++) {
		++*sums[i];
		expect_broken(t, 1, "D3 broken: ");
		--*sums[i];
	}
	p.mem[2]->kind = DMA_COHERENT;
	expect_broken(t, 1, "D3 broken: ");
	p.mem[2]->kind = DMA_BOUNCE;
	pieces_give(t, &p);
}
