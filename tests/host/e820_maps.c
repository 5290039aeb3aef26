/*
 * e820_maps.c - every map under tests/data/maps, read, sanitised, limited, and compared with the
 * oracle of tests/boot/; and a long walk of random lists.
 *
 * A map starts with two lines of comment: what it is, and "Source: ...".
 */
#include <quarry/e820.h>
#include <quarry/ktest.h>
#include <quarry/printk.h>
#include <quarry/sizes.h>
#include <quarry/string.h>

#include "../boot/blob.h"
#include "../boot/e820_oracle.h"
#include "host_files.h"

#define MAPS_DIR "tests/data/maps"
#define MAPS_MIN 40u

#define TEXT_MAX 65536u
#define LIST_MAX 1024u /* more than a kernel keeps: BOOT_MAP_MAX */
#define OUT_MAX  (2 * LIST_MAX + 3)

/* Steps.  A 64-bit process is here for its other type sizes. */
#define LONG_WALK (sizeof(void *) == 4 ? 50000ul : 10000ul)

static char text[TEXT_MAX + 1];
static struct mem_region regions[LIST_MAX], out[OUT_MAX], scratch[OUT_MAX];

/* Read the map at @path into @regions; false, after a failure of the test, when that cannot be. */
static bool read_map(struct ktest *t, const char *path, unsigned int *nr)
{
	struct e820_list l = { regions, 0, LIST_MAX };
	long size = host_read_file(path, text, TEXT_MAX);
	unsigned int line;

	if (size == HOST_NO_FILE) {
		ktest_fail(t, __FILE__, __LINE__, "%s cannot be read", path);
		return false;
	}
	text[size] = '\0';
	if (e820_parse_text(&l, text, (size_t)size, &line)) {
		ktest_fail(t, __FILE__, __LINE__, "%s:%u is no entry", path, line);
		return false;
	}
	*nr = l.nr;
	return true;
}

/* Lines that are neither blank nor comment: "0x" is in each of these, and in no other. */
static unsigned int count_entry_lines(void)
{
	unsigned int nr = 0;

	for (const char *line = text; line; line = strchr(line, '\n')) {
		const char *end;

		line += *line == '\n';
		end = strchr(line, '\n');
		for (const char *c = line; *c && *c != '#' && c != end; c++) {
			if (c[0] == '0' && c[1] == 'x') {
				nr++;
				break;
			}
		}
		if (!*line)
			break;
	}
	return nr;
}

static void read_one(const char *path, void *arg)
{
	struct ktest *t = arg;
	unsigned int nr;

	if (!read_map(t, path, &nr))
		return;
	if (text[0] != '#' || !strstr(text, "\n# Source: "))
		ktest_fail(t, __FILE__, __LINE__, "%s does not say what and from where it is",
			   path);
	if (nr != count_entry_lines())
		ktest_fail(t, __FILE__, __LINE__, "%s: %u entries read, %u lines have one", path,
			   nr, count_entry_lines());
}

KTEST(e820_maps, every_map_is_read_line_by_line)
{
	EXPECT_GE(t, MAPS_MIN, host_each_file(MAPS_DIR, ".map", read_one, t));
}

/* A failure of @path's comparison is counted already; say which map it was. */
static void name_failure(struct ktest *t, unsigned int nr_before, const char *path)
{
	if (t->nr_failed != nr_before)
		ktest_fail(t, __FILE__, __LINE__, "the map was %s", path);
}

static void sanitize_one(const char *path, void *arg)
{
	struct ktest *t = arg;
	unsigned int nr_before = t->nr_failed;
	unsigned int nr;

	if (read_map(t, path, &nr))
		expect_sanitized(t, regions, nr, out, OUT_MAX);
	name_failure(t, nr_before, path);
}

KTEST(e820_maps, every_map_comes_out_as_the_oracle_says)
{
	EXPECT_GE(t, MAPS_MIN, host_each_file(MAPS_DIR, ".map", sanitize_one, t));
}

static void reverse(unsigned int nr)
{
	for (unsigned int i = 0; i < nr / 2; i++) {
		struct mem_region r = regions[i];

		regions[i] = regions[nr - 1 - i];
		regions[nr - 1 - i] = r;
	}
}

static void sanitize_again(const char *path, void *arg)
{
	struct ktest *t = arg;
	struct e820_report rep;
	unsigned int nr, nr_out, nr_again;

	if (!read_map(t, path, &nr))
		return;
	nr_out = e820_sanitize(regions, nr, out, OUT_MAX, &rep);
	reverse(nr);
	nr_again = e820_sanitize(regions, nr, scratch, OUT_MAX, &rep);
	if (nr_again != nr_out || memcmp(out, scratch, nr_out * sizeof(out[0])))
		ktest_fail(t, __FILE__, __LINE__, "%s: the order of entries matters", path);
	nr_again = e820_sanitize(out, nr_out, scratch, OUT_MAX, &rep);
	if (nr_again != nr_out || memcmp(out, scratch, nr_out * sizeof(out[0])))
		ktest_fail(t, __FILE__, __LINE__, "%s: sanitising twice changes the map", path);
}

KTEST(e820_maps, neither_order_nor_repetition_changes_a_map)
{
	EXPECT_GE(t, MAPS_MIN, host_each_file(MAPS_DIR, ".map", sanitize_again, t));
}

static void limit_one(const char *path, void *arg)
{
	struct ktest *t = arg;
	unsigned int nr_before = t->nr_failed;
	struct e820_list l = { out, 0, OUT_MAX };
	struct e820_report rep;
	unsigned int nr;

	if (!read_map(t, path, &nr))
		return;
	l.nr = e820_sanitize(regions, nr, out, OUT_MAX, &rep);
	e820_limit_ram(&l, 64 * GiB);
	expect_struct_pages_fit(t, out, l.nr, scratch, 896 * MiB, 32);
	e820_limit_ram(&l, 4 * GiB);
	expect_struct_pages_fit(t, out, l.nr, scratch, 896 * MiB, 32);
	expect_struct_pages_fit(t, out, l.nr, scratch, 128 * MiB, 64);
	name_failure(t, nr_before, path);
}

KTEST(e820_maps, every_map_s_struct_pages_fit_after_the_smallest_cut)
{
	EXPECT_GE(t, MAPS_MIN, host_each_file(MAPS_DIR, ".map", limit_one, t));
}

KTEST(e820, a_long_walk_of_random_lists_agrees_with_the_oracle)
{
	e820_walk(t, ktest_steps(t, LONG_WALK));
}
