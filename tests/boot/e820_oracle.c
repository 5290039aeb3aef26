/*
 * e820_oracle.c - a sanitised map, page by page and by definition.
 *
 * THEORY.  A byte has the strictest type that any entry containing it gives it.  A page is RAM if
 * all of its bytes are; otherwise it has the strictest other type among its bytes, if any.  Along
 * a page that changes only where an entry starts or has just ended, so it is enough to look at the
 * page's first byte and at these.  And from page to page it changes only at pages that hold such a
 * byte, or just behind them: these pages are compared, with their neighbours and some at random.
 *
 * Nothing is shared with e820.c: not its order of strictness, not its rounding, not its idea of
 * where an entry ends (a byte is in an entry if it is less than size bytes from its start).
 */
#include "e820_oracle.h"

#include <quarry/align.h>
#include <quarry/string.h>

static unsigned int rank(uint32_t type)
{
	static const uint32_t loosest_first[] = {
		0, MEM_RAM, MEM_ACPI_RECLAIM, MEM_RESERVED, MEM_ACPI_NVS, MEM_BAD
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(loosest_first); i++) {
		if (loosest_first[i] == type)
			return i;
	}
	return 3; /* unknown: as reserved */
}

static uint32_t known(uint32_t type)
{
	return type && rank(type) == 3 ? MEM_RESERVED : type;
}

static uint32_t byte_type(const struct mem_region *list, unsigned int nr, uint64_t byte)
{
	uint32_t type = byte >= 0xA0000 && byte <= 0xFFFFF ? MEM_RESERVED : 0;

	for (unsigned int i = 0; i < nr; i++) {
		uint32_t own = list[i].type ? list[i].type : MEM_RESERVED; /* 0 is unknown */

		if (byte >= list[i].start && byte - list[i].start < list[i].size &&
		    rank(own) > rank(type))
			type = known(own);
	}
	return type;
}

/* What is known of a page while its bytes are looked at. */
struct page_view {
	bool all_ram;
	uint32_t strictest; /* but RAM */
};

static void view_byte(const struct mem_region *list, unsigned int nr, uint64_t page, uint64_t byte,
		      struct page_view *v)
{
	uint32_t type;

	if (byte / ORACLE_PAGE != page)
		return;
	type = byte_type(list, nr, byte);
	if (type != MEM_RAM)
		v->all_ram = false;
	if (type != MEM_RAM && rank(type) > rank(v->strictest))
		v->strictest = type;
}

uint32_t oracle_page_type(const struct mem_region *list, unsigned int nr, uint64_t page)
{
	struct page_view v = { .all_ram = true };

	view_byte(list, nr, page, page * ORACLE_PAGE, &v);
	for (unsigned int i = 0; i < nr; i++) {
		view_byte(list, nr, page, list[i].start, &v);
		view_byte(list, nr, page, list[i].start + list[i].size, &v);
	}
	return v.all_ram ? MEM_RAM : v.strictest;
}

static uint32_t map_page_type(const struct mem_region *map, unsigned int nr, uint64_t page)
{
	for (unsigned int i = 0; i < nr; i++) {
		if (page * ORACLE_PAGE - map[i].start < map[i].size)
			return map[i].type;
	}
	return 0;
}

/* Everything there is to compare. */
struct comparison {
	struct ktest *t;
	const struct mem_region *list;
	unsigned int nr;
	const struct mem_region *out;
	unsigned int nr_out;
};

static void compare_page(const struct comparison *c, uint64_t page)
{
	uint32_t want, got;

	if (page >= ORACLE_PAGES)
		return;
	want = oracle_page_type(c->list, c->nr, page);
	got = map_page_type(c->out, c->nr_out, page);
	if (want != got)
		ktest_fail(c->t, __FILE__, __LINE__, "page %#llx has type %u, the oracle says %u",
			   (unsigned long long)page, (unsigned int)got, (unsigned int)want);
}

static void compare_around(const struct comparison *c, uint64_t byte)
{
	uint64_t page = byte / ORACLE_PAGE;

	compare_page(c, page);
	compare_page(c, page + 1);
	if (page)
		compare_page(c, page - 1);
}

static void compare_all(const struct comparison *c)
{
	compare_around(c, 0);
	compare_around(c, 0xA0000);
	compare_around(c, 0x100000);
	compare_around(c, UINT64_MAX);
	for (unsigned int i = 0; i < c->nr; i++) {
		compare_around(c, c->list[i].start);
		compare_around(c, c->list[i].start + c->list[i].size);
	}
	for (unsigned int i = 0; i < c->nr_out; i++) {
		compare_around(c, c->out[i].start);
		compare_around(c, c->out[i].start + c->out[i].size);
	}
	for (unsigned int i = 0; i < 8; i++) {
		uint64_t high = ktest_random(c->t);

		compare_page(c, (high << 32 | ktest_random(c->t)) >> (12 + 5 * i));
	}
}

/* The shape of a map: apart from what it says. */
static void expect_map_shape(struct ktest *t, const struct mem_region *map, unsigned int nr)
{
	for (unsigned int i = 0; i < nr; i++) {
		uint64_t end = map[i].start + map[i].size;

		EXPECT_TRUE(t, end > map[i].start);
		EXPECT_EQ(t, 0, (map[i].start | map[i].size) % ORACLE_PAGE);
		EXPECT_TRUE(t, map[i].type >= MEM_RAM && map[i].type <= MEM_BAD);
		if (i + 1 < nr)
			EXPECT_TRUE(t, map[i + 1].start > end || (map[i + 1].start == end &&
								  map[i + 1].type != map[i].type));
	}
	EXPECT_EQ(t, 0, e820_check(map, nr));
}

static uint64_t ram_of(const struct mem_region *map, unsigned int nr)
{
	uint64_t sum = 0;

	for (unsigned int i = 0; i < nr; i++)
		sum += map[i].type == MEM_RAM ? map[i].size : 0;
	return sum;
}

/* With less room the result is the beginning of the whole one, and the rest is counted. */
static void expect_prefix(struct ktest *t, const struct mem_region *list, unsigned int nr,
			  const struct mem_region *whole, unsigned int nr_whole)
{
	static struct mem_region part[8];
	unsigned int cap = ktest_random_below(t, min(nr_whole, (unsigned int)ARRAY_SIZE(part)) + 1);
	struct e820_report rep;

	EXPECT_EQ(t, cap, e820_sanitize(list, nr, part, cap, &rep));
	EXPECT_EQ(t, 0, memcmp(part, whole, cap * sizeof(part[0])));
	EXPECT_EQ(t, nr_whole - cap, rep.nr_dropped);
	EXPECT_EQ(t, ram_of(whole, cap), rep.ram);
	EXPECT_EQ(t, ram_of(whole, nr_whole), rep.ram + rep.dropped_ram);
}

unsigned int expect_sanitized(struct ktest *t, const struct mem_region *list, unsigned int nr,
			      struct mem_region *out, unsigned int cap)
{
	struct comparison c = { t, list, nr, out, 0 };
	struct e820_report rep;

	c.nr_out = e820_sanitize(list, nr, out, cap, &rep);
	EXPECT_LE(t, 2 * nr + 3, c.nr_out);
	EXPECT_EQ(t, 0, rep.nr_dropped);
	EXPECT_EQ(t, ram_of(out, c.nr_out), rep.ram);
	expect_map_shape(t, out, c.nr_out);
	compare_all(&c);
	expect_prefix(t, list, nr, out, c.nr_out);
	return c.nr_out;
}

/* Of @map, cut at @cut: the last RAM's end, RAM below @lowmem_max, and RAM in all. */
struct cut {
	uint64_t ram_end, lowmem, ram;
};

static struct cut cut_at(const struct mem_region *map, unsigned int nr, uint64_t cut,
			 uint64_t lowmem_max)
{
	struct cut c = { 0, 0, 0 };

	for (unsigned int i = 0; i < nr; i++) {
		uint64_t start = map[i].start;
		uint64_t end = min(start + map[i].size, cut);

		if (map[i].type != MEM_RAM || start >= end)
			continue;
		c.ram_end = end;
		c.ram += end - start;
		if (start < lowmem_max)
			c.lowmem += min(end, lowmem_max) - start;
	}
	return c;
}

static uint64_t struct_pages(uint64_t ram_end, unsigned int size)
{
	const uint64_t block = MEM_MAP_ALIGN * ORACLE_PAGE;

	return ((ram_end + (block - 1)) & ~(block - 1)) / ORACLE_PAGE * size;
}

static bool cut_fits(const struct cut *c, unsigned int size)
{
	return 2 * struct_pages(c->ram_end, size) <= c->lowmem;
}

void expect_struct_pages_fit(struct ktest *t, const struct mem_region *map, unsigned int nr,
			     struct mem_region *scratch, unsigned long lowmem_max,
			     unsigned int size)
{
	const uint64_t block = MEM_MAP_ALIGN * ORACLE_PAGE;
	const uint64_t reach = 1ull << 37; /* a higher cut would need more than there is */
	struct cut whole = cut_at(map, nr, UINT64_MAX, lowmem_max);
	struct e820_list l = { scratch, nr, nr };
	struct e820_struct_pages rep;
	struct cut got;

	memcpy(scratch, map, nr * sizeof(*map));
	e820_limit_struct_pages(&l, lowmem_max, size, &rep);
	got = cut_at(scratch, l.nr, UINT64_MAX, lowmem_max);
	EXPECT_EQ(t, 0, e820_check(scratch, l.nr));
	EXPECT_TRUE(t, cut_fits(&got, size));
	EXPECT_EQ(t, got.ram_end, rep.ram_end);
	EXPECT_EQ(t, got.lowmem, rep.lowmem);
	EXPECT_EQ(t, struct_pages(got.ram_end, size), rep.needed);
	EXPECT_EQ(t, whole.ram_end, rep.ram_end_uncut);
	EXPECT_EQ(t, whole.ram - got.ram, rep.left_out);
	EXPECT_EQ(t, cut_at(map, nr, got.ram_end, lowmem_max).ram, got.ram);
	if (got.ram_end == whole.ram_end)
		return;
	EXPECT_FALSE(t, cut_fits(&whole, size));
	for (uint64_t cut = got.ram_end + block; cut < min(whole.ram_end, reach); cut += block) {
		uint64_t top = cut & ~(block - 1);
		struct cut c = cut_at(map, nr, top, lowmem_max);

		EXPECT_TRUE(t, c.ram_end == got.ram_end || !cut_fits(&c, size));
	}
}
