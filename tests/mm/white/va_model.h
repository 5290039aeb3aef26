/*
 * Layer: tests
 * va_model.h - a space of addresses as a byte for each page: where a range must be placed.
 */
#ifndef TESTS_MM_WHITE_VA_MODEL_H
#define TESTS_MM_WHITE_VA_MODEL_H

#include <quarry/types.h>

#define VA_MODEL_MAX 8192ul /* pages */

struct va_model {
	uintptr_t start;
	size_t nr; /* pages, at most VA_MODEL_MAX */
	bool taken[VA_MODEL_MAX];
};

/* As the arguments of va_range_reserve_within(), but @align is PAGE_SIZE at least. */
struct va_wish {
	size_t size, align, guard;
	uintptr_t low, high;
};

/* @nr free pages from @start on, which may end with the address space. */
void va_model_init(struct va_model *m, uintptr_t start, size_t nr);

/* The lowest place by trying all of them; 0: none. */
uintptr_t va_model_place(const struct va_model *m, const struct va_wish *w);

/* The pages of [@start, @end) and of @guard bytes behind them are taken, or free. */
void va_model_set(struct va_model *m, uintptr_t start, uintptr_t end, size_t guard, bool taken);

/* Bytes of the largest range with @guard behind it, of pages, that a place is left for. */
size_t va_model_largest(const struct va_model *m, size_t guard);

#endif
