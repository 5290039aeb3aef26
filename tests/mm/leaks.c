/*
 * leaks.c - planted leaks of all kinds are found, with their sizes, and nothing else is.
 *
 * THEORY.  After a mark a test allocates with functions of its own; they must be in the report by
 * name, with all that they took and nobody gave back.  Nobody else allocates meanwhile, so
 * whatever else the report had would be a false one: sums are compared, too.
 *
 * What depends on page_owner=1 runs where that is set; areas and objects of caches with
 * SLAB_STORE_USER are known everywhere.
 */
#include "../shown.h"
#include "helpers.h"

#include <quarry/config.h>
#include <quarry/dma.h>
#include <quarry/leaks.h>
#include <quarry/out.h>
#include <quarry/slab.h>
#include <quarry/string.h>
#include <quarry/vmalloc.h>

#define KTEST_OWNER(suite, test) KTEST_NEEDS(suite, test, .features = KTEST_PAGE_OWNER)

/* Does a line begin with @start and go on, somewhere, with "by=@caller+" or a part of it? */
static bool is_line(const char *line, const char *start, const char *by)
{
	const char *found = strstr(line, by), *end = strchr(line, '\n');

	if (strncmp(line, start, strlen(start)) || !found || found > end)
		return false;
	return found[strlen(by)] == '+' || found[strlen(by)] == '.';
}

static bool has(const char *start, const char *caller)
{
	char by[128];

	snprintf(by, sizeof(by), " by=%s", caller);
	for (const char *line = shown_text; *line; line = strchr(line, '\n') + 1) {
		if (is_line(line, start, by))
			return true;
	}
	return false;
}

static bool named(const char *caller)
{
	return strstr(shown_text, caller) != NULL;
}

/* ---- what leaks: each its own function, with a frame ------------------------------------- */

static __noinline struct page *page_leaker(unsigned int order)
{
	struct page *page = alloc_pages(GFP_KERNEL, order);

	opaque(page);
	return page;
}

static __noinline void *area_leaker(size_t size)
{
	void *va = vmalloc(size);

	opaque(va);
	return va;
}

static __noinline void *object_leaker(struct kmem_cache *c)
{
	void *obj = kmem_cache_alloc(c, GFP_KERNEL);

	opaque(obj);
	return obj;
}

static struct kmem_cache *cache_with_users(void)
{
	return kmem_cache_create("leaks-users", 100, 0, SLAB_STORE_USER, NULL, NULL);
}

/* ---- pages ------------------------------------------------------------------------------ */

KTEST_OWNER(leaks, pages_since_the_mark_are_counted_by_caller_and_nothing_else_is)
{
	struct page *before = page_leaker(0), *page[4];

	ASSERT_NE(t, NULL, before);
	leaks_mark();
	for (unsigned int order = 0; order < 4; order++)
		ASSERT_NE(t, NULL, page[order] = page_leaker(order));
	__free_pages(page[1], 1);
	shown(t, leaks_show);
	EXPECT_NE(t, NULL, strstr(shown_text, "pages pages=13 nr=3 callers=1\n"));
	EXPECT_TRUE(t, has("page pages=13 kib=52 nr=3 kind=page", "page_leaker"));
	for (unsigned int order = 0; order < 4; order++)
		if (order != 1)
			__free_pages(page[order], order);
	shown(t, leaks_show);
	EXPECT_NE(t, NULL, strstr(shown_text, "pages pages=0 nr=0 callers=0\n"));
	__free_page(before);
}

KTEST_OWNER(leaks, the_largest_caller_comes_first)
{
	struct page *one, *eight, *two;
	const char *a, *b;

	leaks_mark();
	one = page_leaker(0);
	eight = alloc_pages(GFP_KERNEL, 3);
	two = page_leaker(0);
	ASSERT_TRUE(t, one && eight && two);
	shown(t, leaks_show);
	a = strstr(shown_text,
		   "\npage pages=8 kib=32 nr=1 kind=page by=ktest_fn_leaks_the_largest");
	b = strstr(shown_text, "\npage pages=2 kib=8 nr=2 kind=page by=page_leaker");
	EXPECT_TRUE(t, a && b && a < b);
	EXPECT_NE(t, NULL, strstr(shown_text, "pages pages=10 nr=3 callers=2\n"));
	__free_page(one);
	__free_pages(eight, 3);
	__free_page(two);
}

KTEST_OWNER(leaks, what_is_left_of_a_split_block_is_its_takers)
{
	struct page *page;

	leaks_mark();
	page = page_leaker(2);
	ASSERT_NE(t, NULL, page);
	split_page(page, 2);
	__free_page(page);
	shown(t, leaks_show);
	EXPECT_TRUE(t, has("page pages=3 kib=12 nr=3 kind=page", "page_leaker"));
	for (unsigned int i = 1; i < 4; i++)
		__free_page(page + i);
}

KTEST_OWNER(leaks, slabs_are_pages_only_if_nobody_knows_their_objects)
{
	struct kmem_cache *plain = kmem_cache_create("leaks-plain", 100, 0, 0, NULL, NULL);
	struct kmem_cache *users = cache_with_users();
	void *obj[2];

	ASSERT_TRUE(t, plain && users);
	leaks_mark();
	obj[0] = object_leaker(plain);
	obj[1] = object_leaker(users);
	ASSERT_TRUE(t, obj[0] && obj[1]);
	shown(t, leaks_show);
	/* slab_debug= adds users to every cache. */
	EXPECT_EQ(t, !slab_debug_given("leaks-plain", "U"),
		  strstr(shown_text, " kind=slab cache=leaks-plain by=object_leaker") != NULL);
	EXPECT_EQ(t, !CONFIG_SLAB_DEBUG,
		  strstr(shown_text, " kind=slab cache=leaks-users") != NULL);
	shown(t, pageowner_show);
	EXPECT_NE(t, NULL, strstr(shown_text, " kind=slab cache=leaks-users by=object_leaker"));
	kmem_cache_free(plain, obj[0]);
	kmem_cache_free(users, obj[1]);
	shown(t, leaks_show);
	EXPECT_FALSE(t, named("object_leaker")); /* empty slabs are nobody's leak */
	EXPECT_EQ(t, 0, kmem_cache_destroy(plain));
	EXPECT_EQ(t, 0, kmem_cache_destroy(users));
}

KTEST_OWNER(leaks, a_report_of_all_owners_has_all_pages_that_are_out)
{
	struct mm_account a;
	char sums[64];
	struct vm_counts c;
	struct page *page = page_leaker(1);

	ASSERT_NE(t, NULL, page);
	mm_quiesce();
	shown(t, pageowner_show);
	mm_account(&a);
	vm_count(&c);
	snprintf(sums, sizeof(sums),
		 "pages pages=%lu nr=", a.nr_managed - a.nr_free - a.nr_pcp - c.nr_pages);
	EXPECT_EQ(t, shown_text, strstr(shown_text, sums));
	EXPECT_TRUE(t, has("page pages=2 kib=8 nr=1 kind=page", "page_leaker"));
	__free_pages(page, 1);
}

/* ---- areas ------------------------------------------------------------------------------ */

KTEST(leaks, areas_since_the_mark_are_counted_and_their_pages_are_no_others)
{
	void *before = area_leaker(1), *a, *b, *c;

	leaks_mark();
	a = area_leaker(PAGE_SIZE + 1);
	b = area_leaker(PAGE_SIZE);
	c = area_leaker(70 * PAGE_SIZE);
	ASSERT_TRUE(t, before && a && b && c);
	vfree(b);
	shown(t, leaks_show);
	EXPECT_NE(t, NULL, strstr(shown_text, "areas pages=72 nr=2 callers=1\n"));
	EXPECT_TRUE(t, has("area pages=72 kib=288 nr=2 kind=vmalloc", "area_leaker"));
	EXPECT_FALSE(t, has("page ", "area_leaker"));
	EXPECT_FALSE(t, has("object ", "vm_area_get"));
	shown(t, pageowner_show);
	EXPECT_TRUE(t, has("area pages=73 kib=292 nr=3 kind=vmalloc", "area_leaker"));
	vfree(before);
	vfree(a);
	vfree(c);
	shown(t, leaks_show);
	EXPECT_NE(t, NULL, strstr(shown_text, "areas pages=0 nr=0 callers=0\n"));
	EXPECT_FALSE(t, named("area_leaker"));
}

KTEST(leaks, windows_on_pages_and_devices_are_areas_of_their_kinds)
{
	struct page *page = alloc_page(GFP_KERNEL);
	void *m, *d;

	ASSERT_NE(t, NULL, page);
	leaks_mark();
	m = vmap(&page, 1, VM_MAP, PROT_KERNEL);
	d = ioremap(0xFEE00000ull, 2 * PAGE_SIZE);
	ASSERT_TRUE(t, m && d);
	shown(t, leaks_show);
	EXPECT_NE(t, NULL, strstr(shown_text, "areas pages=3 nr=2 callers=2\n"));
	EXPECT_TRUE(t, has("area pages=1 kib=4 nr=1 kind=vmap", __func__));
	EXPECT_TRUE(t, has("area pages=2 kib=8 nr=1 kind=ioremap", __func__));
	vunmap(m);
	iounmap(d);
	__free_page(page);
}

static __noinline void *coherent_leaker(struct device *dev, dma_addr_t *handle)
{
	void *va = dma_alloc_coherent(dev, PAGE_SIZE, handle, GFP_KERNEL);

	opaque(va);
	return va;
}

/* With slab_debug= its record has a user, too, which is the library. */
KTEST_OWNER(leaks, coherent_memory_is_its_pages_and_its_record_no_other_leak)
{
	struct device dev = DEVICE_INIT("leaks");
	dma_addr_t handle;
	void *va;

	leaks_mark();
	va = coherent_leaker(&dev, &handle);
	ASSERT_NE(t, NULL, va);
	shown(t, leaks_show);
	EXPECT_TRUE(t, has("page pages=1 kib=4 nr=1 kind=page", "coherent_leaker"));
	EXPECT_EQ(t, NULL, strstr(shown_text, "\nobject "));
	dma_free_coherent(&dev, PAGE_SIZE, va, handle);
}

/* ---- objects ---------------------------------------------------------------------------- */

KTEST(leaks, objects_since_the_mark_are_counted_where_the_cache_knows_its_users)
{
	struct kmem_cache *c = cache_with_users();
	void *before, *obj[3];

	ASSERT_NE(t, NULL, c);
	before = object_leaker(c);
	leaks_mark();
	for (unsigned int i = 0; i < ARRAY_SIZE(obj); i++)
		ASSERT_NE(t, NULL, obj[i] = object_leaker(c));
	kmem_cache_free(c, obj[1]);
	shown(t, leaks_show);
	EXPECT_EQ(t, CONFIG_SLAB_DEBUG,
		  strstr(shown_text, "objects bytes=200 nr=2 callers=1\n") != NULL);
	EXPECT_EQ(t, CONFIG_SLAB_DEBUG,
		  has("object bytes=200 nr=2 cache=leaks-users", "object_leaker"));
	EXPECT_FALSE(t, has("page ", "object_leaker") && CONFIG_SLAB_DEBUG);
	kmem_cache_free(c, obj[0]);
	kmem_cache_free(c, obj[2]);
	shown(t, leaks_show);
	EXPECT_FALSE(t, named("object_leaker"));
	kmem_cache_free(c, before);
	EXPECT_EQ(t, 0, kmem_cache_destroy(c));
}

/* ---- one at a time ---------------------------------------------------------------------- */

static char inner_text[256];

static QAPI void report_in_between(struct out *o, const char *s, size_t len)
{
	struct out_buf b;

	(void)o;
	(void)s;
	(void)len;
	out_buf_init(&b, inner_text, sizeof(inner_text));
	pageowner_show(&b.out);
}

KTEST(leaks, a_report_in_the_middle_of_another_says_so_and_leaves_it_alone)
{
	struct out nested = { report_in_between };

	pageowner_show(&nested);
	EXPECT_STREQ(t, "busy: another report is being made\n", inner_text);
	shown(t, pageowner_show);
	EXPECT_EQ(t, NULL, strstr(shown_text, "busy"));
}
