/*
 * boot_walks.c - the random walks of tests/boot/, at the length that a process affords.
 *
 * Under the address sanitizer a parser that reads one byte too many is caught at that byte: the
 * windows it gets end where their buffer does.
 */
#include <quarry/ktest.h>

#include "../boot/blob.h"

/* Steps.  A 64-bit process is here for its other type sizes, and four times slower. */
#define LONG_WALK (sizeof(void *) == 4 ? 100000ul : 20000ul)

KTEST(multiboot1, a_long_walk_of_mutations_finds_nothing)
{
	multiboot1_walk(t, ktest_steps(t, LONG_WALK));
}

KTEST(multiboot2, a_long_walk_of_mutations_finds_nothing)
{
	multiboot2_walk(t, ktest_steps(t, LONG_WALK));
}
