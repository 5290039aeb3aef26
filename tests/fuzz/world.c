/*
 * world.c - masks, contexts, and what mm/ says of its memory.
 *
 * IDEA.  When nothing is in any cache, which frames are free is for the model to say.  From that
 * follow the free blocks, because all that can merge has merged: each must be where it has to be,
 * and the counts must be theirs, whatever the owners hold meanwhile.  When all that was taken is
 * given back, as many pages must be free as there were; but page tables are never given back.
 *
 * STATE.  noted; undo: what gives back what is being asked for.
 *
 * CONTEXT.  A child of the fuzzer.
 */
#include "world.h"
#include "../../arch/hosted/hosted.h"
#include <stdarg.h>

#include <quarry/mm.h>
#include <quarry/out.h>
#include <quarry/pgtable.h>
#include <quarry/printk.h>
#include <quarry/slab.h>
#include <quarry/vmalloc.h>

#define TEXTS    4u
#define TEXT_MAX 256u

static struct {
	unsigned long nr_free;
	unsigned long nr_pgtable;
} noted;

static char undo[TEXT_MAX];

static void settle(void)
{
	vm_unmap_aliases();
	kmem_cache_reap();
	mm_quiesce();
	model_flushed();
}

void world_note(void)
{
	settle();
	model_init();
	noted.nr_free = nr_free_pages();
	noted.nr_pgtable = pgtable_nr_pages();
}

/* The largest order of which there is a block of free frames at @pfn. */
static unsigned int order_at(const struct zone *z, pfn_t pfn)
{
	unsigned long nr = 0;
	unsigned int order = 0;

	while (pfn + nr < zone_end_pfn(z) && pfn + nr < max_pfn && model_is_free(pfn + nr))
		if (++nr == 2ul << order && order + 1 < MAX_ORDER && pfn % nr == 0)
			order++;
	return order;
}

static void compare_blocks(const struct zone *z, const unsigned long nr_blocks[MAX_ORDER])
{
	for (unsigned int order = 0; order < MAX_ORDER; order++) {
		unsigned long nr = 0;

		for (unsigned int mob = 0; mob < NR_MOBILITIES; mob++)
			nr += z->free_area[order].nr_blocks[mob];
		FUZZ_CHECK(nr == nr_blocks[order],
			   "zone %s says that it has %lu free blocks of order %u, not %lu", z->name,
			   nr, order, nr_blocks[order]);
	}
}

static unsigned long compare_zone(const struct zone *z)
{
	unsigned long nr_blocks[MAX_ORDER] = { 0 }, nr_free = 0, step;

	for (pfn_t pfn = z->start_pfn; pfn < zone_end_pfn(z) && pfn < max_pfn; pfn += step) {
		unsigned long flags = pfn_to_page(pfn)->flags;
		unsigned int order;

		step = 1;
		if (!model_is_free(pfn))
			continue;
		order = order_at(z, pfn);
		FUZZ_CHECK((flags & PG_buddy) && flags >> PG_ORDER_SHIFT == order,
			   "frame %#lx is lost, or heads no free block of order %u", pfn, order);
		nr_blocks[order]++;
		step <<= order;
		nr_free += step;
	}
	FUZZ_CHECK(z->nr_free == nr_free, "zone %s says that %lu pages are free, not %lu", z->name,
		   z->nr_free, nr_free);
	compare_blocks(z, nr_blocks);
	return nr_free;
}

void world_settle(void)
{
	struct mm_account a;
	unsigned long nr_free = 0;

	fuzz_step("\tmm_quiesce();");
	settle();
	for (unsigned int z = 0; z < NR_ZONES; z++)
		nr_free += compare_zone(&zones[z]);
	mm_account(&a);
	FUZZ_CHECK(a.nr_free == nr_free && !a.nr_pcp,
		   "the account has %lu free pages, and %lu in lists, not %lu and 0", a.nr_free,
		   a.nr_pcp, nr_free);
}

void world_compare(void)
{
	world_settle();
	world_check();
	FUZZ_CHECK(nr_free_pages() + pgtable_nr_pages() == noted.nr_free + noted.nr_pgtable,
		   "pages are lost or won: %ld are free, it was %ld",
		   (long)(nr_free_pages() + pgtable_nr_pages()),
		   (long)(noted.nr_free + noted.nr_pgtable));
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

void world_undo(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(undo, sizeof(undo), fmt, args);
	va_end(args);
}

void world_write_undo_down(void)
{
	if (*undo)
		fuzz_step("\t%s;", undo);
}

void world_judge(enum model_answer answer, bool succeeded, const char *request, const char *array,
		 unsigned int nr)
{
	if (answer == MUST_FAIL)
		fuzz_step("\tASSERT_EQ(t, NULL, %s[%u]);", array, nr);
	else if (answer == MUST_SUCCEED || succeeded)
		fuzz_step("\tASSERT_NE(t, NULL, %s[%u]);", array, nr);
	if (answer == MUST_FAIL)
		*undo = '\0';
	FUZZ_CHECK(answer != MUST_SUCCEED || succeeded, "%s: had to succeed", request);
	FUZZ_CHECK(answer != MUST_FAIL || !succeeded, "%s: had to fail", request);
	*undo = '\0';
}
