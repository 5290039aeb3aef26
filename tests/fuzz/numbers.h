/*
 * Layer: tests
 * numbers.h - numbers as text, read once more: the model of parse_u64() and parse_size().
 */
#ifndef QUARRY_TESTS_FUZZ_NUMBERS_H
#define QUARRY_TESTS_FUZZ_NUMBERS_H

#include <quarry/types.h>

/* What a text begins with. */
struct model_number {
	int err;    /* 0, -EINVAL: no number, or -ERANGE */
	size_t len; /* bytes of it */
	uint64_t value;
};

/* The number at the start of @text; with @suffix a K, M, G or T behind it belongs to it. */
struct model_number model_number(const char *text, bool suffix);

#endif
