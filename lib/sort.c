/*
 * sort.c - heapsort.
 *
 * THEORY.  The array is seen as a binary tree: the children of i are 2i + 1 and 2i + 2.  A heap is
 * such a tree in which no child is greater than its parent, so its root is the greatest element.
 * First the array is made a heap, from the last parent up to the root; then the root is exchanged
 * with the last element, the heap is one shorter, and the new root sinks to its place.
 *
 * Chosen over quicksort because it needs neither recursion nor memory and has no bad case: the
 * callers sort firmware tables, whose authors are not on our side.
 *
 * CONTEXT.  Any.
 *
 * SOURCES.  Williams, "Algorithm 232: Heapsort", CACM 7(6), 1964; Floyd, "Algorithm 245", 7(12).
 */
#include <quarry/sort.h>

struct heap {
	char *base;
	size_t size; /* bytes of an element */
	sort_cmp_t cmp;
	sort_swap_t swap;
};

static QAPI void swap_bytes(void *a, void *b, size_t size)
{
	char *x = a, *y = b;

	for (size_t i = 0; i < size; i++) {
		char c = x[i];

		x[i] = y[i];
		y[i] = c;
	}
}

static void *heap_at(const struct heap *h, size_t i)
{
	return h->base + i * h->size;
}

/* Let element @i sink until no child is greater; both its subtrees, cut at @nr, are heaps. */
static void heap_sink(const struct heap *h, size_t i, size_t nr)
{
	for (;;) {
		size_t child = 2 * i + 1;

		if (child >= nr)
			return;
		if (child + 1 < nr && h->cmp(heap_at(h, child), heap_at(h, child + 1)) < 0)
			child++;
		if (h->cmp(heap_at(h, i), heap_at(h, child)) >= 0)
			return;
		h->swap(heap_at(h, i), heap_at(h, child), h->size);
		i = child;
	}
}

QAPI void sort(void *base, size_t nr, size_t size, sort_cmp_t cmp, sort_swap_t swap)
{
	struct heap h = { base, size, cmp, swap ? swap : swap_bytes };

	for (size_t i = nr / 2; i-- > 0;)
		heap_sink(&h, i, nr);
	while (nr > 1) {
		nr--;
		h.swap(heap_at(&h, 0), heap_at(&h, nr), size);
		heap_sink(&h, 0, nr);
	}
}
