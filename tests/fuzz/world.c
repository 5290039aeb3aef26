/*
 * world.c - masks, contexts, and the world before and after the operations.
 *
 * IDEA.  When all that was taken is given back and per-CPU lists are empty, each zone must have the
 * free pages that it had, and the free blocks of each order: fewer large ones would be a merge that
 * did not happen.  Page tables are never given back: when there are new ones, totals are compared.
 *
 * STATE.  noted.
 *
 * CONTEXT.  A child of the fuzzer.
 */
#include "world.h"
#include "../../arch/hosted/hosted.h"
#include <quarry/mm.h>
#include <quarry/out.h>
#include <quarry/pgtable.h>
#include <quarry/slab.h>
#include <quarry/vmalloc.h>

#define TEXTS    4u
#define TEXT_MAX 256u

static struct {
	unsigned long nr_free;
	unsigned long nr_pgtable;
	unsigned long nr_blocks[NR_ZONES][MAX_ORDER];
} noted;

static void settle(void)
{
	vm_unmap_aliases();
	kmem_cache_reap();
	mm_quiesce();
}

static unsigned long nr_blocks(const struct zone *z, unsigned int order)
{
	unsigned long nr = 0;

	for (unsigned int mob = 0; mob < NR_MOBILITIES; mob++)
		nr += z->free_area[order].nr_blocks[mob];
	return nr;
}

void world_note(void)
{
	settle();
	noted.nr_free = nr_free_pages();
	noted.nr_pgtable = pgtable_nr_pages();
	for (unsigned int z = 0; z < NR_ZONES; z++)
		for (unsigned int order = 0; order < MAX_ORDER; order++)
			noted.nr_blocks[z][order] = nr_blocks(&zones[z], order);
}

void world_compare(void)
{
	settle();
	world_check();
	FUZZ_CHECK(nr_free_pages() + pgtable_nr_pages() == noted.nr_free + noted.nr_pgtable,
		   "pages are lost or won: %ld are free, it was %ld",
		   (long)(nr_free_pages() + pgtable_nr_pages()),
		   (long)(noted.nr_free + noted.nr_pgtable));
	if (pgtable_nr_pages() != noted.nr_pgtable)
		return;
	for (unsigned int z = 0; z < NR_ZONES; z++)
		for (unsigned int order = 0; order < MAX_ORDER; order++)
			FUZZ_CHECK(nr_blocks(&zones[z], order) == noted.nr_blocks[z][order],
				   "zone %s has %lu free blocks of order %u, it was %lu",
				   zones[z].name, nr_blocks(&zones[z], order), order,
				   noted.nr_blocks[z][order]);
}

void world_check(void)
{
	fuzz_step("\tEXPECT_EQ(t, 0, mm_check_all());");
	FUZZ_CHECK(!mm_check_all(), "mm_check_all() finds something");
}

gfp_t world_gfp(uint16_t bits)
{
	static const gfp_t base[16] = { GFP_KERNEL,   GFP_ATOMIC, GFP_NOWAIT,
					GFP_NOIO,     GFP_NOFS,   GFP_USER,
					GFP_HIGHUSER, GFP_DMA,    GFP_DMA32,
					GFP_THISNODE, GFP_KERNEL, GFP_HIGHUSER_MOVABLE,
					GFP_ATOMIC,   GFP_KERNEL, GFP_DMA | GFP_KERNEL,
					GFP_KERNEL };
	static const gfp_t flag[12] = { __GFP_ZERO,        __GFP_COLD,    __GFP_MOVABLE,
					__GFP_RECLAIMABLE, __GFP_HIGH,    __GFP_COMP,
					__GFP_REPEAT,      __GFP_NORETRY, __GFP_MEMALLOC,
					__GFP_NOMEMALLOC,  __GFP_HIGHMEM, __GFP_THISNODE };
	gfp_t gfp = base[bits & 15] | __GFP_NOWARN;

	for (unsigned int i = 0; i < ARRAY_SIZE(flag); i++)
		gfp |= bits >> (4 + i) & 1 ? flag[i] : 0;
	return gfp;
}

const char *world_gfp_text(gfp_t gfp)
{
	static char text[TEXTS][TEXT_MAX];
	static unsigned int next;
	struct out_buf b;

	next = (next + 1) % TEXTS;
	out_buf_init(&b, text[next], TEXT_MAX);
	gfp_show(&b.out, gfp);
	return text[next];
}

void world_call(bool in_interrupt, QAPI void (*fn)(void))
{
	if (in_interrupt)
		interrupt_call(fn);
	else
		fn();
}

void world_judge(enum model_answer answer, bool succeeded, const char *request, const char *array,
		 unsigned int nr)
{
	if (answer == MUST_FAIL)
		fuzz_step("\tASSERT_EQ(t, NULL, %s[%u]);", array, nr);
	else if (answer == MUST_SUCCEED || succeeded)
		fuzz_step("\tASSERT_NE(t, NULL, %s[%u]);", array, nr);
	FUZZ_CHECK(answer != MUST_SUCCEED || succeeded, "%s: had to succeed", request);
	FUZZ_CHECK(answer != MUST_FAIL || !succeeded, "%s: had to fail", request);
}
