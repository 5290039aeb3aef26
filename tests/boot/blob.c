/*
 * blob.c - fake physical memory, strict about how it is read.
 *
 * THEORY.  A parser is right if it never reads outside the windows it was granted, never uses a
 * window after it asked for the next, and never asks for one that the contract forbids.  So each
 * window is a copy at the end of one buffer (behind which a sanitizer, where there is one, has its
 * red zone), the window before is filled with rubbish, and a window is granted only if each of its
 * pages exists.  What a page holds beside its segments is rubbish as well.
 */
#include "blob.h"

#include <quarry/align.h>
#include <quarry/string.h>

#define PAGE     4096u
#define RUBBISH  0xA5
#define ADDR_END 0x100000000ull

static uint8_t window[BOOT_READER_MAX];

static bool page_exists(const struct blob *b, phys_addr_t page)
{
	for (unsigned int i = 0; i < b->nr_segments; i++) {
		const struct blob_segment *s = &b->segments[i];

		if (s->size && page >= s->pa / PAGE && page <= (s->pa + s->size - 1) / PAGE)
			return true;
	}
	return false;
}

/* Copy what @s has of [pa, pa + size) to its place in @to. */
static void copy_overlap(const struct blob_segment *s, phys_addr_t pa, size_t size, uint8_t *to)
{
	phys_addr_t start = max(pa, s->pa);
	phys_addr_t end = min(pa + size, s->pa + s->size);

	if (start < end)
		memcpy(to + (start - pa), s->bytes + (start - s->pa), (size_t)(end - start));
}

QAPI static const void *blob_map(struct boot_reader *r, phys_addr_t pa, size_t size)
{
	struct blob *b = container_of(r, struct blob, reader);
	uint8_t *to = window + sizeof(window) - size;

	b->nr_windows++;
	if (!size || size > sizeof(window) || pa >= ADDR_END || size > ADDR_END - pa) {
		b->nr_breaches++;
		return NULL;
	}
	if (b->nr_windows == b->fail_at)
		return NULL;
	memset(window + sizeof(window) - b->last_size, RUBBISH, b->last_size);
	memset(to, RUBBISH, size);
	b->last_size = size;
	for (phys_addr_t page = pa / PAGE; page <= (pa + size - 1) / PAGE; page++) {
		if (!page_exists(b, page))
			return NULL;
	}
	for (unsigned int i = 0; i < b->nr_segments; i++)
		copy_overlap(&b->segments[i], pa, size, to);
	return to;
}

void blob_init(struct blob *b)
{
	memset(b, 0, sizeof(*b));
	b->reader.map = blob_map;
}

void blob_add(struct blob *b, phys_addr_t pa, const void *bytes, size_t size)
{
	b->segments[b->nr_segments++] = (struct blob_segment){ pa, bytes, size };
}

void put32(uint8_t *at, uint32_t value)
{
	for (unsigned int i = 0; i < 4; i++)
		at[i] = (uint8_t)(value >> 8 * i);
}

void put64(uint8_t *at, uint64_t value)
{
	put32(at, (uint32_t)value);
	put32(at + 4, (uint32_t)(value >> 32));
}

uint32_t get32(const uint8_t *at)
{
	return at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

/* Ends within @size bytes, and is printable ASCII. */
static bool text_is_sound(const char *text, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		if (!text[i])
			return true;
		if (text[i] < ' ' || text[i] > '~')
			return false;
	}
	return false;
}

static void expect_counts_in_range(struct ktest *t, const struct bootinfo *bi)
{
	EXPECT_LE(t, BOOT_MAP_MAX, bi->nr_map);
	EXPECT_LE(t, BOOT_MODULES_MAX, bi->nr_modules);
	EXPECT_LE(t, BOOT_KEEP_MAX, bi->nr_keep);
	if (bi->nr_map < BOOT_MAP_MAX)
		EXPECT_EQ(t, 0, bi->nr_map_dropped);
	if (!bi->nr_map_dropped)
		EXPECT_EQ(t, MAP_TRUSTED_ALL, bi->map_trusted_end);
}

void expect_sound(struct ktest *t, const struct blob *b, const struct bootinfo *bi)
{
	EXPECT_EQ(t, 0, b->nr_breaches);
	expect_counts_in_range(t, bi);
	EXPECT_TRUE(t, text_is_sound(bi->loader, sizeof(bi->loader)));
	EXPECT_TRUE(t, text_is_sound(bi->cmdline, sizeof(bi->cmdline)));
	for (unsigned int i = 0; i < bi->nr_modules && i < BOOT_MODULES_MAX; i++) {
		const struct boot_module *m = &bi->modules[i];

		EXPECT_TRUE(t, text_is_sound(m->name, sizeof(m->name)));
		EXPECT_LE(t, ADDR_END, m->start + m->size);
	}
	for (unsigned int i = 0; i < bi->nr_keep && i < BOOT_KEEP_MAX; i++) {
		EXPECT_TRUE(t, bi->keep[i].name && bi->keep[i].size);
		EXPECT_LE(t, 2 * ADDR_END, bi->keep[i].start + bi->keep[i].size);
	}
}

void expect_region(struct ktest *t, const struct bootinfo *bi, unsigned int i, phys_addr_t start,
		   phys_addr_t size, uint32_t type)
{
	ASSERT_LE(t, (long long)bi->nr_map - 1, i);
	EXPECT_EQ(t, start, bi->map[i].start);
	EXPECT_EQ(t, size, bi->map[i].size);
	EXPECT_EQ(t, type, bi->map[i].type);
}

bool is_kept(const struct bootinfo *bi, const char *name, phys_addr_t start, phys_addr_t size)
{
	for (unsigned int i = 0; i < bi->nr_keep; i++) {
		const struct boot_keep *k = &bi->keep[i];

		if (!strcmp(k->name, name) && k->start == start && k->size == size)
			return true;
	}
	return false;
}

void expect_kept(struct ktest *t, const struct bootinfo *bi, const char *name, phys_addr_t start,
		 phys_addr_t size)
{
	unsigned int nr_found = 0;

	for (unsigned int i = 0; i < bi->nr_keep; i++) {
		if (strcmp(bi->keep[i].name, name))
			continue;
		nr_found++;
		EXPECT_EQ(t, start, bi->keep[i].start);
		EXPECT_EQ(t, size, bi->keep[i].size);
	}
	EXPECT_EQ(t, 1, nr_found);
}

static uint64_t random64(struct ktest *t)
{
	uint64_t high = ktest_random(t);

	return high << 32 | ktest_random(t);
}

struct mem_region random_region(struct ktest *t)
{
	uint64_t start = random64(t) >> ktest_random_below(t, 64);
	uint64_t size = random64(t) >> ktest_random_below(t, 64);

	return (struct mem_region){ start, size, ktest_random_below(t, 8) };
}

/* Numbers at which length and address checks turn. */
static uint32_t interesting(struct ktest *t)
{
	static const uint32_t numbers[] = {
		0,          7,          8,          16,         19,         20,
		21,         24,         0xFFF,      0x1000,     0xFFFF,     0x10000,
		0x100000,   0x100001,   0x7FFFFFFF, 0x80000000, 0xFFFFF000, 0xFFFFFFEC,
		0xFFFFFFF0, 0xFFFFFFF8, 0xFFFFFFFC, 0xFFFFFFFF,
	};

	return numbers[ktest_random_below(t, ARRAY_SIZE(numbers))];
}

static void mutate_once(struct ktest *t, uint8_t *bytes, size_t size)
{
	size_t at = ktest_random_below(t, (uint32_t)size);

	switch (ktest_random_below(t, 4)) {
	case 0:
		bytes[at] ^= (uint8_t)(1u << ktest_random_below(t, 8));
		break;
	case 1:
		bytes[at] = (uint8_t)ktest_random(t);
		break;
	case 2:
		at &= ~(size_t)3;
		if (at + 4 <= size)
			put32(bytes + at, interesting(t));
		break;
	default:
		at &= ~(size_t)3;
		if (at + 4 <= size)
			put32(bytes + at, get32(bytes + at) + ktest_random_below(t, 33) - 16);
		break;
	}
}

void mutate(struct ktest *t, uint8_t *bytes, size_t size)
{
	unsigned int nr = 1 + ktest_random_below(t, 4);

	while (nr--)
		mutate_once(t, bytes, size);
}
