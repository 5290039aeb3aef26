/*
 * kmalloc_large.c - kmalloc() beyond its largest class: whole pages.
 *
 * Linked only where CONFIG_KMALLOC_MAX_SIZE allows such sizes: elsewhere the constants among them
 * would not link.
 *
 * CONTEXT.  A thread.
 */
#include "helpers.h"

#include <quarry/limits.h>
#include <quarry/slab.h>
#include <quarry/string.h>

#define PAGE_WORDS (PAGE_SIZE / sizeof(uint32_t))

/* The same number, of which the compiler knows nothing. */
static size_t hidden(size_t n)
{
	__asm__ volatile("" : "+r"(n));
	return n;
}

/* Whole pages or NULL, which is fine only where there is no such block. */
static void *take(struct ktest *t, size_t size, gfp_t gfp)
{
	void *p = kmalloc(hidden(size), gfp | __GFP_NOWARN);

	if (!p)
		EXPECT_LE(t, size - 1, (size_t)PAGE_SIZE << largest_order(gfp));
	return p;
}

static size_t whole_block(size_t size)
{
	size_t block = PAGE_SIZE;

	while (block < size)
		block *= 2;
	return block;
}

static void fill(void *p, size_t size, uint32_t tag)
{
	uint32_t *word = p;

	for (size_t i = 0; i < size / sizeof(*word); i++)
		word[i] = tag + (uint32_t)i;
	((uint8_t *)p)[size - 1] = (uint8_t)tag;
}

static bool filled(const void *p, size_t size, uint32_t tag)
{
	const uint32_t *word = p;
	bool same = ((const uint8_t *)p)[size - 1] == (uint8_t)tag;

	/* The last word may hold the last byte. */
	for (size_t i = 0; i + 1 < size / sizeof(*word); i++)
		same &= word[i] == tag + (uint32_t)i;
	return same;
}

/* ---- sizes ------------------------------------------------------------------------------ */

static const size_t sizes[] = { 128 * KiB + 1,
				256 * KiB - 1,
				256 * KiB,
				256 * KiB + 1,
				300001,
				1 * MiB,
				KMALLOC_MAX_SIZE / 2 + 1,
				KMALLOC_MAX_SIZE - 1,
				KMALLOC_MAX_SIZE };

KTEST(kmalloc_large, sizes_above_the_largest_class_have_all_their_bytes)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(sizes); i++) {
		void *p = take(t, sizes[i], GFP_KERNEL), *q = take(t, sizes[i], GFP_KERNEL);

		if (p)
			fill(p, sizes[i], 1);
		if (q)
			fill(q, sizes[i], 0x80000000);
		EXPECT_TRUE(t, !p || filled(p, sizes[i], 1));
		EXPECT_TRUE(t, !q || filled(q, sizes[i], 0x80000000));
		kfree(p);
		kfree(q);
	}
}

KTEST(kmalloc_large, the_limit_itself_is_served)
{
	void *p = kmalloc(KMALLOC_MAX_SIZE, GFP_KERNEL), *q;

	ASSERT_NE(t, NULL, p);
	EXPECT_EQ(t, KMALLOC_MAX_SIZE, ksize(p));
	kfree(p);
	q = kmalloc(hidden(KMALLOC_MAX_SIZE), GFP_KERNEL);
	ASSERT_NE(t, NULL, q);
	EXPECT_EQ(t, KMALLOC_MAX_SIZE, ksize(q));
	kfree(q);
}

KTEST(kmalloc_large, the_limit_and_one_is_not_served)
{
	EXPECT_EQ(t, NULL, kmalloc(hidden(KMALLOC_MAX_SIZE + 1), GFP_KERNEL | __GFP_NOWARN));
	EXPECT_EQ(t, NULL, kzalloc(hidden(KMALLOC_MAX_SIZE + 1), GFP_KERNEL | __GFP_NOWARN));
	EXPECT_EQ(t, NULL,
		  kmalloc_array(hidden(KMALLOC_MAX_SIZE / 8 + 1), 8, GFP_KERNEL | __GFP_NOWARN));
}

KTEST(kmalloc_large, ksize_is_the_block_and_the_block_is_aligned_to_itself)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(sizes); i++) {
		void *p = take(t, sizes[i], GFP_KERNEL);

		if (p) {
			EXPECT_EQ(t, whole_block(sizes[i]), ksize(p));
			EXPECT_EQ(t, 0, (uintptr_t)p & (whole_block(sizes[i]) - 1));
			EXPECT_FALSE(t, virt_to_page(p)->flags & PG_slab);
		}
		kfree(p);
	}
}

KTEST(kmalloc_large, a_free_gives_all_pages_of_the_block_back)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(sizes); i++) {
		unsigned long nr_before, nr_taken;
		void *p;

		mm_quiesce();
		nr_before = nr_available();
		p = take(t, sizes[i], GFP_KERNEL);
		nr_taken = nr_before - nr_available();
		EXPECT_EQ(t, p ? whole_block(sizes[i]) / PAGE_SIZE : 0, nr_taken);
		kfree(p);
		mm_quiesce();
		EXPECT_EQ(t, nr_before, nr_available());
	}
}

KTEST(kmalloc_large, a_constant_size_is_served_as_a_variable_one)
{
	void *p = kmalloc(128 * KiB + 1, GFP_KERNEL), *q = kzalloc(200000, GFP_KERNEL);

	ASSERT_NE(t, NULL, p);
	ASSERT_NE(t, NULL, q);
	EXPECT_EQ(t, 256 * KiB, ksize(p));
	EXPECT_EQ(t, 256 * KiB, ksize(q));
	EXPECT_EQ(t, NULL, memchr_inv(q, 0, 200000));
	kfree(p);
	kfree(q);
}

/* The largest class is the last that a cache serves. */
KTEST(kmalloc_large, the_largest_class_still_comes_from_its_cache)
{
	void *p = kmalloc(hidden(KMALLOC_CACHE_MAX), GFP_KERNEL);

	ASSERT_NE(t, NULL, p);
	EXPECT_EQ(t, kmalloc_caches[0][KMALLOC_NR_CLASSES - 1], virt_to_page(p)->slab_cache);
	kfree(p);
}

/* ---- masks ------------------------------------------------------------------------------ */

KTEST(kmalloc_large, zeroed_memory_is_zero_although_it_was_dirty)
{
	void *p = take(t, 512 * KiB, GFP_KERNEL);

	ASSERT_NE(t, NULL, p);
	memset(p, 0xa5, 512 * KiB);
	kfree(p);
	p = kcalloc(hidden(128), 4 * KiB, GFP_KERNEL);
	ASSERT_NE(t, NULL, p);
	EXPECT_EQ(t, NULL, memchr_inv(p, 0, 512 * KiB));
	kfree(p);
}

KTEST_NEEDS(kmalloc_large, dma_memory_lies_below_16_mib, .zones = KTEST_ZONE_DMA)
{
	void *p = take(t, 256 * KiB, GFP_KERNEL | GFP_DMA);

	ASSERT_NE(t, NULL, p);
	EXPECT_LE(t, 16 * MiB - 256 * KiB, va_to_pa(p));
	kfree(p);
}

/* ---- relatives
 * -------------------------------------------------------------------------- */

KTEST(krealloc, across_the_largest_class_keeps_the_contents)
{
	void *p = kmalloc(hidden(100000), GFP_KERNEL);

	ASSERT_NE(t, NULL, p);
	fill(p, 100000, 7);
	p = krealloc(p, 500000, GFP_KERNEL);
	ASSERT_NE(t, NULL, p);
	EXPECT_EQ(t, 512 * KiB, ksize(p));
	EXPECT_TRUE(t, filled(p, 100000, 7));
	fill(p, 500000, 8);
	p = krealloc(p, KMALLOC_MAX_SIZE, GFP_KERNEL);
	ASSERT_NE(t, NULL, p);
	EXPECT_TRUE(t, filled(p, 500000, 8));
	fill(p, 1000, 9);
	p = krealloc(p, 1000, GFP_KERNEL);
	ASSERT_NE(t, NULL, p);
	EXPECT_EQ(t, 1024, ksize(p));
	EXPECT_TRUE(t, filled(p, 1000, 9));
	kfree(p);
}

KTEST(krealloc, within_a_block_of_pages_the_memory_stays_where_it_is)
{
	void *p = kmalloc(hidden(300000), GFP_KERNEL);

	ASSERT_NE(t, NULL, p);
	EXPECT_EQ(t, p, krealloc(p, 512 * KiB, GFP_KERNEL));
	EXPECT_EQ(t, p, krealloc(p, 256 * KiB + 1, GFP_KERNEL));
	kfree(p);
}

KTEST(kmalloc_large, kfree_sensitive_leaves_nothing_of_the_secret)
{
	uint32_t *p = kmalloc(hidden(200000), GFP_KERNEL);
	bool found = false;

	ASSERT_NE(t, NULL, p);
	memset32(p, 0xc3c3c3c3, 256 * KiB / sizeof(*p));
	kfree_sensitive(p);
	for (size_t i = 0; i < 64 * PAGE_WORDS; i++)
		found |= p[i] == 0xc3c3c3c3;
	EXPECT_FALSE(t, found);
}

KTEST(kmalloc_large, kmemdup_copies_many_pages)
{
	void *p = kmalloc(hidden(150000), GFP_KERNEL), *q;

	ASSERT_NE(t, NULL, p);
	fill(p, 150000, 3);
	q = kmemdup(p, 150000, GFP_KERNEL);
	kfree(p);
	ASSERT_NE(t, NULL, q);
	EXPECT_TRUE(t, filled(q, 150000, 3));
	kfree(q);
}

/* ---- many ------------------------------------------------------------------------------- */

#define NR_SLOTS  16u
#define NR_ROUNDS 400u

KTEST(kmalloc_large, random_sizes_on_both_sides_of_the_largest_class_keep_their_bytes)
{
	static void *p[NR_SLOTS];
	static size_t size[NR_SLOTS];

	for (unsigned int i = 0; i < NR_ROUNDS; i++) {
		unsigned int s = ktest_random_below(t, NR_SLOTS);

		EXPECT_TRUE(t, !p[s] || filled(p[s], size[s], s));
		kfree(p[s]);
		size[s] = 1 + ktest_random_below(t, 1u << (14 + ktest_random_below(t, 6)));
		p[s] = kmalloc(size[s], GFP_KERNEL | __GFP_NOWARN);
		if (p[s])
			fill(p[s], size[s], s);
	}
	for (unsigned int s = 0; s < NR_SLOTS; s++) {
		EXPECT_TRUE(t, !p[s] || filled(p[s], size[s], s));
		kfree(p[s]);
		p[s] = NULL;
	}
}
