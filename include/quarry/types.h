/*
 * Layer: base
 * types.h - the words of the field, as types.
 *
 * One word, one meaning, everywhere:
 *   pfn    page frame number            pa     physical address, bytes (64-bit: PAE)
 *   va     kernel virtual address       size   bytes
 *   nr_*   a count (nr_pages, nr_objs)  order  log2 of pages      shift  log2 of bytes
 *   start/end   half-open [start, end)  *_ms   milliseconds
 */
#ifndef QUARRY_TYPES_H
#define QUARRY_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* 64 bits, as PAE machines have 36; never held in an unsigned long; %llx prints it everywhere. */
typedef unsigned long long phys_addr_t;
typedef unsigned long long dma_addr_t; /* what a device is told: <quarry/dma.h> */
typedef unsigned long pfn_t;           /* page frame number */
typedef unsigned int gfp_t;            /* __GFP_* bits: <quarry/gfp.h> */
typedef long ssize_t;

#define static_assert _Static_assert

#endif
