/*
 * parse_memblock.c - RAM, reservations and early allocations against a byte for each 256 of them.
 *
 * IDEA.  The addresses are an arena that exists, so that memblock may write there, some more above
 * it that does not, and everything below and above these as one unit each.  For each unit the model
 * has whether it is RAM and whose it is.  After each operation the lists must be the model's runs,
 * one for one; an allocation is where the model finds the highest, or lowest, place.
 *
 * Lists start with little room and grow into the arena.  Where to is memblock's business: it must
 * have been free RAM, outside the range that the operation is about.  An operation for which there
 * might be no room to grow would end in a panic that means so, and is left out; so is one that
 * would take the lists' own memory away.
 *
 * STATE.  The arena; the model.
 *
 * CONTEXT.  The fuzzer's process.
 */
#include "../../mm/debug/fault_inject.h"
#include "../../mm/internal.h"
#include "verdict.h"

#include <quarry/align.h>
#include <quarry/memblock.h>
#include <quarry/mm.h>
#include <quarry/string.h>

#define UNIT        256u
#define ARENA_UNITS 512u
#define NR_UNITS    (1u + ARENA_UNITS + 128u + 1u) /* the first and the last are all the rest */
#define LAST        (NR_UNITS - 1)
#define PAGE_UNITS  (PAGE_SIZE / UNIT)

#define FEW_REGIONS 16u /* that lists begin with */
#define SLACK       4u  /* entries that a list keeps free: as memblock.c has it */

#define HEADER 3u
#define RECORD 8u

enum owner { NOBODY, FIRST, SECOND, FIRST_TOO, MEMBLOCKS };

static const char *const names[] = { NULL, "first", "second", (char[]){ "first" }, NAME_MEMBLOCK };

#if CONFIG_FAULT_INJECT
/* No point fails here; mm/'s own decision would bring the whole port along. */
unsigned int fault_armed;

QAPI bool fault_hit(enum fault_kind kind, gfp_t gfp, size_t size, unsigned int order)
{
	(void)kind;
	(void)gfp;
	(void)size;
	(void)order;
	return false;
}
#endif

static uint8_t arena[ARENA_UNITS * UNIT] __aligned(ARENA_UNITS *UNIT);
static struct memblock_region few_memory[FEW_REGIONS], few_reserved[FEW_REGIONS];

static struct unit {
	bool ram;
	uint8_t owner; /* enum owner */
	uint8_t fill;  /* what an allocation was filled with; 0: nothing known */
} units[NR_UNITS];

/* Of units, half-open. */
struct span {
	unsigned int start, end;
};

static phys_addr_t address(unsigned int unit)
{
	if (unit == 0)
		return 0;
	return unit > LAST ? MEMBLOCK_ANYWHERE : va_to_pa(arena) + (unit - 1) * (phys_addr_t)UNIT;
}

static unsigned int unit_of(phys_addr_t pa)
{
	return 1 + (unsigned int)((pa - va_to_pa(arena)) / UNIT);
}

static void give(struct span s, enum owner owner)
{
	for (unsigned int i = s.start; i < s.end; i++) {
		if (owner == NOBODY || units[i].owner == NOBODY)
			units[i] = (struct unit){ units[i].ram, owner, 0 };
	}
}

static bool is_free(unsigned int unit)
{
	return units[unit].ram && units[unit].owner == NOBODY;
}

/* ---- comparisons ---------------------------------------------------------------------------- */

static bool same_owner(unsigned int a, unsigned int b)
{
	return !strcmp(names[units[a].owner], names[units[b].owner]);
}

/* The next run from @unit on of RAM, or of one owner; empty at the end. */
static struct span next_run(unsigned int unit, bool of_ram)
{
	struct span s;

	while (unit < NR_UNITS && !(of_ram ? units[unit].ram : units[unit].owner != NOBODY))
		unit++;
	s.start = unit;
	for (; unit < NR_UNITS; unit++) {
		if (of_ram ? !units[unit].ram :
			     units[unit].owner == NOBODY || !same_owner(s.start, unit))
			break;
	}
	s.end = unit;
	return s;
}

static void expect_list(const struct memblock_type *type, bool of_ram)
{
	struct span s = next_run(0, of_ram);
	unsigned int nr = 0;

	for (; s.start < s.end; s = next_run(s.end, of_ram), nr++) {
		const struct memblock_region *r = &type->region[nr];

		FUZZ_CHECK(nr < type->nr, "there are only %u regions", type->nr);
		FUZZ_EQ(address(s.start), r->start);
		FUZZ_EQ(address(s.end), r->end);
		FUZZ_HOLDS(of_ram ? !r->name : !strcmp(r->name, names[units[s.start].owner]));
	}
	FUZZ_EQ(nr, type->nr);
}

/* Pages that are RAM as a whole, and how many of those a reservation touches. */
static void expect_counts(void)
{
	unsigned long nr = 0, nr_reserved = 0;

	for (unsigned int page = 1; page < LAST; page += PAGE_UNITS) {
		unsigned int nr_ram = 0, nr_free = 0;

		for (unsigned int i = page; i < page + PAGE_UNITS; i++) {
			nr_ram += units[i].ram;
			nr_free += is_free(i);
		}
		nr += nr_ram == PAGE_UNITS;
		nr_reserved += nr_ram == PAGE_UNITS && nr_free < PAGE_UNITS;
	}
	if (units[LAST].ram) {
		pfn_t first = (pfn_t)(address(LAST) >> PAGE_SHIFT);

		nr += (pfn_t)(MEMBLOCK_ANYWHERE >> PAGE_SHIFT) - first;
		nr_reserved += is_free(LAST) ? 0 : (pfn_t)(MEMBLOCK_ANYWHERE >> PAGE_SHIFT) - first;
	}
	FUZZ_EQ(nr, memblock_nr_pages());
	FUZZ_EQ(nr_reserved, memblock_nr_reserved_pages());
}

static void expect_world(void)
{
	expect_list(&memblock.memory, true);
	expect_list(&memblock.reserved, false);
	FUZZ_EQ(0, memblock_check(&memblock));
	FUZZ_HOLDS(memblock.memory.cap - memblock.memory.nr >= SLACK);
	FUZZ_HOLDS(memblock.reserved.cap - memblock.reserved.nr >= SLACK);
	expect_counts();
}

/* What was allocated is as it was left. */
static void expect_contents(void)
{
	for (unsigned int i = 1; i <= ARENA_UNITS; i++) {
		const uint8_t *at = arena + (i - 1) * UNIT;

		if (units[i].fill)
			FUZZ_CHECK(!memchr_inv(at, units[i].fill, UNIT), "unit %u was written to",
				   i);
	}
}

/* ---- finding -------------------------------------------------------------------------------- */

static bool fits(unsigned int start, unsigned int nr, phys_addr_t align)
{
	if (address(start) % align)
		return false;
	for (unsigned int i = start; i < start + nr; i++) {
		if (!is_free(i))
			return false;
	}
	return true;
}

/* Where @nr units go, inside @within and below the limit; 0: nowhere. */
static unsigned int model_find(unsigned int nr, phys_addr_t align, struct span within)
{
	unsigned int end = min(within.end, unit_of(memblock.limit)), found = 0;

	for (unsigned int i = max(within.start, 1u); i + nr <= end; i++) {
		if (!fits(i, nr, align))
			continue;
		found = i;
		if (memblock.bottom_up)
			break;
	}
	return found;
}

/* ---- growing -------------------------------------------------------------------------------- */

static struct memblock before;

static unsigned int units_of(const struct memblock_type *type)
{
	return type->cap * (unsigned int)sizeof(*type->region) / UNIT;
}

/* How many entries an operation on @s may add to a list. */
static unsigned int nr_new(struct span s)
{
	unsigned int nr = 2;

	for (unsigned int i = s.start + 1; i < s.end; i++)
		nr += units[i].ram != units[i - 1].ram || units[i].owner != units[i - 1].owner;
	return nr;
}

/* If lists grow in an operation on @s, will they find room beside it? */
static bool room_to_grow(struct span s)
{
	unsigned int nr = 2 * (units_of(&memblock.memory) + units_of(&memblock.reserved));
	unsigned int margin = nr_new(s) + 2 * SLACK;

	if (memblock.memory.nr + margin < memblock.memory.cap &&
	    memblock.reserved.nr + margin < memblock.reserved.cap)
		return true;
	nr += 2 * PAGE_UNITS;
	return model_find(nr, 1, (struct span){ 1, s.start }) ||
	       model_find(nr, 1, (struct span){ s.end, NR_UNITS });
}

/* The list has moved, if it has: to free RAM beside @s. */
static void note_growth(const struct memblock_type *old, const struct memblock_type *type,
			struct span s)
{
	phys_addr_t pa = va_to_pa(type->region);
	struct span array;

	if (old->region == type->region) {
		FUZZ_EQ(old->cap, type->cap);
		return;
	}
	FUZZ_EQ(2 * old->cap, type->cap);
	FUZZ_EQ(0, pa % PAGE_SIZE);
	array.start = unit_of(pa);
	array.end = array.start + units_of(type);
	FUZZ_HOLDS(array.end <= unit_of(memblock.limit));
	for (unsigned int i = array.start; i < array.end; i++)
		FUZZ_CHECK(is_free(i) && (i < s.start || i >= s.end),
			   "a list of %u grew into unit %u, which is not its", old->cap, i);
	give(array, MEMBLOCKS);
}

static void note_growths(struct span s)
{
	note_growth(&before.memory, &memblock.memory, s);
	note_growth(&before.reserved, &memblock.reserved, s);
}

/* ---- operations ----------------------------------------------------------------------------- */

static bool holds_lists(struct span s)
{
	for (unsigned int i = s.start; i < s.end; i++) {
		if (units[i].owner == MEMBLOCKS)
			return true;
	}
	return false;
}

static void set_ram(struct span s, bool ram)
{
	phys_addr_t start = address(s.start), size = address(s.end) - start;

	fuzz_step("memblock_%s(%#llx, %#llx);", ram ? "add" : "remove", start, size);
	if (ram)
		memblock_add(start, size);
	else
		memblock_remove(start, size);
	note_growths(s);
	for (unsigned int i = s.start; i < s.end; i++)
		units[i].ram = ram;
}

static void set_owner(struct span s, enum owner owner)
{
	phys_addr_t start = address(s.start), size = address(s.end) - start;

	if (s.end == NR_UNITS)
		size = MEMBLOCK_ANYWHERE; /* which wraps */
	fuzz_step("memblock_%s(%#llx, %#llx, \"%s\");", owner ? "reserve" : "free", start, size,
		  owner ? names[owner] : "");
	if (owner)
		memblock_reserve(start, size, names[owner]);
	else
		memblock_free(start, size);
	note_growths(s);
	give(s, owner);
}

static void find(struct span within, unsigned int nr, phys_addr_t align)
{
	unsigned int want = model_find(nr, align, within);

	FUZZ_EQ(want ? address(want) : 0,
		memblock_find(nr * UNIT, align, address(within.start), address(within.end)));
}

static void alloc(unsigned int nr, phys_addr_t align, enum owner owner, uint8_t fill)
{
	struct span s = { 0, 0 };
	uint8_t *va;

	fuzz_step("memblock_alloc(%#x, %#llx, \"%s\");", nr * UNIT, align, names[owner]);
	va = memblock_alloc(nr * UNIT, align, names[owner]);
	note_growths(s);
	s.start = model_find(nr, align, (struct span){ 1, NR_UNITS });
	s.end = s.start + nr;
	FUZZ_HOLDS(va == (s.start ? arena + (s.start - 1) * UNIT : NULL));
	if (!va)
		return;
	FUZZ_HOLDS(!memchr_inv(va, 0, nr * UNIT));
	memset(va, fill, nr * UNIT);
	give(s, owner);
	for (unsigned int i = s.start; i < s.end; i++)
		units[i].fill = fill;
}

/* ---- the input ------------------------------------------------------------------------------ */

static void step(struct fuzz_bytes *b)
{
	unsigned int what = fuzz_u8(b), start = fuzz_u16(b), nr = fuzz_u16(b), how = fuzz_u8(b);
	enum owner owner = FIRST + fuzz_u8(b) % 3;
	struct span s = { start % NR_UNITS, NR_UNITS };
	bool is_ram = what % 8 < 2;

	nr = how & 64 ? nr : nr % 32;
	b->used++;
	if (is_ram && what % 2)
		s.start = max(s.start, 1u); /* below the arena is no RAM */
	if (how % 64 != 63)
		s.end = min(s.start + nr, NR_UNITS);
	before = memblock;
	if (!room_to_grow(s) || (what % 4 == 0 && holds_lists(s)))
		return;
	if (is_ram)
		set_ram(s, what % 2);
	else if (what % 8 < 4)
		set_owner(s, owner);
	else if (what % 8 == 4)
		set_owner(s, NOBODY);
	else if (what % 8 == 5)
		find(s, 1 + nr % 64, 1ull << how % 19);
	else if (what % 8 == 6)
		memblock.bottom_up = how & 1;
	else
		alloc(1 + nr % 64, 1ull << how % 19, owner, (uint8_t)(1 + what / 8));
	expect_world();
}

/* Header: the direction, and how much of the arena is RAM that may be allocated from. */
static void start(struct fuzz_bytes *b)
{
	bool bottom_up = fuzz_u8(b) & 1;
	unsigned int limit = fuzz_u16(b) % (ARENA_UNITS / 2);

	memset(units, 0, sizeof(units));
	memset(arena, 0xA5, sizeof(arena));
	memblock = (struct memblock){
		.memory = { few_memory, 0, FEW_REGIONS },
		.reserved = { few_reserved, 0, FEW_REGIONS },
		.limit = address(1 + ARENA_UNITS - limit),
		.bottom_up = bottom_up,
	};
	before = memblock;
	set_ram((struct span){ 1, 1 + ARENA_UNITS }, true);
}

static void run(const unsigned char *data, unsigned long size)
{
	struct fuzz_bytes b = { data, size, 0 };

	start(&b);
	while (!fuzz_end(&b))
		step(&b);
	expect_contents();
}

const struct fuzz_target fuzz_target = {
	.name = "memblock",
	.where = FUZZ_IN_PROCESS,
	.header = HEADER,
	.record = RECORD,
	.size_max = HEADER + 256 * RECORD,
	.run = run,
};
