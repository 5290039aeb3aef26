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
#define REACH_23      (8u * 1024u * 1024u - 1)
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
					   { "walk-23", REACH_23, REACH_23 } };

static unsigned int nr_of(const struct slot *s)
{
	return (unsigned int)(s - slots);
}

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
	unsigned int nr = nr_of(s);

	s->order = ktest_random_below(t, 4);
	ktest_tell(t, "pages[%u] = alloc_pages(GFP_HIGHUSER | __GFP_NOWARN, %u);", nr, s->order);
	s->pages = alloc_pages(GFP_KERNEL | __GFP_HIGHMEM | __GFP_NOWARN, s->order);
	if (!s->pages)
		return false;
	s->offset = ktest_random_below(t, (uint32_t)PAGE_SIZE);
	s->size = 1 + ktest_random_below(t, (uint32_t)((PAGE_SIZE << s->order) - s->offset));
	s->dir = (enum dma_data_direction)ktest_random_below(t, DMA_NONE);
	write_original(s);
	ktest_tell(t, "handle[%u] = dma_map_page(&devices[%u], pages[%u], %zu, %zu, %u);", nr,
		   s->which, nr, s->offset, s->size, s->dir);
	s->handle = dma_map_page(&devices[s->which], s->pages, s->offset, s->size, s->dir);
	if (!dma_mapping_error(&devices[s->which], s->handle))
		return true;
	ktest_tell(t, "__free_pages(pages[%u], %u);", nr, s->order);
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
		ktest_tell(t, "va[%u] = dma_pool_alloc(pools[%u], GFP_KERNEL, &handle[%u]);",
			   nr_of(s), s->which, nr_of(s));
		s->va = dma_pool_alloc(pools[s->which], GFP_KERNEL | __GFP_NOWARN, &s->handle);
	} else {
		s->size = 1 + ktest_random_below(t, SIZE_MAX_);
		ktest_tell(
			t,
			"va[%u] = dma_alloc_coherent(&devices[%u], %zu, &handle[%u], GFP_KERNEL);",
			nr_of(s), s->which, s->size, nr_of(s));
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
	ktest_tell(t, "dma_unmap_page(&devices[%u], handle[%u], %zu, %u);", s->which, nr_of(s),
		   s->size, s->dir);
	dma_unmap_page(&devices[s->which], s->handle, s->size, s->dir);
	memcpy_from_page(&byte, s->pages, s->offset, 1);
	if (seen && (s->dir != DMA_TO_DEVICE || s->handle == page_to_phys(s->pages) + s->offset))
		EXPECT_EQ(t, (unsigned char)~s->mark, (unsigned char)byte);
	else
		EXPECT_EQ(t, s->mark, (unsigned char)byte);
	ktest_tell(t, "__free_pages(pages[%u], %u);", nr_of(s), s->order);
	__free_pages(s->pages, s->order);
}

static void empty_slot(struct ktest *t, struct slot *s)
{
	unsigned int nr = nr_of(s);

	if (s->kind == MAPPED) {
		empty_mapped(t, s);
		s->kind = EMPTY;
		return;
	}
	EXPECT_EQ(t, NULL, memchr_inv(s->va, s->mark, s->size));
	if (s->kind == BLOCK) {
		ktest_tell(t, "dma_pool_free(pools[%u], va[%u], handle[%u]);", s->which, nr, nr);
		dma_pool_free(pools[s->which], s->va, s->handle);
	} else {
		ktest_tell(t, "dma_free_coherent(&devices[%u], %zu, va[%u], handle[%u]);", s->which,
			   s->size, nr, nr);
		dma_free_coherent(&devices[s->which], s->size, s->va, s->handle);
	}
	s->kind = EMPTY;
}

/* Has it filled a slot? */
static bool step(struct ktest *t)
{
	struct slot *s = &slots[ktest_random_below(t, NR_SLOTS)];

	if (s->kind != EMPTY) {
		empty_slot(t, s);
		return false;
	}
	s->kind = (enum kind)(1 + ktest_random_below(t, NR_KINDS - 1));
	if (!fill_slot(t, s))
		s->kind = EMPTY;
	return s->kind != EMPTY;
}

static void make_pools(struct ktest *t)
{
	for (unsigned int i = 0; i < NR_POOLS; i++) {
		size_t size = 100 + 900 * i;

		ktest_tell(t, "pools[%u] = dma_pool_create(\"walk\", &devices[%u], %zu, 0, 1024);",
			   i, i, size);
		pools[i] = dma_pool_create("walk", &devices[i], size, 0, 1024);
		ASSERT_NE(t, NULL, pools[i]);
	}
}

KTEST_NEEDS(dma_walk, random_pieces_keep_every_invariant, .ram_mib = 16)
{
	unsigned long steps = ktest_steps(t, DEFAULT_STEPS) / STEP_COST, nr_filled = 0;

	ktest_tell(t, "struct device devices[] __maybe_unused = { DEVICE_INIT(\"any\"),");
	ktest_tell(t, "\t\t\t\t\t{ \"23\", %#x, %#x } };", REACH_23, REACH_23);
	ktest_tell(t, "struct dma_pool *pools[%u];", NR_POOLS);
	ktest_tell(t, "struct page *pages[%u] __maybe_unused;", NR_SLOTS);
	ktest_tell(t, "dma_addr_t handle[%u] __maybe_unused;", NR_SLOTS);
	ktest_tell(t, "void *va[%u] __maybe_unused;", NR_SLOTS);
	make_pools(t);
	for (unsigned long i = 0; i < steps && !t->nr_failed; i++) {
		if (ktest_step(t, i))
			nr_filled += step(t);
		if (i % (steps / CHECKS + 1) == 0)
			EXPECT_EQ(t, 0, dma_check());
	}
	EXPECT_EQ(t, 0, mm_check_all());
	for (struct slot *s = slots; s < slots + NR_SLOTS; s++)
		if (s->kind != EMPTY)
			empty_slot(t, s);
	for (unsigned int i = 0; i < NR_POOLS; i++) {
		ktest_tell(t, "EXPECT_EQ(t, 0, dma_pool_destroy(pools[%u]));", i);
		EXPECT_EQ(t, 0, dma_pool_destroy(pools[i]));
	}
	/* A walk that got nothing would prove nothing. */
	EXPECT_GE(t, ktest_is_reduced(t) ? 0 : steps / 3, nr_filled);
}
