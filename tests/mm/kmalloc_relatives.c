/*
 * kmalloc_relatives.c - what is made of kmalloc(): zeroed memory, arrays, krealloc(), copies.
 *
 * IDEA.  Zeroes are asked for where dirt was left, contents are compared to the last byte,
 * and where memory must have been given back, the objects that its class has in use are counted.
 *
 * CONTEXT.  A thread.
 */
#include "kmalloc.h"

#include <quarry/align.h>
#include <quarry/limits.h>

/* ---- zeroes ----------------------------------------------------------------------------- */

KTEST(kmalloc, zeroed_memory_is_zero_although_it_was_dirty)
{
	for (unsigned int i = 0; i < KMALLOC_NR_CLASSES; i++) {
		size_t size = class_size(i);
		void *p;

		make_dirty(t, size, GFP_KERNEL);
		p = kzalloc(hidden(size), T_GFP(t, GFP_KERNEL | __GFP_NOWARN));
		EXPECT_TRUE(t, !p || is_zero(p, size));
		kfree(p);
		make_dirty(t, size, GFP_KERNEL);
		p = take(t, size, T_GFP(t, GFP_ATOMIC | __GFP_ZERO));
		EXPECT_TRUE(t, !p || is_zero(p, size));
		kfree(p);
	}
}

/* The sizes are constants: another way through kmalloc(). */
#define CHECK_ZEROED(t, n)                                  \
	do {                                                \
		void *p_;                                   \
                                                            \
		make_dirty(t, (n), GFP_KERNEL);             \
		p_ = kzalloc((n), GFP_KERNEL);              \
		ASSERT_NE(t, NULL, p_);                     \
		EXPECT_TRUE(t, is_zero(p_, (n)));           \
		kfree(p_);                                  \
		make_dirty(t, (n), GFP_KERNEL);             \
		p_ = kmalloc((n), __GFP_ZERO | GFP_ATOMIC); \
		ASSERT_NE(t, NULL, p_);                     \
		EXPECT_TRUE(t, is_zero(p_, (n)));           \
		kfree(p_);                                  \
	} while (0)

KTEST(kmalloc, zeroed_memory_of_a_constant_size_is_zero_although_it_was_dirty)
{
	CHECK_ZEROED(t, 1);
	CHECK_ZEROED(t, 8);
	CHECK_ZEROED(t, 100);
	CHECK_ZEROED(t, 192);
	CHECK_ZEROED(t, 1000);
	CHECK_ZEROED(t, 4096);
}

KTEST(kmalloc, kcalloc_zeroes_all_of_its_elements)
{
	for (size_t nr = 1; nr <= 40; nr++) {
		void *p;

		make_dirty(t, nr * 24, GFP_KERNEL);
		p = kcalloc(hidden(nr), 24, GFP_KERNEL);
		ASSERT_NE(t, NULL, p);
		EXPECT_GE(t, nr * 24, ksize(p));
		EXPECT_TRUE(t, is_zero(p, nr * 24));
		kfree(p);
	}
}

/* ---- arrays ----------------------------------------------------------------------------- */

KTEST(kmalloc, an_array_whose_size_overflows_is_null_and_silent)
{
	const size_t root = (size_t)1 << 4 * sizeof(size_t); /* its square is one too large */
	struct capture *c = capture_begin();
	void *p[] = {
		kmalloc_array(hidden(SIZE_MAX / 8 + 1), 8, GFP_KERNEL),
		kmalloc_array(hidden(SIZE_MAX), SIZE_MAX, GFP_KERNEL),
		kcalloc(hidden(root), root, GFP_KERNEL),
		/* The product would be 8. */
		kcalloc(hidden(SIZE_MAX / 8 + 2), 8, GFP_KERNEL),
		kmalloc_array(SIZE_MAX / 8 + 2, 8, GFP_KERNEL),
	};

	capture_end(c);
	for (unsigned int i = 0; i < ARRAY_SIZE(p); i++)
		EXPECT_EQ(t, NULL, p[i]);
	EXPECT_EQ(t, 0, c->len);
}

KTEST(kmalloc, an_array_has_room_for_all_of_its_elements)
{
	uint32_t *p = kmalloc_array(hidden(1000), sizeof(*p), GFP_KERNEL);

	ASSERT_NE(t, NULL, p);
	EXPECT_GE(t, 4000, ksize(p));
	EXPECT_EQ(t, virt_to_page(p)->slab_cache, kmalloc_caches[0][kmalloc_index(4000)]);
	kfree(p);
}

/* ---- krealloc --------------------------------------------------------------------------- */

KTEST(krealloc, growing_keeps_the_contents)
{
	void *p = kmalloc(1, GFP_KERNEL);
	size_t had = 1;

	ASSERT_NE(t, NULL, p);
	fill(p, had, 3);
	for (size_t size = 2; size <= 32 * KiB; size += size / 3 + 1) {
		void *q = krealloc(p, size, GFP_KERNEL);

		if (!q)
			break;
		p = q;
		EXPECT_GE(t, size, ksize(p));
		EXPECT_TRUE(t, filled(p, had, 3));
		fill(p, size, 3);
		had = size;
	}
	EXPECT_GE(t, PAGE_SIZE, had);
	kfree(p);
}

KTEST(krealloc, shrinking_keeps_what_is_left)
{
	size_t size = 8 * KiB;
	void *p = kmalloc(size, GFP_KERNEL);

	ASSERT_NE(t, NULL, p);
	fill(p, size, 9);
	while (size > 1) {
		size -= size / 3 + 1;
		if (!size)
			break;
		p = krealloc(p, size, GFP_KERNEL);
		ASSERT_NE(t, NULL, p);
		EXPECT_GE(t, size, ksize(p));
		EXPECT_TRUE(t, filled(p, size, 9));
	}
	kfree(p);
}

KTEST(krealloc, within_a_class_the_memory_stays_where_it_is)
{
	void *p = kmalloc(200, GFP_KERNEL);

	ASSERT_NE(t, NULL, p);
	fill(p, 200, 1);
	EXPECT_EQ(t, p, krealloc(p, 256, GFP_KERNEL));
	EXPECT_EQ(t, p, krealloc(p, 193, GFP_KERNEL));
	EXPECT_TRUE(t, filled(p, 193, 1));
	kfree(p);
}

KTEST(krealloc, of_the_smallest_class_stays_where_it_is_whatever_is_left)
{
	void *p = kmalloc(8, GFP_KERNEL);

	ASSERT_NE(t, NULL, p);
	fill(p, 8, 2);
	for (size_t size = 8; size; size--)
		EXPECT_EQ(t, p, krealloc(p, hidden(size), GFP_KERNEL));
	EXPECT_EQ(t, p, krealloc(p, 8, GFP_KERNEL));
	EXPECT_TRUE(t, filled(p, 8, 2));
	kfree(p);
}

/* Memory that is not needed any more is not kept. */
KTEST(krealloc, to_a_much_smaller_size_gives_the_larger_memory_back)
{
	struct kmem_cache *c = kmalloc_caches[0][kmalloc_index(4096)];
	unsigned long nr = kmem_cache_nr_in_use(c);
	void *p = kmalloc(4096, GFP_KERNEL);

	ASSERT_NE(t, NULL, p);
	EXPECT_EQ(t, nr + 1, kmem_cache_nr_in_use(c));
	p = krealloc(p, 10, GFP_KERNEL);
	ASSERT_NE(t, NULL, p);
	EXPECT_EQ(t, nr, kmem_cache_nr_in_use(c));
	EXPECT_EQ(t, 16, ksize(p));
	kfree(p);
}

KTEST(krealloc, of_nothing_is_kmalloc)
{
	void *p = krealloc(NULL, 100, GFP_KERNEL), *q = krealloc(ZERO_SIZE_PTR, 100, GFP_KERNEL);

	ASSERT_NE(t, NULL, p);
	EXPECT_NE(t, NULL, q);
	EXPECT_EQ(t, 128, ksize(p));
	EXPECT_EQ(t, 128, ksize(q));
	EXPECT_EQ(t, ZERO_SIZE_PTR, krealloc(NULL, 0, GFP_KERNEL));
	EXPECT_EQ(t, ZERO_SIZE_PTR, krealloc(ZERO_SIZE_PTR, 0, GFP_KERNEL));
	kfree(p);
	kfree(q);
}

KTEST(krealloc, to_0_bytes_frees)
{
	struct kmem_cache *c = kmalloc_caches[0][kmalloc_index(100)];
	unsigned long nr = kmem_cache_nr_in_use(c);
	void *p = kmalloc(100, GFP_KERNEL);

	ASSERT_NE(t, NULL, p);
	EXPECT_EQ(t, ZERO_SIZE_PTR, krealloc(p, 0, GFP_KERNEL));
	EXPECT_EQ(t, nr, kmem_cache_nr_in_use(c));
}

KTEST(krealloc, zeroes_the_new_bytes_beyond_the_old_class_if_asked)
{
	for (unsigned int i = 0; class_size(i) < 16 * KiB; i++) {
		size_t old = class_size(i), size = 2 * old + 5;
		void *p = kmalloc(hidden(old), GFP_KERNEL), *q;

		ASSERT_NE(t, NULL, p);
		fill(p, old, i);
		make_dirty(t, size, GFP_KERNEL);
		q = krealloc(p, size, T_GFP(t, GFP_KERNEL | __GFP_ZERO));
		if (q) {
			EXPECT_TRUE(t, filled(q, old, i));
			EXPECT_TRUE(t, is_zero((char *)q + old, size - old));
		}
		kfree(q ? q : p);
	}
}

KTEST(krealloc, beyond_the_limit_is_null_and_leaves_the_memory_alone)
{
	void *p = kmalloc(500, GFP_KERNEL);

	ASSERT_NE(t, NULL, p);
	fill(p, 500, 4);
	EXPECT_EQ(t, NULL, krealloc(p, KMALLOC_MAX_SIZE + 1, GFP_KERNEL | __GFP_NOWARN));
	EXPECT_EQ(t, NULL, krealloc(p, SIZE_MAX, GFP_KERNEL | __GFP_NOWARN));
	EXPECT_TRUE(t, filled(p, 500, 4));
	EXPECT_EQ(t, 512, ksize(p));
	kfree(p);
}

KTEST(krealloc, without_memory_is_null_and_leaves_the_memory_alone)
{
	HOARD(h);
	void *p = kmalloc(500, GFP_KERNEL), *q;

	ASSERT_NE(t, NULL, p);
	fill(p, 500, 5);
	kmem_cache_reap();
	hoard_machine(&h);
	q = krealloc(p, 32 * KiB, GFP_NOWAIT | __GFP_NOWARN);
	hoard_free(&h);
	EXPECT_EQ(t, NULL, q);
	EXPECT_TRUE(t, filled(p, 500, 5));
	kfree(p);
}

/* A class of which nobody else has objects: reap leaves it no slab. */
KTEST(krealloc, to_a_smaller_size_succeeds_without_memory)
{
	HOARD(h);
	void *p = take(t, 32 * KiB, GFP_KERNEL), *q;

	if (!p)
		return;
	fill(p, 32 * KiB, 6);
	kmem_cache_reap();
	hoard_machine(&h);
	q = krealloc(p, 8 * KiB, GFP_NOWAIT | __GFP_NOWARN);
	hoard_free(&h);
	ASSERT_NE(t, NULL, q);
	EXPECT_TRUE(t, filled(q, 8 * KiB, 6));
	kfree(q);
}

KTEST(krealloc, that_cannot_shrink_for_want_of_memory_stays_where_it_is_and_says_nothing)
{
	static const gfp_t gfps[] = { GFP_NOWAIT, GFP_ATOMIC, GFP_KERNEL };
	HOARD(h);
	void *p = take(t, 32 * KiB, GFP_KERNEL);
	struct capture *said;

	if (!p)
		return;
	fill(p, 32 * KiB, 7);
	kmem_cache_reap();
	hoard_machine(&h);
	said = capture_begin();
	for (unsigned int i = 0; i < ARRAY_SIZE(gfps); i++)
		EXPECT_EQ(t, p, krealloc(p, 8 * KiB, gfps[i]));
	EXPECT_EQ(t, 0, said->len);
	capture_end(said);
	hoard_free(&h);
	EXPECT_EQ(t, 32 * KiB, ksize(p));
	EXPECT_TRUE(t, filled(p, 32 * KiB, 7));
	kfree(p);
}

KTEST(krealloc, a_random_sequence_of_sizes_keeps_the_common_part)
{
	void *p = NULL;
	size_t had = 0;

	for (unsigned int i = 0; i < 2000 && !t->nr_failed; i++) {
		size_t size = 1 + ktest_random_below(t, 1u << (3 + ktest_random_below(t, 11)));
		void *q = krealloc(p, size, GFP_KERNEL);

		ASSERT_NE(t, NULL, q);
		p = q;
		EXPECT_TRUE(t, filled(p, min(had, size), i));
		fill(p, size, i + 1);
		had = size;
	}
	kfree(p);
}

/* ---- kfree_sensitive -------------------------------------------------------------------- */

static bool has_byte(const char *p, size_t size, char byte)
{
	for (size_t i = 0; i < size; i++)
		if (p[i] == byte)
			return true;
	return false;
}

/* The memory stays mapped and lies in a cache: nobody writes to it but debug
 * code. */
KTEST(kmalloc, kfree_sensitive_leaves_nothing_of_the_secret)
{
	for (unsigned int i = 0; class_size(i) <= 32 * KiB; i++) {
		char *p = take(t, class_size(i) - 1, GFP_KERNEL);

		if (!p)
			continue;
		memset(p, 0xc3, ksize(p));
		kfree_sensitive(p);
		EXPECT_FALSE(t, has_byte(p, class_size(i), (char)0xc3));
	}
}

KTEST(kmalloc, kfree_sensitive_frees)
{
	struct kmem_cache *c = kmalloc_caches[0][kmalloc_index(300)];
	unsigned long nr = kmem_cache_nr_in_use(c);
	void *p = kmalloc(300, GFP_KERNEL);

	ASSERT_NE(t, NULL, p);
	EXPECT_EQ(t, nr + 1, kmem_cache_nr_in_use(c));
	kfree_sensitive(p);
	EXPECT_EQ(t, nr, kmem_cache_nr_in_use(c));
}

/* ---- copies ----------------------------------------------------------------------------- */

KTEST(kmalloc, kmemdup_copies_every_byte_and_no_more_than_there_are)
{
	static const char source[] = "a\0b\0c\xff";
	char *copy = kmemdup(source, sizeof(source), GFP_KERNEL);

	ASSERT_NE(t, NULL, copy);
	EXPECT_NE(t, (const char *)source, copy);
	EXPECT_EQ(t, 0, memcmp(source, copy, sizeof(source)));
	kfree(copy);
}

KTEST(kmalloc, kstrdup_copies_a_string_with_its_end)
{
	char *empty = kstrdup("", GFP_KERNEL), *seven = kstrdup("seven..", GFP_KERNEL);
	char *eight = kstrdup("eight...", GFP_KERNEL);

	EXPECT_STREQ(t, "", empty);
	EXPECT_STREQ(t, "seven..", seven);
	EXPECT_STREQ(t, "eight...", eight);
	EXPECT_EQ(t, 8, ksize(seven));
	EXPECT_EQ(t, 16, ksize(eight));
	kfree(empty);
	kfree(seven);
	kfree(eight);
}

KTEST(kmalloc, a_copy_of_no_string_is_null)
{
	EXPECT_EQ(t, NULL, kstrdup(NULL, GFP_KERNEL));
	EXPECT_EQ(t, NULL, kstrndup(NULL, 5, GFP_KERNEL));
}

/* The source need not end within @max bytes. */
KTEST(kmalloc, kstrndup_copies_max_bytes_at_most_and_reads_no_more)
{
	static const char unended[4] = { 'a', 'b', 'c', 'd' };
	static const struct {
		const char *source;
		size_t max;
		const char *copy;
	} cases[] = {
		{ "hello", 0, "" },      { "hello", 4, "hell" },         { "hello", 5, "hello" },
		{ "hello", 6, "hello" }, { "hello", SIZE_MAX, "hello" }, { "", 3, "" },
		{ unended, 4, "abcd" },
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(cases); i++) {
		char *copy = kstrndup(cases[i].source, cases[i].max, GFP_KERNEL);

		EXPECT_STREQ(t, cases[i].copy, copy);
		kfree(copy);
	}
}

static char *print(gfp_t gfp, const char *fmt, ...) __printf(2, 3);
static char *print(gfp_t gfp, const char *fmt, ...)
{
	va_list args;
	char *text;

	va_start(args, fmt);
	text = kvasprintf(gfp, fmt, args);
	va_end(args);
	return text;
}

KTEST(kmalloc, kasprintf_prints_into_memory_of_the_right_size)
{
	char *text = kasprintf(GFP_KERNEL, "%s-%u", "kmalloc", 8u);
	char *same = print(GFP_KERNEL, "%s-%u", "kmalloc", 8u);
	char *empty = kasprintf(GFP_KERNEL, "%s", "");

	EXPECT_STREQ(t, "kmalloc-8", text);
	EXPECT_STREQ(t, "kmalloc-8", same);
	EXPECT_STREQ(t, "", empty);
	EXPECT_EQ(t, 16, ksize(text));
	EXPECT_EQ(t, 8, ksize(empty));
	kfree(text);
	kfree(same);
	kfree(empty);
}

KTEST(kmalloc, kasprintf_prints_a_text_longer_than_a_page)
{
	char *text = kasprintf(GFP_KERNEL, "%05000d|", 7);

	ASSERT_NE(t, NULL, text);
	EXPECT_EQ(t, 5001, strlen(text));
	EXPECT_STREQ(t, "07|", text + 4998);
	kfree(text);
}

KTEST(kmalloc, a_copy_that_finds_no_memory_is_null)
{
	static const char page[PAGE_SIZE] = "all of a page";
	HOARD(h);
	gfp_t gfp = GFP_NOWAIT | __GFP_NOWARN;
	void *p[3];

	kmem_cache_reap();
	hoard_machine(&h);
	/* Sizes whose caches have no object left: reap took their slabs. */
	p[0] = kmemdup(page, sizeof(page), gfp);
	p[1] = kasprintf(gfp, "%020000d", 1);
	p[2] = kstrndup("", SIZE_MAX, gfp | __GFP_NOWARN);
	hoard_free(&h);
	EXPECT_EQ(t, NULL, p[0]);
	EXPECT_EQ(t, NULL, p[1]);
	kfree(p[2]);
}
