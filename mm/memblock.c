/*
 * memblock.c - memory before there are pages: what is RAM, and who has which part of it.
 *
 * THEORY.  Two sorted lists of ranges: memory, and reservations, each with its owner's name.  What
 * is in the first and not in the second can be allocated, and allocating is reserving.  Nothing is
 * stored in the memory itself, so it need not even be mapped, except where memblock_alloc() clears
 * it: memblock.limit says how far that is.
 *
 * Allocation is top-down, so that the lowest memory, which devices need, stays free; it finds the
 * highest gap by walking both lists downwards.
 *
 * STATE.  struct memblock memblock.  The lists start in static arrays; a full one moves to an array
 * of twice the size, allocated by memblock itself.
 *
 * INVARIANTS, checked by memblock_check():
 *   M1  regions are not empty, sorted, and disjoint;
 *   M2  two neighbours that touch have different names (memory has none, so it never touches);
 *   M3  nr <= cap, and after every operation at least SLACK entries are free, so that growing an
 *       array can record its own reservation;
 *   M4  an array never moves into the range that the operation is about, whatever that is.
 *
 * LOCKING.  None: one CPU, boot.  Readers come later, when the lists change no more, but for
 * memblock_free() by mm_release().
 *
 * CONTEXT.  Boot, interrupts off.
 *
 * NOT HERE.  What is reserved: init.c.  The hand-over: memmap.c.
 */
#include <quarry/align.h>
#include <quarry/bootinfo.h>
#include <quarry/bug.h>
#include <quarry/memblock.h>
#include <quarry/mm.h>
#include <quarry/printk.h>
#include <quarry/string.h>

#include "debug/fault_inject.h"
#include "internal.h"

#define STATIC_MEMORY   128u
#define STATIC_RESERVED 256u
#define SLACK           4u

/* Reservations come before there is RAM to grow into: the image's, and all that a loader left. */
#define IMAGE_PARTS_MAX 32u
static_assert(STATIC_RESERVED > BOOT_KEEP_MAX + BOOT_MODULES_MAX + IMAGE_PARTS_MAX + SLACK,
	      "a boot loader can leave more than can be recorded");

static struct memblock_region static_memory[STATIC_MEMORY];
static struct memblock_region static_reserved[STATIC_RESERVED];

struct memblock memblock = {
	.memory = { static_memory, 0, STATIC_MEMORY },
	.reserved = { static_reserved, 0, STATIC_RESERVED },
};

static bool same_name(const char *a, const char *b)
{
	return a == b || (a && b && !strcmp(a, b));
}

/* What an operation is about, while it is not recorded yet: no place for a list. */
struct pending {
	phys_addr_t start, end;
};

static bool ensure_slack(struct memblock *mb, struct memblock_type *type, struct pending p);

static phys_addr_t find_beside(const struct memblock *mb, size_t size, struct pending p)
{
	phys_addr_t pa = memblock_find_in(mb, size, PAGE_SIZE, p.end, MEMBLOCK_ANYWHERE);

	return pa ? pa : memblock_find_in(mb, size, PAGE_SIZE, 0, p.start);
}

/*
 * Move the list to an array of twice the size, taken from @mb's own memory.  Between finding a
 * range and recording its reservation no other range may be looked for, or it would be the same
 * one: so the list of reservations gets its room first.
 */
static void grow(struct memblock *mb, struct memblock_type *type, struct pending p)
{
	size_t old_size = type->cap * sizeof(*type->region);
	struct memblock_region *old = type->region;
	phys_addr_t pa;

	if (type != &mb->reserved)
		ensure_slack(mb, &mb->reserved, p);
	pa = find_beside(mb, 2 * old_size, p);
	if (!pa || mb->closed)
		panic("memblock: no room for more than %u regions", type->cap);
	type->region = pa_to_va(pa);
	memcpy(type->region, old, type->nr * sizeof(*old));
	type->cap *= 2;
	memblock_range_add(mb, &mb->reserved, pa, pa + 2 * old_size, NAME_MEMBLOCK);
}

/* Keep M3; true when the lists may have changed. */
static bool ensure_slack(struct memblock *mb, struct memblock_type *type, struct pending p)
{
	if (type->cap - type->nr > SLACK || mb->closed)
		return false;
	grow(mb, type, p);
	return true;
}

static void insert_at(struct memblock_type *type, unsigned int i, phys_addr_t start,
		      phys_addr_t end, const char *name)
{
	struct memblock_region *r = &type->region[i];

	BUG_ON(type->nr == type->cap);
	memmove(r + 1, r, (type->nr - i) * sizeof(*r));
	*r = (struct memblock_region){ start, end, name };
	type->nr++;
}

static void delete_at(struct memblock_type *type, unsigned int i)
{
	struct memblock_region *r = &type->region[i];

	memmove(r, r + 1, (type->nr - i - 1) * sizeof(*r));
	type->nr--;
}

static void merge_neighbours(struct memblock_type *type)
{
	for (unsigned int i = 1; i < type->nr;) {
		struct memblock_region *left = &type->region[i - 1], *right = left + 1;

		if (left->end != right->start || !same_name(left->name, right->name)) {
			i++;
			continue;
		}
		left->end = right->end;
		delete_at(type, i);
	}
}

/* Index of the first region that ends above @pa; nr when there is none. */
static unsigned int first_above(const struct memblock_type *type, phys_addr_t pa)
{
	unsigned int i = 0;

	while (i < type->nr && type->region[i].end <= pa)
		i++;
	return i;
}

/* Fill the gaps of [start, end) with @name; what is covered already stays as it is. */
QAPI void memblock_range_add(struct memblock *mb, struct memblock_type *type, phys_addr_t start,
			     phys_addr_t end, const char *name)
{
	const struct pending whole = { start, end };

	while (start < end) {
		unsigned int i = first_above(type, start);
		phys_addr_t gap_end = end;

		if (i < type->nr && type->region[i].start <= start) {
			start = type->region[i].end;
			continue;
		}
		if (ensure_slack(mb, type, whole))
			continue;
		if (i < type->nr)
			gap_end = min(end, type->region[i].start);
		insert_at(type, i, start, gap_end, name);
		start = gap_end;
	}
	merge_neighbours(type);
}

QAPI void memblock_range_remove(struct memblock *mb, struct memblock_type *type, phys_addr_t start,
				phys_addr_t end)
{
	unsigned int i;

	if (start >= end)
		return;
	ensure_slack(mb, type, (struct pending){ start, end });
	i = first_above(type, start);
	while (i < type->nr && type->region[i].start < end) {
		struct memblock_region *r = &type->region[i];

		if (r->start < start && r->end > end) {
			insert_at(type, i + 1, end, r->end, r->name);
			type->region[i].end = start;
			return;
		}
		if (r->start >= start && r->end <= end) {
			delete_at(type, i);
			continue;
		}
		if (r->start < start)
			r->end = start;
		else
			r->start = end;
		i++;
	}
}

/* [start, start + size) as its end, cut where it would wrap. */
static phys_addr_t range_end(phys_addr_t start, phys_addr_t size)
{
	return size > MEMBLOCK_ANYWHERE - start ? MEMBLOCK_ANYWHERE : start + size;
}

QAPI void memblock_add(phys_addr_t start, phys_addr_t size)
{
	memblock_range_add(&memblock, &memblock.memory, start, range_end(start, size), NULL);
}

QAPI void memblock_remove(phys_addr_t start, phys_addr_t size)
{
	memblock_range_remove(&memblock, &memblock.memory, start, range_end(start, size));
}

QAPI void memblock_reserve(phys_addr_t start, phys_addr_t size, const char *name)
{
	memblock_range_add(&memblock, &memblock.reserved, start, range_end(start, size), name);
}

QAPI void memblock_free(phys_addr_t start, phys_addr_t size)
{
	memblock_range_remove(&memblock, &memblock.reserved, start, range_end(start, size));
}

/* ---- finding ---------------------------------------------------------------------------- */

/* Does [*start, *start + size) touch a reservation?  Then *conflict is one that it touches. */
static bool touches(const struct memblock *mb, phys_addr_t start, phys_addr_t size,
		    const struct memblock_region **conflict)
{
	unsigned int i = first_above(&mb->reserved, start);

	if (i == mb->reserved.nr || mb->reserved.region[i].start >= start + size)
		return false;
	*conflict = &mb->reserved.region[i];
	return true;
}

static phys_addr_t find_high(const struct memblock *mb, phys_addr_t low, phys_addr_t high,
			     phys_addr_t size, phys_addr_t align)
{
	const struct memblock_region *conflict;

	while (high >= size && high - size >= low) {
		phys_addr_t pa = ALIGN_DOWN(high - size, align);

		if (pa < low)
			break;
		if (!touches(mb, pa, size, &conflict))
			return pa;
		high = conflict->start;
	}
	return 0;
}

static phys_addr_t find_low(const struct memblock *mb, phys_addr_t low, phys_addr_t high,
			    phys_addr_t size, phys_addr_t align)
{
	const struct memblock_region *conflict;

	for (;;) {
		phys_addr_t pa = ALIGN_UP(low, align);

		if (pa < low || pa > high || size > high - pa)
			return 0;
		if (!touches(mb, pa, size, &conflict))
			return pa;
		low = conflict->end;
	}
}

QAPI phys_addr_t memblock_find_in(const struct memblock *mb, phys_addr_t size, phys_addr_t align,
				  phys_addr_t start, phys_addr_t end)
{
	end = min(end, mb->limit);
	start = max(start, align); /* 0 is no result */
	for (unsigned int n = 0; n < mb->memory.nr; n++) {
		unsigned int i = mb->bottom_up ? n : mb->memory.nr - 1 - n;
		const struct memblock_region *r = &mb->memory.region[i];
		phys_addr_t low = max(start, r->start), high = min(end, r->end), pa;

		if (low >= high)
			continue;
		pa = mb->bottom_up ? find_low(mb, low, high, size, align) :
				     find_high(mb, low, high, size, align);
		if (pa)
			return pa;
	}
	return 0;
}

QAPI phys_addr_t memblock_find(phys_addr_t size, phys_addr_t align, phys_addr_t start,
			       phys_addr_t end)
{
	return memblock_find_in(&memblock, size, align, start, end);
}

QAPI void *memblock_alloc_raw(phys_addr_t size, phys_addr_t align, const char *name)
{
	phys_addr_t pa;

	if (memblock.closed)
		panic("memblock_alloc of %llu bytes for '%s' after the hand-over to the page "
		      "allocator",
		      size, name);
	if (fault_memblock((size_t)size))
		return NULL;
	/* Before the range is chosen: see grow(). */
	ensure_slack(&memblock, &memblock.reserved, (struct pending){ 0, 0 });
	pa = memblock_find(size, align, 0, MEMBLOCK_ANYWHERE);
	if (!pa)
		return NULL;
	memblock_reserve(pa, size, name);
	return pa_to_va(pa);
}

QAPI void *memblock_alloc(phys_addr_t size, phys_addr_t align, const char *name)
{
	void *va = memblock_alloc_raw(size, align, name);

	if (va)
		memset(va, 0, (size_t)size);
	return va;
}

/* ---- counting --------------------------------------------------------------------------- */

static pfn_t pfn_up(phys_addr_t pa)
{
	return (pfn_t)(pa >> PAGE_SHIFT) + !IS_ALIGNED(pa, PAGE_SIZE);
}

static pfn_t pfn_down(phys_addr_t pa)
{
	return (pfn_t)(pa >> PAGE_SHIFT);
}

/* End of the free run that starts at @pfn and could reach to @end; @pfn itself if it is taken. */
static pfn_t free_run_end(pfn_t pfn, pfn_t end)
{
	unsigned int i = first_above(&memblock.reserved, (phys_addr_t)pfn << PAGE_SHIFT);

	if (i == memblock.reserved.nr)
		return end;
	end = min(end, pfn_down(memblock.reserved.region[i].start));
	return max(pfn, end);
}

/* First page behind the reservation that covers part of @pfn, or behind @end, where RAM ends. */
static pfn_t reservation_end(pfn_t pfn, phys_addr_t end)
{
	unsigned int i = first_above(&memblock.reserved, (phys_addr_t)pfn << PAGE_SHIFT);

	return pfn_up(min(memblock.reserved.region[i].end, end));
}

QAPI bool memblock_next_free(pfn_t pfn, pfn_t *start, pfn_t *end)
{
	unsigned int i = first_above(&memblock.memory, (phys_addr_t)pfn << PAGE_SHIFT);

	for (; i < memblock.memory.nr; i++) {
		const struct memblock_region *r = &memblock.memory.region[i];
		pfn_t last = pfn_down(r->end);

		*start = max(pfn, pfn_up(r->start));
		while (*start < last) {
			*end = free_run_end(*start, last);
			if (*end > *start)
				return true;
			*start = reservation_end(*start, r->end);
		}
	}
	return false;
}

QAPI unsigned long memblock_nr_pages(void)
{
	unsigned long nr = 0;

	for (unsigned int i = 0; i < memblock.memory.nr; i++) {
		const struct memblock_region *r = &memblock.memory.region[i];
		pfn_t start = pfn_up(r->start), end = pfn_down(r->end);

		nr += end > start ? end - start : 0; /* one within a page has none */
	}
	return nr;
}

QAPI unsigned long memblock_nr_reserved_pages(void)
{
	unsigned long nr = memblock_nr_pages();
	pfn_t start, end = 0;

	while (memblock_next_free(end, &start, &end))
		nr -= end - start;
	return nr;
}

/* ---- showing and checking --------------------------------------------------------------- */

static unsigned int check_type(const struct memblock_type *type, const char *what)
{
	unsigned int nr_bad = 0;

	if (type->nr > type->cap) {
		pr_err("memblock_check: M3 broken: %s has %u of %u\n", what, type->nr, type->cap);
		return 1;
	}
	for (unsigned int i = 0; i < type->nr; i++) {
		const struct memblock_region *r = &type->region[i];

		if (r->start >= r->end || (i && r[-1].end > r->start)) {
			pr_err("memblock_check: M1 broken: %s[%u] %llx-%llx\n", what, i, r->start,
			       r->end);
			nr_bad++;
		}
		if (i && r[-1].end == r->start && same_name(r[-1].name, r->name)) {
			pr_err("memblock_check: M2 broken: %s[%u] %llx-%llx\n", what, i, r->start,
			       r->end);
			nr_bad++;
		}
	}
	return nr_bad;
}

QAPI unsigned int memblock_check(const struct memblock *mb)
{
	return check_type(&mb->memory, "memory") + check_type(&mb->reserved, "reserved");
}

static void show_type(struct out *o, const struct memblock_type *type, const char *what)
{
	for (unsigned int i = 0; i < type->nr; i++) {
		const struct memblock_region *r = &type->region[i];

		out_printf(o, "%s [mem 0x%010llx-0x%010llx] %8llu KiB%s%s\n", what, r->start,
			   r->end - 1, (r->end - r->start) >> 10, r->name ? " " : "",
			   r->name ? r->name : "");
	}
}

QAPI void memblock_show(struct out *o)
{
	show_type(o, &memblock.memory, "memory  ");
	show_type(o, &memblock.reserved, "reserved");
}
