/*
 * slab_show.c - what the reports of slab caches say is what was done to the caches.
 *
 * THEORY.  A test makes a cache of its own, takes and gives objects, and reads numbers back from
 * the text by the names of its fields.  Whether slabinfo has the format that programs written for
 * Linux expect is tested by such a program, outside.
 *
 * Nothing here depends on the debug options: sizes of slabs are asked of the report.
 *
 * STATE.  The objects that a test holds.
 */
#include "../shown.h"
#include "helpers.h"

#include <quarry/align.h>
#include <quarry/config.h>
#include <quarry/out.h>
#include <quarry/slab.h>
#include <quarry/string.h>

#define NONE    (~0ul)
#define NR_OBJS 2048u

static void *objs[NR_OBJS];

static void show_cache(struct ktest *t, struct kmem_cache *c)
{
	slab_cache_show(to_shown(), c);
	EXPECT_TRUE(t, shown_fits());
}

/* The number behind the first @label of the text; NONE when there is none. */
static unsigned long number(const char *label)
{
	const char *at = strstr(shown_text, label), *end;
	uint64_t val;

	if (!at || parse_u64(at + strlen(label), &end, &val))
		return NONE;
	return (unsigned long)val;
}

static unsigned int count(const char *what)
{
	unsigned int nr = 0;

	for (const char *p = strstr(shown_text, what); p; p = strstr(p + 1, what))
		nr++;
	return nr;
}

static void give_all(struct kmem_cache *c, unsigned int nr)
{
	while (nr--)
		kmem_cache_free(c, objs[nr]);
}

static bool take_all(struct kmem_cache *c, unsigned int nr)
{
	for (unsigned int i = 0; i < nr; i++) {
		objs[i] = kmem_cache_alloc(c, GFP_KERNEL);
		if (!objs[i]) {
			give_all(c, i);
			return false;
		}
	}
	return true;
}

/* ---- slabinfo --------------------------------------------------------------------------- */

/* A line of slabinfo. */
struct info {
	unsigned long active_objs, num_objs, objsize, objperslab, pagesperslab;
	unsigned long limit, batchcount, sharedfactor;
	unsigned long active_slabs, num_slabs, sharedavail;
};

/* The number at *@p, which moves behind it; blanks and then @before may come first. */
static unsigned long next_number(const char **p, const char *before)
{
	uint64_t val;

	while (**p == ' ')
		(*p)++;
	if (strncmp(*p, before, strlen(before)) == 0)
		*p += strlen(before);
	while (**p == ' ')
		(*p)++;
	return parse_u64(*p, p, &val) ? NONE : (unsigned long)val;
}

/* The line of a cache in the text; false when there is none, or it has another form. */
static bool parse_line(const char *name, struct info *i)
{
	char start[SLAB_NAME_MAX + 2];
	const char *p;

	snprintf(start, sizeof(start), "\n%s ", name);
	p = strstr(shown_text, start);
	if (!p)
		return false;
	p += strlen(start);
	i->active_objs = next_number(&p, "");
	i->num_objs = next_number(&p, "");
	i->objsize = next_number(&p, "");
	i->objperslab = next_number(&p, "");
	i->pagesperslab = next_number(&p, "");
	i->limit = next_number(&p, ": tunables ");
	i->batchcount = next_number(&p, "");
	i->sharedfactor = next_number(&p, "");
	i->active_slabs = next_number(&p, ": slabdata ");
	i->num_slabs = next_number(&p, "");
	i->sharedavail = next_number(&p, "");
	return *p == '\n' && i->sharedavail != NONE;
}

KTEST(slab_show, slabinfo_begins_as_linux_does)
{
	static const char head[] =
		"slabinfo - version: 2.1\n"
		"# name            <active_objs> <num_objs> <objsize> <objperslab> <pagesperslab>"
		" : tunables <limit> <batchcount> <sharedfactor>"
		" : slabdata <active_slabs> <num_slabs> <sharedavail>\n";

	shown(t, slabinfo_show);
	EXPECT_EQ(t, 0, strncmp(shown_text, head, strlen(head)));
}

KTEST(slab_show, slabinfo_has_a_line_for_every_cache_with_the_columns_of_linux)
{
	struct kmem_cache *c = kmem_cache_create("slab-show", 40, 0, 0, NULL, NULL);
	struct info i;
	char line[128];

	ASSERT_NE(t, NULL, c);
	shown(t, slabinfo_show);
	EXPECT_TRUE(t, parse_line("kmem_cache", &i));
	EXPECT_TRUE(t, parse_line("kmalloc-8", &i));
	EXPECT_TRUE(t, parse_line("dma-kmalloc-131072", &i));
	ASSERT_TRUE(t, parse_line("slab-show", &i));
	snprintf(line, sizeof(line), "\n%-17s %6lu %6lu %6lu %4lu %4lu : tunables %4lu ",
		 "slab-show", i.active_objs, i.num_objs, i.objsize, i.objperslab, i.pagesperslab,
		 i.limit);
	EXPECT_EQ(t, 1, count(line));
	snprintf(line, sizeof(line), ": tunables %4lu %4lu %4lu : slabdata %6lu %6lu %6lu\n",
		 i.limit, i.batchcount, i.sharedfactor, i.active_slabs, i.num_slabs, i.sharedavail);
	EXPECT_LE(t, count(line), 1);
	EXPECT_EQ(t, 0, kmem_cache_destroy(c));
	shown(t, slabinfo_show);
	EXPECT_FALSE(t, parse_line("slab-show", &i));
}

KTEST(slab_show, slabinfo_counts_objects_that_somebody_has_as_active_and_no_others)
{
	struct kmem_cache *c = kmem_cache_create("slab-show", 512, 0, 0, NULL, NULL);
	struct info i;

	ASSERT_NE(t, NULL, c);
	shown(t, slabinfo_show);
	ASSERT_TRUE(t, parse_line("slab-show", &i));
	EXPECT_EQ(t, 0, i.active_objs + i.num_objs + i.active_slabs + i.num_slabs + i.sharedavail);
	EXPECT_LE(t, i.objsize, 512);
	ASSERT_TRUE(t, take_all(c, 20));
	shown(t, slabinfo_show);
	ASSERT_TRUE(t, parse_line("slab-show", &i));
	EXPECT_EQ(t, 20, i.active_objs);
	EXPECT_EQ(t, i.num_slabs * i.objperslab, i.num_objs);
	EXPECT_LE(t, i.pagesperslab * PAGE_SIZE, i.objperslab * i.objsize);
	EXPECT_LE(t, i.num_slabs, i.active_slabs);
	EXPECT_LE(t, i.num_objs, 20);
	give_all(c, 20);
	shown(t, slabinfo_show);
	ASSERT_TRUE(t, parse_line("slab-show", &i));
	EXPECT_EQ(t, 0, i.active_objs);
	kmem_cache_shrink(c);
	shown(t, slabinfo_show);
	ASSERT_TRUE(t, parse_line("slab-show", &i));
	EXPECT_EQ(t, 0, i.num_objs + i.num_slabs + i.active_slabs);
	EXPECT_EQ(t, 0, kmem_cache_destroy(c));
}

KTEST(slab_show, slabinfo_says_what_is_free_in_the_shared_magazine_and_in_empty_slabs)
{
	struct kmem_cache *c = kmem_cache_create("slab-show", 64, 0, 0, NULL, NULL);
	struct info i;
	char want[64];

	ASSERT_NE(t, NULL, c);
	ASSERT_TRUE(t, take_all(c, 500));
	give_all(c, 500);
	shown(t, slabinfo_show);
	ASSERT_TRUE(t, parse_line("slab-show", &i));
	EXPECT_LE(t, i.sharedfactor * i.batchcount + i.batchcount - 1, i.sharedavail);
	EXPECT_EQ(t, !i.limit, !i.sharedavail);
	EXPECT_EQ(t, !i.limit, !i.sharedfactor);
	show_cache(t, c);
	EXPECT_EQ(t, i.sharedavail, number("magazine cpu=shared objs="));
	EXPECT_EQ(t, i.limit, number(" limit="));
	snprintf(want, sizeof(want), "magazine cpu=shared objs=%lu limit=", i.sharedavail);
	EXPECT_EQ(t, i.sharedfactor, number(want) / i.batchcount);
	EXPECT_GE(t, 1, number(" empty="));
	EXPECT_EQ(t, i.num_slabs - number(" empty="), i.active_slabs);
	EXPECT_EQ(t, 0, kmem_cache_destroy(c));
}

/* ---- one cache -------------------------------------------------------------------------- */

static QAPI void construct(void *obj, struct kmem_cache *c, unsigned long flags)
{
	(void)obj;
	(void)c;
	(void)flags;
}

KTEST(slab_show, a_cache_is_shown_with_its_geometry_and_flags)
{
	struct kmem_cache *c = kmem_cache_create(
		"slab-show", 100, 128, SLAB_CACHE_DMA | SLAB_RECLAIM_ACCOUNT, construct, NULL);

	ASSERT_NE(t, NULL, c);
	show_cache(t, c);
	EXPECT_EQ(t, 1, count("cache name=slab-show at=0x"));
	EXPECT_EQ(t, 100, number(" object_size="));
	EXPECT_EQ(t, 128, number(" align="));
	EXPECT_EQ(t, 0, number(" stride=") % 128);
	EXPECT_NE(t, NULL, strstr(shown_text, "cache_dma|"));
	EXPECT_NE(t, NULL, strstr(shown_text, "reclaim_account "));
	EXPECT_NE(t, NULL, strstr(shown_text, " ctor=construct dtor=none\n"));
	EXPECT_EQ(t, 1, count("\nmanagement place=o"));
	EXPECT_EQ(t, 1, count("\nlayout kind=wanted order="));
	EXPECT_EQ(t, 1, count("\nlayout kind=least order="));
	EXPECT_EQ(t, 0, kmem_cache_destroy(c));
}

KTEST(slab_show, a_cache_without_options_has_no_flags)
{
	struct kmem_cache *c = kmem_cache_create("slab-show", 100, 0, 0, NULL, NULL);

	ASSERT_NE(t, NULL, c);
	show_cache(t, c);
	/* slab_debug= adds its own to every cache. */
	EXPECT_EQ(t, strstr(shown_text, "tunables") == NULL, strstr(shown_text, " flags=") != NULL);
	EXPECT_EQ(t, slab_debug_given("slab-show", "FZPU"), count(" flags=none ") == 0);
	EXPECT_EQ(t, 0, kmem_cache_destroy(c));
}

KTEST(slab_show, the_slabs_of_a_cache_add_up_to_its_counts)
{
	struct kmem_cache *c = kmem_cache_create("slab-show", 700, 0, 0, NULL, NULL);
	unsigned long taken = 0, of = 0;
	char want[64];

	ASSERT_NE(t, NULL, c);
	ASSERT_TRUE(t, take_all(c, 40));
	show_cache(t, c);
	for (const char *p = strstr(shown_text, "\nslab list="); p;
	     p = strstr(p + 1, "\nslab list=")) {
		const char *end = strstr(p, " taken=") + strlen(" taken=");
		uint64_t val;

		EXPECT_EQ(t, 0, parse_u64(end, &end, &val));
		taken += (unsigned long)val;
		EXPECT_EQ(t, 0, strncmp(end, " of=", 4));
		EXPECT_EQ(t, 0, parse_u64(end + 4, &end, &val));
		of += (unsigned long)val;
	}
	EXPECT_EQ(t, 40, number("\ncounts in_use="));
	EXPECT_EQ(t, number("\ncounts in_use=40 cached=") + 40, taken);
	EXPECT_NE(t, NULL, strstr(shown_text, "\nslab list=full "));
	EXPECT_EQ(t, count("\nslab list=full "), count(" free=none\n"));
	EXPECT_EQ(t, number(" slabs="), count("\nslab list="));
	EXPECT_EQ(t, 0, count("not_shown"));
	snprintf(want, sizeof(want), " objs=%lu slabs=", of);
	EXPECT_EQ(t, 1, count(want));
	give_all(c, 40);
	EXPECT_EQ(t, 0, kmem_cache_destroy(c));
}

/* Is every line about a slab in the text once? */
static bool slabs_are_distinct(void)
{
	char line[128];

	for (const char *p = strstr(shown_text, "\nslab list="); p;
	     p = strstr(p + 1, "\nslab list=")) {
		strlcpy(line, p, min(sizeof(line), (size_t)(strchr(p + 1, '\n') - p + 1)));
		if (count(line) != 1)
			return false;
	}
	return true;
}

KTEST(slab_show, of_very_many_slabs_only_some_are_shown_and_the_rest_is_counted)
{
	struct kmem_cache *c = kmem_cache_create("slab-show", 512, 0, 0, NULL, NULL);
	unsigned long nr_shown;

	ASSERT_NE(t, NULL, c);
	ASSERT_TRUE(t, take_all(c, 1000));
	show_cache(t, c);
	nr_shown = count("\nslab list=");
	EXPECT_GE(t, 64, nr_shown);
	EXPECT_LE(t, 3 * 64, nr_shown);
	EXPECT_TRUE(t, slabs_are_distinct());
	ASSERT_NE(t, NONE, number("\nslabs not_shown="));
	EXPECT_EQ(t, number(" slabs="), nr_shown + number("\nslabs not_shown="));
	give_all(c, 1000);
	EXPECT_EQ(t, 0, kmem_cache_destroy(c));
}
