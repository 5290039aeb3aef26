/*
 * machine_env.c - boot the machine that an input describes, then run the input's operations on it.
 *
 * IDEA.  The machine is the hosted port's: a memory map and a command line are made of the header,
 * and hosted_start() boots it.  tests_init(), which the kernel calls when boot is over, is where
 * the tests would be; here it is the target, and what else the kernel calls of them does nothing.
 * A machine that is too small to boot is not what is looked for, so RAM up to KEEP_END stays whole.
 *
 * STATE.  The input; the map and the command line, for reading until boot is over.
 *
 * CONTEXT.  A child of the fuzzer: once.
 */
#include "../../arch/hosted/host_ops.h"
#include "machine.h"
#include <quarry/align.h>
#include <quarry/errno.h>
#include <quarry/port.h>
#include <quarry/printk.h>
#include <quarry/replay.h>
#include <quarry/string.h>
#include <quarry/tests.h>

#define MAP_NAME  "fuzz.map"
#define RAM_LEAST (6 * MiB)
#define KEEP_END  (4 * MiB)
#define MAP_MAX   1024u
#define WORDS_MAX 256u
#define EBDA_PA   0x9fc00ul
#define HIGH_PA   0x100000ul
#define RESERVED  2u /* the first type of a map's line that is no RAM */

static struct {
	const unsigned char *data;
	size_t size;
	char map[MAP_MAX];
	char words[WORDS_MAX];
} input;

/* An option is given when all bits of its mask are.  What fills all of RAM at boot gets little. */
#define FILL_RAM 0x82u
static const struct {
	uint8_t mask;
	const char *text;
} options[] = { { 0x81, "page_poison=1" },   { 0x02, "init_on_alloc=1" },
		{ 0x84, "init_on_free=1" },  { 0x08, "slab_debug=FZPU" },
		{ 0x10, "vmalloc_debug=1" }, { 0x20, "page_owner=1" },
		{ 0x40, "kmap_debug=1" },    { 0x83, "min_free_kbytes=128" } };

static void make_map(const struct machine_header *h)
{
	unsigned int mib = h->ram_mib & (h->options & FILL_RAM ? 1 : h->ram_mib & 64 ? 31 : 7);
	unsigned long ram = RAM_LEAST + mib * MiB + h->ram_pages * PAGE_SIZE;
	int n = scnprintf(input.map, MAP_MAX, "0x0 0x%lx 1\n0x%lx 0x%lx 1\n", EBDA_PA, HIGH_PA,
			  ram - HIGH_PA);

	for (unsigned int i = 0; i < h->nr_holes % (MACHINE_HOLES + 1); i++)
		n += scnprintf(input.map + n, MAP_MAX - (size_t)n, "0x%lx 0x%lx %u\n",
			       KEEP_END + h->hole[i].pfn % ((ram - KEEP_END) >> PAGE_SHIFT) *
						  PAGE_SIZE,
			       (h->hole[i].nr + 1ul) * PAGE_SIZE, RESERVED + (h->hole[i].type & 3));
}

static void make_words(const struct machine_header *h)
{
	int n = scnprintf(input.words, WORDS_MAX, "e820=" MAP_NAME);

	for (unsigned int i = 0; i < ARRAY_SIZE(options); i++)
		if ((h->options & options[i].mask) == options[i].mask)
			n += scnprintf(input.words + n, WORDS_MAX - (size_t)n, " %s",
				       options[i].text);
	if (h->highmem & 15)
		n += scnprintf(input.words + n, WORDS_MAX - (size_t)n, " highmem=%uM",
			       h->highmem & 15);
	if (h->vmalloc & 15)
		scnprintf(input.words + n, WORDS_MAX - (size_t)n, " vmalloc=%uM",
			  16 + (h->vmalloc & 15));
}

static void write_machine_down(void)
{
	char *line = input.map;

	fuzz_step("/* The machine: make hosted MODULES=" MAP_NAME " APPEND='%s'", input.words);
	for (char *end; (end = strchr(line, '\n')); line = end + 1)
		fuzz_step(" *	%.*s", (int)(end - line), line);
	fuzz_step(" */");
}

void fuzz_setup(void)
{
}

void fuzz_enter(const unsigned char *data, unsigned long size)
{
	struct machine_header h = { 0 };
	struct host_module map = { .name = MAP_NAME };
	struct host_boot boot = {
		.cmdline = input.words, .nr_cpus = 1, .nr_modules = 1, .modules = &map
	};

	memcpy(&h, data, min(size, (unsigned long)sizeof(h)));
	make_map(&h);
	make_words(&h);
	write_machine_down();
	map.data = input.map;
	map.size = strlen(input.map);
	boot.ram_size = RAM_LEAST;
	input.data = data;
	input.size = size;
	hosted_start(&boot);
}

QAPI void tests_init(const struct tests_setup *setup)
{
	(void)setup;
	fuzz_target.run(input.data, input.size);
	port_stop(EXIT_CODE_OK);
}

QAPI int death_commit(const char *name)
{
	(void)name;
	return -ENOENT;
}

QAPI int faults_parse(const char *text)
{
	(void)text;
	return -EINVAL;
}

QAPI int replay_run(struct out *o, const char *spec)
{
	(void)o;
	(void)spec;
	return -ENOENT;
}
