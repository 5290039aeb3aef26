/*
 * Layer: tests
 * replay.h - what the files of the replayer share.
 */
#ifndef TESTS_REPLAY_H
#define TESTS_REPLAY_H

#include <quarry/compiler.h>
#include <quarry/gfp.h>
#include <quarry/kmem_cache.h>
#include <quarry/out.h>
#include <quarry/types.h>

/* ---- the records: tests/data/traces/FORMAT.md ------------------------------------------- */

struct trace_record {
	uint8_t op;
	uint8_t cls;   /* TRACE_ATOMIC ... */
	uint8_t arg;   /* order; log2 of the alignment */
	uint8_t flags; /* TRACE_BACKING ... */
	uint32_t id;
	uint32_t size; /* bytes */
	uint32_t aux;
};

static_assert(sizeof(struct trace_record) == 16, "as in the file");

enum trace_op {
	TRACE_MALLOC = 0x01,
	TRACE_CALLOC = 0x02,
	TRACE_REALLOC = 0x03,
	TRACE_FREE = 0x04,
	TRACE_MEMALIGN = 0x05,
	TRACE_KMALLOC = 0x10,
	TRACE_KFREE = 0x11,
	TRACE_CACHE_ALLOC = 0x12,
	TRACE_CACHE_FREE = 0x13,
	TRACE_PAGE_ALLOC = 0x14,
	TRACE_PAGE_FREE = 0x15,
	TRACE_VMALLOC = 0x16,
	TRACE_VFREE = 0x17,
};

#define TRACE_ATOMIC  0x01u
#define TRACE_HIGH    0x02u
#define TRACE_ZERO    0x04u
#define TRACE_HIGHMEM 0x08u
#define TRACE_DMA     0x10u
#define TRACE_DMA32   0x20u
#define TRACE_MOVABLE 0x40u

#define TRACE_BACKING     0x03u /* behind a slab or an area */
#define TRACE_RECLAIMABLE 0x20u
#define TRACE_MAY_FAIL    0x40u

/* ---- replay.c --------------------------------------------------------------------------- */

/*
 * replay_run() of records in memory; @words: as there, "" for none.  -EINVAL: they make no sense;
 * -ENOMEM: no room for tables.
 */
QAPI int replay_records(struct out *o, const char *name, const struct trace_record *records,
			unsigned long nr, const char *words);

/* ---- calls.c: what is measured ---------------------------------------------------------- */

/* The time-stamp counter before and after the last call. */
extern uint32_t replay_stamps[2];

/* Nothing: what the stamps cost. */
QAPI void replay_call_nothing(void);

QAPI void *replay_call_kmalloc(size_t size, gfp_t gfp);
QAPI void *replay_call_krealloc(void *p, size_t size, gfp_t gfp);
QAPI void replay_call_kfree(void *p);
QAPI void *replay_call_cache_alloc_kernel(struct kmem_cache *c);
QAPI void *replay_call_cache_alloc_atomic(struct kmem_cache *c);
QAPI void *replay_call_cache_alloc(struct kmem_cache *c, gfp_t gfp);
QAPI void replay_call_cache_free(struct kmem_cache *c, void *obj);
QAPI struct page *replay_call_alloc_pages(gfp_t gfp, unsigned int order);
QAPI void replay_call_free_pages(struct page *page, unsigned int order);
QAPI void *replay_call_vmalloc(size_t size, gfp_t gfp);
QAPI void replay_call_vfree(void *va);

/* ---- tally.c: what it cost and took ----------------------------------------------------- */

enum replay_kind {
	KIND_KMALLOC,
	KIND_KFREE,
	KIND_KREALLOC,
	KIND_CACHE_ALLOC,
	KIND_CACHE_FREE,
	KIND_ALLOC_PAGES,
	KIND_FREE_PAGES,
	KIND_VMALLOC,
	KIND_VFREE,
	NR_KINDS,
};

#define TICKS_MAX 16384u /* costs that are told apart: beyond, a median is only "at least" */

/* Operations of one kind. */
struct kind_tally {
	uint64_t total; /* ticks */
	uint32_t nr;
	uint32_t min, max;
	uint32_t *by_cost; /* how many cost so many ticks; TICKS_MAX of them */
};

/* Pages since the beginning. */
struct footprint {
	long nr_start; /* free */
	long taken;    /* out of the buddy */
	long held;     /* of those, not in per-CPU lists */
	/* The highest of each, and of what objects hold: not that of page operations. */
	long peak_taken, peak_held, peak_objects;
	unsigned long lazy; /* pages of freed areas among peak_objects: a flush gives them back */
};

/* What the trace has alive. */
struct live {
	unsigned long nr_objects;
	unsigned long bytes; /* of objects and areas */
	unsigned long pages; /* of page operations */
	unsigned long peak_bytes, peak_pages, peak_both /* in bytes */;
};

struct tally {
	uint32_t bracket; /* ticks that the stamps cost */
	struct kind_tally kinds[NR_KINDS];
	struct footprint pages;
	struct live live;
};

/* False: no memory. */
QAPI bool tally_init(struct tally *t);
QAPI void tally_free(struct tally *t);

/* From here on pages are counted. */
QAPI void tally_start(struct tally *t);

/* The last call was of this kind; for krealloc() etc. of the same. */
QAPI void tally_cost(struct tally *t, enum replay_kind kind);

/* So many bytes, so many pages more (or less) are alive. */
QAPI void tally_live(struct tally *t, long nr_objects, long bytes, long pages);

/* Look at free pages. */
QAPI void tally_pages(struct tally *t);
QAPI void tally_show(struct out *o, const struct tally *t);

/* ---- stamps.c: contents ------------------------------------------------------------------ */

enum place { PLACE_MEMORY, PLACE_PAGES };

/* Fill @size bytes with what belongs to @id. */
QAPI void stamp_write(enum place place, void *p, size_t size, uint32_t id);

/* The offset of the first of @size bytes that is not as it was written, or @size. */
QAPI size_t stamp_verify(enum place place, void *p, size_t size, uint32_t id);

/* The offset of the first byte that is not 0, or @size. */
QAPI size_t stamp_zeroes(enum place place, void *p, size_t size);

#endif
