/*
 * Layer: base
 * err.h - error numbers carried in pointers.
 *
 * The last page of the address space is never mapped, so -4095..-1 are no valid pointers.
 */
#ifndef QUARRY_ERR_H
#define QUARRY_ERR_H

#include <quarry/compiler.h>
#include <quarry/types.h>

#define MAX_ERRNO 4095ul

static inline void *ERR_PTR(long err)
{
	return (void *)err;
}

static inline long PTR_ERR(const void *ptr)
{
	return (long)ptr;
}

static inline bool IS_ERR(const void *ptr)
{
	return unlikely((unsigned long)ptr >= -MAX_ERRNO);
}

#endif
