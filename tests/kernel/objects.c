/*
 * objects.c - objects by hand: the monitor gives, remembers, and takes back only what it gave.
 *
 * THEORY.  Commands are run as a user would; what the caches and whatis say of the objects is then
 * asked of mm/ itself.
 *
 * CONTEXT.  Thread.
 */
#include "../shown.h"
#include "typed.h"

#include <quarry/compiler.h>
#include <quarry/errno.h>
#include <quarry/gfp.h>
#include <quarry/ktest.h>
#include <quarry/mm.h>
#include <quarry/monitor.h>
#include <quarry/printk.h>
#include <quarry/slab.h>
#include <quarry/string.h>
#include <quarry/whatis.h>

#define TABLE_MAX 512u /* objects that the monitor remembers, at most */

/* @command and an address. */
static int run_on(struct ktest *t, const char *command, unsigned long va)
{
	char line[64];

	snprintf(line, sizeof(line), "%s 0x%lx", command, va);
	return typed(t, line);
}

/* The number behind @name in what was printed; ~0 when it is not there. */
static unsigned long printed(const char *name)
{
	const char *at = strstr(typed_text, name), *end;
	uint64_t val;

	if (!at || parse_u64(at + strlen(name), &end, &val))
		return ~0ul;
	return (unsigned long)val;
}

/* Does what was printed begin with @what? */
static bool begins(const char *what)
{
	return strncmp(typed_text, what, strlen(what)) == 0;
}

KTEST(objects, kmalloc_and_kfree_by_hand_take_and_give_back_an_object)
{
	struct kmem_cache *c = slab_cache_find("kmalloc-128");
	unsigned long nr, va;

	ASSERT_NE(t, NULL, c);
	nr = kmem_cache_nr_in_use(c);
	ASSERT_EQ(t, 0, typed(t, "kmalloc 100"));
	va = printed("object=");
	EXPECT_EQ(t, 128, printed(" size="));
	EXPECT_NE(t, NULL, strstr(typed_text, " from=kmalloc gfp=__GFP_WAIT|__GFP_IO|__GFP_FS\n"));
	EXPECT_EQ(t, nr + 1, kmem_cache_nr_in_use(c));
	EXPECT_EQ(t, 128, ksize((const void *)va));
	EXPECT_EQ(t, 0, run_on(t, "whatis", va));
	EXPECT_TRUE(t, begins("slab cache=kmalloc-128 "));
	EXPECT_NE(t, NULL, strstr(typed_text, " state=taken\n"));
	EXPECT_EQ(t, 0, run_on(t, "kfree", va));
	EXPECT_EQ(t, va, printed("freed object="));
	EXPECT_EQ(t, nr, kmem_cache_nr_in_use(c));
	EXPECT_EQ(t, 0, run_on(t, "whatis", va));
	EXPECT_EQ(t, NULL, strstr(typed_text, " state=taken\n"));
}

KTEST(objects, objalloc_and_objfree_by_hand_serve_any_cache)
{
	struct kmem_cache *c = kmem_cache_create("objects", 40, 0, 0, NULL, NULL);
	unsigned long va;

	ASSERT_NE(t, NULL, c);
	ASSERT_EQ(t, 0, typed(t, "objalloc objects GFP_ATOMIC"));
	va = printed("object=");
	EXPECT_EQ(t, 40, printed(" size="));
	EXPECT_NE(t, NULL, strstr(typed_text, " from=objects gfp=__GFP_HIGH\n"));
	EXPECT_EQ(t, 1, kmem_cache_nr_in_use(c));
	EXPECT_EQ(t, 0, run_on(t, "objfree", va));
	EXPECT_EQ(t, 0, kmem_cache_nr_in_use(c));
	EXPECT_EQ(t, 0, kmem_cache_destroy(c));
}

KTEST(objects, what_the_monitor_did_not_hand_out_it_does_not_take_back)
{
	void *mine = kmalloc(64, GFP_KERNEL);
	unsigned long va;

	ASSERT_NE(t, NULL, mine);
	EXPECT_EQ(t, -ENOENT, run_on(t, "kfree", (unsigned long)mine));
	EXPECT_EQ(t, -ENOENT, run_on(t, "objfree", (unsigned long)mine));
	EXPECT_EQ(t, -ENOENT, typed(t, "kfree 0"));
	EXPECT_EQ(t, -ENOENT, typed(t, "kfree 0x10"));
	EXPECT_EQ(t, -ENOENT, typed(t, "kfree 0xc0101000"));
	EXPECT_NE(t, NULL, strstr(typed_text, "0xc0101000 is nothing that kmalloc gave"));
	kfree(mine);

	ASSERT_EQ(t, 0, typed(t, "kmalloc 64"));
	va = printed("object=");
	EXPECT_EQ(t, -ENOENT, run_on(t, "kfree", va + 1));
	EXPECT_EQ(t, -ENOENT, run_on(t, "objfree", va));
	EXPECT_EQ(t, 0, run_on(t, "kfree", va));
	EXPECT_EQ(t, -ENOENT, run_on(t, "kfree", va));
}

KTEST(objects, objs_lists_what_is_out)
{
	unsigned long a, b, nr;

	ASSERT_EQ(t, 0, typed(t, "objs"));
	nr = printed("room for ");
	EXPECT_TRUE(t, begins("0 objects, room for "));
	ASSERT_EQ(t, 0, typed(t, "kmalloc 33 GFP_NOWAIT"));
	a = printed("object=");
	ASSERT_EQ(t, 0, typed(t, "objalloc kmalloc-512"));
	b = printed("object=");
	EXPECT_EQ(t, 0, typed(t, "objs"));
	EXPECT_EQ(t, a, printed("object="));
	EXPECT_NE(t, NULL, strstr(typed_text, " size=64 from=kmalloc gfp=0\n"));
	EXPECT_NE(t, NULL, strstr(typed_text, " size=512 from=kmalloc-512 gfp="));
	EXPECT_NE(t, NULL, strstr(typed_text, "\n2 objects, room for "));
	EXPECT_EQ(t, nr, printed("room for "));
	EXPECT_EQ(t, 0, run_on(t, "kfree", a));
	EXPECT_EQ(t, 0, run_on(t, "objfree", b));
}

/* The objects that were printed, to @vas; how many there were. */
static unsigned int printed_objects(unsigned long *vas, unsigned int nr_max)
{
	const char *at = typed_text;
	unsigned int nr = 0;
	uint64_t val;

	while (nr < nr_max && (at = strstr(at, "object=")) != NULL) {
		if (parse_u64(at + strlen("object="), &at, &val))
			break;
		vas[nr++] = (unsigned long)val;
	}
	return nr;
}

KTEST(objects, a_full_table_of_objects_refuses_more)
{
	static unsigned long vas[TABLE_MAX];
	unsigned int nr = 0;
	int err;

	while (!(err = typed(t, "kmalloc 8")) && nr < TABLE_MAX)
		nr++;
	EXPECT_EQ(t, -ENOSPC, err);
	EXPECT_EQ(t, 0, typed(t, "objs"));
	EXPECT_EQ(t, nr, printed("room for "));
	EXPECT_EQ(t, nr, printed_objects(vas, ARRAY_SIZE(vas)));
	while (nr--)
		EXPECT_EQ(t, 0, run_on(t, "kfree", vas[nr]));
	EXPECT_EQ(t, 0, typed(t, "objs"));
	EXPECT_TRUE(t, begins("0 objects"));
}

KTEST(objects, requests_that_cannot_be_met_say_so)
{
	EXPECT_EQ(t, 0, typed(t, "kmalloc 0"));
	EXPECT_EQ(t, NULL, strstr(typed_text, "object="));
	EXPECT_EQ(t, -ENOMEM, typed(t, "kmalloc 0x7fffffff __GFP_NOWARN"));
	EXPECT_EQ(t, -ENOENT, typed(t, "objalloc no-such-cache"));
	EXPECT_EQ(t, -ENOENT, typed(t, "shrink no-such-cache"));
	EXPECT_EQ(t, 0, typed(t, "objs"));
	EXPECT_TRUE(t, begins("0 objects"));
}

KTEST(objects, commands_refuse_what_makes_no_sense)
{
	static const char *const bad[] = { "kmalloc",
					   "kmalloc x",
					   "kmalloc 8 GFP_NONSENSE",
					   "kmalloc 8 GFP_KERNEL 1",
					   "kfree",
					   "kfree x",
					   "kfree 1 2",
					   "objalloc",
					   "objalloc kmalloc-8 GFP_KERNEL|",
					   "objalloc kmalloc-8 0 1",
					   "objfree",
					   "objfree x",
					   "objs 1",
					   "shrink a b",
					   "whatis",
					   "whatis x",
					   "whatis 0x10000000000000000",
					   "whatis 1 2" };

	for (unsigned int i = 0; i < ARRAY_SIZE(bad); i++) {
		EXPECT_EQ(t, -EINVAL, typed(t, bad[i]));
		EXPECT_TRUE(t, begins("usage: "));
	}
}

KTEST(objects, a_gfp_mask_is_names_of_flags_and_combinations)
{
	gfp_t gfp = 0;

	EXPECT_EQ(t, 0, monitor_parse_gfp("GFP_ATOMIC", &gfp));
	EXPECT_EQ(t, GFP_ATOMIC, gfp);
	EXPECT_EQ(t, 0, monitor_parse_gfp("GFP_KERNEL|__GFP_ZERO,__GFP_NOWARN", &gfp));
	EXPECT_EQ(t, GFP_KERNEL | __GFP_ZERO | __GFP_NOWARN, gfp);
	EXPECT_ERR(t, -EINVAL, monitor_parse_gfp("GFP_KERNEL|", &gfp));
	EXPECT_EQ(t, -EINVAL, monitor_parse_gfp("", &gfp));
	EXPECT_EQ(t, -EINVAL, monitor_parse_gfp("__GFP", &gfp));
}

KTEST(objects, shrink_gives_empty_slabs_back_of_one_cache_or_of_all)
{
	struct kmem_cache *c = kmem_cache_create("objects", 256, 0, 0, NULL, NULL);
	void *obj;

	ASSERT_NE(t, NULL, c);
	for (unsigned int i = 0; i < 2; i++) {
		obj = kmem_cache_alloc(c, GFP_KERNEL);
		ASSERT_NE(t, NULL, obj);
		EXPECT_EQ(t, 0, typed(t, "shrink objects"));
		EXPECT_TRUE(t, begins("0 pages freed\n"));
		kmem_cache_free(c, obj);
		EXPECT_EQ(t, 0, typed(t, i ? "shrink" : "shrink objects"));
		EXPECT_FALSE(t, begins("0 pages freed\n"));
		EXPECT_EQ(t, 0, typed(t, "shrink objects"));
		EXPECT_TRUE(t, begins("0 pages freed\n"));
	}
	EXPECT_EQ(t, 0, kmem_cache_destroy(c));
}

KTEST(objects, whatis_prints_what_whatis_show_does)
{
	whatis_show(to_shown(), (uintptr_t)shown_text);
	EXPECT_EQ(t, 0, run_on(t, "whatis", (unsigned long)shown_text));
	EXPECT_STREQ(t, shown_text, typed_text);
}
