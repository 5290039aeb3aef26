/*
 * highpage.c - the contents of pages, by the calls that need no address: whole pages and parts.
 *
 * THEORY.  A part may begin at 0, end at PAGE_SIZE, be empty, or be odd at both ends.  The page is
 * filled with a pattern first: what lies beside the part must still have it.
 *
 * STATE.  A page's worth of bytes.
 */
#include <quarry/highmem.h>
#include <quarry/string.h>

#include "helpers.h"

#define PATTERN 0xa5u

static const struct {
	size_t offset, size;
} parts[] = {
	{ 0, 0 },
	{ 0, 1 },
	{ 0, PAGE_SIZE },
	{ 1, PAGE_SIZE - 1 },
	{ 0, PAGE_SIZE - 1 },
	{ PAGE_SIZE, 0 },
	{ PAGE_SIZE - 1, 1 },
	{ 3, 5 },
	{ 2047, 2 },
	{ 17, PAGE_SIZE - 18 },
};

static unsigned char bytes[PAGE_SIZE];

static unsigned char byte_of(size_t i)
{
	return (unsigned char)(i * 7 + 1);
}

static void number_bytes(void)
{
	for (size_t i = 0; i < PAGE_SIZE; i++)
		bytes[i] = byte_of(i);
}

static struct page *patterned_page(gfp_t gfp)
{
	struct page *page = alloc_page(gfp);

	if (page) {
		void *va = kmap_local_page(page);

		memset(va, PATTERN, PAGE_SIZE);
		kunmap_local(va);
	}
	return page;
}

/* Does the page have the pattern everywhere but in the part? */
static bool rest_is_as_it_was(struct page *page, size_t offset, size_t size)
{
	const unsigned char *va = kmap_local_page(page);
	bool same = !memchr_inv(va, PATTERN, offset) &&
		    !memchr_inv(va + offset + size, PATTERN, PAGE_SIZE - offset - size);

	kunmap_local(va);
	return same;
}

KTEST(highmem, zero_user_clears_any_part_and_nothing_beside_it)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(parts); i++) {
		struct page *page = patterned_page(GFP_HIGHUSER);
		const unsigned char *va;

		ASSERT_NE(t, NULL, page);
		zero_user(page, parts[i].offset, parts[i].size);
		EXPECT_TRUE(t, rest_is_as_it_was(page, parts[i].offset, parts[i].size));
		va = kmap_local_page(page);
		EXPECT_EQ(t, NULL, memchr_inv(va + parts[i].offset, 0, parts[i].size));
		kunmap_local(va);
		__free_page(page);
	}
}

KTEST(highmem, memcpy_to_page_writes_any_part_and_nothing_beside_it)
{
	number_bytes();
	for (unsigned int i = 0; i < ARRAY_SIZE(parts); i++) {
		struct page *page = patterned_page(GFP_HIGHUSER);
		const unsigned char *va;

		ASSERT_NE(t, NULL, page);
		memcpy_to_page(page, parts[i].offset, bytes, parts[i].size);
		EXPECT_TRUE(t, rest_is_as_it_was(page, parts[i].offset, parts[i].size));
		va = kmap_local_page(page);
		EXPECT_EQ(t, 0, memcmp(va + parts[i].offset, bytes, parts[i].size));
		kunmap_local(va);
		__free_page(page);
	}
}

KTEST(highmem, memcpy_from_page_reads_any_part_and_writes_no_more_than_it)
{
	struct page *page = alloc_page(GFP_HIGHUSER);

	ASSERT_NE(t, NULL, page);
	number_bytes();
	memcpy_to_page(page, 0, bytes, PAGE_SIZE);
	for (unsigned int i = 0; i < ARRAY_SIZE(parts); i++) {
		size_t offset = parts[i].offset, size = parts[i].size;
		unsigned int nr_wrong = 0;

		memset(bytes, PATTERN, sizeof(bytes));
		memcpy_from_page(bytes, page, offset, size);
		for (size_t k = 0; k < size; k++)
			nr_wrong += bytes[k] != byte_of(offset + k);
		EXPECT_EQ(t, 0, nr_wrong);
		EXPECT_EQ(t, NULL, memchr_inv(bytes + size, PATTERN, PAGE_SIZE - size));
	}
	__free_page(page);
}

KTEST(highmem, a_page_of_any_zone_is_copied_to_a_page_of_any_zone)
{
	static const gfp_t gfps[] = { GFP_DMA, GFP_KERNEL, GFP_HIGHUSER };

	for (unsigned int i = 0; i < 9; i++) {
		struct page *from = alloc_page(gfps[i / 3]), *to = patterned_page(gfps[i % 3]);

		ASSERT_TRUE(t, from && to);
		block_fill(from, 0, 0x1000 + i);
		copy_highpage(to, from);
		EXPECT_TRUE(t, block_holds(to, 0, 0x1000 + i));
		EXPECT_TRUE(t, block_holds(from, 0, 0x1000 + i));
		clear_highpage(to);
		EXPECT_TRUE(t, block_is_zero(to, 0));
		__free_page(from);
		__free_page(to);
	}
}

KTEST(highmem, contents_can_be_reached_with_interrupts_off)
{
	struct page *page = patterned_page(GFP_HIGHUSER);
	unsigned long flags;
	unsigned char got = 0;

	ASSERT_NE(t, NULL, page);
	flags = irq_save();
	memcpy_from_page(&got, page, PAGE_SIZE - 1, 1);
	zero_user(page, PAGE_SIZE - 1, 1);
	irq_restore(flags);
	EXPECT_EQ(t, PATTERN, got);
	EXPECT_TRUE(t, rest_is_as_it_was(page, PAGE_SIZE - 1, 1));
	memcpy_from_page(&got, page, PAGE_SIZE - 1, 1);
	EXPECT_EQ(t, 0, got);
	__free_page(page);
}
