/*
 * Layer: base
 * sort.h - sorting in place.
 */
#ifndef QUARRY_SORT_H
#define QUARRY_SORT_H

#include <quarry/compiler.h>
#include <quarry/types.h>

/* Negative, zero or positive: @a goes before, beside or behind @b. */
typedef QAPI int (*sort_cmp_t)(const void *a, const void *b);

/* Exchange two elements of @size bytes. */
typedef QAPI void (*sort_swap_t)(void *a, void *b, size_t size);

/**
 * sort - put @nr elements of @size bytes at @base into ascending order.
 * @swap: NULL exchanges the bytes.
 *
 * Equal elements may change places.
 * Context: any; neither recursion nor memory.  Cost: O(nr log nr), also in the worst case.
 */
QAPI void sort(void *base, size_t nr, size_t size, sort_cmp_t cmp, sort_swap_t swap);

#endif
