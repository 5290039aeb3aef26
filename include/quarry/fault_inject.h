/*
 * Layer: mm
 * fault_inject.h - allocations that fail on purpose: the k-th one, or some by chance; with
 * CONFIG_FAULT_INJECT.
 *
 * A point is a place in mm/ where memory may be missing, each time that somebody comes by.  Six
 * kinds are told apart.  While a kind is armed its points are counted, and fail as was said; a
 * request with __GFP_NOFAIL is no point.  Whoever asked gets what he gets when there is no memory,
 * and mm/ does what it does then: fall back, or unwind and report -ENOMEM or NULL.
 *
 *	kind      fails                                  also armed by
 *	page      a block of pages                       fail_page_alloc=SPEC
 *	object    an object of a cache, or many (bulk)   failslab=SPEC
 *	slab      a new slab of a cache
 *	vmalloc   addresses for an area
 *	pgtable   a page table
 *	memblock  memory before there are pages: by number only, as nothing fails by chance before
 *	          mm_init() is over
 *
 * In words, for the boot option fault=TEXT and the monitor's `fault TEXT`:
 *
 *	KIND:SPEC             INTERVAL,PROBABILITY,SPACE,TIMES and then NAME=VALUE, commas
 *	                      between, each optional: struct fault_attr; probability 0: not armed
 *	nth:KIND,K[,TIMES]    the K-th point from now on fails, and TIMES - 1 behind it (-1: all);
 *	                      K 0: only count; KIND may be all
 *	off                   nothing is armed
 */
#ifndef QUARRY_FAULT_INJECT_H
#define QUARRY_FAULT_INJECT_H

#include <quarry/compiler.h>
#include <quarry/types.h>

struct out;

enum fault_kind {
	FAULT_PAGE,
	FAULT_OBJECT,
	FAULT_SLAB,
	FAULT_VMALLOC,
	FAULT_PGTABLE,
	FAULT_MEMBLOCK,
	FAULT_NR_KINDS
};

#define FAULT_KINDS_ALL ((1u << FAULT_NR_KINDS) - 1)

/* How points of a kind fail by chance: names and meanings are those of Linux's fault-injection. */
struct fault_attr {
	unsigned int probability; /* percent, 0 to 100; 0: the kind is not armed */
	unsigned int interval;    /* only each @interval-th point that could fail may; from 1 on */
	int times;                /* so many failures, then no more; -1: no limit */
	int space;                /* pages or bytes that points ask for before the first may fail */
	unsigned int verbose;     /* of a failure: 0: nothing, 1: a line, 2: the stack, too */
	unsigned int min_order;   /* page: smaller blocks do not fail */
	bool ignore_gfp_wait;     /* page, object, slab: what has __GFP_WAIT does not fail */
	bool ignore_gfp_highmem;  /* page: what has __GFP_HIGHMEM does not fail */
};

/* What fault_parse() begins with: a probability is all that is missing. */
#define FAULT_ATTR_DEFAULT                                                                        \
	{                                                                                         \
		.interval = 1, .times = 1, .verbose = 2, .min_order = 1, .ignore_gfp_wait = true, \
		.ignore_gfp_highmem = true                                                        \
	}

struct fault_counts {
	unsigned long seen[FAULT_NR_KINDS];   /* points, while the kind was armed */
	unsigned long failed[FAULT_NR_KINDS]; /* of them, those that failed */
};

/**
 * fault_attr_set - let points of @kind fail by chance, or no more.
 *
 * While page is armed the per-CPU lists are out of use, and while object is armed the magazines
 * are, so that no request gets around its point.
 *
 * Return:  0; -EINVAL when a number is out of its range, or for memblock, and nothing changes.
 * Context: a thread, one at a time; boot.
 */
QAPI int fault_attr_set(enum fault_kind kind, const struct fault_attr *attr) __must_check;

/**
 * fault_attr_get - what was set last, with what is left of @times and @space.
 *
 * Context: any.
 */
QAPI void fault_attr_get(enum fault_kind kind, struct fault_attr *attr);

/**
 * fault_nth - let the @nth point of @kinds from now on fail, and @times - 1 behind it.
 * @kinds: bits 1 << kind; 0: none any more.
 * @nth:   from 1 on; 0: points are counted only.
 * @times: ~0ul: all.
 *
 * Context: a thread, one at a time; boot.
 */
QAPI void fault_nth(unsigned int kinds, unsigned long nth, unsigned long times);

/**
 * fault_off - arm nothing: as after boot.  Counts stay.
 *
 * Context: a thread, one at a time; boot.
 */
QAPI void fault_off(void);

/**
 * fault_kinds - the kinds that are armed: bits 1 << kind.
 *
 * Context: any.
 */
QAPI unsigned int fault_kinds(void);

/**
 * fault_suspend, fault_resume - points in between neither fail nor count; pairs may nest.
 *
 * Context: any; all CPUs are meant.
 */
QAPI void fault_suspend(void);
QAPI void fault_resume(void);

/**
 * fault_seed - begin the sequence of random numbers again.
 *
 * Context: any.
 */
QAPI void fault_seed(uint64_t seed);

/**
 * fault_count - points seen and failed since boot, or since fault_count_reset().
 *
 * Context: any.
 */
QAPI void fault_count(struct fault_counts *c);
QAPI void fault_count_reset(void);

/**
 * fault_kind_name - "page" and so on.
 *
 * Return:  a string that stays.
 * Context: any.
 */
QAPI const char *fault_kind_name(enum fault_kind kind);

/**
 * fault_parse - do what @text says, in the words above.
 *
 * Return:  0; -EINVAL when it says nothing that makes sense, and nothing changes.
 * Context: a thread, one at a time; boot.
 */
QAPI int fault_parse(const char *text) __must_check;

/**
 * fault_show - a line for each kind: "fault kind=page seen=N failed=N probability=...", and what
 * fault_nth() was told.
 *
 * Context: any.
 */
QAPI void fault_show(struct out *o);

#endif
