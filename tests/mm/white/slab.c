/*
 * slab.c - the inside of slab caches: lists, colours, layouts, the list of caches, the validator.
 *
 * THEORY.  What users cannot see: which slab an object comes from and what that slab costs.  Most
 * tests use a cache with consistency checks, which has no magazines: each call reaches the slab.
 * What goes wrong is done by hand, counted by the validator, and undone.
 *
 * STATE.  Objects that a test holds; static, because the stack is small.
 */
#include "slab_objs.h"

#include <quarry/align.h>
#include <quarry/env.h>
#include <quarry/ktest.h>
#include <quarry/printk.h>
#include <quarry/string.h>

#include "../helpers.h"

static struct kmem_cache *cache_with(size_t size, size_t align, unsigned long flags,
				     slab_ctor_t ctor, slab_ctor_t dtor)
{
	static unsigned int nr;
	char name[SLAB_NAME_MAX];

	snprintf(name, sizeof(name), "slab-white-%u", ++nr);
	return kmem_cache_create(name, size, align, flags | SLAB_PANIC, ctor, dtor);
}

static struct kmem_cache *cache_of(size_t size, unsigned long flags)
{
	return cache_with(size, 0, flags, NULL, NULL);
}

/* One whose calls all reach the slabs. */
static struct kmem_cache *bare_cache(size_t size)
{
	return cache_of(size, SLAB_CONSISTENCY_CHECKS);
}

static struct slab *slab_of(const void *obj)
{
	return page_slab(virt_to_page(obj));
}

static unsigned int nr_per_slab(const struct kmem_cache *c)
{
	return c->layouts[SLAB_LAYOUT_WANTED].nr_objs;
}

/* slab_debug= on the command line may put something between the objects. */
static bool is_widened(const struct kmem_cache *c)
{
	return c->flags & (SLAB_RED_ZONE | SLAB_STORE_USER);
}

static bool is_on(const struct list_head *list, const struct slab *s)
{
	const struct slab *other;

	list_for_each_entry(other, list, link)
		if (other == s)
			return true;
	return false;
}

/* ---- which slab an object comes from -------------------------------------------------------- */

KTEST(slab_white, partial_slabs_are_used_before_empty_ones)
{
	struct kmem_cache *c = bare_cache(300);
	unsigned int nr = nr_per_slab(c);
	struct slab *first, *second;

	ASSERT_EQ(t, 3 * nr, take(c, 3 * nr));
	first = slab_of(objs[0]);
	second = slab_of(objs[nr]);
	EXPECT_NE(t, first, second);
	/* The second becomes empty after the first became partial, then the other way round. */
	kmem_cache_free(c, objs[0]);
	give(c, nr, 2 * nr);
	EXPECT_TRUE(t, is_on(&c->empty, second));
	objs[0] = kmem_cache_alloc(c, GFP_KERNEL);
	EXPECT_EQ(t, first, slab_of(objs[0]));
	kmem_cache_free(c, objs[2 * nr]);
	objs[2 * nr] = kmem_cache_alloc(c, GFP_KERNEL);
	EXPECT_NE(t, second, slab_of(objs[2 * nr]));
	/* With no partial slab left it is the empty one's turn, not a new one's. */
	objs[nr] = kmem_cache_alloc(c, GFP_KERNEL);
	EXPECT_EQ(t, second, slab_of(objs[nr]));
	EXPECT_EQ(t, 3, c->nr_slabs);
	give(c, 0, nr + 1);
	give(c, 2 * nr, 3 * nr);
	finish(t, c);
}

/* Each slab of @c is on the list that its count says, and each list has no others. */
static void expect_right_lists(struct ktest *t, const struct kmem_cache *c)
{
	const struct slab *s;

	list_for_each_entry(s, &c->full, link)
		EXPECT_EQ(t, s->layout->nr_objs, s->nr_taken);
	list_for_each_entry(s, &c->partial, link)
		EXPECT_TRUE(t, s->nr_taken > 0 && s->nr_taken < s->layout->nr_objs);
	list_for_each_entry(s, &c->empty, link)
		EXPECT_EQ(t, 0, s->nr_taken);
}

KTEST(slab_white, a_slab_moves_from_list_to_list_as_its_objects_come_and_go)
{
	struct kmem_cache *c = bare_cache(500);
	unsigned int nr = nr_per_slab(c);
	struct slab *s;

	for (unsigned int i = 0; i < nr; i++) {
		objs[i] = kmem_cache_alloc(c, GFP_KERNEL);
		ASSERT_NE(t, NULL, objs[i]);
		s = slab_of(objs[0]);
		EXPECT_EQ(t, i + 1, s->nr_taken);
		EXPECT_TRUE(t, is_on(i + 1 == nr ? &c->full : &c->partial, s));
	}
	for (unsigned int i = 0; i < nr; i++) {
		kmem_cache_free(c, objs[i]);
		EXPECT_TRUE(t, is_on(i + 1 == nr ? &c->empty : &c->partial, s));
	}
	EXPECT_EQ(t, 1, c->nr_slabs);
	EXPECT_EQ(t, 1, c->nr_empty);
	finish(t, c);
}

KTEST(slab_white, lists_and_counts_are_right_after_each_of_many_random_calls)
{
	struct kmem_cache *c = bare_cache(700);
	unsigned int nr = 0;

	for (unsigned int i = 0; i < 2000 && !t->nr_failed; i++) {
		unsigned int k = ktest_random_below(t, 60);

		if (k >= nr) {
			objs[nr] = kmem_cache_alloc(c, GFP_KERNEL);
			ASSERT_NE(t, NULL, objs[nr++]);
		} else {
			kmem_cache_free(c, objs[k]);
			objs[k] = objs[--nr];
		}
		expect_right_lists(t, c);
		EXPECT_EQ(t, nr, c->nr_taken);
	}
	give(c, 0, nr);
	expect_right_lists(t, c);
	finish(t, c);
}

/* A new slab gives its objects in ascending order; then the newest free one first. */
KTEST(slab_white, a_slab_gives_the_object_first_that_came_back_last)
{
	struct kmem_cache *c = bare_cache(100);
	unsigned int nr = nr_per_slab(c);
	struct slab *s;

	ASSERT_EQ(t, nr, take(c, nr));
	s = slab_of(objs[0]);
	for (unsigned int i = 0; i < nr; i++)
		EXPECT_EQ(t, slab_object(c, s, i), objs[i]);
	give(c, 0, nr);
	for (unsigned int i = nr; i-- > 0;)
		EXPECT_EQ(t, objs[i], kmem_cache_alloc(c, GFP_KERNEL));
	give(c, 0, nr);
	finish(t, c);
}

KTEST(slab_white, as_many_empty_slabs_are_kept_as_the_cache_says)
{
	struct kmem_cache *c = bare_cache(1000);
	unsigned int nr = nr_per_slab(c);
	unsigned int nr_slabs = (unsigned int)c->nr_empty_max + 3;

	ASSERT_LE(t, NR_OBJS, nr * nr_slabs);
	ASSERT_EQ(t, nr * nr_slabs, take(c, nr * nr_slabs));
	EXPECT_EQ(t, nr_slabs, c->nr_slabs);
	for (unsigned int i = 0; i < nr_slabs; i++) {
		give(c, i * nr, (i + 1) * nr);
		EXPECT_EQ(t, min((unsigned long)i + 1, c->nr_empty_max), c->nr_empty);
	}
	EXPECT_EQ(t, c->nr_empty_max, c->nr_slabs);
	finish(t, c);
}

/* ---- layout --------------------------------------------------------------------------------- */

/* Where @s begins: its first page. */
static uintptr_t slab_start(const struct slab *s)
{
	return ALIGN_DOWN((uintptr_t)s->objs, PAGE_SIZE << s->layout->order);
}

/* Several slabs of the largest at a time, in whole blocks: a machine of 5 MiB has them not. */
KTEST_NEEDS(slab_white, successive_slabs_have_successive_colours, .ram_mib = 8)
{
	static const size_t sizes[] = { 200, 360, 700, 1300, 3000 };
	unsigned int most = 0;

	for (unsigned int k = 0; k < ARRAY_SIZE(sizes); k++) {
		struct kmem_cache *c = bare_cache(sizes[k]);
		const struct slab_layout *l = &c->layouts[SLAB_LAYOUT_WANTED];
		unsigned int nr_slabs = min(2 * l->nr_colours + 1, NR_OBJS / l->nr_objs);

		most = max(most, l->nr_colours);
		ASSERT_EQ(t, nr_slabs * l->nr_objs, take(c, nr_slabs * l->nr_objs));
		for (unsigned int i = 0; i < nr_slabs; i++) {
			const struct slab *s = slab_of(objs[i * l->nr_objs]);
			uintptr_t start = slab_start(s);

			EXPECT_EQ(t, l, s->layout);
			EXPECT_EQ(t, l->first + i % l->nr_colours * c->colour_unit,
				  (uintptr_t)s->objs - start);
			EXPECT_LE(t, start + (PAGE_SIZE << l->order),
				  (uintptr_t)slab_object(c, s, l->nr_objs - 1) + c->object_size);
		}
		give(c, 0, nr_slabs * l->nr_objs);
		finish(t, c);
	}
	EXPECT_GE(t, 3, most);
}

/* More than one colour fits only if there is room for the last one, and no room for one more. */
KTEST(slab_white, a_layout_has_as_many_colours_as_its_waste_has_room_for)
{
	for (size_t size = 8; size <= 6000; size += size / 3) {
		struct kmem_cache *c = cache_of(size, 0);

		for (unsigned int k = 0; k < SLAB_NR_LAYOUTS; k++) {
			const struct slab_layout *l = &c->layouts[k];
			size_t bytes = PAGE_SIZE << l->order;
			size_t end = l->first + l->nr_objs * c->stride - c->left_zone;

			EXPECT_LE(t, bytes, end + (l->nr_colours - 1) * c->colour_unit);
			EXPECT_GE(t, bytes + 1, end + l->nr_colours * c->colour_unit);
		}
		finish(t, c);
	}
}

/* The cache for off-slab management of @nr objects: one of kmalloc, if its own is on-slab. */
static const struct kmem_cache *management_cache_of(const struct kmem_cache *c, size_t nr)
{
	size_t bytes = sizeof(struct slab) + nr * (c->wide ? 2 : 1);
	const struct kmem_cache *m = kmalloc_caches[0][kmalloc_index(bytes)];

	return m->off_slab ? NULL : m;
}

/* The most objects of @c for which a slab of @bytes has room, with management in it or without. */
static size_t objs_that_fit(const struct kmem_cache *c, size_t bytes, bool off_slab)
{
	size_t nr, head, first;

	for (nr = bytes / c->stride + 1; nr; nr--) {
		head = off_slab ? 0 : sizeof(struct slab) + nr * (c->wide ? 2 : 1);
		first = ALIGN_UP(head + c->left_zone, c->align);
		if (first + nr * c->stride - c->left_zone <= bytes)
			return nr;
	}
	return 0;
}

#define IMPOSSIBLE (~(size_t)0)

/* All memory for an object, in 1/256 bytes. */
static size_t cost(const struct kmem_cache *c, unsigned int order, bool off_slab)
{
	size_t bytes = PAGE_SIZE << order, nr = objs_that_fit(c, bytes, off_slab);
	const struct kmem_cache *m;

	if (!nr)
		return IMPOSSIBLE;
	if (!off_slab)
		return bytes * 256 / nr;
	m = management_cache_of(c, nr);
	return m ? (bytes + m->stride) * 256 / nr : IMPOSSIBLE;
}

KTEST(slab_white, management_lies_where_it_wastes_less)
{
	unsigned int nr_on = 0, nr_off = 0;
	bool widened = false;

	for (size_t size = 8; size <= 32 * KiB; size += size < 64 ? 8 : size / 8) {
		for (size_t align = 0; align <= size; align = align ? align * 8 : 32) {
			struct kmem_cache *c = cache_with(size, align, 0, NULL, NULL);
			unsigned int order = c->layouts[SLAB_LAYOUT_WANTED].order;

			widened |= is_widened(c);
			EXPECT_EQ(t, objs_that_fit(c, PAGE_SIZE << order, c->off_slab),
				  nr_per_slab(c));
			EXPECT_TRUE(t, cost(c, order, c->off_slab) <= cost(c, order, !c->off_slab));
			if (c->off_slab) {
				EXPECT_EQ(t, NULL, c->off_slab->off_slab);
				nr_off++;
			} else {
				nr_on++;
			}
			finish(t, c);
		}
	}
	EXPECT_GE(t, 10, nr_on);
	EXPECT_GE(t, widened ? 1 : 10, nr_off);
}

KTEST(slab_white, objects_aligned_to_their_own_size_leave_no_room_for_management)
{
	for (size_t size = 512; size <= SLAB_OBJECT_SIZE_MAX; size *= 2) {
		struct kmem_cache *c = cache_with(size, size, 0, NULL, NULL);
		const struct slab_layout *l = &c->layouts[SLAB_LAYOUT_WANTED];

		if (!is_widened(c)) {
			EXPECT_NE(t, NULL, c->off_slab);
			EXPECT_EQ(t, PAGE_SIZE << l->order, l->nr_objs * size);
		}
		finish(t, c);
	}
}

/* One is enough where eight would take a large block, and nothing of the pages is left over. */
/* Larger slabs waste less, smaller blocks are easier to have: eight objects, up to eight pages. */
KTEST(slab_white, a_slab_has_eight_objects_or_eight_pages)
{
	for (size_t size = 200; size <= SLAB_OBJECT_SIZE_MAX; size += size / 7) {
		struct kmem_cache *c = cache_with(size, 0, 0, NULL, NULL);

		EXPECT_TRUE(t, nr_per_slab(c) >= 8 || c->layouts[SLAB_LAYOUT_WANTED].order >= 3);
		finish(t, c);
	}
}

KTEST(slab_white, an_object_of_many_pages_has_a_slab_of_just_these)
{
	for (unsigned int order = 3; order <= SLAB_OBJECT_ORDER_MAX; order++) {
		struct kmem_cache *c = cache_with(PAGE_SIZE << order, 0, 0, NULL, NULL);

		if (!is_widened(c)) {
			EXPECT_EQ(t, order, c->layouts[SLAB_LAYOUT_WANTED].order);
			EXPECT_EQ(t, 1, nr_per_slab(c));
		}
		finish(t, c);
	}
}

KTEST(slab_white, the_smallest_objects_have_their_management_beside_them)
{
	/* Larger pointers make a larger struct slab, which larger objects waste less for. */
	for (size_t size = 1; size <= 128 / sizeof(void *); size++) {
		struct kmem_cache *c = bare_cache(size);
		struct slab *s;

		EXPECT_EQ(t, NULL, c->off_slab);
		ASSERT_EQ(t, 1, take(c, 1));
		s = slab_of(objs[0]);
		EXPECT_EQ(t, slab_start(s),
			  ALIGN_DOWN((uintptr_t)s, PAGE_SIZE << s->layout->order));
		give(c, 0, 1);
		finish(t, c);
	}
}

KTEST(slab_white, each_object_has_its_index_and_each_index_its_object)
{
	for (size_t size = 1; size <= SLAB_OBJECT_SIZE_MAX; size += 1 + size / 5) {
		struct kmem_cache *c = cache_of(size, 0);
		unsigned int nr_bad = 0;

		for (unsigned int k = 0; k < SLAB_NR_LAYOUTS; k++)
			for (unsigned int i = 0; i < c->layouts[k].nr_objs; i++)
				nr_bad += slab_index_of(c, i * c->stride) != i;
		EXPECT_EQ(t, 0, nr_bad);
		/* Lists of bytes only where a byte has room for every index and both marks. */
		if (!c->wide)
			EXPECT_LE(t, SLAB_BYTE_OBJS_MAX, c->layouts[SLAB_LAYOUT_WANTED].nr_objs);
		finish(t, c);
	}
}

KTEST(slab_white, slabs_with_more_objects_than_a_byte_counts_work)
{
	struct kmem_cache *c = bare_cache(4);
	unsigned int nr = nr_per_slab(c);

	if (!is_widened(c)) {
		EXPECT_TRUE(t, c->wide);
		EXPECT_GE(t, SLAB_BYTE_OBJS_MAX + 1, nr);
	}
	ASSERT_LE(t, NR_OBJS, nr);
	ASSERT_EQ(t, nr, take(c, nr));
	EXPECT_EQ(t, 1, c->nr_slabs);
	EXPECT_EQ(t, slab_object(c, slab_of(objs[0]), nr - 1), objs[nr - 1]);
	give(c, 0, nr);
	finish(t, c);
}

/* Every page leads there while it is a slab's; they are grouped by what can be done about them. */
static void try_pages(struct ktest *t, struct kmem_cache *c, enum mobility expected)
{
	unsigned int nr = nr_per_slab(c);
	const struct slab *s;
	struct page *page;

	ASSERT_EQ(t, nr, take(c, nr));
	s = slab_of(objs[0]);
	page = virt_to_page((void *)slab_start(s));
	EXPECT_EQ(t, expected, (page->flags & PG_MOBILITY_MASK) >> PG_MOBILITY_SHIFT);
	for (unsigned int i = 0; i < 1u << s->layout->order; i++) {
		EXPECT_TRUE(t, page[i].flags & PG_slab);
		EXPECT_EQ(t, c, page[i].slab_cache);
		EXPECT_EQ(t, s, page_slab(&page[i]));
	}
	nr = 1u << s->layout->order;
	give(c, 0, nr_per_slab(c));
	EXPECT_EQ(t, nr, kmem_cache_shrink(c));
	for (unsigned int i = 0; i < nr; i++)
		EXPECT_FALSE(t, page[i].flags & PG_slab);
	finish(t, c);
}

KTEST(slab_white, each_page_of_a_slab_leads_to_its_slab_and_cache)
{
	static const size_t sizes[] = { 16, 1000, 5000, 20000 };

	for (unsigned int k = 0; k < ARRAY_SIZE(sizes); k++)
		try_pages(t, bare_cache(sizes[k]), MOB_UNMOVABLE);
}

KTEST(slab_white, pages_of_reclaimable_caches_are_reclaimable)
{
	try_pages(t, cache_of(100, SLAB_RECLAIM_ACCOUNT | SLAB_CONSISTENCY_CHECKS),
		  MOB_RECLAIMABLE);
}

/* ---- no larger block ------------------------------------------------------------------------ */

/* A cache that wants larger slabs than it needs. */
static struct kmem_cache *greedy_cache(void)
{
	for (size_t size = 400; size <= 4000; size += 100) {
		struct kmem_cache *c = bare_cache(size);

		if (c->layouts[SLAB_LAYOUT_WANTED].order > 0 &&
		    !c->layouts[SLAB_LAYOUT_LEAST].order)
			return c;
		if (kmem_cache_destroy(c))
			return NULL;
	}
	return NULL;
}

KTEST(slab_white, a_cache_that_finds_no_larger_block_makes_do_with_a_page)
{
	struct kmem_cache *c = greedy_cache();
	const struct slab_layout *used = NULL, *least;
	unsigned int nr;
	HOARD(h);

	ASSERT_NE(t, NULL, c);
	least = &c->layouts[SLAB_LAYOUT_LEAST];
	hoard_everything(&h, gfp_of_zone(ZONE_NORMAL));
	hoard_free_one(&h);
	for (nr = 0; nr < NR_OBJS; nr++) {
		objs[nr] = kmem_cache_alloc(c, GFP_NOWAIT | __GFP_MEMALLOC | __GFP_NOWARN);
		if (!objs[nr])
			break;
		used = slab_of(objs[nr])->layout;
	}
	EXPECT_EQ(t, 0, kmem_cache_check(c));
	hoard_free(&h);
	/* Off-slab management would have taken the only page for itself. */
	if (!c->off_slab) {
		EXPECT_EQ(t, least, used);
		EXPECT_EQ(t, least->nr_objs, nr);
		EXPECT_EQ(t, 1, c->nr_pages);
	}
	/* Slabs of both layouts get on with each other. */
	objs[nr] = kmem_cache_alloc(c, GFP_KERNEL);
	ASSERT_NE(t, NULL, objs[nr]);
	EXPECT_EQ(t, &c->layouts[SLAB_LAYOUT_WANTED], slab_of(objs[nr])->layout);
	EXPECT_EQ(t, 0, kmem_cache_check(c));
	give(c, 0, nr + 1);
	finish(t, c);
}

/* With the reserves in reach: does @c take a layout, and so much of them, as it needs? */
static void try_under_pressure(struct ktest *t, struct kmem_cache *c, gfp_t gfp)
{
	const struct slab_layout *wanted = &c->layouts[SLAB_LAYOUT_WANTED];
	struct page *page = alloc_pages(gfp | __GFP_NOWARN, wanted->order);

	/* The reserve has such a block, or there is nothing to be tempted by. */
	if (!page)
		return;
	__free_pages(page, wanted->order);
	mm_quiesce(); /* in a per-CPU list it would be anybody's */
	objs[0] = kmem_cache_alloc(c, gfp);
	EXPECT_NE(t, NULL, objs[0]);
	EXPECT_EQ(t, 1, c->nr_pages);
	kmem_cache_free(c, objs[0]);
	kmem_cache_shrink(c);
}

KTEST(slab_white, no_reserve_is_spent_on_a_layout_that_is_merely_better)
{
	static const gfp_t gfps[] = { GFP_ATOMIC, GFP_ATOMIC | __GFP_MEMALLOC,
				      GFP_KERNEL | __GFP_MEMALLOC };
	struct kmem_cache *c = cache_with(4096, 4096, 0, NULL, NULL);
	HOARD(h);

	if (c->layouts[SLAB_LAYOUT_WANTED].order > 0 && !c->layouts[SLAB_LAYOUT_LEAST].order) {
		hoard_everything(&h, GFP_NOWAIT | __GFP_NOWARN);
		for (unsigned int i = 0; i < ARRAY_SIZE(gfps); i++)
			try_under_pressure(t, c, T_GFP(t, gfps[i]));
		env_current()->flags |= PF_MEMALLOC;
		try_under_pressure(t, c, GFP_KERNEL);
		env_current()->flags &= ~PF_MEMALLOC;
		hoard_free(&h);
	}
	finish(t, c);
}

KTEST(slab_white, a_page_whose_slab_can_have_no_management_is_given_back)
{
	const gfp_t last = GFP_NOWAIT | __GFP_MEMALLOC | __GFP_NOWARN;
	struct kmem_cache *c = cache_with(512, 512, SLAB_CONSISTENCY_CHECKS, NULL, NULL);
	struct page *page;
	unsigned int nr = 0;
	HOARD(h);

	if (c->off_slab) {
		hoard_everything(&h, gfp_of_zone(ZONE_NORMAL));
		while (nr < NR_OBJS && (objs[nr] = kmem_cache_alloc(c->off_slab, last)) != NULL)
			nr++;
		hoard_free_one(&h);
		EXPECT_EQ(t, NULL, kmem_cache_alloc(c, last));
		EXPECT_EQ(t, 0, c->nr_slabs);
		page = alloc_page(last);
		EXPECT_NE(t, NULL, page);
		if (page)
			__free_page(page);
		hoard_free(&h);
		kmem_cache_free_bulk(c->off_slab, nr, objs);
	}
	EXPECT_TRUE(t, c->off_slab || is_widened(c));
	finish(t, c);
}

/* ---- constructors --------------------------------------------------------------------------- */

static struct {
	unsigned int nr_ctor, nr_dtor;
} calls;

static QAPI void count_ctor(void *obj, struct kmem_cache *c, unsigned long flags)
{
	(void)c;
	(void)flags;
	*(uint32_t *)obj = 0xc0257ac7u;
	calls.nr_ctor++;
}

static QAPI void count_dtor(void *obj, struct kmem_cache *c, unsigned long flags)
{
	(void)c;
	(void)flags;
	calls.nr_dtor += *(uint32_t *)obj == 0xc0257ac7u;
}

KTEST(slab_white, objects_are_constructed_with_their_slab_and_destroyed_with_it)
{
	struct kmem_cache *c = cache_with(120, 0, 0, count_ctor, count_dtor);
	unsigned int nr = nr_per_slab(c);

	calls.nr_ctor = 0;
	calls.nr_dtor = 0;
	for (unsigned int i = 0; i < 5; i++) {
		ASSERT_EQ(t, nr, take(c, nr));
		give(c, 0, nr);
	}
	/* Each call constructs in a poisoned cache: that is tested elsewhere. */
	if (!(c->flags & SLAB_POISON)) {
		EXPECT_EQ(t, c->nr_slabs * nr, calls.nr_ctor);
		EXPECT_EQ(t, 0, calls.nr_dtor);
	}
	kmem_cache_shrink(c);
	EXPECT_EQ(t, calls.nr_ctor, calls.nr_dtor);
	finish(t, c);
}

/* ---- the list of caches --------------------------------------------------------------------- */

KTEST(slab_white, a_cache_is_an_object_of_the_cache_of_caches_and_the_last_on_the_list)
{
	unsigned long nr_caches = kmem_cache_nr_in_use(&cache_cache);
	struct kmem_cache *c = cache_of(10, 0);

	EXPECT_EQ(t, nr_caches + 1, kmem_cache_nr_in_use(&cache_cache));
	EXPECT_EQ(t, &cache_cache, virt_to_page(c)->slab_cache);
	EXPECT_EQ(t, &c->link, slab_caches.prev);
	EXPECT_EQ(t, &cache_cache.link, slab_caches.next);
	finish(t, c);
	EXPECT_EQ(t, nr_caches, kmem_cache_nr_in_use(&cache_cache));
}

KTEST(slab_white, whoever_walks_the_caches_meets_each_of_them_once)
{
	struct kmem_cache *mine = cache_of(10, 0);
	unsigned long nr = 0, nr_mine = 0;

	for (struct kmem_cache *c = slab_cache_next(NULL); c; c = slab_cache_next(c)) {
		nr++;
		nr_mine += c == mine;
		EXPECT_EQ(t, 1, c->nr_pins);
		EXPECT_EQ(t, c, slab_cache_find(c->name));
	}
	EXPECT_EQ(t, 1, nr_mine);
	/* The cache of caches itself is nobody's object. */
	EXPECT_EQ(t, kmem_cache_nr_in_use(&cache_cache) + 1, nr);
	EXPECT_EQ(t, 0, mine->nr_pins);
	finish(t, mine);
}

/* ---- what the check finds ------------------------------------------------------------------- */

KTEST(slab_white, the_check_finds_each_broken_count_and_mark)
{
	struct kmem_cache *c = bare_cache(600);
	unsigned long *const counts[] = { &c->nr_slabs, &c->nr_empty, &c->nr_pages, &c->nr_objs,
					  &c->nr_taken };
	struct slab *s;
	unsigned int next;

	ASSERT_EQ(t, 3, take(c, 3));
	s = slab_of(objs[0]);
	for (unsigned int i = 0; i < ARRAY_SIZE(counts); i++) {
		++*counts[i];
		EXPECT_EQ(t, 1, nr_found(c));
		--*counts[i];
	}
	s->nr_taken++;
	EXPECT_GE(t, 1, nr_found(c));
	s->nr_taken--;
	next = slab_next_free(c, s, 0);
	slab_list_set(s, 0, s->free, c->wide);
	EXPECT_GE(t, 1, nr_found(c));
	slab_list_set(s, 0, next, c->wide);
	/* A list that bites its own tail. */
	next = slab_next_free(c, s, s->free);
	slab_list_set(s, s->free, s->free, c->wide);
	EXPECT_GE(t, 1, nr_found(c));
	slab_list_set(s, s->free, next, c->wide);
	EXPECT_EQ(t, 0, kmem_cache_check(c));
	give(c, 0, 3);
	finish(t, c);
}

KTEST(slab_white, the_check_finds_slabs_on_wrong_lists_and_pages_that_are_not_theirs)
{
	struct kmem_cache *c = bare_cache(600);
	struct page *page;
	struct slab *s;

	ASSERT_EQ(t, 3, take(c, 3));
	s = slab_of(objs[0]);
	page = virt_to_page(objs[0]);
	list_move(&s->link, &c->full);
	EXPECT_GE(t, 1, nr_found(c));
	list_move(&s->link, &c->empty);
	EXPECT_GE(t, 1, nr_found(c));
	list_move(&s->link, &c->partial);
	page->slab_cache = &cache_cache;
	EXPECT_EQ(t, 1, nr_found(c));
	page->slab_cache = c;
	page->flags &= ~(unsigned long)PG_slab;
	EXPECT_EQ(t, 1, nr_found(c));
	page->flags |= PG_slab;
	EXPECT_EQ(t, 0, kmem_cache_check(c));
	give(c, 0, 3);
	finish(t, c);
}
