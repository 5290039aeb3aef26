/*
 * Layer: mm
 * alloc_trace.h - a recording of every allocation and free: with CONFIG_ALLOC_TRACE.
 *
 * While it runs, per-CPU lists and magazines are out of use, so that each call is seen.  Records go
 * into a ring of a given size; when it is full, recording stops by itself and what follows is
 * counted only: what was recorded is then a trace that was cut, not one without its beginnings.
 *
 * A dump is text for the log, which tools/trace_log.py makes a trace file of:
 *
 *	alloc_trace begin version=1 records=N dropped=D
 *	alloc_trace OFFSET HEX SUM	up to four records; OFFSET: of the first, HEX: their bytes
 *	alloc_trace end records=N sum=SUM
 *
 * SUM is the Adler-32 of all bytes of records up to there.
 */
#ifndef QUARRY_ALLOC_TRACE_H
#define QUARRY_ALLOC_TRACE_H

#include <quarry/compiler.h>
#include <quarry/config.h>
#include <quarry/errno.h>
#include <quarry/out.h>
#include <quarry/types.h>

/* Operations of records; those below ALLOC_TRACE_BACKING_PAGES as in a trace file. */
enum alloc_trace_op {
	ALLOC_TRACE_KMALLOC = 0x10,
	ALLOC_TRACE_KFREE = 0x11,
	ALLOC_TRACE_CACHE_ALLOC = 0x12,
	ALLOC_TRACE_CACHE_FREE = 0x13,
	ALLOC_TRACE_PAGE_ALLOC = 0x14,
	ALLOC_TRACE_PAGE_FREE = 0x15,
	ALLOC_TRACE_VMALLOC = 0x16,
	ALLOC_TRACE_VFREE = 0x17,
	/* What was just taken is behind a slab (order: 0) or an area (order: 1). */
	ALLOC_TRACE_BACKING_PAGES = 0x80,
	ALLOC_TRACE_BACKING_OBJECT = 0x81,
	ALLOC_TRACE_SPLIT = 0x82, /* each page of the block is freed by itself */
};

#define ALLOC_TRACE_HARD_IRQ 0x04u /* of context, as of the flags of a trace file */

struct alloc_trace_record {
	uint8_t op;
	uint8_t order;
	uint16_t context;
	uint32_t gfp;
	uint32_t size;   /* bytes that the owner may use: of a kmalloc(), its class */
	uint32_t caller; /* return address, out of mm/ as far as that is known */
	uint32_t result; /* address; of pages, the first frame; 0: the call failed */
};

struct alloc_trace_status {
	bool on;
	unsigned long nr_records, nr_max;
	unsigned long nr_dropped; /* since the ring was full */
};

#define ALLOC_TRACE_SIZE_MIN (4096ul)
#define ALLOC_TRACE_SIZE_MAX (64ul << 20)

#if CONFIG_ALLOC_TRACE

/**
 * alloc_trace_start - record from now on, into a new ring.
 * @size: bytes of the ring, ALLOC_TRACE_SIZE_MIN to ALLOC_TRACE_SIZE_MAX.  An earlier one is lost.
 *
 * Return:  0; -EINVAL for another size; -EBUSY when it is on already; -ENOMEM.
 * Owner:   the ring is the recorder's, until alloc_trace_free().
 * Context: a thread that may sleep, one at a time.
 */
QAPI int alloc_trace_start(size_t size) __must_check;

/**
 * alloc_trace_stop - record no more; the ring stays.  Nothing to do if it is off.
 *
 * Context: as alloc_trace_start().
 */
QAPI void alloc_trace_stop(void);

/**
 * alloc_trace_free - give the ring back; if it is on, it is stopped first.
 *
 * Context: as alloc_trace_start().
 */
QAPI void alloc_trace_free(void);

/**
 * alloc_trace_dump - print all records.
 *
 * Return:  0; -EBUSY while it is on; -ENOENT when there is no ring.
 * Context: as alloc_trace_start().  Cost: 50 bytes of text a record.
 */
QAPI int alloc_trace_dump(struct out *o);

/**
 * alloc_trace_get_status - what it is doing.  Context: any.
 */
QAPI void alloc_trace_get_status(struct alloc_trace_status *status);

/**
 * alloc_trace_get - look at a record.
 * @n: from 0 on.
 *
 * Return:  NULL beyond the last.
 * Context: a thread; the record stays until the ring goes.
 */
QAPI const struct alloc_trace_record *alloc_trace_get(unsigned long n);

#else

static inline int alloc_trace_start(size_t size) __must_check;
static inline int alloc_trace_start(size_t size)
{
	(void)size;
	return -EINVAL;
}

#endif
#endif
