/*
 * kmalloc_limit.c - the largest kmalloc() whose size the compiler knows: it links.
 */
#include <quarry/slab.h>

void *ask(void);

void *ask(void)
{
	return kmalloc(KMALLOC_MAX_SIZE, GFP_KERNEL);
}
