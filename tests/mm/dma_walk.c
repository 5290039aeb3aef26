/*
 * dma_walk.c - a random walk of coherent memory, mappings and blocks of pools.
 *
 * THEORY.  A table of slots; each step fills an empty one or empties a full one.  Every piece has a
 * byte that says whose it is, which is verified before the piece goes: of a mapping through its
 * handle, as the device would see it.  The validators run at intervals.
 *
 * STATE.  The slots, two pools.
 */
#include "helpers.h"

#include <quarry/dmapool.h>
#include <quarry/highmem.h>
#include <quarry/sizes.h>
#include <quarry/string.h>

#define NR_SLOTS      48u
#define DEFAULT_STEPS 4000ul
#define CHECKS        20u
#define SIZE_MAX_     (40u * 1024u)
#define NR_POOLS      2u
#define STEP_COST     8ul /* steps of other walks that one here takes as long as: it fills memory */

enum kind { EMPTY, COHERENT, MAPPED, BLOCK, NR_KINDS };

struct slot {
	enum kind kind;
	size_t size, offset;
	unsigned char mark;
	unsigned int which; /* device and pool */
	enum dma_data_direction dir;
	dma_addr_t handle;
	char *va;           /* of COHERENT and BLOCK */
	struct page *pages; /* of MAPPED */
	unsigned int order;
};

static struct slot slots[NR_SLOTS];
static struct dma_pool *pools[NR_POOLS];

/* One that reaches all of lowmem, and one that does not. */
static struct device devices[NR_POOLS] = { DEVICE_INIT("walk-any"),
					   { "walk-23", 8 * MiB - 1, 8 * MiB - 1 } };

static char *seen_by_device(const struct slot *s)
{
	return s->handle < mm_layout.lowmem_end ? pa_to_va(s->handle) : NULL;
}

static void write_original(const struct slot *s)
{
	for (size_t i = 0; i < s->size; i += 512)
		memcpy_to_page(s->pages + (s->offset + i) / PAGE_SIZE, (s->offset + i) % PAGE_SIZE,
			       &s->mark, 1);
}

static bool fill_mapped(struct ktest *t, struct slot *s)
{
	s->order = ktest_random_below(t, 4);
	s->pages = alloc_pages(GFP_KERNEL | __GFP_HIGHMEM | __GFP_NOWARN, s->order);
	if (!s->pages)
		return false;
	s->offset = ktest_random_below(t, (uint32_t)PAGE_SIZE);
	s->size = 1 + ktest_random_below(t, (uint32_t)((PAGE_SIZE << s->order) - s->offset));
	s->dir = (enum dma_data_direction)ktest_random_below(t, DMA_NONE);
	write_original(s);
	s->handle = dma_map_page(&devices[s->which], s->pages, s->offset, s->size, s->dir);
	if (!dma_mapping_error(&devices[s->which], s->handle))
		return true;
	__free_pages(s->pages, s->order);
	return false;
}

static bool fill_slot(struct ktest *t, struct slot *s)
{
	s->which = ktest_random_below(t, NR_POOLS);
	s->mark = (unsigned char)ktest_random(t);
	if (s->kind == MAPPED)
		return fill_mapped(t, s);
	if (s->kind == BLOCK) {
		s->size = pools[s->which]->size;
		s->va = dma_pool_alloc(pools[s->which], GFP_KERNEL | __GFP_NOWARN, &s->handle);
	} else {
		s->size = 1 + ktest_random_below(t, SIZE_MAX_);
		s->va = dma_alloc_coherent(&devices[s->which], s->size, &s->handle,
					   GFP_KERNEL | __GFP_NOWARN);
	}
	if (!s->va)
		return false;
	EXPECT_TRUE(t, va_to_pa(s->va) == s->handle &&
			       s->handle + s->size - 1 <= devices[s->which].coherent_dma_mask);
	memset(s->va, s->mark, s->size);
	return true;
}

/* The device writes the first byte, if it may; what it wrote, or what was there, comes back. */
static void empty_mapped(struct ktest *t, struct slot *s)
{
	char *seen = seen_by_device(s), byte;

	if (seen) {
		EXPECT_EQ(t, s->mark, (unsigned char)*seen);
		*seen = (char)~s->mark;
	}
	dma_unmap_page(&devices[s->which], s->handle, s->size, s->dir);
	memcpy_from_page(&byte, s->pages, s->offset, 1);
	if (seen && (s->dir != DMA_TO_DEVICE || s->handle == page_to_phys(s->pages) + s->offset))
		EXPECT_EQ(t, (unsigned char)~s->mark, (unsigned char)byte);
	else
		EXPECT_EQ(t, s->mark, (unsigned char)byte);
	__free_pages(s->pages, s->order);
}

static void empty_slot(struct ktest *t, struct slot *s)
{
	if (s->kind == MAPPED) {
		empty_mapped(t, s);
	} else {
		EXPECT_EQ(t, NULL, memchr_inv(s->va, s->mark, s->size));
		if (s->kind == BLOCK)
			dma_pool_free(pools[s->which], s->va, s->handle);
		else
			dma_free_coherent(&devices[s->which], s->size, s->va, s->handle);
	}
	s->kind = EMPTY;
}

KTEST_NEEDS(dma_walk, random_pieces_keep_every_invariant, .ram_mib = 16)
{
	unsigned long steps = ktest_steps(t, DEFAULT_STEPS) / STEP_COST, nr_filled = 0;

	for (unsigned int i = 0; i < NR_POOLS; i++) {
		pools[i] = dma_pool_create("walk", &devices[i], 100 + 900 * i, 0, 1024);
		ASSERT_NE(t, NULL, pools[i]);
	}
	for (unsigned long i = 0; i < steps && !t->nr_failed; i++) {
		struct slot *s = &slots[ktest_random_below(t, NR_SLOTS)];

		if (s->kind != EMPTY) {
			empty_slot(t, s);
		} else {
			s->kind = (enum kind)(1 + ktest_random_below(t, NR_KINDS - 1));
			if (fill_slot(t, s))
				nr_filled++;
			else
				s->kind = EMPTY;
		}
		if (i % (steps / CHECKS + 1) == 0)
			EXPECT_EQ(t, 0, dma_check());
	}
	EXPECT_EQ(t, 0, mm_check_all());
	for (struct slot *s = slots; s < slots + NR_SLOTS; s++)
		if (s->kind != EMPTY)
			empty_slot(t, s);
	for (unsigned int i = 0; i < NR_POOLS; i++)
		EXPECT_EQ(t, 0, dma_pool_destroy(pools[i]));
	EXPECT_GE(t, steps / 3, nr_filled);
}
