/*
 * Layer: tests
 * verdict.h - how targets of functions without state compare: with models, and with the oracles of
 * tests/boot/, which want a struct ktest.
 */
#ifndef TESTS_FUZZ_VERDICT_H
#define TESTS_FUZZ_VERDICT_H

#include "fuzz.h"

#include <quarry/ktest.h>

/* @got is what the model says: @want. */
#define FUZZ_EQ(want, got)                                                                     \
	do {                                                                                   \
		unsigned long long want_ = (unsigned long long)(want);                         \
		unsigned long long got_ = (unsigned long long)(got);                           \
                                                                                               \
		FUZZ_CHECK(want_ == got_, "%s:%d: %s is %#llx, not %#llx", __FILE__, __LINE__, \
			   #got, got_, want_);                                                 \
	} while (0)

#define FUZZ_HOLDS(cond) \
	FUZZ_CHECK(cond, "%s:%d: this does not hold: %s", __FILE__, __LINE__, #cond)

static inline uint64_t fuzz_u64(struct fuzz_bytes *b)
{
	uint64_t low = fuzz_u32(b);

	return low | (uint64_t)fuzz_u32(b) << 32;
}

/* What is left of an input: at most @size - 1 bytes, as a text that a NUL ends; its length. */
static inline size_t fuzz_text(struct fuzz_bytes *b, char *text, size_t size)
{
	size_t len = 0;

	while (len < size - 1 && !fuzz_end(b))
		text[len++] = (char)fuzz_u8(b);
	text[len] = '\0';
	return len;
}

/* Begin an input: expectations count from 0, ktest_random() depends on @seed alone. */
struct ktest *verdict_start(uint64_t seed);

/* The input's end: an expectation that failed, and was printed, ends the run. */
void verdict_end(void);

#endif
