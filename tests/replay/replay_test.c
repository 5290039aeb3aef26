/*
 * replay_test.c - the replayer: what it does with records, and that it notices what went wrong.
 *
 * The costs mean nothing here: they are not looked at.
 */
#include <quarry/replay.h>

#include <quarry/errno.h>
#include <quarry/kmalloc.h>
#include <quarry/ktest.h>
#include <quarry/mm.h>
#include <quarry/string.h>

#include "../faults.h"
#include "../mm/helpers.h"
#include "replay.h"

static char text[8192]; /* what is printed */
static struct out_buf buf;

static struct out *to_text(void)
{
	out_buf_init(&buf, text, sizeof(text));
	return &buf.out;
}

static bool says(const char *what)
{
	return strstr(text, what) != NULL;
}

#if CONFIG_FAULT_INJECT
/* As a call of mm/ (../faults.h): one that had no memory is made again, with a new text. */
static int replayed(const struct trace_record *records, unsigned long nr, const char *words)
{
	int r;

	do {
		faults_enter();
		r = replay_records(to_text(), "test", records, nr, words);
	} while (faults_again(r));
	return r;
}
#else
static int replayed(const struct trace_record *records, unsigned long nr, const char *words)
{
	return replay_records(to_text(), "test", records, nr, words);
}
#endif

#define REPLAY(records, words) replayed(records, ARRAY_SIZE(records), words)

#define REC(op_, id_, size_)                              \
	{                                                 \
		.op = (op_), .id = (id_), .size = (size_) \
	}

#define PAGES(op_, id_, order_, ...)                                                      \
	{                                                                                 \
		.op = (op_), .id = (id_), .arg = (order_), .size = PAGE_SIZE << (order_), \
		__VA_ARGS__                                                               \
	}

/* One of each operation; alive at the end: 3, 5 and 6. */
static const struct trace_record each[] = {
	REC(TRACE_MALLOC, 1, 100),
	REC(TRACE_CALLOC, 2, 5000),
	REC(TRACE_REALLOC, 1, 3000),
	{ .op = TRACE_MEMALIGN, .id = 3, .size = 40, .arg = 9 },
	REC(TRACE_REALLOC, 1, 10),
	REC(TRACE_FREE, 1, 10),
	{ .op = TRACE_KMALLOC, .id = 4, .size = 77, .cls = TRACE_ATOMIC | TRACE_ZERO },
	{ .op = TRACE_CACHE_ALLOC, .id = 5, .size = 300, .cls = TRACE_ZERO },
	PAGES(TRACE_PAGE_ALLOC, 6, 2, .cls = TRACE_HIGHMEM | TRACE_MOVABLE | TRACE_ZERO),
	PAGES(TRACE_PAGE_ALLOC, 7, 0, .flags = TRACE_BACKING),
	REC(TRACE_VMALLOC, 8, 9000),
	REC(TRACE_VFREE, 8, 9000),
	PAGES(TRACE_PAGE_FREE, 7, 0, .flags = TRACE_BACKING),
	REC(TRACE_KFREE, 4, 77),
	{ .op = TRACE_CACHE_ALLOC, .id = 9, .size = 301 },
	REC(TRACE_CACHE_FREE, 9, 301),
	REC(TRACE_FREE, 2, 5000),
};

KTEST(replay, every_operation_is_done_and_nothing_is_left)
{
	EXPECT_EQ(t, 0, REPLAY(each, ""));
	EXPECT_TRUE(t, says("replay ops=15 failed=0 live_at_end=3 live_bytes=340 live_pages=4\n"));
	EXPECT_TRUE(t, says("kind=krealloc n=2 "));
	EXPECT_TRUE(t, says("kind=alloc_pages n=1 "));
	EXPECT_TRUE(t, says("replay done problems=0\n"));
}

KTEST(replay, contents_are_checked_and_good)
{
	EXPECT_EQ(t, 0, REPLAY(each, "check"));
	EXPECT_TRUE(t, says("what=all check=1 zeroes=1"));
}

KTEST(replay, objects_alone_are_all_but_pages)
{
	EXPECT_EQ(t, 0, REPLAY(each, "objects,nozero,check"));
	EXPECT_TRUE(t, says("what=objects check=1 zeroes=0"));
	EXPECT_TRUE(t, says("replay ops=14 "));
	EXPECT_FALSE(t, says("alloc_pages"));
}

KTEST(replay, pages_alone_are_those_behind_slabs_too)
{
	EXPECT_EQ(t, 0, REPLAY(each, "pages"));
	EXPECT_TRUE(t, says("replay ops=3 failed=0 live_at_end=1 live_bytes=0 live_pages=4\n"));
	EXPECT_TRUE(t, says("kind=alloc_pages n=2 "));
}

KTEST(replay, the_peak_is_that_of_the_trace)
{
	EXPECT_EQ(t, 0, REPLAY(each, ""));
	/* 3, 5 and 6 with 2 and 8; then with 9. */
	EXPECT_TRUE(t, says("object_bytes=14417 pages=4\n"));
}

KTEST(replay, an_allocation_that_fails_is_a_problem)
{
	static const struct trace_record much[] = {
		{ .op = TRACE_KMALLOC,
		  .id = 1,
		  .size = KMALLOC_MAX_SIZE + 1,
		  .flags = TRACE_MAY_FAIL },
		REC(TRACE_KFREE, 1, KMALLOC_MAX_SIZE + 1),
	};

	EXPECT_EQ(t, 1, REPLAY(much, ""));
	EXPECT_TRUE(t, says("replay problem=\"an allocation failed\" record=0 id=1"));
	EXPECT_TRUE(t, says("failed=1 "));
}

KTEST(replay, a_free_of_what_is_not_alive_is_a_problem)
{
	static const struct trace_record twice[] = { REC(TRACE_KMALLOC, 1, 8),
						     REC(TRACE_KFREE, 1, 8),
						     REC(TRACE_KFREE, 1, 8) };
	static const struct trace_record other[] = { REC(TRACE_KMALLOC, 1, 8),
						     REC(TRACE_CACHE_FREE, 1, 8) };
	static const struct trace_record again[] = { REC(TRACE_KMALLOC, 1, 8),
						     REC(TRACE_KMALLOC, 1, 8) };

	EXPECT_EQ(t, 1, REPLAY(twice, ""));
	EXPECT_TRUE(t, says("does not fit to the records before\" record=2 "));
	EXPECT_EQ(t, 1, REPLAY(other, ""));
	EXPECT_EQ(t, 1, REPLAY(again, ""));
}

KTEST(replay, what_is_no_record_is_refused)
{
	static const struct trace_record bad_op[] = { REC(0x55, 1, 8) };
	static const struct trace_record bad_id[] = { REC(TRACE_MALLOC, 2, 8) };
	static const struct trace_record bad_order[] = { PAGES(TRACE_PAGE_ALLOC, 1, MAX_ORDER) };
	static const struct trace_record bad_size[] = { REC(TRACE_PAGE_ALLOC, 1, 8) };
	static const struct trace_record bad_cache[] = { REC(TRACE_CACHE_ALLOC, 1,
							     SLAB_OBJECT_SIZE_MAX + 1) };

	EXPECT_EQ(t, -EINVAL, REPLAY(bad_op, ""));
	EXPECT_EQ(t, -EINVAL, REPLAY(bad_id, ""));
	EXPECT_EQ(t, -EINVAL, REPLAY(bad_order, ""));
	EXPECT_EQ(t, -EINVAL, REPLAY(bad_size, ""));
	EXPECT_EQ(t, -EINVAL, REPLAY(bad_cache, ""));
}

KTEST(replay, a_module_or_word_that_there_is_not_is_refused)
{
	EXPECT_ERR(t, -ENOENT, replay_run(to_text(), "no-such-module"));
	EXPECT_EQ(t, -EINVAL, REPLAY(each, "check,fast"));
	EXPECT_ERR(
		t, -EINVAL,
		replay_run(to_text(),
			   "a-name-longer-than-any-module-can-have-because-the-loader-cut-it,"
			   "with-words-behind-it-that-nobody-knows-and-that-go-on-and-on-and-on"));
}

KTEST(replay, without_memory_for_tables_nothing_is_done)
{
	HOARD(h);

	hoard_machine(&h);
	EXPECT_EQ(t, -ENOMEM, REPLAY(each, ""));
	hoard_free(&h);
}

KTEST(replay, stamps_show_another_objects_bytes)
{
	unsigned char bytes[43], *page;

	stamp_write(PLACE_MEMORY, bytes, sizeof(bytes), 7);
	EXPECT_EQ(t, sizeof(bytes), stamp_verify(PLACE_MEMORY, bytes, sizeof(bytes), 7));
	EXPECT_EQ(t, 0, stamp_verify(PLACE_MEMORY, bytes, sizeof(bytes), 8));
	bytes[41] ^= 1;
	EXPECT_EQ(t, 41, stamp_verify(PLACE_MEMORY, bytes, sizeof(bytes), 7));
	memset(bytes, 0, sizeof(bytes));
	EXPECT_EQ(t, sizeof(bytes), stamp_zeroes(PLACE_MEMORY, bytes, sizeof(bytes)));
	page = (unsigned char *)get_zeroed_page(GFP_KERNEL);
	ASSERT_NE(t, NULL, page);
	page[4000] = 1;
	EXPECT_EQ(t, 4000, stamp_zeroes(PLACE_PAGES, virt_to_page(page), PAGE_SIZE));
	stamp_write(PLACE_PAGES, virt_to_page(page), PAGE_SIZE, 3);
	EXPECT_EQ(t, PAGE_SIZE, stamp_verify(PLACE_MEMORY, page, PAGE_SIZE, 3));
	free_page((unsigned long)page);
}
