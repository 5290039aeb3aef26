/*
 * Layer: mm
 * va_range.h - who has which part of a space of addresses.  Integers only: nothing is mapped here.
 *
 * A space has no lock: whoever owns it holds one around every call, va_range_find() included.
 * Context: any that the owner's lock allows; nothing sleeps or allocates.
 */
#ifndef MM_VA_RANGE_H
#define MM_VA_RANGE_H

#include <quarry/compiler.h>
#include <quarry/rbtree.h>
#include <quarry/types.h>

/* Alignments for which room is kept: PAGE_SIZE << 0 ... PAGE_SIZE << 10, 4 MiB with 4 KiB pages. */
#define VA_NR_ALIGNS 11u

/* Embedded in what the owner keeps of a range; filled by va_range_reserve(), read-only outside. */
struct va_range {
	struct rb_node node;
	uintptr_t start;
	uintptr_t end;      /* exclusive; without the guard */
	uintptr_t grip_end; /* exclusive; with the guard, which is cut where the space ends */
	uintptr_t hole;     /* the hole below: [hole, start), from the grip of the range before */

	/*
	 * Of the subtree: bytes of the largest hole below a range, where a hole counts from its
	 * first multiple of PAGE_SIZE << i.  The space's nr_rooms of them are kept.
	 */
	uintptr_t room[VA_NR_ALIGNS];
};

struct va_space {
	uintptr_t start, end;
	uintptr_t tail; /* the hole above all ranges: [tail, end) */
	unsigned long nr;
	unsigned int nr_rooms; /* 1 until a request has an alignment above PAGE_SIZE, then all */
	struct rb_root root;
};

/**
 * va_space_init - an empty space [@start, @end) of addresses.
 * @start, @end: multiples of PAGE_SIZE, @start below @end.
 */
QAPI void va_space_init(struct va_space *s, uintptr_t start, uintptr_t end);

/**
 * va_range_reserve - reserve the lowest place that fits.
 * @r:     in no space.
 * @size:  bytes, a multiple of PAGE_SIZE, not 0.
 * @align: of the start, bytes: a power of two; less than PAGE_SIZE means PAGE_SIZE.
 * @guard: bytes behind the range that nobody else gets, a multiple of PAGE_SIZE; it is cut, to
 *         nothing if need be, where the space ends: a range may be as large as the space.
 *
 * Return: 0, with @r->start and @r->end set; -EINVAL, the request makes no sense; -ENOSPC, no hole
 *         of the space has such a place.
 * Owner:  the space has @r, until va_range_release().
 * Cost:   O(log nr); O(nr) for the first request ever, of the space, with @align above PAGE_SIZE;
 *         an @align above PAGE_SIZE << (VA_NR_ALIGNS - 1) adds O(log nr) for each hole that holds a
 *         multiple of that, but not one of @align with @size behind it.
 */
QAPI int va_range_reserve(struct va_space *s, struct va_range *r, size_t size, size_t align,
			  size_t guard) __must_check;

/**
 * va_range_reserve_within - as va_range_reserve(), of the places inside [@low, @high).
 * @low, @high: any addresses; the range lies inside, its guard may lie above @high.
 */
QAPI int va_range_reserve_within(struct va_space *s, struct va_range *r, size_t size, size_t align,
				 size_t guard, uintptr_t low, uintptr_t high) __must_check;

/**
 * va_range_release - give the range and its guard back.
 *
 * A range that @s does not have is a BUG.  Afterwards @r->start and @r->end are both 0.
 * Cost: O(log nr).
 */
QAPI void va_range_release(struct va_space *s, struct va_range *r);

/**
 * va_range_absorb - make @r and @next, the range after it, one range: @r.
 * @next: begins where @r's guard ends; anything else is a BUG.
 *
 * Afterwards @next is in no space.  Cost: O(log nr).
 */
QAPI void va_range_absorb(struct va_space *s, struct va_range *r, struct va_range *next);

/**
 * va_range_find - the range that @addr lies in.
 *
 * Return: NULL when it lies in none, in a guard for instance.
 * Cost:   O(log nr).
 */
QAPI struct va_range *va_range_find(const struct va_space *s, uintptr_t addr);

/**
 * va_range_first, va_range_next, va_range_prev - the ranges in order of addresses.
 *
 * Return: NULL when there are no more.
 */
QAPI struct va_range *va_range_first(const struct va_space *s);
QAPI struct va_range *va_range_next(const struct va_range *r);
QAPI struct va_range *va_range_prev(const struct va_range *r);

/**
 * va_space_largest_hole - the largest @size that va_range_reserve(PAGE_SIZE, @guard) can get.
 *
 * Return: bytes, a multiple of PAGE_SIZE; 0: none at all.
 * Cost:   O(1).
 */
QAPI uintptr_t va_space_largest_hole(const struct va_space *s, size_t guard);

/**
 * va_range_check - verify V1 to V5.
 *
 * Return: the number of violations, each printed.
 */
QAPI unsigned int va_range_check(const struct va_space *s);

#endif
