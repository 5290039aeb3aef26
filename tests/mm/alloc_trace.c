/*
 * alloc_trace.c - a recording of allocations: what it says, and that it ends as it should.
 *
 * THEORY.  What a test allocates is found again in the records; the allocator's own pages and
 * objects stand between them.  Whether a recording is a trace that can be replayed is tested on the
 * host (tests/replay/test_recording.py): numbers for addresses are made there.
 */
#include <quarry/alloc_trace.h>

#include <quarry/align.h>
#include <quarry/asm/restart.h>
#include <quarry/env.h>
#include <quarry/gfp.h>
#include <quarry/ktest.h>
#include <quarry/mm.h>
#include <quarry/percpu.h>
#include <quarry/sizes.h>
#include <quarry/slab.h>
#include <quarry/string.h>
#include <quarry/vmalloc.h>

#include "../shown.h"
#include "helpers.h"

#define RING_SIZE       (256 * KiB)
#define LARGE_RING_SIZE (1 * MiB)
#define NR_OBJS         64u
#define OBJ_SIZE        200u

/* Recording by boot option is somebody else's. */
static bool busy(void)
{
	struct alloc_trace_status s;

	alloc_trace_get_status(&s);
	return s.on;
}

static unsigned long nr_records(void)
{
	struct alloc_trace_status s;

	alloc_trace_get_status(&s);
	return s.nr_records;
}

/* Records of this operation with this result: how many, and the last of them. */
static unsigned int find(enum alloc_trace_op op, unsigned long result,
			 const struct alloc_trace_record **last)
{
	const struct alloc_trace_record *r;
	unsigned int nr = 0;

	for (unsigned long i = 0; (r = alloc_trace_get(i)) != NULL; i++) {
		if (r->op == op && r->result == (uint32_t)result) {
			nr++;
			*last = r;
		}
	}
	return nr;
}

static unsigned int count(enum alloc_trace_op op, const void *result)
{
	const struct alloc_trace_record *r;

	return find(op, (unsigned long)(uintptr_t)result, &r);
}

#define RECORDED(t)                                            \
	do {                                                   \
		if (busy())                                    \
			return;                                \
		ASSERT_EQ(t, 0, alloc_trace_start(RING_SIZE)); \
	} while (0)

KTEST(alloc_trace, a_kmalloc_and_its_free_are_recorded)
{
	const struct alloc_trace_record *r = NULL;
	void *p;

	RECORDED(t);
	p = kmalloc(100, GFP_ATOMIC | __GFP_NOWARN);
	kfree(p);
	alloc_trace_stop();
	EXPECT_EQ(t, 1, find(ALLOC_TRACE_KMALLOC, (uintptr_t)p, &r));
	if (r) {
		EXPECT_EQ(t, 128, r->size);
		EXPECT_EQ(t, GFP_ATOMIC | __GFP_NOWARN, r->gfp);
		EXPECT_NE(t, 0, r->caller);
		EXPECT_EQ(t, 0, r->context);
	}
	EXPECT_EQ(t, 1, count(ALLOC_TRACE_KFREE, p));
	alloc_trace_free();
}

KTEST(alloc_trace, every_call_is_recorded_not_only_those_that_miss_the_magazine)
{
	struct kmem_cache *c;
	unsigned int nr = 0;
	void *obj = NULL;

	/* It has a magazine before the recording begins. */
	if (busy())
		return;
	c = kmem_cache_create("traced", OBJ_SIZE, 0, 0, NULL, NULL);
	ASSERT_NE(t, NULL, c);
	kmem_cache_free(c, kmem_cache_alloc(c, GFP_KERNEL));
	RECORDED(t);
	for (unsigned int i = 0; i < NR_OBJS; i++) {
		obj = kmem_cache_alloc(c, GFP_KERNEL);
		nr += obj != NULL;
		kmem_cache_free(c, obj);
	}
	alloc_trace_stop();
	EXPECT_EQ(t, NR_OBJS, nr);
	EXPECT_EQ(t, NR_OBJS, count(ALLOC_TRACE_CACHE_ALLOC, obj));
	EXPECT_EQ(t, NR_OBJS, count(ALLOC_TRACE_CACHE_FREE, obj));
	alloc_trace_free();
	EXPECT_EQ(t, 0, kmem_cache_destroy(c));
}

KTEST(alloc_trace, objects_in_bulk_are_recorded_one_by_one)
{
	struct kmem_cache *c;
	void *objs[NR_OBJS];

	RECORDED(t);
	c = kmem_cache_create("traced", OBJ_SIZE, 0, 0, NULL, NULL);
	ASSERT_NE(t, NULL, c);
	EXPECT_EQ(t, NR_OBJS, kmem_cache_alloc_bulk(c, GFP_KERNEL, NR_OBJS, objs));
	kmem_cache_free_bulk(c, NR_OBJS, objs);
	alloc_trace_stop();
	for (unsigned int i = 0; i < NR_OBJS; i++) {
		EXPECT_EQ(t, 1, count(ALLOC_TRACE_CACHE_ALLOC, objs[i]));
		EXPECT_EQ(t, 1, count(ALLOC_TRACE_CACHE_FREE, objs[i]));
	}
	alloc_trace_free();
	EXPECT_EQ(t, 0, kmem_cache_destroy(c));
}

KTEST(alloc_trace, pages_are_recorded_by_frame_and_order)
{
	for (unsigned int order = 0; order < 6; order++) {
		const struct alloc_trace_record *r = NULL;
		struct page *page;
		pfn_t pfn;

		RECORDED(t);
		page = alloc_pages(GFP_KERNEL, order);
		ASSERT_NE(t, NULL, page);
		pfn = page_to_pfn(page);
		__free_pages(page, order);
		alloc_trace_stop();
		EXPECT_EQ(t, 1, find(ALLOC_TRACE_PAGE_ALLOC, pfn, &r));
		EXPECT_TRUE(t, r && r->order == order && r->size == PAGE_SIZE << order);
		r = NULL;
		EXPECT_EQ(t, 1, find(ALLOC_TRACE_PAGE_FREE, pfn, &r));
		EXPECT_TRUE(t, r && r->order == order);
		alloc_trace_free();
	}
}

KTEST(alloc_trace, the_pages_of_a_slab_and_of_an_area_are_said_to_be_behind_them)
{
	struct kmem_cache *c;
	const struct alloc_trace_record *r = NULL;
	void *obj, *va;
	pfn_t of_slab, of_area;

	RECORDED(t);
	c = kmem_cache_create("traced", OBJ_SIZE, 0, 0, NULL, NULL);
	ASSERT_NE(t, NULL, c);
	obj = kmem_cache_alloc(c, GFP_KERNEL);
	va = vmalloc(3 * PAGE_SIZE);
	ASSERT_TRUE(t, obj && va);
	of_slab = page_to_pfn(virt_to_page(obj));
	of_area = vmalloc_to_pfn((char *)va + PAGE_SIZE);
	alloc_trace_stop();
	EXPECT_EQ(t, 1, find(ALLOC_TRACE_VMALLOC, (uintptr_t)va, &r));
	EXPECT_TRUE(t, r && r->size == 3 * PAGE_SIZE);
	EXPECT_EQ(t, 1, find(ALLOC_TRACE_BACKING_PAGES, of_area, &r));
	EXPECT_EQ(t, 1, r->order);
	/* A slab may begin before the page of its first object. */
	EXPECT_TRUE(t, find(ALLOC_TRACE_BACKING_PAGES, of_slab, &r) == 1 ||
			       find(ALLOC_TRACE_BACKING_PAGES, of_slab - 1, &r) == 1);
	alloc_trace_free();
	vfree(va);
	kmem_cache_free(c, obj);
	EXPECT_EQ(t, 0, kmem_cache_destroy(c));
}

KTEST(alloc_trace, an_area_and_its_free_are_recorded)
{
	const struct alloc_trace_record *r = NULL;
	void *va;

	RECORDED(t);
	va = vmalloc(3 * PAGE_SIZE + 1);
	vfree(va);
	alloc_trace_stop();
	EXPECT_NE(t, NULL, va);
	EXPECT_EQ(t, 1, find(ALLOC_TRACE_VMALLOC, (uintptr_t)va, &r));
	EXPECT_TRUE(t, r && r->size == 3 * PAGE_SIZE + 1 && r->caller);
	r = NULL;
	EXPECT_EQ(t, 1, find(ALLOC_TRACE_VFREE, (uintptr_t)va, &r));
	EXPECT_TRUE(t, r && r->caller);
	alloc_trace_free();
}

KTEST(alloc_trace, a_block_that_is_split_is_said_to_be_pages_from_then_on)
{
	const struct alloc_trace_record *r = NULL;
	struct page *page;
	pfn_t pfn;

	RECORDED(t);
	page = alloc_pages(GFP_KERNEL, 2);
	ASSERT_NE(t, NULL, page);
	pfn = page_to_pfn(page);
	split_page(page, 2);
	for (unsigned int i = 0; i < 4; i++)
		__free_page(page + i);
	alloc_trace_stop();
	EXPECT_EQ(t, 1, find(ALLOC_TRACE_SPLIT, pfn, &r));
	EXPECT_TRUE(t, r && r->order == 2);
	for (unsigned int i = 0; i < 4; i++) {
		r = NULL;
		EXPECT_EQ(t, 1, find(ALLOC_TRACE_PAGE_FREE, pfn + i, &r));
		EXPECT_TRUE(t, r && r->order == 0);
	}
	alloc_trace_free();
}

#if CONFIG_KMALLOC_MAX_SIZE > 131072
/* Larger than any class: whole pages, which the object has for itself. */
KTEST(alloc_trace, a_kmalloc_of_whole_pages_has_them_behind_it)
{
	const struct alloc_trace_record *r = NULL;
	size_t size = KMALLOC_CACHE_MAX + 1;
	pfn_t pfn;
	void *p;

	RECORDED(t);
	p = kmalloc(size, GFP_KERNEL);
	ASSERT_NE(t, NULL, p);
	pfn = page_to_pfn(virt_to_page(p));
	kfree(p);
	alloc_trace_stop();
	EXPECT_EQ(t, 1, find(ALLOC_TRACE_KMALLOC, (uintptr_t)p, &r));
	EXPECT_TRUE(t, r && r->size == size && r->gfp == GFP_KERNEL);
	EXPECT_EQ(t, 1, count(ALLOC_TRACE_KFREE, p));
	r = NULL;
	EXPECT_EQ(t, 1, find(ALLOC_TRACE_BACKING_PAGES, pfn, &r));
	EXPECT_TRUE(t, r && r->order == 0);
	alloc_trace_free();
}

KTEST(alloc_trace, a_kmalloc_of_whole_pages_that_fails_is_recorded_without_a_result)
{
	const struct alloc_trace_record *r = NULL;
	HOARD(h);

	if (busy())
		return;
	ASSERT_EQ(t, 0, alloc_trace_start(LARGE_RING_SIZE));
	hoard_machine(&h);
	EXPECT_EQ(t, NULL, kmalloc(KMALLOC_MAX_SIZE, GFP_NOWAIT | __GFP_NOWARN));
	alloc_trace_stop();
	hoard_free(&h);
	EXPECT_EQ(t, 1, find(ALLOC_TRACE_KMALLOC, 0, &r));
	EXPECT_TRUE(t, r && r->size == KMALLOC_MAX_SIZE);
	alloc_trace_free();
}
#endif

KTEST(alloc_trace, a_call_that_fails_is_recorded_without_a_result)
{
	const struct alloc_trace_record *r = NULL;
	struct alloc_trace_status status;
	HOARD(h);

	if (busy())
		return;
	ASSERT_EQ(t, 0, alloc_trace_start(LARGE_RING_SIZE));
	hoard_machine(&h);
	EXPECT_EQ(t, NULL, alloc_page(GFP_NOWAIT | __GFP_NOWARN));
	alloc_trace_stop();
	hoard_free(&h);
	alloc_trace_get_status(&status);
	EXPECT_EQ(t, 0, status.nr_dropped);
	EXPECT_LE(t, status.nr_records, find(ALLOC_TRACE_PAGE_ALLOC, 0, &r));
	EXPECT_TRUE(t, r && r->gfp == (GFP_NOWAIT | __GFP_NOWARN) && r->size == PAGE_SIZE);
	alloc_trace_free();
}

KTEST(alloc_trace, objects_in_bulk_that_cannot_be_had_are_one_failed_call)
{
	const struct alloc_trace_record *r = NULL;
	void *objs[NR_OBJS];
	struct kmem_cache *c;
	HOARD(h);

	if (busy())
		return;
	c = kmem_cache_create("traced", OBJ_SIZE, 0, 0, NULL, NULL);
	ASSERT_NE(t, NULL, c);
	ASSERT_EQ(t, 0, alloc_trace_start(LARGE_RING_SIZE));
	hoard_machine(&h);
	EXPECT_EQ(t, 0, kmem_cache_alloc_bulk(c, GFP_NOWAIT | __GFP_NOWARN, NR_OBJS, objs));
	alloc_trace_stop();
	hoard_free(&h);
	EXPECT_GE(t, 1, find(ALLOC_TRACE_CACHE_ALLOC, 0, &r));
	EXPECT_TRUE(t, r && r->gfp == (GFP_NOWAIT | __GFP_NOWARN) && r->size == OBJ_SIZE);
	alloc_trace_free();
	EXPECT_EQ(t, 0, kmem_cache_destroy(c));
}

KTEST(alloc_trace, a_full_ring_stops_and_counts)
{
	const unsigned long room = ALLOC_TRACE_SIZE_MIN / sizeof(struct alloc_trace_record);
	struct alloc_trace_status s;
	const struct alloc_trace_record *first;

	if (busy())
		return;
	ASSERT_EQ(t, 0, alloc_trace_start(ALLOC_TRACE_SIZE_MIN));
	for (unsigned int i = 0; i < room; i++)
		kfree(kmalloc(64, GFP_KERNEL));
	alloc_trace_get_status(&s);
	EXPECT_TRUE(t, s.on);
	EXPECT_EQ(t, room, s.nr_max);
	EXPECT_EQ(t, room, s.nr_records);
	EXPECT_GE(t, room, s.nr_dropped);
	first = alloc_trace_get(0);
	EXPECT_TRUE(t, first && first->op != ALLOC_TRACE_KFREE);
	EXPECT_EQ(t, NULL, alloc_trace_get(room));
	alloc_trace_free();
}

static DEFINE_PER_CPU(struct percpu_stack, stack);
static void *taken_in_interrupt;

static QAPI void take_in_interrupt(void)
{
	taken_in_interrupt = kmalloc(64, GFP_ATOMIC);
	kfree(taken_in_interrupt);
}

KTEST(alloc_trace, calls_in_an_interrupt_are_recorded_as_such)
{
	const struct alloc_trace_record *r = NULL;
	bool hit = false;

	RECORDED(t);
	restart_step_pop(&stack, 1, &hit, take_in_interrupt);
	alloc_trace_stop();
	EXPECT_TRUE(t, hit && taken_in_interrupt);
	EXPECT_LE(t, 2, find(ALLOC_TRACE_KMALLOC, (uintptr_t)taken_in_interrupt, &r));
	EXPECT_TRUE(t, r && r->context == ALLOC_TRACE_HARD_IRQ);
	alloc_trace_free();
}

KTEST(alloc_trace, nothing_is_recorded_before_and_after)
{
	unsigned long nr;
	void *p;

	RECORDED(t);
	alloc_trace_stop();
	nr = nr_records();
	p = kmalloc(64, GFP_KERNEL);
	EXPECT_EQ(t, nr, nr_records());
	kfree(p);
	EXPECT_EQ(t, nr, nr_records());
	alloc_trace_free();
}

KTEST(alloc_trace, afterwards_objects_and_pages_are_cached_again)
{
	struct kmem_cache *before = kmem_cache_create("traced", OBJ_SIZE, 0, 0, NULL, NULL),
			  *during;
	void *obj, *again;
	struct page *page;

	if (!lists_in_use())
		return;
	RECORDED(t);
	during = kmem_cache_create("traced-too", OBJ_SIZE, 0, 0, NULL, NULL);
	ASSERT_TRUE(t, before && during);
	alloc_trace_free();
	for (unsigned int i = 0; i < 2; i++) {
		struct kmem_cache *c = i ? during : before;

		obj = kmem_cache_alloc(c, GFP_KERNEL);
		kmem_cache_free(c, obj);
		again = kmem_cache_alloc(c, GFP_KERNEL);
		EXPECT_EQ(t, obj, again);
		kmem_cache_free(c, again);
		EXPECT_EQ(t, 0, kmem_cache_check(c));
		EXPECT_EQ(t, 0, kmem_cache_destroy(c));
	}
	page = alloc_page(gfp_with_lists());
	if (page)
		__free_page(page);
	EXPECT_GE(t, 1, nr_available() - nr_free_pages());
}

KTEST(alloc_trace, a_dump_has_a_line_for_four_records)
{
	const char *line;
	unsigned int nr = 0;

	RECORDED(t);
	for (unsigned int i = 0; i < 5; i++)
		kfree(kmalloc(64, GFP_KERNEL));
	alloc_trace_stop();
	EXPECT_EQ(t, 0, alloc_trace_dump(to_shown()));
	EXPECT_TRUE(t, shown_fits());
	for (line = shown_text; (line = strchr(line, '\n')) != NULL; line++)
		nr++;
	EXPECT_EQ(t, DIV_ROUND_UP(nr_records(), 4) + 2, nr);
	EXPECT_TRUE(t, !strncmp(shown_text, "alloc_trace begin version=1 records=", 36));
	EXPECT_NE(t, NULL, strstr(shown_text, "alloc_trace end records="));
	alloc_trace_free();
}

KTEST(alloc_trace, what_makes_no_sense_is_refused)
{
	struct out *o = to_shown();

	if (busy())
		return;
	EXPECT_ERR(t, -ENOENT, alloc_trace_dump(o));
	EXPECT_ERR(t, -EINVAL, alloc_trace_start(ALLOC_TRACE_SIZE_MIN - 1));
	EXPECT_ERR(t, -EINVAL, alloc_trace_start(ALLOC_TRACE_SIZE_MAX + 1));
	ASSERT_EQ(t, 0, alloc_trace_start(RING_SIZE));
	EXPECT_ERR(t, -EBUSY, alloc_trace_start(RING_SIZE));
	EXPECT_ERR(t, -EBUSY, alloc_trace_dump(o));
	alloc_trace_free();
	EXPECT_STREQ(t, "", shown_text);
}

KTEST(alloc_trace, without_memory_for_the_ring_it_stays_off)
{
	HOARD(h);

	if (busy())
		return;
	hoard_machine(&h);
	EXPECT_ERR(t, -ENOMEM, alloc_trace_start(RING_SIZE));
	EXPECT_FALSE(t, busy());
	hoard_free(&h);
}
