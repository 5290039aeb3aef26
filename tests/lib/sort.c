/*
 * sort.c - tests of sort().
 *
 * Random arrays of every size up to NR_MAX, of elements whose size is odd and whose bytes all
 * follow from the key: order, the sum of the keys and whole elements are what sorting must keep.
 */
#include <quarry/ktest.h>
#include <quarry/sort.h>
#include <quarry/string.h>

#define NR_MAX 200u

struct item {
	uint16_t key;
	uint8_t tag[3]; /* an odd size: no element is exchanged as words */
} __packed;

static QAPI int compare_items(const void *a, const void *b)
{
	const struct item *x = a, *y = b;

	return (int)x->key - (int)y->key;
}

static unsigned int nr_swaps;

static QAPI void swap_items(void *a, void *b, size_t size)
{
	struct item tmp;

	nr_swaps++;
	memcpy(&tmp, a, size);
	memcpy(a, b, size);
	memcpy(b, &tmp, size);
}

/* Every tag follows its key, so an element torn apart shows; keys repeat. */
static void random_items(struct ktest *t, struct item *items, unsigned int nr, uint32_t nr_keys)
{
	for (unsigned int i = 0; i < nr; i++) {
		items[i].key = (uint16_t)ktest_random_below(t, nr_keys);
		for (unsigned int j = 0; j < 3; j++)
			items[i].tag[j] = (uint8_t)(items[i].key * 31 + j);
	}
}

static uint64_t sum_of(const struct item *items, unsigned int nr)
{
	uint64_t sum = 0;

	for (unsigned int i = 0; i < nr; i++)
		sum += (uint64_t)items[i].key * items[i].key + 1;
	return sum;
}

static void expect_sorted(struct ktest *t, const struct item *items, unsigned int nr)
{
	for (unsigned int i = 0; i < nr; i++) {
		if (i)
			EXPECT_LE(t, items[i].key, items[i - 1].key);
		for (unsigned int j = 0; j < 3; j++)
			EXPECT_EQ(t, (uint8_t)(items[i].key * 31 + j), items[i].tag[j]);
	}
}

KTEST(sort, random_arrays_end_in_order_with_the_same_elements)
{
	static struct item items[NR_MAX + 1];

	for (unsigned int nr = 0; nr <= NR_MAX; nr++) {
		uint64_t sum;

		random_items(t, items, NR_MAX + 1, nr % 2 ? 10 : 60000);
		items[nr].key = 0; /* just outside: less than any, must stay */
		items[nr].tag[0] = 0xEE;
		sum = sum_of(items, nr);
		sort(items, nr, sizeof(items[0]), compare_items, NULL);
		expect_sorted(t, items, nr);
		EXPECT_EQ(t, sum, sum_of(items, nr));
		EXPECT_EQ(t, 0xEE, items[nr].tag[0]);
	}
}

KTEST(sort, the_callers_swap_is_the_one_used)
{
	static struct item items[NR_MAX];

	random_items(t, items, NR_MAX, 60000);
	nr_swaps = 0;
	sort(items, NR_MAX, sizeof(items[0]), compare_items, swap_items);
	expect_sorted(t, items, NR_MAX);
	EXPECT_GE(t, NR_MAX - 1, nr_swaps);
}

static unsigned int nr_compares;

static QAPI int compare_counting(const void *a, const void *b)
{
	const uint32_t *x = a, *y = b;

	nr_compares++;
	return *x < *y ? -1 : *x > *y;
}

KTEST(sort, sorted_reversed_and_equal_input_cost_no_more_than_n_log_n)
{
	static uint32_t words[1024];

	for (unsigned int shape = 0; shape < 3; shape++) {
		for (unsigned int i = 0; i < 1024; i++)
			words[i] = shape == 0 ? i : shape == 1 ? 1024 - i : 7;
		nr_compares = 0;
		sort(words, 1024, sizeof(words[0]), compare_counting, NULL);
		/* Heapsort: at most 2 n log2(n) for the sinking, 2 n for making the heap. */
		EXPECT_LE(t, 2 * 1024 * 10 + 2 * 1024, nr_compares);
		for (unsigned int i = 1; i < 1024; i++)
			EXPECT_LE(t, words[i], words[i - 1]);
	}
}
