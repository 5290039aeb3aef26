/*
 * mempool.c - pools: who gives an element, to whom one goes back, and what happens when there is
 * none.
 *
 * THEORY.  Most pools here stand on a source, an allocator of numbered slots that fails on demand,
 * so that a test sees which slot was given, and counts what the pool asked for and gave back.  The
 * hooks of <quarry/env_hooks.h> are who a request waits for: after so many waits one gives an
 * element back, or lets the source have some again.
 *
 * NOT HERE.  Pools of slab objects, kmalloc() memory and pages: mempool_kinds.c.
 *
 * CONTEXT.  One test at a time: source and waiter are static.
 */
#include "helpers.h"

#include <quarry/align.h>
#include <quarry/env.h>
#include <quarry/env_hooks.h>
#include <quarry/errno.h>
#include <quarry/gfp.h>
#include <quarry/ktest.h>
#include <quarry/mempool.h>
#include <quarry/mm.h>
#include <quarry/out.h>
#include <quarry/slab.h>
#include <quarry/string.h>

#define NR_SLOTS 64u

/* What a mask must have and must not have where nothing may take long. */
#define WAITING (__GFP_WAIT | __GFP_IO | __GFP_FS)
#define MODEST  (__GFP_NORETRY | __GFP_NOWARN | __GFP_NOMEMALLOC)

static struct {
	uint32_t slot[NR_SLOTS];
	bool taken[NR_SLOTS];
	unsigned int nr_taken;
	unsigned int limit; /* taken slots at most */
	unsigned int nr_asked, nr_freed;
	unsigned int nr_foreign; /* freed, but not taken */
	gfp_t first, last;       /* what it was asked with since nr_asked was 0 */
} source;

static QAPI void *source_alloc(gfp_t gfp, void *pool_data)
{
	(void)pool_data;
	source.first = source.nr_asked++ ? source.first : gfp;
	source.last = gfp;
	for (unsigned int i = 0; i < NR_SLOTS && source.nr_taken < source.limit; i++) {
		if (source.taken[i])
			continue;
		source.taken[i] = true;
		source.nr_taken++;
		return &source.slot[i];
	}
	return NULL;
}

static QAPI void source_free(void *element, void *pool_data)
{
	unsigned long i = (unsigned long)((uint32_t *)element - source.slot);

	(void)pool_data;
	if (i >= NR_SLOTS || !source.taken[i]) {
		source.nr_foreign++;
		return;
	}
	source.taken[i] = false;
	source.nr_taken--;
	source.nr_freed++;
}

/* A pool on a fresh source: its reserve is slot 0, ... @min_nr - 1, the last one is the newest. */
static __noinline mempool_t *source_pool(unsigned int min_nr)
{
	memset(&source, 0, sizeof(source));
	source.limit = NR_SLOTS;
	return mempool_create(min_nr, source_alloc, source_free, NULL);
}

/* From now on the source fails; what was counted is forgotten. */
static void source_dry(void)
{
	source.limit = 0;
	source.nr_asked = source.nr_freed = 0;
}

/* Destroy a pool of whose elements none is out; whatever it had was given back. */
static void source_end(struct ktest *t, mempool_t *pool)
{
	EXPECT_EQ(t, 0, mempool_check(pool));
	mempool_destroy(pool);
	EXPECT_EQ(t, 0, source.nr_taken);
	EXPECT_EQ(t, 0, source.nr_foreign);
}

static void *take(mempool_t *pool)
{
	return mempool_alloc(pool, GFP_NOWAIT);
}

/* ---- the reserve -------------------------------------------------------------------------- */

KTEST(mempool, a_pool_has_its_reserve_from_the_start_and_gives_it_back_at_the_end)
{
	mempool_t *pool = source_pool(5);

	ASSERT_NE(t, NULL, pool);
	EXPECT_EQ(t, 5, source.nr_taken);
	EXPECT_EQ(t, 5, source.nr_asked);
	EXPECT_EQ(t, 0, source.nr_freed);
	source_end(t, pool);
	EXPECT_EQ(t, 5, source.nr_freed);
}

KTEST(mempool, a_reserve_is_filled_by_requests_that_may_wait)
{
	mempool_t *pool = source_pool(1);

	ASSERT_NE(t, NULL, pool);
	EXPECT_EQ(t, GFP_KERNEL, source.first & GFP_KERNEL);
	source_end(t, pool);
}

KTEST(mempool, the_reserve_is_not_touched_while_the_allocator_has_elements)
{
	mempool_t *pool = source_pool(3);
	void *element;

	ASSERT_NE(t, NULL, pool);
	element = take(pool);
	EXPECT_EQ(t, &source.slot[3], element);
	mempool_free(element, pool);
	EXPECT_EQ(t, 1, source.nr_freed);
	EXPECT_FALSE(t, source.taken[3]);
	source_end(t, pool);
}

KTEST(mempool, the_reserve_is_given_newest_first_to_its_last_element_when_the_allocator_fails)
{
	mempool_t *pool = source_pool(3);

	ASSERT_NE(t, NULL, pool);
	source_dry();
	EXPECT_EQ(t, &source.slot[2], take(pool));
	EXPECT_EQ(t, &source.slot[1], take(pool));
	EXPECT_EQ(t, &source.slot[0], take(pool));
	EXPECT_EQ(t, NULL, take(pool));
	EXPECT_EQ(t, 4, source.nr_asked);
	for (unsigned int i = 0; i < 3; i++)
		mempool_free(&source.slot[i], pool);
	source_end(t, pool);
}

KTEST(mempool, a_free_fills_the_reserve_before_the_allocator_gets_anything)
{
	mempool_t *pool = source_pool(2);
	void *spare, *element[2];

	ASSERT_NE(t, NULL, pool);
	spare = take(pool);
	source_dry();
	element[0] = take(pool);
	element[1] = take(pool);
	mempool_free(spare, pool);
	mempool_free(element[0], pool);
	EXPECT_EQ(t, 0, source.nr_freed);
	mempool_free(element[1], pool);
	EXPECT_EQ(t, 1, source.nr_freed);
	EXPECT_FALSE(t, source.taken[(uint32_t *)element[1] - source.slot]);
	source_end(t, pool);
}

KTEST(mempool, what_was_freed_to_the_reserve_last_is_given_first)
{
	mempool_t *pool = source_pool(3);
	void *element[3];

	ASSERT_NE(t, NULL, pool);
	source_dry();
	for (unsigned int i = 0; i < 3; i++)
		element[i] = take(pool);
	mempool_free(element[1], pool);
	mempool_free(element[0], pool);
	EXPECT_EQ(t, element[0], take(pool));
	EXPECT_EQ(t, element[1], take(pool));
	for (unsigned int i = 0; i < 3; i++)
		mempool_free(element[i], pool);
	source_end(t, pool);
}

KTEST(mempool, null_is_no_element_and_no_pool)
{
	mempool_t *pool = source_pool(1);
	void *element;

	ASSERT_NE(t, NULL, pool);
	mempool_free(NULL, pool);
	source_dry();
	element = take(pool);
	mempool_free(NULL, pool);
	EXPECT_EQ(t, NULL, take(pool));
	mempool_free(element, pool);
	EXPECT_EQ(t, 0, source.nr_foreign);
	source_end(t, pool);
	mempool_destroy(NULL);
}

/* ---- making ------------------------------------------------------------------------------- */

KTEST(mempool, a_pool_whose_reserve_cannot_be_filled_is_not_made_and_keeps_nothing)
{
	memset(&source, 0, sizeof(source));
	source.limit = 3;
	EXPECT_EQ(t, NULL, mempool_create(4, source_alloc, source_free, NULL));
	EXPECT_EQ(t, 4, source.nr_asked);
	EXPECT_EQ(t, 3, source.nr_freed);
	EXPECT_EQ(t, 0, source.nr_taken);
}

/* Elements that are only numbers: as many as anybody wants. */
static unsigned int nr_numbers;

static QAPI void *number_alloc(gfp_t gfp, void *pool_data)
{
	(void)gfp;
	(void)pool_data;
	return (void *)(uintptr_t)(0x1000u + nr_numbers++);
}

static QAPI void number_free(void *element, void *pool_data)
{
	(void)element;
	(void)pool_data;
	nr_numbers--;
}

KTEST(mempool, a_reserve_of_the_largest_size_is_filled_and_given_back)
{
	mempool_t *pool;

	nr_numbers = 0;
	pool = mempool_create(MEMPOOL_MAX, number_alloc, number_free, NULL);
	ASSERT_NE(t, NULL, pool);
	EXPECT_EQ(t, MEMPOOL_MAX, nr_numbers);
	mempool_destroy(pool);
	EXPECT_EQ(t, 0, nr_numbers);
}

KTEST(mempool, a_pool_for_whose_table_there_is_no_memory_is_not_made)
{
	mempool_t *pool;
	HOARD(h);

	nr_numbers = 0;
	hoard_machine(&h);
	pool = mempool_create(MEMPOOL_MAX, number_alloc, number_free, NULL);
	hoard_free(&h);
	EXPECT_EQ(t, NULL, pool);
	EXPECT_EQ(t, 0, nr_numbers);
}

/* ---- masks, and waiting ------------------------------------------------------------------- */

static struct {
	unsigned int nr_waits;
	unsigned int patience; /* waits until something happens; more are not had */
	mempool_t *pool;
	void *element; /* to be given back then; NULL: the source has some again */
} waiter;

static QAPI bool waiter_wait(unsigned int ms)
{
	(void)ms;
	if (waiter.nr_waits++ < waiter.patience)
		return true;
	if (!waiter.pool)
		return false;
	if (waiter.element)
		mempool_free(waiter.element, waiter.pool);
	else
		source.limit = NR_SLOTS;
	waiter.pool = NULL;
	return true;
}

static const struct env_hooks waiter_hooks = { .wait_for_memory = waiter_wait };

/* mempool_alloc(); after @patience waits @element is freed; without @helped nothing happens. */
static void *take_waiting(mempool_t *pool, gfp_t gfp, unsigned int patience, mempool_t *helped,
			  void *element)
{
	waiter.nr_waits = 0;
	waiter.patience = patience;
	waiter.pool = helped;
	waiter.element = element;
	env_set_hooks(&waiter_hooks);
	element = mempool_alloc(pool, gfp);
	env_set_hooks(NULL);
	return element;
}

KTEST(mempool, a_request_that_may_wait_first_asks_in_a_way_that_cannot)
{
	mempool_t *pool = source_pool(1);
	void *element;

	ASSERT_NE(t, NULL, pool);
	source_dry();
	element = take_waiting(pool, T_GFP(t, GFP_KERNEL | __GFP_COLD), 0, NULL, NULL);
	EXPECT_EQ(t, &source.slot[0], element);
	EXPECT_EQ(t, 1, source.nr_asked);
	EXPECT_EQ(t, 0, source.first & WAITING);
	EXPECT_EQ(t, MODEST | __GFP_COLD, source.first);
	EXPECT_EQ(t, 0, waiter.nr_waits);
	mempool_free(element, pool);
	source_end(t, pool);
}

KTEST(mempool, an_empty_reserve_makes_a_request_reclaim_before_it_waits)
{
	mempool_t *pool = source_pool(1);
	void *element, *none;

	ASSERT_NE(t, NULL, pool);
	source_dry();
	element = take(pool);
	source_dry();
	none = take_waiting(pool, GFP_NOFS | __GFP_NOWARN | __GFP_MEMALLOC, 0, NULL, NULL);
	EXPECT_EQ(t, NULL, none);
	EXPECT_EQ(t, 2, source.nr_asked);
	EXPECT_EQ(t, MODEST | __GFP_MEMALLOC, source.first);
	EXPECT_EQ(t, GFP_NOFS | MODEST | __GFP_MEMALLOC, source.last);
	EXPECT_EQ(t, 1, waiter.nr_waits);
	mempool_free(element, pool);
	source_end(t, pool);
}

KTEST(mempool, a_request_that_may_not_wait_asks_once_and_fails_silently)
{
	struct capture *console;
	mempool_t *pool = source_pool(1);
	void *element;

	ASSERT_NE(t, NULL, pool);
	source_dry();
	element = take(pool);
	source_dry();
	console = capture_begin();
	EXPECT_EQ(t, NULL, take_waiting(pool, T_GFP(t, GFP_ATOMIC), 0, pool, element));
	capture_end(console);
	EXPECT_EQ(t, 0, console->len);
	EXPECT_EQ(t, 1, source.nr_asked);
	EXPECT_EQ(t, GFP_ATOMIC | MODEST, source.last);
	EXPECT_EQ(t, 0, waiter.nr_waits);
	mempool_free(element, pool);
	source_end(t, pool);
}

KTEST(mempool, a_request_that_may_not_wait_is_served_with_interrupts_off)
{
	mempool_t *pool = source_pool(1);
	unsigned long flags;
	void *element;

	ASSERT_NE(t, NULL, pool);
	source_dry();
	flags = irq_save();
	element = mempool_alloc(pool, GFP_ATOMIC);
	mempool_free(element, pool);
	irq_restore(flags);
	EXPECT_EQ(t, &source.slot[0], element);
	source_end(t, pool);
}

KTEST(mempool, a_waiting_request_gets_the_element_that_somebody_frees)
{
	mempool_t *pool = source_pool(2);
	void *element[2], *got;

	ASSERT_NE(t, NULL, pool);
	source_dry();
	element[0] = take(pool);
	element[1] = take(pool);
	got = take_waiting(pool, GFP_NOIO, 3, pool, element[0]);
	EXPECT_EQ(t, element[0], got);
	EXPECT_EQ(t, 4, waiter.nr_waits);
	mempool_free(got, pool);
	mempool_free(element[1], pool);
	source_end(t, pool);
}

KTEST(mempool, a_waiting_request_gets_what_the_allocator_has_again)
{
	mempool_t *pool = source_pool(1);
	void *element, *got;

	ASSERT_NE(t, NULL, pool);
	source_dry();
	element = take(pool);
	got = take_waiting(pool, GFP_KERNEL, 2, pool, NULL);
	EXPECT_EQ(t, &source.slot[1], got);
	EXPECT_EQ(t, 3, waiter.nr_waits);
	mempool_free(element, pool);
	mempool_free(got, pool);
	source_end(t, pool);
}

KTEST(mempool, with_nobody_to_wait_for_an_empty_pool_is_reported_once_with_its_numbers)
{
	struct capture *console;
	mempool_t *pool = source_pool(2);
	void *element[2];

	ASSERT_NE(t, NULL, pool);
	source_dry();
	element[0] = take(pool);
	element[1] = take(pool);
	console = capture_begin();
	EXPECT_EQ(t, NULL, take_waiting(pool, GFP_KERNEL, 0, NULL, NULL));
	capture_end(console);
	EXPECT_EQ(t, 1, capture_count(console, "main: mempool allocation failure: mode:"));
	EXPECT_EQ(t, 1, capture_count(console, " min_nr=2 curr_nr=0\n"));
	EXPECT_EQ(t, 1, capture_count(console, "backtrace:\n"));
	console = capture_begin();
	EXPECT_EQ(t, NULL, take_waiting(pool, GFP_KERNEL | __GFP_NOWARN, 0, NULL, NULL));
	capture_end(console);
	EXPECT_EQ(t, 0, console->len);
	mempool_free(element[0], pool);
	mempool_free(element[1], pool);
	source_end(t, pool);
}

KTEST(mempool, a_request_that_may_not_fail_waits_and_the_allocator_is_not_told)
{
	mempool_t *pool = source_pool(1);
	void *element, *got;

	ASSERT_NE(t, NULL, pool);
	source_dry();
	element = take(pool);
	got = take_waiting(pool, T_GFP(t, GFP_KERNEL | __GFP_NOFAIL), 7, pool, element);
	EXPECT_EQ(t, element, got);
	EXPECT_EQ(t, 0, (source.first | source.last) & __GFP_NOFAIL);
	mempool_free(got, pool);
	source_end(t, pool);
}

/* ---- resizing ----------------------------------------------------------------------------- */

KTEST(mempool, a_larger_reserve_is_filled_at_once_and_its_newest_element_stays_the_newest)
{
	mempool_t *pool = source_pool(2);
	void *element[5];

	ASSERT_NE(t, NULL, pool);
	EXPECT_EQ(t, 0, mempool_resize(pool, 5));
	EXPECT_EQ(t, 5, source.nr_taken);
	EXPECT_EQ(t, 0, mempool_check(pool));
	source_dry();
	for (unsigned int i = 0; i < 5; i++)
		element[i] = take(pool);
	EXPECT_EQ(t, &source.slot[1], element[0]);
	EXPECT_EQ(t, &source.slot[0], element[1]);
	EXPECT_NE(t, NULL, element[4]);
	EXPECT_EQ(t, NULL, take(pool));
	for (unsigned int i = 0; i < 5; i++)
		mempool_free(element[i], pool);
	source_end(t, pool);
}

KTEST(mempool, a_reserve_that_grows_is_still_owed_what_users_have)
{
	mempool_t *pool = source_pool(2);
	void *element;

	ASSERT_NE(t, NULL, pool);
	source_dry();
	element = take(pool);
	source.limit = NR_SLOTS;
	EXPECT_EQ(t, 0, mempool_resize(pool, 4));
	EXPECT_EQ(t, 4, source.nr_taken);
	mempool_free(element, pool);
	EXPECT_EQ(t, 0, source.nr_freed);
	source_end(t, pool);
}

KTEST(mempool, a_smaller_reserve_gives_its_newest_elements_to_the_allocator)
{
	mempool_t *pool = source_pool(6);

	ASSERT_NE(t, NULL, pool);
	EXPECT_EQ(t, 0, mempool_resize(pool, 2));
	EXPECT_EQ(t, 4, source.nr_freed);
	EXPECT_TRUE(t, source.taken[0] && source.taken[1] && !source.taken[2]);
	EXPECT_EQ(t, 0, mempool_check(pool));
	source_end(t, pool);
}

KTEST(mempool, a_reserve_that_shrinks_is_owed_the_less)
{
	mempool_t *pool = source_pool(4);
	void *element[3];

	ASSERT_NE(t, NULL, pool);
	source_dry();
	for (unsigned int i = 0; i < 3; i++)
		element[i] = take(pool);
	EXPECT_EQ(t, 0, mempool_resize(pool, 2));
	EXPECT_EQ(t, 0, source.nr_freed);
	mempool_free(element[0], pool);
	EXPECT_EQ(t, 0, source.nr_freed);
	mempool_free(element[1], pool);
	mempool_free(element[2], pool);
	EXPECT_EQ(t, 2, source.nr_freed);
	source_end(t, pool);
}

KTEST(mempool, a_reserve_that_gets_the_size_it_has_stays_as_it_is)
{
	mempool_t *pool = source_pool(3);
	void *element;

	ASSERT_NE(t, NULL, pool);
	source_dry();
	element = take(pool);
	EXPECT_EQ(t, 0, mempool_resize(pool, 3));
	EXPECT_EQ(t, 1, source.nr_asked);
	EXPECT_EQ(t, 0, source.nr_freed);
	mempool_free(element, pool);
	EXPECT_EQ(t, 0, source.nr_freed);
	source_end(t, pool);
}

KTEST(mempool, a_reserve_that_cannot_grow_stays_as_it_was)
{
	mempool_t *pool = source_pool(2);
	void *element;

	ASSERT_NE(t, NULL, pool);
	source_dry();
	element = take(pool);
	source.limit = 4;
	EXPECT_ERR(t, -ENOMEM, mempool_resize(pool, 5));
	EXPECT_EQ(t, 2, source.nr_taken);
	EXPECT_EQ(t, 0, mempool_check(pool));
	source_dry();
	EXPECT_NE(t, NULL, take(pool));
	EXPECT_EQ(t, NULL, take(pool));
	mempool_free(&source.slot[0], pool);
	mempool_free(&source.slot[1], pool);
	EXPECT_EQ(t, 0, source.nr_freed);
	EXPECT_TRUE(t, element == &source.slot[1]);
	source_end(t, pool);
}

KTEST(mempool, a_reserve_for_whose_table_there_is_no_memory_stays_as_it_was)
{
	mempool_t *pool;
	HOARD(h);

	nr_numbers = 0;
	pool = mempool_create(3, number_alloc, number_free, NULL);
	ASSERT_NE(t, NULL, pool);
	hoard_machine(&h);
	EXPECT_ERR(t, -ENOMEM, mempool_resize(pool, MEMPOOL_MAX));
	hoard_free(&h);
	EXPECT_EQ(t, 3, nr_numbers);
	EXPECT_EQ(t, 0, mempool_resize(pool, MEMPOOL_MAX));
	EXPECT_EQ(t, MEMPOOL_MAX, nr_numbers);
	EXPECT_EQ(t, 0, mempool_resize(pool, 1));
	EXPECT_EQ(t, 1, nr_numbers);
	mempool_destroy(pool);
	EXPECT_EQ(t, 0, nr_numbers);
}

/* ---- seeing and checking ------------------------------------------------------------------- */

static char text[4096];

static const char *shown(struct ktest *t)
{
	struct out_buf b;

	out_buf_init(&b, text, sizeof(text));
	mempools_show(&b.out);
	EXPECT_EQ(t, 0, b.dropped);
	return text;
}

/* Is there a line of @pool that says @what at its end, and this file's tests made it? */
static bool line_says(const char *report, const mempool_t *pool, const char *what)
{
	char start[64];
	const char *line, *end, *found;

	snprintf(start, sizeof(start), "mempool pool=%p by=ktest_fn_mempool_", (const void *)pool);
	line = strstr(report, start);
	end = line ? strchr(line, '\n') : NULL;
	found = line ? strstr(line, what) : NULL;
	return end && found && found + strlen(what) == end;
}

KTEST(mempool, the_report_names_each_pools_maker_elements_and_numbers)
{
	struct kmem_cache *c = kmem_cache_create("mempool-test", 40, 0, 0, NULL, NULL);
	mempool_t *slab = mempool_create_slab_pool(2, c);
	mempool_t *small = mempool_create_kmalloc_pool(3, 100);
	mempool_t *pages = mempool_create_page_pool(1, 2);
	mempool_t *own;
	const char *report;

	memset(&source, 0, sizeof(source));
	source.limit = NR_SLOTS;
	own = mempool_create(4, source_alloc, source_free, NULL);
	ASSERT_TRUE(t, slab && small && pages && own);
	source_dry();
	EXPECT_EQ(t, &source.slot[3], take(own));
	report = shown(t);
	EXPECT_TRUE(t, line_says(report, slab, " of=mempool-test min_nr=2 curr_nr=2"));
	EXPECT_TRUE(t, line_says(report, small, " of=kmalloc-128 min_nr=3 curr_nr=3"));
	EXPECT_TRUE(t, line_says(report, pages, " of=pages:2 min_nr=1 curr_nr=1"));
	EXPECT_TRUE(t, line_says(report, own, " of=source_alloc min_nr=4 curr_nr=3"));
	mempool_free(&source.slot[3], own);
	source_end(t, own);
	mempool_destroy(small);
	mempool_destroy(pages);
	mempool_destroy(slab);
	EXPECT_EQ(t, NULL, strstr(shown(t), "ktest_fn_mempool_"));
	EXPECT_EQ(t, 0, kmem_cache_destroy(c));
}

KTEST(mempool, the_validator_finds_an_element_that_is_in_the_reserve_twice)
{
	const unsigned int nr = MEMPOOL_LOOK_BACK + 3;
	mempool_t *pool = source_pool(nr);
	struct capture *console;

	ASSERT_NE(t, NULL, pool);
	source_dry();
	for (unsigned int i = 0; i < nr; i++)
		EXPECT_NE(t, NULL, take(pool));
	for (unsigned int i = 0; i < nr - 2; i++)
		mempool_free(&source.slot[i], pool);
	mempool_free(&source.slot[0], pool); /* too deep in the reserve to be noticed */
	console = capture_begin();
	EXPECT_EQ(t, 1, mempool_check(pool));
	EXPECT_EQ(t, 1, mempools_check());
	capture_end(console);
	EXPECT_EQ(t, 2, capture_count(console, "mempool_check: E2 broken: "));
	EXPECT_EQ(t, &source.slot[0], take(pool));
	EXPECT_EQ(t, 0, mempool_check(pool));
	mempool_free(&source.slot[nr - 2], pool);
	mempool_free(&source.slot[nr - 1], pool);
	source_end(t, pool);
}

KTEST(mempool, the_validator_finds_a_page_of_the_reserve_that_somebody_uses)
{
	mempool_t *pool = mempool_create_page_pool(2, 0);
	struct capture *console;
	struct page *page;
	HOARD(h);

	ASSERT_NE(t, NULL, pool);
	hoard_machine(&h);
	page = take(pool);
	mempool_free(page, pool);
	hoard_free(&h);
	ASSERT_NE(t, NULL, page);
	get_page(page);
	console = capture_begin();
	EXPECT_EQ(t, 1, mempool_check(pool));
	capture_end(console);
	EXPECT_EQ(t, 1, capture_count(console, "mempool_check: E4 broken: "));
	put_page(page);
	EXPECT_EQ(t, 0, mempool_check(pool));
	mempool_destroy(pool);
}

/* ---- a random walk ------------------------------------------------------------------------- */

#define WALK_HELD  24u
#define WALK_STEPS 5000ul

/* What the pool must have, by the rules of the header. */
struct model {
	mempool_t *pool;
	void *held[WALK_HELD];
	unsigned int nr_held;
	unsigned int min_nr, curr_nr;
};

static void walk_take(struct ktest *t, struct model *m)
{
	bool has = source.nr_taken < source.limit;
	void *element;

	if (m->nr_held == WALK_HELD)
		return;
	element = mempool_alloc(m->pool,
				ktest_random(t) & 1 ? GFP_ATOMIC : GFP_KERNEL | __GFP_NOWARN);
	EXPECT_EQ(t, has || m->curr_nr, element != NULL);
	if (!has && m->curr_nr)
		m->curr_nr--;
	if (element)
		m->held[m->nr_held++] = element;
}

static void walk_give(struct ktest *t, struct model *m)
{
	unsigned int i, nr_freed = source.nr_freed;

	if (!m->nr_held)
		return;
	i = ktest_random_below(t, m->nr_held);
	mempool_free(m->held[i], m->pool);
	m->held[i] = m->held[--m->nr_held];
	EXPECT_EQ(t, m->curr_nr == m->min_nr, source.nr_freed - nr_freed);
	m->curr_nr += m->curr_nr < m->min_nr;
}

static void walk_resize(struct ktest *t, struct model *m)
{
	unsigned int new_min_nr = 1 + ktest_random_below(t, 20);
	unsigned int nr_more = new_min_nr > m->min_nr ? new_min_nr - m->min_nr : 0;
	bool fits = !nr_more || source.nr_taken + nr_more <= source.limit;

	EXPECT_EQ(t, fits ? 0 : -ENOMEM, mempool_resize(m->pool, new_min_nr));
	if (!fits)
		return;
	m->min_nr = new_min_nr;
	m->curr_nr = min(m->curr_nr + nr_more, new_min_nr);
}

static void walk_step(struct ktest *t, struct model *m)
{
	switch (ktest_random_below(t, 16)) {
	case 0:
		walk_resize(t, m);
		break;
	case 1:
	case 2:
		/* Now and then it fails, now and then it has plenty. */
		source.limit = ktest_random_below(t, NR_SLOTS + 1);
		break;
	case 3:
	case 4:
	case 5:
	case 6:
	case 7:
	case 8:
		walk_give(t, m);
		break;
	default:
		walk_take(t, m);
	}
}

KTEST(mempool, a_random_walk_keeps_every_invariant_and_every_count)
{
	struct model m = { .pool = source_pool(4), .min_nr = 4, .curr_nr = 4 };
	unsigned long steps = ktest_steps(t, WALK_STEPS);

	ASSERT_NE(t, NULL, m.pool);
	for (unsigned long i = 0; i < steps && !t->nr_failed; i++) {
		walk_step(t, &m);
		EXPECT_EQ(t, 0, mempool_check(m.pool));
		EXPECT_EQ(t, m.curr_nr + m.nr_held, source.nr_taken);
	}
	while (m.nr_held)
		walk_give(t, &m);
	EXPECT_EQ(t, m.min_nr, m.curr_nr);
	source_end(t, m.pool);
}
