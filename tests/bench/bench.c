/*
 * bench.c - measures the rows that the linker collected, and prints a line for each.
 *
 * THEORY.  A row is warmed up, run some hundred times, and its median is taken: what happens now
 * and then (a refill, a merge) is not in it, but is in the mean, and in rows of many allocations
 * before the first free.  The empty bracket, and for those rows a loop that only stores, are
 * measured the same way and subtracted.
 *
 * Every source of interrupts is masked meanwhile, and interrupts are on, so that GFP_KERNEL is as
 * legal as in any thread.  Only the two PICs have sources: nothing here switches a local APIC on.
 * Before each row the per-CPU lists are drained: a row reads the same alone and in the suite.
 *
 * STATE.  The stamps of the last bracket, the row's number, the random sequence.
 *
 * CONTEXT.  A thread, one run at a time.
 *
 * SOURCES.  The generator is xorshift32: Marsaglia, "Xorshift RNGs", JSS 8(14), 2003.
 */
#include <quarry/bench.h>

#include <quarry/div64.h>
#include <quarry/errno.h>
#include <quarry/gfp.h>
#include <quarry/mm.h>
#include <quarry/pgtable.h>
#include <quarry/printk.h>
#include <quarry/sizes.h>
#include <quarry/sort.h>
#include <quarry/string.h>

#include "../../arch/x86/io.h"
#include "rows.h"

#define NR_WARM_UP      8u
#define NR_BATCHES      7u
#define NR_ROUNDS       5u
#define NAME_MAX        80u
#define RANDOM_SEED     2463534242u
#define MIN_FREE_LOWMEM (64 * MiB / PAGE_SIZE) /* the largest block, many times over */
#define PIC1_MASK       0x21
#define PIC2_MASK       0xa1
#define MASK_ALL        0xff

/* Where samples and objects are kept. */
struct room {
	uint32_t first[BENCH_MANY], second[BENCH_MANY], both[BENCH_MANY];
	void *objs[BENCH_EACH_MAX];
};

static_assert(sizeof(struct room) <= PAGE_SIZE << BENCH_ROOM_ORDER, "the room is too small");

/* What the ruler itself costs. */
struct overhead {
	uint32_t bracket;  /* ticks of an empty one */
	uint32_t loop_100; /* of a round of a loop that only stores, times 100 */
};

/* The bounds of the section "bench_rows": linker.ld. */
extern const struct bench_row bench_rows_start[];
extern const struct bench_row bench_rows_end[];

uint32_t bench_stamps[3];
unsigned long bench_arg;

static uint32_t random_state;

/* ---- numbers ----------------------------------------------------------------------------- */

QAPI uint32_t bench_random_below(uint32_t limit)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 17;
	random_state ^= random_state << 5;
	return (uint32_t)((uint64_t)random_state * limit >> 32);
}

static void shuffle(void **objs, unsigned int nr)
{
	for (unsigned int i = nr - 1; i > 0; i--) {
		unsigned int j = bench_random_below(i + 1);
		void *obj = objs[i];

		objs[i] = objs[j];
		objs[j] = obj;
	}
}

static QAPI int compare(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

/* Sorts; the one in the middle. */
static uint32_t median(uint32_t *samples, unsigned int nr)
{
	sort(samples, nr, sizeof(*samples), compare, NULL);
	return samples[nr / 2];
}

/* Subtract what the ruler costs from each, but not more than there is. */
static void subtract(uint32_t *samples, unsigned int nr, uint32_t ticks)
{
	for (unsigned int i = 0; i < nr; i++)
		samples[i] -= samples[i] < ticks ? samples[i] : ticks;
}

/* @total shared among @nr. */
static uint32_t share(uint64_t total, unsigned int nr)
{
	return nr ? (uint32_t)div_u64(total, nr) : 0;
}

/* @ticks shared among @nr, times 100, minus @loop_100. */
static uint32_t each_100(uint32_t ticks, unsigned int nr, uint32_t loop_100)
{
	uint32_t value = share((uint64_t)ticks * 100, nr);

	return value < loop_100 ? 0 : value - loop_100;
}

/* ---- the ruler --------------------------------------------------------------------------- */

static QAPI void empty_bracket(void)
{
	BENCH_STAMP(0);
	BENCH_STAMP(1);
}

static QAPI __noinline void empty_fill(void **objs, unsigned int nr)
{
	for (unsigned int i = 0; i < nr; i++) {
		void *obj = objs;

		BENCH_HIDE(obj);
		objs[i] = obj;
	}
}

static struct overhead measure_overhead(struct room *room)
{
	struct overhead cost;

	for (unsigned int i = 0; i < BENCH_MANY; i++) {
		empty_bracket();
		room->first[i] = bench_stamps[1] - bench_stamps[0];
	}
	cost.bracket = median(room->first, BENCH_MANY);
	BENCH_STAMP(0);
	empty_fill(room->objs, BENCH_EACH_MAX);
	BENCH_STAMP(1);
	cost.loop_100 = each_100(bench_stamps[1] - bench_stamps[0], BENCH_EACH_MAX, 0);
	return cost;
}

/* ---- the kinds of rows: each prints its figures, or returns an error ---------------------- */

/* The rest of a line of single brackets, whose sorted totals are @samples. */
static void print_spread(struct out *o, const uint32_t *samples, unsigned int nr)
{
	uint64_t total = 0;
	uint32_t mean_10;

	for (unsigned int i = 0; i < nr; i++)
		total += samples[i];
	mean_10 = share(total * 10 + nr / 2, nr);
	out_printf(o, " mean=%u.%u min=%u max=%u n=%u\n", mean_10 / 10, mean_10 % 10, samples[0],
		   samples[nr - 1], nr);
}

static const char *measure_pair(struct out *o, const struct bench_row *row, struct room *room)
{
	struct overhead cost = measure_overhead(room);
	uint32_t take, give, both;

	for (unsigned int i = 0; i < NR_WARM_UP; i++)
		row->bracket();
	for (unsigned int i = 0; i < row->nr; i++) {
		row->bracket();
		room->first[i] = bench_stamps[1] - bench_stamps[0];
		room->second[i] = bench_stamps[2] - bench_stamps[1];
		room->both[i] = bench_stamps[2] - bench_stamps[0];
	}
	subtract(room->first, row->nr, cost.bracket);
	subtract(room->second, row->nr, cost.bracket);
	subtract(room->both, row->nr, 2 * cost.bracket);
	take = median(room->first, row->nr);
	give = median(room->second, row->nr);
	both = median(room->both, row->nr);
	out_printf(o, "bench row=\"%s\" alloc=%u free=%u pair=%u", row->name, take, give, both);
	print_spread(o, room->both, row->nr);
	return NULL;
}

static const char *measure_one(struct out *o, const struct bench_row *row, struct room *room)
{
	struct overhead cost = measure_overhead(room);

	for (unsigned int i = 0; i < NR_WARM_UP; i++)
		row->bracket();
	for (unsigned int i = 0; i < row->nr; i++) {
		row->bracket();
		room->first[i] = bench_stamps[1] - bench_stamps[0];
	}
	subtract(room->first, row->nr, cost.bracket);
	out_printf(o, "bench row=\"%s\" cost=%u", row->name, median(room->first, row->nr));
	print_spread(o, room->first, row->nr);
	return NULL;
}

/* Give back those of a batch that could be had. */
static void drain_some(const struct bench_row *row, void **objs)
{
	unsigned int nr = 0;

	for (unsigned int i = 0; i < row->nr; i++)
		if (objs[i])
			objs[nr++] = objs[i];
	row->drain(objs, nr);
}

/* One batch: ticks of its allocations and of its frees; false when one of them failed. */
static bool run_batch(const struct bench_row *row, struct room *room, uint32_t *take,
		      uint32_t *give)
{
	BENCH_STAMP(0);
	row->fill(room->objs, row->nr);
	BENCH_STAMP(1);
	*take = bench_stamps[1] - bench_stamps[0];
	for (unsigned int i = 0; i < row->nr; i++) {
		if (!room->objs[i]) {
			drain_some(row, room->objs);
			return false;
		}
	}
	if (row->order == BENCH_SHUFFLED)
		shuffle(room->objs, row->nr);
	BENCH_STAMP(0);
	row->drain(room->objs, row->nr);
	BENCH_STAMP(1);
	*give = bench_stamps[1] - bench_stamps[0];
	return true;
}

static const char *measure_each(struct out *o, const struct bench_row *row, struct room *room)
{
	struct overhead cost = measure_overhead(room);
	uint32_t take, give;

	if (!run_batch(row, room, &take, &give))
		return "out of memory";
	for (unsigned int i = 0; i < NR_BATCHES; i++)
		if (!run_batch(row, room, &room->first[i], &room->second[i]))
			return "out of memory";
	take = each_100(median(room->first, NR_BATCHES), row->nr, cost.loop_100);
	give = each_100(median(room->second, NR_BATCHES), row->nr, cost.loop_100);
	out_printf(o, "bench row=\"%s\" alloc=%u.%02u free=%u.%02u pair=%u.%02u n=%u batches=%u\n",
		   row->name, take / 100, take % 100, give / 100, give % 100, (take + give) / 100,
		   (take + give) % 100, row->nr, NR_BATCHES);
	return NULL;
}

static const char *measure_rounds(struct out *o, const struct bench_row *row, struct room *room)
{
	struct overhead cost = measure_overhead(room);
	uint32_t value;

	for (unsigned int round = 0; round < NR_ROUNDS; round++) {
		room->first[round] = 0;
		for (unsigned int i = 0; i < row->nr; i++) {
			row->prepare();
			row->bracket();
			room->first[round] += bench_stamps[1] - bench_stamps[0] - cost.bracket;
		}
	}
	value = each_100(median(room->first, NR_ROUNDS), row->nr, 0);
	out_printf(o, "bench row=\"%s\" cost=%u.%02u n=%u rounds=%u\n", row->name, value / 100,
		   value % 100, row->nr, NR_ROUNDS);
	return NULL;
}

/* ---- a row ------------------------------------------------------------------------------- */

/* Page tables are never freed: those that a row made are not lost. */
static unsigned long quiet_nr_free(void)
{
	mm_quiesce();
	return nr_free_pages() + pgtable_nr_pages();
}

static const char *measure_on_stage(struct out *o, const struct bench_row *row, struct room *room)
{
	switch (row->kind) {
	case BENCH_KIND_PAIR:
		return measure_pair(o, row, room);
	case BENCH_KIND_ONE:
		return measure_one(o, row, room);
	case BENCH_KIND_EACH:
		return measure_each(o, row, room);
	case BENCH_KIND_ROUNDS:
		return measure_rounds(o, row, room);
	}
	return "no such kind of row";
}

QAPI bool bench_measure(struct out *o, const struct bench_row *row, void *room)
{
	unsigned long nr_free = quiet_nr_free(), nr_free_after;
	const char *error = "out of memory";

	bench_arg = row->arg;
	random_state = RANDOM_SEED;
	if (!row->stage || row->stage->up(row->arg)) {
		error = measure_on_stage(o, row, room);
		if (row->stage)
			row->stage->down();
	}
	nr_free_after = quiet_nr_free();
	if (error)
		out_printf(o, "bench row=\"%s\" error=\"%s\"\n", row->name, error);
	else if (nr_free != nr_free_after)
		out_printf(o, "bench row=\"%s\" error=\"%lu free pages before, %lu after\"\n",
			   row->name, nr_free, nr_free_after);
	return !error && nr_free == nr_free_after;
}

/* ---- a run ------------------------------------------------------------------------------- */

/* Does @name match one of the globs in @patterns? */
static bool is_selected(const char *name, const char *patterns)
{
	char glob[NAME_MAX];

	if (!patterns || !*patterns)
		return true;
	while (*patterns) {
		const char *bar = strchr(patterns, '|');
		size_t len = bar ? (size_t)(bar - patterns) : strlen(patterns);

		if (len < sizeof(glob)) {
			memcpy(glob, patterns, len);
			glob[len] = '\0';
			if (glob_match(glob, name))
				return true;
		}
		patterns += bar ? len + 1 : len;
	}
	return false;
}

/* Rows with errors; adds the rows that were run to @nr_run. */
static int run_rows(struct out *o, const char *patterns, void *room, unsigned int *nr_run)
{
	int nr_errors = 0;

	for (const struct bench_row *row = bench_rows_start; row < bench_rows_end; row++) {
		if (!is_selected(row->name, patterns))
			continue;
		nr_errors += !bench_measure(o, row, room);
		++*nr_run;
	}
	return nr_errors;
}

static unsigned long free_lowmem(void)
{
	return zones[ZONE_DMA].nr_free + zones[ZONE_NORMAL].nr_free;
}

QAPI int bench_run(struct out *o, const char *patterns)
{
	uint8_t mask1 = inb(PIC1_MASK), mask2 = inb(PIC2_MASK);
	unsigned int nr_run = 0;
	struct page *page;
	int nr_errors;

	if (free_lowmem() < MIN_FREE_LOWMEM)
		return -ENOMEM;
	page = alloc_pages(GFP_KERNEL, BENCH_ROOM_ORDER);
	if (!page)
		return -ENOMEM;
	outb(PIC1_MASK, MASK_ALL);
	outb(PIC2_MASK, MASK_ALL);
	nr_errors = run_rows(o, patterns, page_address(page), &nr_run);
	outb(PIC1_MASK, mask1);
	outb(PIC2_MASK, mask2);
	__free_pages(page, BENCH_ROOM_ORDER);
	out_printf(o, "bench done rows=%u errors=%d\n", nr_run, nr_errors);
	return nr_run ? nr_errors : -ENOENT;
}

QAPI void bench_list(struct out *o)
{
	for (const struct bench_row *row = bench_rows_start; row < bench_rows_end; row++)
		out_printf(o, "%s\n", row->name);
}
