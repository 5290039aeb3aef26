/*
 * fault_inject.c - tests of points that fail: by number, by chance, in words; and of what is left
 * of each kind of request when any one of its points fails.
 *
 * THEORY.  Whatever memory there is, an armed point fails.  The last part makes a request with its
 * first point failing, then its second, and so on until it has no more: each time that it fails,
 * the machine has to be as it was.  `make faults` does the same with whole tests.
 *
 * CONTEXT.  Thread.  Each test leaves nothing armed.
 */
#include "helpers.h"

#include <quarry/dma.h>
#include <quarry/dmapool.h>
#include <quarry/errno.h>
#include <quarry/fault_inject.h>
#include <quarry/kmalloc.h>
#include <quarry/kmem_cache.h>
#include <quarry/ktest.h>
#include <quarry/mempool.h>
#include <quarry/pgtable.h>
#include <quarry/printk.h>
#include <quarry/sizes.h>
#include <quarry/string.h>
#include <quarry/vmalloc.h>

#define BIT_OF(kind) (1u << (kind))
#define ALL_TIMES    (~0ul)
#define NR_PAGES     64u
#define DEVICE       0xF0000000ull /* no RAM on any machine */
#define LONG_TEXT    300           /* bytes */

static unsigned long seen(enum fault_kind kind)
{
	struct fault_counts c;

	fault_count(&c);
	return c.seen[kind];
}

static unsigned long failed(enum fault_kind kind)
{
	struct fault_counts c;

	fault_count(&c);
	return c.failed[kind];
}

/* Silent, and of every request: what a test then changes. */
static const struct fault_attr plain = { .probability = 100, .interval = 1, .times = -1 };

/* Ask for @nr pages one by one and give them back: a bit for each that was refused. */
static uint64_t refused_pages(unsigned int nr, gfp_t gfp, unsigned int order)
{
	uint64_t refused = 0;

	for (unsigned int i = 0; i < nr; i++) {
		struct page *page = alloc_pages(gfp | __GFP_NOWARN, order);

		if (page)
			__free_pages(page, order);
		else
			refused |= 1ull << i;
	}
	return refused;
}

static uint64_t refused_by(struct ktest *t, const struct fault_attr *a, unsigned int nr, gfp_t gfp,
			   unsigned int order)
{
	uint64_t refused;

	EXPECT_EQ(t, 0, fault_attr_set(FAULT_PAGE, a));
	refused = refused_pages(nr, gfp, order);
	fault_off();
	return refused;
}

/* ---- by the command line ------------------------------------------------------------------ */

/* Of a row that gives them; the first test, as the others disarm all. */
KTEST(fault, options_of_the_command_line_arm_what_they_name)
{
	struct fault_attr a;

	if (option_given("fail_page_alloc=7,3,5,9")) {
		fault_attr_get(FAULT_PAGE, &a);
		EXPECT_EQ(t, 7 * 1000 + 3 * 100 + 5 * 10 + 9,
			  a.interval * 1000 + a.probability * 100 + a.space * 10 + a.times);
		EXPECT_EQ(t, 1, a.min_order);
	}
	if (option_given("failslab=1,100,0,0")) {
		fault_attr_get(FAULT_OBJECT, &a);
		EXPECT_EQ(t, 100, a.probability);
		EXPECT_TRUE(t, fault_kinds() & BIT_OF(FAULT_OBJECT));
	}
	if (option_given("fault=nth:memblock,0"))
		EXPECT_GE(t, 1, seen(FAULT_MEMBLOCK));
}

/* ---- by number --------------------------------------------------------------------------- */

KTEST(fault, the_kth_point_of_a_kind_fails_and_no_other)
{
	for (unsigned long k = 1; k <= 4; k++) {
		fault_nth(BIT_OF(FAULT_PAGE), k, 1);
		EXPECT_EQ(t, 1ull << (k - 1), refused_pages(6, GFP_KERNEL, 0));
	}
	fault_off();
	EXPECT_EQ(t, 0, refused_pages(6, GFP_KERNEL, 0));
}

KTEST(fault, as_many_points_fail_from_the_kth_on_as_was_said)
{
	fault_nth(BIT_OF(FAULT_PAGE), 2, 3);
	EXPECT_EQ(t, 0xe, refused_pages(8, GFP_ATOMIC, 0));
	fault_nth(BIT_OF(FAULT_PAGE), 3, ALL_TIMES);
	EXPECT_EQ(t, 0xfc, refused_pages(8, GFP_ATOMIC, 0));
	fault_off();
}

KTEST(fault, points_can_be_counted_without_failing)
{
	unsigned long before = seen(FAULT_PAGE), nr_failed = failed(FAULT_PAGE);

	fault_nth(FAULT_KINDS_ALL, 0, 1);
	EXPECT_EQ(t, FAULT_KINDS_ALL, fault_kinds());
	EXPECT_EQ(t, 0, refused_pages(7, GFP_KERNEL, 1));
	EXPECT_EQ(t, before + 7, seen(FAULT_PAGE));
	fault_off();
	EXPECT_EQ(t, 0, fault_kinds());
	EXPECT_EQ(t, 0, refused_pages(7, GFP_KERNEL, 1));
	EXPECT_EQ(t, before + 7, seen(FAULT_PAGE));
	EXPECT_EQ(t, nr_failed, failed(FAULT_PAGE));
	fault_count_reset();
	EXPECT_EQ(t, 0, seen(FAULT_PAGE));
}

/* One that may wait for ever, and one that the wait makes no point of. */
KTEST(fault, a_request_that_may_not_fail_does_not)
{
	struct kmem_cache *c = kmem_cache_create("fault-nofail", 64, 0, 0, NULL, NULL);
	struct page *page;
	void *obj;

	ASSERT_NE(t, NULL, c);
	fault_nth(FAULT_KINDS_ALL, 1, ALL_TIMES);
	page = alloc_page(GFP_KERNEL | __GFP_NOFAIL);
	obj = kmem_cache_alloc(c, GFP_KERNEL | __GFP_NOFAIL);
	fault_off();
	EXPECT_TRUE(t, page && obj);
	if (page)
		__free_page(page);
	kmem_cache_free(c, obj);
	EXPECT_EQ(t, 0, kmem_cache_destroy(c));
}

KTEST(fault, many_pages_at_once_are_as_many_points)
{
	static struct page *pages[NR_PAGES];
	unsigned long nr;

	fault_nth(BIT_OF(FAULT_PAGE), 41, 1);
	nr = alloc_pages_bulk_array(GFP_KERNEL, NR_PAGES, pages);
	fault_off();
	EXPECT_EQ(t, 40, nr);
	free_pages_bulk_array(NR_PAGES, pages);
}

KTEST(fault, a_page_below_a_limit_is_a_point_too)
{
	struct device dev = { .name = "fault",
			      .dma_mask = ~0ull,
			      .coherent_dma_mask = 24 * MiB - 1 };
	dma_addr_t handle;
	void *va;

	fault_nth(BIT_OF(FAULT_PAGE), 1, ALL_TIMES);
	va = dma_alloc_coherent(&dev, PAGE_SIZE, &handle, GFP_KERNEL | __GFP_NOWARN);
	fault_off();
	EXPECT_EQ(t, NULL, va);
}

/* What stands in a list or magazine is not handed out around its point. */
KTEST(fault, no_request_gets_around_its_point)
{
	struct kmem_cache *c = kmem_cache_create("fault-around", 64, 0, 0, NULL, NULL);
	struct mm_account a;
	void *obj;

	ASSERT_NE(t, NULL, c);
	obj = kmem_cache_alloc(c, GFP_KERNEL);
	kmem_cache_free(c, obj);
	EXPECT_EQ(t, 0, refused_pages(1, gfp_with_lists(), 0));
	fault_nth(BIT_OF(FAULT_PAGE) | BIT_OF(FAULT_OBJECT), 1, ALL_TIMES);
	EXPECT_EQ(t, 1, refused_pages(1, gfp_with_lists(), 0));
	EXPECT_EQ(t, NULL, kmem_cache_alloc(c, GFP_KERNEL));
	mm_account(&a);
	EXPECT_EQ(t, 0, a.nr_pcp);
	fault_off();
	EXPECT_EQ(t, 0, refused_pages(1, gfp_with_lists(), 0));
	mm_account(&a);
	EXPECT_EQ(t, lists_in_use(), a.nr_pcp >= 1);
	EXPECT_EQ(t, 0, kmem_cache_destroy(c));
}

/* ---- the kinds --------------------------------------------------------------------------- */

/* Does the first point of @kind make this fail? */
static bool object_fails(struct kmem_cache *c)
{
	void *obj = kmem_cache_alloc(c, GFP_KERNEL | __GFP_NOWARN);

	kmem_cache_free(c, obj);
	return !obj;
}

static bool area_fails(void)
{
	void *va = __vmalloc(PAGE_SIZE, GFP_KERNEL | __GFP_HIGHMEM | __GFP_NOWARN, PROT_KERNEL);

	vfree(va);
	return !va;
}

KTEST(fault, objects_slabs_and_areas_fail_each_for_itself)
{
	struct kmem_cache *c = kmem_cache_create("fault-kinds", 64, 0, 0, NULL, NULL);

	ASSERT_NE(t, NULL, c);
	fault_nth(BIT_OF(FAULT_SLAB), 1, 1);
	EXPECT_TRUE(t, object_fails(c));
	EXPECT_FALSE(t, object_fails(c)); /* and has a slab now */
	fault_nth(BIT_OF(FAULT_SLAB), 1, 1);
	EXPECT_FALSE(t, object_fails(c));
	fault_nth(BIT_OF(FAULT_OBJECT), 1, 1);
	EXPECT_TRUE(t, object_fails(c));
	fault_nth(BIT_OF(FAULT_VMALLOC), 1, 1);
	EXPECT_FALSE(t, object_fails(c));
	EXPECT_TRUE(t, area_fails());
	EXPECT_FALSE(t, area_fails());
	fault_off();
	EXPECT_EQ(t, 0, kmem_cache_destroy(c));
}

KTEST(fault, a_mapping_without_a_page_table_says_so_and_maps_nothing)
{
	size_t size = (size_t)1 << pt_shift(1);
	uintptr_t va = unmapped_range(size);
	struct page *page = alloc_page(GFP_KERNEL);
	struct pt_walk w;

	ASSERT_TRUE(t, va && page);
	pgtable_walk(va, &w);
	fault_nth(BIT_OF(FAULT_PGTABLE), 1, 1);
	if (w.level) /* there is no table yet */
		EXPECT_ERR(t, -ENOMEM,
			   pgtable_map(va, page_to_phys(page), PAGE_SIZE, PROT_KERNEL, false));
	fault_off();
	pgtable_walk(va, &w);
	EXPECT_FALSE(t, w.present);
	__free_page(page);
}

/* ---- by chance --------------------------------------------------------------------------- */

KTEST(fault, times_bounds_how_many_points_fail)
{
	struct fault_attr a = plain;

	a.times = 3;
	EXPECT_EQ(t, 7, refused_by(t, &a, 8, GFP_KERNEL, 0));
	fault_attr_get(FAULT_PAGE, &a);
	EXPECT_EQ(t, 0, a.times);
	a.times = 0;
	a.probability = 100;
	EXPECT_EQ(t, 0, refused_by(t, &a, 8, GFP_KERNEL, 0));
}

KTEST(fault, with_an_interval_each_nth_point_fails)
{
	struct fault_attr a = plain;

	a.interval = 4;
	EXPECT_EQ(t, 0x888, refused_by(t, &a, 12, GFP_KERNEL, 0));
}

KTEST(fault, space_is_used_up_before_anything_fails)
{
	struct fault_attr a = plain;

	a.space = 5; /* pages: two blocks of two are less, the third takes what is left */
	EXPECT_EQ(t, 0xfc, refused_by(t, &a, 8, GFP_KERNEL, 1));
	a.space = 1;
	EXPECT_EQ(t, 0xff, refused_by(t, &a, 8, GFP_KERNEL, 0));
}

KTEST(fault, smaller_blocks_than_min_order_do_not_fail)
{
	struct fault_attr a = plain;

	a.min_order = 2;
	EXPECT_EQ(t, 0, refused_by(t, &a, 4, GFP_KERNEL, 1));
	EXPECT_EQ(t, 0xf, refused_by(t, &a, 4, GFP_KERNEL, 2));
}

KTEST(fault, what_may_wait_or_may_be_highmem_can_be_left_alone)
{
	struct fault_attr a = plain;

	a.ignore_gfp_wait = true;
	EXPECT_EQ(t, 0, refused_by(t, &a, 4, GFP_KERNEL, 0));
	EXPECT_EQ(t, 0xf, refused_by(t, &a, 4, GFP_ATOMIC, 0));
	a.ignore_gfp_wait = false;
	a.ignore_gfp_highmem = true;
	EXPECT_EQ(t, 0, refused_by(t, &a, 4, GFP_HIGHUSER, 0));
	EXPECT_EQ(t, 0xf, refused_by(t, &a, 4, GFP_USER, 0));
}

static unsigned int nr_bits(uint64_t bits)
{
	unsigned int nr = 0;

	for (; bits; bits &= bits - 1)
		nr++;
	return nr;
}

KTEST(fault, the_same_seed_fails_the_same_points_and_about_as_many_as_was_said)
{
	struct fault_attr a = plain;
	uint64_t first, second;

	a.probability = 50;
	fault_seed(1);
	first = refused_by(t, &a, 64, GFP_KERNEL, 0);
	fault_seed(1);
	EXPECT_EQ(t, first, refused_by(t, &a, 64, GFP_KERNEL, 0));
	fault_seed(2);
	second = refused_by(t, &a, 64, GFP_KERNEL, 0);
	EXPECT_NE(t, first, second);
	EXPECT_GE(t, 2 * 64 / 4, nr_bits(first) + nr_bits(second));
	EXPECT_LE(t, 2 * 64 * 3 / 4, nr_bits(first) + nr_bits(second));
}

KTEST(fault, suspended_points_neither_fail_nor_count)
{
	unsigned long before = seen(FAULT_PAGE);

	fault_nth(BIT_OF(FAULT_PAGE), 1, ALL_TIMES);
	fault_suspend();
	fault_suspend();
	fault_resume();
	EXPECT_EQ(t, 0, refused_pages(3, GFP_KERNEL, 0));
	EXPECT_EQ(t, before, seen(FAULT_PAGE));
	fault_resume();
	EXPECT_EQ(t, 7, refused_pages(3, GFP_KERNEL, 0));
	fault_off();
}

KTEST(fault, a_failure_is_told_as_loudly_as_was_said)
{
	struct fault_attr a = plain;
	struct capture *c = capture_begin();
	int level = console_loglevel;

	console_loglevel = CONSOLE_LOGLEVEL_DEFAULT;
	refused_by(t, &a, 1, GFP_KERNEL, 0);
	capture_end(c);
	EXPECT_EQ(t, 0, capture_count(c, "fault_inject:"));
	a.verbose = 1;
	c = capture_begin();
	refused_by(t, &a, 2, GFP_KERNEL, 0);
	capture_end(c);
	EXPECT_EQ(t, 2, capture_count(c, "fault_inject: page point "));
	EXPECT_EQ(t, 0, capture_count(c, "backtrace"));
	a.verbose = 2;
	c = capture_begin();
	refused_by(t, &a, 1, GFP_KERNEL, 0);
	capture_end(c);
	console_loglevel = level;
	EXPECT_EQ(t, 1, capture_count(c, "fault_inject: page point "));
	EXPECT_EQ(t, 1, capture_count(c, "backtrace"));
}

/* ---- in words ---------------------------------------------------------------------------- */

KTEST(fault, attributes_are_read_by_place_and_by_name)
{
	struct fault_attr a;

	EXPECT_EQ(t, 0, fault_parse("object:3,25,4096,-1,verbose=0,ignore-gfp-wait=0"));
	EXPECT_EQ(t, BIT_OF(FAULT_OBJECT), fault_kinds());
	fault_attr_get(FAULT_OBJECT, &a);
	fault_off();
	EXPECT_EQ(t, 3, a.interval);
	EXPECT_EQ(t, 25, a.probability);
	EXPECT_EQ(t, 4096, a.space);
	EXPECT_EQ(t, -1, a.times);
	EXPECT_EQ(t, 0, a.verbose);
	EXPECT_FALSE(t, a.ignore_gfp_wait);
	EXPECT_EQ(t, 0, fault_parse("page:probability=7,min-order=3,ignore-gfp-highmem=0"));
	fault_attr_get(FAULT_PAGE, &a);
	fault_off();
	EXPECT_EQ(t, 7, a.probability);
	EXPECT_EQ(t, 1, a.interval);
	EXPECT_EQ(t, 1, a.times);
	EXPECT_EQ(t, 3, a.min_order);
	EXPECT_TRUE(t, a.ignore_gfp_wait);
	EXPECT_FALSE(t, a.ignore_gfp_highmem);
}

KTEST(fault, points_are_armed_by_number_in_words)
{
	EXPECT_EQ(t, 0, fault_parse("nth:page,2"));
	EXPECT_EQ(t, 2, refused_pages(4, GFP_KERNEL, 0));
	EXPECT_EQ(t, 0, fault_parse("nth:all,1,-1"));
	EXPECT_EQ(t, FAULT_KINDS_ALL, fault_kinds());
	EXPECT_EQ(t, 0xf, refused_pages(4, GFP_KERNEL, 0));
	EXPECT_EQ(t, 0, fault_parse("off"));
	EXPECT_EQ(t, 0, fault_kinds());
}

KTEST(fault, words_that_make_no_sense_are_refused)
{
	static const char *const wrong[] = {
		"",
		"page",
		"page:",
		"pages:1",
		"nth:page",
		"nth:",
		"nth:page,",
		"nth:page,x",
		"nth:page,1,x",
		"nth:page,1,0",
		"nth:page,1,",
		"page:1,50,",
		"memblock:1,50",
		"nth:some,1",
		"off:1",
		"page:1,101",
		"page:0,100",
		"page:1,1,1,1,1",
		"page:x=1",
		"page:1,,1",
		"page:times=-2",
		"page:verbose=3",
		"page:interval=-1",
		"page:interval",
		"page:min-order=x",
		"nth:page,-1",
		"page:1,1,-1",
		"page:times=1,5",
	};
	struct fault_attr a = plain;

	for (unsigned int i = 0; i < ARRAY_SIZE(wrong); i++)
		EXPECT_ERR(t, -EINVAL, fault_parse(wrong[i]));
	a.probability = 101;
	EXPECT_ERR(t, -EINVAL, fault_attr_set(FAULT_SLAB, &a));
	EXPECT_EQ(t, 0, fault_kinds());
}

KTEST(fault, the_report_has_a_line_for_each_kind)
{
	static char text[2048];
	struct out_buf b;

	fault_count_reset();
	fault_nth(BIT_OF(FAULT_PAGE), 2, 1);
	refused_pages(3, GFP_KERNEL, 0);
	out_buf_init(&b, text, sizeof(text));
	fault_show(&b.out);
	fault_off();
	EXPECT_NE(t, NULL, strstr(text, "fault kind=page armed=1 seen=3 failed=1\n"));
	EXPECT_NE(t, NULL, strstr(text, "fault kind=object armed=0 seen=0 failed=0\n"));
	EXPECT_NE(t, NULL, strstr(text, "fault nth=2 times=1 seen=3\n"));
	EXPECT_STREQ(t, "memblock", fault_kind_name(FAULT_MEMBLOCK));
}

/* ---- every point of a request -------------------------------------------------------------- */

/* A request, made and taken back: false if it failed. */
struct request {
	const char *name;
	bool (*make)(void);
};

static struct kmem_cache *cache; /* of objects that a slab has some of */
static struct device device = { .name = "fault",
				.dma_mask = 16 * MiB - 1,
				.coherent_dma_mask = 16 * MiB - 1 };

static bool make_vmalloc(void)
{
	void *va = __vmalloc(7 * PAGE_SIZE, GFP_KERNEL | __GFP_HIGHMEM | __GFP_NOWARN, PROT_KERNEL);

	vfree(va);
	return va;
}

static bool make_kvmalloc(void)
{
	void *p = kvmalloc(3 * PAGE_SIZE, GFP_KERNEL | __GFP_NOWARN);

	kvfree(p);
	return p;
}

static bool make_vmap(void)
{
	static struct page *pages[3];
	void *va = NULL;

	if (alloc_pages_bulk_array(GFP_KERNEL, ARRAY_SIZE(pages), pages) == ARRAY_SIZE(pages))
		va = vmap(pages, ARRAY_SIZE(pages), VM_MAP, PROT_KERNEL);
	vunmap(va);
	free_pages_bulk_array(ARRAY_SIZE(pages), pages);
	return va;
}

static bool make_ioremap(void)
{
	void *va = ioremap(DEVICE, 2 * PAGE_SIZE);

	iounmap(va);
	return va;
}

static bool make_cache(void)
{
	struct kmem_cache *c = kmem_cache_create("fault-made", 700, 0, 0, NULL, NULL);
	void *obj = c ? kmem_cache_alloc(c, GFP_KERNEL | __GFP_NOWARN) : NULL;

	if (c)
		kmem_cache_free(c, obj);
	kmem_cache_destroy(c);
	return obj;
}

static bool make_bulk(void)
{
	void *objs[40];
	unsigned int nr =
		kmem_cache_alloc_bulk(cache, GFP_KERNEL | __GFP_NOWARN, ARRAY_SIZE(objs), objs);

	kmem_cache_free_bulk(cache, nr, objs);
	return nr;
}

static bool make_off_slab(void)
{
	struct kmem_cache *c =
		kmem_cache_create("fault-off-slab", PAGE_SIZE, PAGE_SIZE, 0, NULL, NULL);
	void *obj = c ? kmem_cache_alloc(c, GFP_ATOMIC | __GFP_NOWARN) : NULL;

	if (c)
		kmem_cache_free(c, obj);
	kmem_cache_destroy(c);
	return obj;
}

static bool make_mempool(void)
{
	mempool_t *pool = mempool_create_slab_pool(5, cache);
	bool good = pool && mempool_resize(pool, 9) == 0;

	mempool_destroy(pool);
	return good;
}

static bool make_page_pool(void)
{
	mempool_t *pool = mempool_create_page_pool(4, 1);

	mempool_destroy(pool);
	return pool;
}

static bool make_coherent(void)
{
	dma_addr_t handle;
	void *va = dma_alloc_coherent(&device, 3 * PAGE_SIZE, &handle, GFP_KERNEL | __GFP_NOWARN);

	if (va)
		dma_free_coherent(&device, 3 * PAGE_SIZE, va, handle);
	return va;
}

static bool make_dma_pool(void)
{
	struct dma_pool *pool = dma_pool_create("fault", &device, 100, 0, 0);
	dma_addr_t handle;
	void *va = pool ? dma_pool_alloc(pool, GFP_KERNEL | __GFP_NOWARN, &handle) : NULL;

	if (va)
		dma_pool_free(pool, va, handle);
	dma_pool_destroy(pool);
	return va;
}

static bool make_text(void)
{
	char *text = kasprintf(GFP_KERNEL | __GFP_NOWARN, "%*d", LONG_TEXT, 1);
	char *longer = text ? krealloc(text, 4 * LONG_TEXT, GFP_KERNEL | __GFP_NOWARN) : NULL;

	kfree(longer ? longer : text);
	return longer;
}

static bool make_exact(void)
{
	void *va = alloc_pages_exact(3 * PAGE_SIZE, GFP_KERNEL | __GFP_NOWARN);

	if (va)
		free_pages_exact(va, 3 * PAGE_SIZE);
	return va;
}

static const struct request requests[] = {
	{ "vmalloc", make_vmalloc },     { "kvmalloc", make_kvmalloc },
	{ "vmap", make_vmap },           { "ioremap", make_ioremap },
	{ "cache", make_cache },         { "bulk", make_bulk },
	{ "off-slab", make_off_slab },   { "mempool", make_mempool },
	{ "page pool", make_page_pool }, { "coherent", make_coherent },
	{ "dma_pool", make_dma_pool },   { "text", make_text },
	{ "exact", make_exact },
};

/* Free pages and page tables, which are kept. */
static unsigned long nr_pages_left(void)
{
	mm_quiesce();
	return nr_free_pages() + pgtable_nr_pages();
}

/*
 * Let @times points of @r fail from the k-th on, for each k: how many k there are.  One
 * alone may be got by each time, all of them not.
 */
static unsigned long try_points(struct ktest *t, const struct request *r, unsigned long times)
{
	unsigned long nr_before = nr_pages_left(), nr_errors = 0, k;

	for (k = 1;; k++) {
		bool made;

		fault_count_reset();
		fault_nth(FAULT_KINDS_ALL, k, times);
		made = r->make();
		nr_errors += !made;
		fault_nth(FAULT_KINDS_ALL, 0, 1);
		if (nr_pages_left() != nr_before)
			ktest_fail(t, __FILE__, __LINE__, "%s: point %lu: %lu pages, not %lu",
				   r->name, k, nr_pages_left(), nr_before);
		if (!failed(FAULT_PAGE) && !failed(FAULT_OBJECT) && !failed(FAULT_SLAB) &&
		    !failed(FAULT_VMALLOC) && !failed(FAULT_PGTABLE))
			break;
	}
	if (times == ALL_TIMES)
		EXPECT_GE(t, 1, nr_errors);
	return k - 1;
}

KTEST(fault, whichever_point_of_a_request_fails_nothing_is_kept)
{
	cache = kmem_cache_create("fault-objs", 200, 0, 0, NULL, NULL);
	ASSERT_NE(t, NULL, cache);
	for (unsigned int i = 0; i < ARRAY_SIZE(requests); i++) {
		EXPECT_TRUE(t, requests[i].make()); /* page tables are made once */
		EXPECT_GE(t, 1, try_points(t, &requests[i], 1));
		EXPECT_GE(t, 1, try_points(t, &requests[i], ALL_TIMES));
	}
	fault_off();
	EXPECT_EQ(t, 0, mm_check_all());
	EXPECT_EQ(t, 0, kmem_cache_destroy(cache));
}
