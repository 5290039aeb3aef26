/*
 * kmalloc_beyond_limit.c - a kmalloc() whose size the compiler knows to be too large: it compiles,
 * and must not link.
 */
#include <quarry/slab.h>

void *ask(void);

void *ask(void)
{
	return kmalloc(KMALLOC_MAX_SIZE + 1, GFP_KERNEL);
}
