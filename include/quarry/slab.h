/*
 * Layer: mm
 * slab.h - memory for objects: caches of one size each, and kmalloc() on top of them.
 *
 * A cache hands out objects of one size from slabs: runs of pages, cut into objects.  In front of
 * the slabs each CPU has a magazine, a small stack of free objects, where nearly every call ends.
 */
#ifndef QUARRY_SLAB_H
#define QUARRY_SLAB_H

#include <quarry/kmalloc.h>
#include <quarry/kmem_cache.h>

#endif
