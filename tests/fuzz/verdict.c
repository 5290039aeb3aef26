/*
 * verdict.c - the struct ktest of a fuzz target.
 *
 * STATE.  current.
 *
 * CONTEXT.  A fuzz target.
 */
#include "verdict.h"

static const struct ktest_case fuzz_case = { .suite = "fuzz", .name = "input", .file = __FILE__ };

static struct ktest current;

struct ktest *verdict_start(uint64_t seed)
{
	current = (struct ktest){ .tc = &fuzz_case, .seed = seed, .rng = seed, .rng_used = true };
	return &current;
}

void verdict_end(void)
{
	FUZZ_CHECK(!current.nr_failed, "%u expectations failed", current.nr_failed);
}
