/*
 * kmalloc_calls.c - calls of kmalloc() and its relatives, to be disassembled.
 *
 * Each function is one call.  What the compiler made of it says what was decided when it was
 * compiled.
 */
#include <quarry/slab.h>

void *constant(void);
void *constant_at_the_limit(void);
void *constant_nofs(void);
void *constant_zeroed(void);
void *constant_dma(void);
void *constant_array(void);
void *constant_nothing(void);
void *constant_with_any_mask(gfp_t gfp);
void *variable(size_t size);
void *variable_array(size_t nr);

void *constant(void)
{
	return kmalloc(100, GFP_KERNEL);
}

void *constant_at_the_limit(void)
{
	return kmalloc(KMALLOC_CACHE_MAX, GFP_ATOMIC);
}

void *constant_nofs(void)
{
	return kmalloc(1, GFP_NOFS);
}

void *constant_zeroed(void)
{
	return kzalloc(193, GFP_KERNEL);
}

void *constant_dma(void)
{
	return kmalloc(9, GFP_KERNEL | GFP_DMA);
}

void *constant_array(void)
{
	return kmalloc_array(6, 16, GFP_KERNEL);
}

void *constant_nothing(void)
{
	return kmalloc(0, GFP_KERNEL);
}

void *constant_with_any_mask(gfp_t gfp)
{
	return kmalloc(4096, gfp);
}

void *variable(size_t size)
{
	return kmalloc(size, GFP_KERNEL);
}

void *variable_array(size_t nr)
{
	return kcalloc(nr, 12, GFP_KERNEL);
}
