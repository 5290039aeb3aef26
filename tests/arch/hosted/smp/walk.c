/*
 * walk.c - random walks of several threads on several CPUs, and of interrupts in between.
 *
 * THEORY.  Each thread holds a few things and takes or gives one in a step.  What it holds it may
 * also exchange for what lies in a common basket, so that most things are given back by another
 * thread, on another CPU, and some by an interrupt, than got them.  Each is marked when it is taken
 * and verified when it is given: two owners of one thing would find each other's marks.
 *
 * A walk has rounds, each of a seed of its own; after each all is given back, and the validators
 * run.  The hooks around the test compare every count.
 *
 * With one seed a round is the same each time, if the test is (seed=, steps=, the same CPUs).
 *
 * STATE.  walkers: of threads, then of each CPU's interrupts; the basket and its lock.
 */
#include "walk.h"

#include <quarry/asm/context.h>
#include <quarry/mm.h>
#include <quarry/printk.h>
#include <quarry/spinlock.h>
#include <quarry/string.h>

#define BASKET_ITEMS  16u
#define USUAL_STEPS   200ul
#define STEPS_A_ROUND 4000ul /* of steps=: one round */
#define ROUNDS_LEAST  3u
#define DEFAULT_STEPS 20000ul
#define IRQ_STEPS     3u /* of an interrupt, at most */

/* Of DICE steps: so many exchange, so many are an event, the others take or give. */
#define DICE            64u
#define EXCHANGES       20u
#define EVENT_DICE      1u
#define EVENT_DICE_BUSY 21u

static struct walker threads[SMP_THREADS_MAX], interrupts[NR_CPUS];
static struct item basket[BASKET_ITEMS];
static spinlock_t basket_lock = SPINLOCK_INIT;
static const struct walk *walk;

/* splitmix64, again: the tests' numbers are not the scheduler's. */
uint32_t walker_random(struct walker *w, uint32_t limit)
{
	uint64_t z = w->rng += 0x9E3779B97F4A7C15ull;

	z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9ull;
	z = (z ^ z >> 27) * 0x94D049BB133111EBull;
	return (uint32_t)(z >> 33) % limit;
}

void walker_bad(struct walker *w, const char *what)
{
	if (!w->bad)
		w->bad = what;
}

/* ---- marks -------------------------------------------------------------------------------- */

void mark_bytes(void *p, unsigned long size, uint32_t mark)
{
	uint8_t *bytes = p;

	for (unsigned int i = 0; i < sizeof(mark) && i < size; i++) {
		bytes[i] = (uint8_t)(mark >> 8 * i);
		bytes[size - 1 - i] = (uint8_t)(mark >> 8 * i);
	}
}

bool bytes_hold(const void *p, unsigned long size, uint32_t mark)
{
	const uint8_t *bytes = p;
	bool hold = true;

	/* Of very small ones the last bytes were written over the first. */
	for (unsigned int i = 0; i < sizeof(mark) && i < size; i++)
		hold &= bytes[size - 1 - i] == (uint8_t)(mark >> 8 * i) || size < 2 * sizeof(mark);
	for (unsigned int i = 0; i < sizeof(mark) && size >= 2 * sizeof(mark); i++)
		hold &= bytes[i] == (uint8_t)(mark >> 8 * i);
	return hold;
}

/* ---- a walker's steps ----------------------------------------------------------------------- */

static bool may_handle(const struct walker *w, const struct item *item)
{
	return !item->kind || !w->in_interrupt || item->kind->in_interrupt;
}

static void exchange(struct walker *w, struct item *mine)
{
	struct item *theirs = &basket[walker_random(w, BASKET_ITEMS)], item;
	unsigned long flags = spin_lock_irqsave(&basket_lock);

	if (may_handle(w, theirs)) {
		item = *theirs;
		*theirs = *mine;
		*mine = item;
	}
	spin_unlock_irqrestore(&basket_lock, flags);
}

static void take(struct walker *w, struct item *item)
{
	const struct item_kind *kind = walk->kinds[walker_random(w, walk->nr_kinds)];

	if (w->in_interrupt && !kind->in_interrupt)
		return;
	item->mark = walker_random(w, UINT32_MAX);
	if (!kind->take(w, item))
		return;
	item->kind = kind;
	w->nr_taken++;
}

static void give(struct walker *w, struct item *item)
{
	item->kind->give(w, item);
	item->kind = NULL;
}

static void step(struct walker *w)
{
	struct item *item = &w->items[walker_random(w, WALKER_ITEMS)];
	unsigned int dice = walker_random(w, DICE),
		     nr_events = walk->busy ? EVENT_DICE_BUSY : EVENT_DICE;

	if (dice < EXCHANGES)
		exchange(w, item);
	else if (dice < EXCHANGES + nr_events && !w->in_interrupt && walk->nr_events)
		walk->events[walker_random(w, walk->nr_events)](w);
	else if (item->kind)
		give(w, item);
	else
		take(w, item);
}

static QAPI void run_thread(unsigned int nr, void *arg)
{
	struct walker *w = &threads[nr];
	unsigned long steps = walk->steps ? walk->steps : USUAL_STEPS;

	(void)arg;
	for (unsigned long i = 0; i < steps && !w->bad; i++)
		step(w);
}

static QAPI void run_interrupt(void)
{
	struct walker *w = &interrupts[smp_cpu_id()];
	unsigned int nr = 1 + walker_random(w, IRQ_STEPS);

	for (unsigned int i = 0; i < nr && !w->bad; i++)
		step(w);
}

/* ---- rounds --------------------------------------------------------------------------------- */

static void start(struct walker *w, unsigned int nr, uint64_t seed, bool in_interrupt)
{
	memset(w, 0, sizeof(*w));
	w->nr = nr;
	w->rng = seed;
	w->in_interrupt = in_interrupt;
}

/* Give all back, and say what was wrong.  Return: how many things it had taken. */
static unsigned long finish(struct ktest *t, struct walker *w, unsigned int round, uint64_t seed)
{
	w->in_interrupt = false;
	for (unsigned int i = 0; i < WALKER_ITEMS; i++)
		if (w->items[i].kind)
			give(w, &w->items[i]);
	if (w->bad)
		ktest_fail(t, __FILE__, __LINE__, "round %u, schedule %llu: %s", round,
			   (unsigned long long)seed, w->bad);
	return w->nr_taken;
}

static void empty_basket(struct walker *w)
{
	for (unsigned int i = 0; i < BASKET_ITEMS; i++)
		if (basket[i].kind)
			give(w, &basket[i]);
}

static void run_round(struct ktest *t, unsigned int round, unsigned int nr_threads)
{
	uint64_t seed = (uint64_t)ktest_random(t) << 32 | ktest_random(t);
	unsigned long nr_taken = 0;
	struct smp_result result;
	struct smp_plan plan = { .run = run_thread,
				 .interrupt = walk->interrupts ? run_interrupt : NULL,
				 .nr_threads = nr_threads,
				 .distance = 4u << ktest_random_below(t, 8),
				 .seed = seed };

	for (unsigned int i = 0; i < nr_threads; i++)
		start(&threads[i], i, seed + i, false);
	for (unsigned int i = 0; i < NR_CPUS; i++)
		start(&interrupts[i], i, seed + SMP_THREADS_MAX + i, true);
	smp_run(&plan, &result);
	pr_debug("# schedule: seed=%llu switches=%lu moves=%lu interrupts=%lu hash=%016llx\n",
		 (unsigned long long)seed, result.nr_switches, result.nr_moves,
		 result.nr_interrupts, (unsigned long long)result.hash);
	empty_basket(&threads[0]);
	for (unsigned int i = 0; i < nr_threads; i++)
		nr_taken += finish(t, &threads[i], round, seed);
	for (unsigned int i = 0; i < smp_nr_cpus(); i++)
		nr_taken += finish(t, &interrupts[i], round, seed);
	/* A round that found no memory would prove nothing. */
	EXPECT_GE(t, nr_threads, nr_taken);
	EXPECT_EQ(t, 0, mm_check_all());
}

void walk_run(struct ktest *t, const struct walk *w)
{
	unsigned int by_steps = (unsigned int)(ktest_steps(t, DEFAULT_STEPS) / STEPS_A_ROUND);
	unsigned int least = by_steps > ROUNDS_LEAST ? by_steps : ROUNDS_LEAST;
	unsigned int rounds = w->rounds ? w->rounds : least;
	unsigned int nr_threads = w->threads ? w->threads : smp_nr_cpus() * 3 / 2;

	walk = w;
	for (unsigned int i = 0; i < rounds && !t->nr_failed; i++)
		run_round(t, i, nr_threads);
}
