/*
 * slab_debug.c - caches with debug flags: each detector sees the crime, and nothing when there is
 * none.
 *
 * THEORY.  A detector ends the machine when an object changes hands, which tests/death shows.
 * kmem_cache_check() asks the same detectors and only counts.  So a crime is committed, counted,
 * and undone before anybody else can find it.  Every byte that a detector watches is tried by
 * itself.
 *
 * STATE.  The objects that a test holds, the text of a report; static, because the stack is small.
 */
#include "helpers.h"

#include <quarry/config.h>
#include <quarry/out.h>
#include <quarry/port.h>
#include <quarry/printk.h>
#include <quarry/slab.h>
#include <quarry/string.h>
#include <quarry/whatis.h>

#define NR_OBJS 200u
#define SPOIL   0x5au /* changes every second bit or so: never what is expected */

static void *objs[NR_OBJS];
static char text[8192];

static struct kmem_cache *cache_with(size_t size, size_t align, unsigned long flags,
				     slab_ctor_t ctor, slab_ctor_t dtor)
{
	static unsigned int nr;
	char name[SLAB_NAME_MAX];

	snprintf(name, sizeof(name), "slab-debug-%u", ++nr);
	return kmem_cache_create(name, size, align, flags | SLAB_PANIC, ctor, dtor);
}

static struct kmem_cache *cache_of(size_t size, unsigned long flags)
{
	return cache_with(size, 0, flags, NULL, NULL);
}

static void finish(struct ktest *t, struct kmem_cache *c)
{
	EXPECT_EQ(t, 0, kmem_cache_check(c));
	EXPECT_EQ(t, 0, kmem_cache_nr_in_use(c));
	EXPECT_EQ(t, 0, kmem_cache_destroy(c));
}

/* What the check counts while one byte is not what it was; its complaints are not for the log. */
static unsigned int nr_found_with(struct kmem_cache *c, volatile uint8_t *byte)
{
	int level = console_loglevel;
	unsigned int nr_found;
	uint8_t saved = *byte;

	console_loglevel = 0;
	*byte = saved ^ SPOIL;
	nr_found = kmem_cache_check(c);
	*byte = saved;
	console_loglevel = level;
	return nr_found;
}

/* ---- guards --------------------------------------------------------------------------------- */

KTEST(slab_debug, a_byte_past_an_object_of_any_size_is_counted_while_it_is_wrong)
{
	for (size_t size = 1; CONFIG_SLAB_DEBUG && size <= 70; size++) {
		struct kmem_cache *c = cache_of(size, SLAB_RED_ZONE);
		uint8_t *p = kmem_cache_alloc(c, GFP_KERNEL);

		ASSERT_NE(t, NULL, p);
		EXPECT_EQ(t, 0, kmem_cache_check(c));
		EXPECT_EQ(t, 1, nr_found_with(c, p + size));
		EXPECT_EQ(t, 0, kmem_cache_check(c));
		kmem_cache_free(c, p);
		finish(t, c);
	}
}

KTEST(slab_debug, a_byte_before_an_object_is_counted_while_it_is_wrong)
{
	struct kmem_cache *c = cache_of(52, SLAB_RED_ZONE);

	for (unsigned int i = 0; CONFIG_SLAB_DEBUG && i < 40; i++) {
		objs[i] = kmem_cache_alloc(c, GFP_KERNEL);
		ASSERT_NE(t, NULL, objs[i]);
		EXPECT_EQ(t, 1, nr_found_with(c, (uint8_t *)objs[i] - 1));
		EXPECT_EQ(t, 0, kmem_cache_check(c));
	}
	for (unsigned int i = 0; CONFIG_SLAB_DEBUG && i < 40; i++)
		kmem_cache_free(c, objs[i]);
	finish(t, c);
}

KTEST(slab_debug, words_next_to_an_object_are_guarded_on_both_sides_whoever_has_it)
{
	struct kmem_cache *c = cache_of(60, SLAB_RED_ZONE);
	uint8_t *p = kmem_cache_alloc(c, GFP_KERNEL);

	ASSERT_NE(t, NULL, p);
	for (unsigned int round = 0; CONFIG_SLAB_DEBUG && round < 2; round++) {
		for (unsigned int i = 0; i < sizeof(long); i++) {
			EXPECT_EQ(t, 1, nr_found_with(c, p + 60 + i));
			EXPECT_EQ(t, 1, nr_found_with(c, p - 1 - i));
		}
		EXPECT_EQ(t, 0, kmem_cache_check(c));
		if (!round)
			kmem_cache_free(c, p);
	}
	if (!CONFIG_SLAB_DEBUG)
		kmem_cache_free(c, p);
	finish(t, c);
}

KTEST(slab_debug, guards_cost_the_user_no_byte)
{
	for (size_t size = 1; size <= 300; size += size < 70 ? 1 : 23) {
		struct kmem_cache *c = cache_of(size, SLAB_DEBUG_FLAGS);

		for (unsigned int i = 0; i < 20; i++) {
			objs[i] = kmem_cache_alloc(c, GFP_KERNEL);
			ASSERT_NE(t, NULL, objs[i]);
			memset(objs[i], (int)i, size);
		}
		EXPECT_EQ(t, 0, kmem_cache_check(c));
		for (unsigned int i = 0; i < 20; i++) {
			EXPECT_EQ(t, i, ((uint8_t *)objs[i])[0]);
			EXPECT_EQ(t, i, ((uint8_t *)objs[i])[size - 1]);
			kmem_cache_free(c, objs[i]);
		}
		finish(t, c);
	}
}

KTEST(slab_debug, guards_cost_no_alignment)
{
	for (size_t align = 4; align <= SLAB_ALIGN_MAX; align *= 4) {
		struct kmem_cache *c = cache_with(align / 4, align, SLAB_DEBUG_FLAGS, NULL, NULL);
		unsigned int nr = align < PAGE_SIZE ? 30 : 2;

		ASSERT_EQ(t, nr, kmem_cache_alloc_bulk(c, GFP_KERNEL, nr, objs));
		for (unsigned int i = 0; i < nr; i++) {
			EXPECT_EQ(t, 0, (uintptr_t)objs[i] & (align - 1));
			memset(objs[i], 0xee, align / 4);
		}
		EXPECT_EQ(t, 0, kmem_cache_check(c));
		kmem_cache_free_bulk(c, nr, objs);
		finish(t, c);
	}
}

KTEST_NEEDS(slab_debug, the_largest_object_can_be_guarded_too, .ram_mib = 12)
{
	struct kmem_cache *c = cache_of(SLAB_OBJECT_SIZE_MAX, SLAB_DEBUG_FLAGS);
	uint8_t *p = kmem_cache_alloc(c, GFP_KERNEL);

	ASSERT_NE(t, NULL, p);
	memset(p, 0x33, SLAB_OBJECT_SIZE_MAX);
	EXPECT_EQ(t, 0, kmem_cache_check(c));
	if (CONFIG_SLAB_DEBUG) {
		EXPECT_EQ(t, 1, nr_found_with(c, p + SLAB_OBJECT_SIZE_MAX));
		EXPECT_EQ(t, 1, nr_found_with(c, p - 1));
	}
	kmem_cache_free(c, p);
	finish(t, c);
}

/* ---- poison --------------------------------------------------------------------------------- */

KTEST(slab_debug, each_byte_of_a_free_object_is_watched)
{
	for (size_t size = 1; CONFIG_SLAB_DEBUG && size <= 40; size++) {
		struct kmem_cache *c = cache_of(size, SLAB_POISON);
		uint8_t *p = kmem_cache_alloc(c, GFP_KERNEL);

		ASSERT_NE(t, NULL, p);
		memset(p, 0x77, size);
		kmem_cache_free(c, p);
		for (size_t i = 0; i < size; i++)
			EXPECT_EQ(t, 1, nr_found_with(c, p + i));
		finish(t, c);
	}
}

KTEST(slab_debug, an_object_that_nobody_had_yet_is_watched_too)
{
	struct kmem_cache *c = cache_of(64, SLAB_POISON);
	uint8_t *p = kmem_cache_alloc(c, GFP_KERNEL), *q;

	ASSERT_NE(t, NULL, p);
	q = kmem_cache_alloc(c, GFP_KERNEL);
	ASSERT_NE(t, NULL, q);
	/* Of the two, q was free next to p, in the same slab. */
	kmem_cache_free(c, q);
	if (CONFIG_SLAB_DEBUG)
		EXPECT_EQ(t, 1, nr_found_with(c, q + (q - p) + 5));
	kmem_cache_free(c, p);
	finish(t, c);
}

KTEST(slab_debug, what_was_in_an_object_is_gone_after_its_free)
{
	static const size_t sizes[] = { 1, 2, 5, 64, 1000, 5000 };

	for (unsigned int k = 0; CONFIG_SLAB_DEBUG && k < ARRAY_SIZE(sizes); k++) {
		struct kmem_cache *c = cache_of(sizes[k], SLAB_POISON);
		uint8_t *p = kmem_cache_alloc(c, GFP_KERNEL);
		unsigned int nr_left = 0;

		ASSERT_NE(t, NULL, p);
		memset(p, 0x11, sizes[k]);
		kmem_cache_free(c, p);
		EXPECT_EQ(t, p, kmem_cache_alloc(c, GFP_KERNEL));
		for (size_t i = 0; i < sizes[k]; i++)
			nr_left += p[i] == 0x11;
		EXPECT_EQ(t, 0, nr_left);
		kmem_cache_free(c, p);
		finish(t, c);
	}
}

KTEST(slab_debug, the_owner_of_a_poisoned_object_may_write_what_he_likes)
{
	struct kmem_cache *c = cache_of(96, SLAB_POISON | SLAB_RED_ZONE);
	uint8_t *p = kmem_cache_alloc(c, GFP_KERNEL);

	ASSERT_NE(t, NULL, p);
	for (unsigned int value = 0; value < 256; value += 15) {
		memset(p, (int)value, 96);
		EXPECT_EQ(t, 0, kmem_cache_check(c));
	}
	kmem_cache_free(c, p);
	finish(t, c);
}

KTEST(slab_debug, zeroed_objects_of_poisoned_caches_are_zero)
{
	struct kmem_cache *c = cache_of(200, SLAB_DEBUG_FLAGS);
	uint8_t *p = kmem_cache_zalloc(c, GFP_KERNEL);

	ASSERT_NE(t, NULL, p);
	for (unsigned int i = 0; i < 200; i++)
		EXPECT_EQ(t, 0, p[i]);
	EXPECT_EQ(t, 0, kmem_cache_check(c));
	kmem_cache_free(c, p);
	finish(t, c);
}

/* ---- counting ------------------------------------------------------------------------------- */

KTEST(slab_debug, several_crimes_are_all_counted_and_the_check_of_everything_sees_them)
{
	struct kmem_cache *c = cache_of(48, SLAB_RED_ZONE | SLAB_POISON);
	int level = console_loglevel;
	unsigned int nr_found, nr_found_by_all;
	uint8_t *p = kmem_cache_alloc(c, GFP_KERNEL), *q = kmem_cache_alloc(c, GFP_KERNEL);
	uint8_t *freed = kmem_cache_alloc(c, GFP_KERNEL);

	ASSERT_TRUE(t, p && q && freed);
	kmem_cache_free(c, freed);
	console_loglevel = 0;
	p[48] ^= SPOIL;
	p[-1] ^= SPOIL;
	q[48] ^= SPOIL;
	freed[20] ^= SPOIL;
	nr_found = kmem_cache_check(c);
	nr_found_by_all = mm_check_all();
	p[48] ^= SPOIL;
	p[-1] ^= SPOIL;
	q[48] ^= SPOIL;
	freed[20] ^= SPOIL;
	console_loglevel = level;
	EXPECT_EQ(t, CONFIG_SLAB_DEBUG ? 4 : 0, nr_found);
	EXPECT_EQ(t, CONFIG_SLAB_DEBUG ? 4 : 0, nr_found_by_all);
	EXPECT_EQ(t, 0, mm_check_all());
	kmem_cache_free(c, p);
	kmem_cache_free(c, q);
	finish(t, c);
}

KTEST(slab_debug, what_is_found_is_printed_with_cache_and_object)
{
	struct kmem_cache *c = cache_of(48, SLAB_RED_ZONE);
	uint8_t *p = kmem_cache_alloc(c, GFP_KERNEL);
	struct capture *said;
	char address[16];

	ASSERT_NE(t, NULL, p);
	snprintf(address, sizeof(address), "%lx", (unsigned long)p);
	said = capture_begin();
	p[48] ^= SPOIL;
	EXPECT_EQ(t, CONFIG_SLAB_DEBUG, kmem_cache_check(c));
	p[48] ^= SPOIL;
	capture_end(said);
	if (CONFIG_SLAB_DEBUG) {
		EXPECT_GE(t, 1, capture_count(said, kmem_cache_name(c)));
		EXPECT_GE(t, 1, capture_count(said, address));
	}
	kmem_cache_free(c, p);
	finish(t, c);
}

/* ---- constructors --------------------------------------------------------------------------- */

static struct {
	unsigned int nr_ctor, nr_dtor, nr_wrong;
} calls;

static QAPI void ctor(void *obj, struct kmem_cache *c, unsigned long flags)
{
	calls.nr_ctor++;
	calls.nr_wrong += !(flags & SLAB_CTOR_CONSTRUCTOR);
	memset(obj, 0xc0, kmem_cache_size(c));
}

static QAPI void dtor(void *obj, struct kmem_cache *c, unsigned long flags)
{
	const uint8_t *byte = obj;

	calls.nr_dtor++;
	calls.nr_wrong += !!(flags & SLAB_CTOR_CONSTRUCTOR);
	calls.nr_wrong += byte[0] != 0xc0 || byte[kmem_cache_size(c) - 1] != 0xc0;
}

KTEST(slab_debug, a_poisoned_object_is_constructed_by_each_allocation_and_destroyed_by_each_free)
{
	struct kmem_cache *c = cache_with(56, 0, SLAB_POISON, ctor, dtor);

	memset(&calls, 0, sizeof(calls));
	for (unsigned int i = 1; i <= 30; i++) {
		objs[i] = kmem_cache_alloc(c, GFP_KERNEL);
		ASSERT_NE(t, NULL, objs[i]);
		EXPECT_EQ(t, 0xc0, ((uint8_t *)objs[i])[55]);
		EXPECT_EQ(t, i, calls.nr_ctor);
	}
	EXPECT_EQ(t, 0, calls.nr_dtor);
	for (unsigned int i = 1; i <= 30; i++) {
		kmem_cache_free(c, objs[i]);
		EXPECT_EQ(t, i, calls.nr_dtor);
	}
	EXPECT_EQ(t, 30, kmem_cache_alloc_bulk(c, GFP_KERNEL, 30, objs));
	EXPECT_EQ(t, 60, calls.nr_ctor);
	kmem_cache_free_bulk(c, 30, objs);
	EXPECT_EQ(t, 60, calls.nr_dtor);
	finish(t, c);
	EXPECT_EQ(t, 60, calls.nr_ctor);
	EXPECT_EQ(t, 60, calls.nr_dtor);
	EXPECT_EQ(t, 0, calls.nr_wrong);
}

KTEST(slab_debug, constructors_and_destructors_balance_under_each_set_of_debug_flags)
{
	static const unsigned long bits[] = { SLAB_CONSISTENCY_CHECKS, SLAB_RED_ZONE, SLAB_POISON,
					      SLAB_STORE_USER };

	for (unsigned int set = 0; set < 1u << ARRAY_SIZE(bits); set++) {
		unsigned long flags = 0;
		struct kmem_cache *c;

		for (unsigned int i = 0; i < ARRAY_SIZE(bits); i++)
			flags |= set & 1u << i ? bits[i] : 0;
		memset(&calls, 0, sizeof(calls));
		c = cache_with(33, 0, flags, ctor, dtor);
		ASSERT_EQ(t, 150, kmem_cache_alloc_bulk(c, GFP_KERNEL, 150, objs));
		EXPECT_EQ(t, 0, kmem_cache_check(c));
		kmem_cache_free_bulk(c, 150, objs);
		kmem_cache_shrink(c);
		EXPECT_GE(t, 150, calls.nr_ctor);
		EXPECT_EQ(t, calls.nr_ctor, calls.nr_dtor);
		EXPECT_EQ(t, 0, calls.nr_wrong);
		finish(t, c);
	}
}

/* ---- users ---------------------------------------------------------------------------------- */

static const char *whatis(struct ktest *t, const void *p)
{
	struct out_buf b;

	out_buf_init(&b, text, sizeof(text));
	whatis_show(&b.out, (uintptr_t)p);
	EXPECT_EQ(t, 0, b.dropped);
	return text;
}

static __noinline void *slab_test_taker(struct kmem_cache *c)
{
	void *p = kmem_cache_alloc(c, GFP_KERNEL);

	barrier(); /* no jump: the call returns here */
	return p;
}

static __noinline void slab_test_giver(struct kmem_cache *c, void *p)
{
	kmem_cache_free(c, p);
	barrier();
}

/* The time behind "time=" in the line of @what; 0 when there is none. */
static uint64_t time_of(const char *report, const char *what)
{
	const char *line = strstr(report, what);
	const char *p = line ? strstr(line, "time=") : NULL;
	uint64_t when;

	if (!p)
		return 0;
	return parse_u64(p + strlen("time="), &p, &when) ? 0 : when;
}

KTEST(slab_debug, whatis_names_who_allocated_an_object_and_when)
{
	struct kmem_cache *c = cache_of(40, SLAB_STORE_USER);
	uint64_t before = clock_cycles(), after;
	char *p = slab_test_taker(c);
	const char *said;

	after = clock_cycles();
	ASSERT_NE(t, NULL, p);
	said = whatis(t, p + 7);
	EXPECT_NE(t, NULL, strstr(said, kmem_cache_name(c)));
	EXPECT_NE(t, NULL, strstr(said, "state=taken"));
	EXPECT_NE(t, NULL, strstr(said, "offset=7 "));
	if (CONFIG_SLAB_DEBUG) {
		EXPECT_NE(t, NULL, strstr(said, "slab_test_taker+"));
		EXPECT_GE(t, before, time_of(said, "allocated"));
		EXPECT_LE(t, after, time_of(said, "allocated"));
	}
	EXPECT_EQ(t, NULL, strstr(said, "slab_test_giver"));
	kmem_cache_free(c, p);
	finish(t, c);
}

KTEST(slab_debug, whatis_names_who_freed_an_object_and_when)
{
	struct kmem_cache *c = cache_of(40, SLAB_STORE_USER);
	char *p = slab_test_taker(c), *other = kmem_cache_alloc(c, GFP_KERNEL);
	uint64_t before = clock_cycles(), after;
	const char *said;

	ASSERT_TRUE(t, p && other);
	slab_test_giver(c, p);
	after = clock_cycles();
	said = whatis(t, p);
	EXPECT_EQ(t, NULL, strstr(said, "state=taken"));
	if (CONFIG_SLAB_DEBUG) {
		EXPECT_NE(t, NULL, strstr(said, "state=free"));
		EXPECT_NE(t, NULL, strstr(said, "slab_test_taker+"));
		EXPECT_NE(t, NULL, strstr(said, "slab_test_giver+"));
		EXPECT_LE(t, before, time_of(said, "allocated"));
		EXPECT_GE(t, before, time_of(said, "freed"));
		EXPECT_LE(t, after, time_of(said, "freed"));
	}
	kmem_cache_free(c, other);
	finish(t, c);
}

KTEST(slab_debug, bulk_calls_are_remembered_as_well)
{
	struct kmem_cache *c = cache_of(40, SLAB_STORE_USER);
	uint64_t before = clock_cycles();

	ASSERT_EQ(t, 5, kmem_cache_alloc_bulk(c, GFP_KERNEL, 5, objs));
	for (unsigned int i = 0; CONFIG_SLAB_DEBUG && i < 5; i++) {
		const char *said = whatis(t, objs[i]);

		EXPECT_GE(t, before, time_of(said, "allocated"));
		EXPECT_NE(t, NULL, strstr(said, "bulk_calls_are_remembered"));
	}
	kmem_cache_free_bulk(c, 5, objs);
	finish(t, c);
}

KTEST(slab_debug, kmem_dump_obj_prints_to_the_log_what_whatis_knows)
{
	struct kmem_cache *c = cache_of(40, SLAB_STORE_USER);
	char *p = slab_test_taker(c);
	struct capture *said;

	ASSERT_NE(t, NULL, p);
	said = capture_begin();
	kmem_dump_obj(p + 39);
	capture_end(said);
	EXPECT_GE(t, 1, capture_count(said, kmem_cache_name(c)));
	EXPECT_GE(t, 1, capture_count(said, "offset=39 "));
	EXPECT_GE(t, CONFIG_SLAB_DEBUG, capture_count(said, "slab_test_taker+"));
	kmem_cache_free(c, p);
	finish(t, c);
}

KTEST(slab_debug, a_refused_destruction_names_who_allocated_each_object)
{
	struct kmem_cache *c = cache_of(40, SLAB_STORE_USER);
	void *p = slab_test_taker(c), *q = slab_test_taker(c);
	struct capture *said;

	ASSERT_TRUE(t, p && q);
	said = capture_begin();
	EXPECT_NE(t, 0, kmem_cache_destroy(c));
	capture_end(said);
	EXPECT_EQ(t, 2 * CONFIG_SLAB_DEBUG, capture_count(said, "slab_test_taker+"));
	kmem_cache_free(c, p);
	kmem_cache_free(c, q);
	finish(t, c);
}

/* Does the line that begins with @what name @who? */
static bool line_names(const char *report, const char *what, const char *who)
{
	const char *line = strstr(report, what), *end = line ? strchr(line + 1, '\n') : NULL;
	const char *name = line ? strstr(line, who) : NULL;

	return name && end && name < end;
}

/* All caches keep users, in a kernel that can: then kmalloc()'s do. */
static bool users_are_kept(void)
{
	return slab_debug_given("", "U");
}

KTEST(slab_debug, relatives_of_kmalloc_name_their_callers)
{
	char *p[] = { kstrdup("a string", GFP_KERNEL),  kstrndup("a string", 3, GFP_KERNEL),
		      kmemdup("bytes", 5, GFP_KERNEL),  kasprintf(GFP_KERNEL, "%d", 12345),
		      krealloc(NULL, 3000, GFP_KERNEL), kzalloc(100, GFP_KERNEL),
		      kmalloc_array(3, 50, GFP_KERNEL), kcalloc(3, 70, GFP_KERNEL) };

	for (unsigned int i = 0; i < ARRAY_SIZE(p); i++) {
		if (p[i] && users_are_kept())
			EXPECT_TRUE(t, line_names(whatis(t, p[i]), "\nallocated by=",
						  "relatives_of_kmalloc_name_their_callers+"));
		EXPECT_NE(t, NULL, p[i]);
		kfree(p[i]);
	}
}

KTEST_NEEDS(slab_debug, krealloc_names_its_caller_for_an_object_of_the_largest_class_too,
	    .ram_mib = 12)
{
	void *p = krealloc(NULL, KMALLOC_CACHE_MAX, GFP_KERNEL);

	ASSERT_NE(t, NULL, p);
	if (users_are_kept())
		EXPECT_TRUE(t, line_names(whatis(t, p), "\nallocated by=",
					  "krealloc_names_its_caller_for_an_object_of_"));
	kfree(p);
}

KTEST(slab_debug, kfree_sensitive_and_a_krealloc_that_moves_name_their_callers)
{
	char *p = kmalloc(100, GFP_KERNEL), *q = kmalloc(100, GFP_KERNEL), *moved;

	ASSERT_TRUE(t, p && q);
	moved = krealloc(p, 1000, GFP_KERNEL);
	EXPECT_NE(t, NULL, moved);
	if (users_are_kept()) {
		EXPECT_TRUE(t, line_names(whatis(t, p), "\nfreed by=",
					  "a_krealloc_that_moves_name_their_callers+"));
		EXPECT_TRUE(t, line_names(whatis(t, moved), "\nallocated by=",
					  "a_krealloc_that_moves_name_their_callers+"));
	}
	kfree_sensitive(q);
	if (users_are_kept())
		EXPECT_TRUE(t, line_names(whatis(t, q), "\nfreed by=",
					  "a_krealloc_that_moves_name_their_callers+"));
	kfree(moved);
}
