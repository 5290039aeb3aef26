/*
 * faults.c - tests with points that fail: faults= on the command line.
 *
 * THEORY.  A run of a test has N points where memory may be missing (<quarry/fault_inject.h>).  The
 * same test with its k-th point failing must end as it ends without: calls that fail because of
 * it are made again (faults.h), so whatever mm/ did not undo is missed by the hooks at the end.
 * Words of faults=, for each test of the run:
 *
 *	count       nothing fails
 *	K           the K-th point
 *	K+          that one and all behind it, until the test's call into mm/ ends: what mm/ falls
 *	            back to fails as well
 *	walk:SEED   WALK_PERCENT of them, by SEED
 *	all         each of them, one run after the other: first K, then K+ if mm/ got by without
 *
 * and what came of it is a line:
 *
 *	# faults SUITE.NAME: points=N failed=N errors=N tolerated=N outside=N world=N random=0
 *		kinds=K,
 *
 * errors: calls that failed; tolerated: calls in which a point failed and which did not; outside:
 * points that failed in no call that is made again; world: what the hooks found changed.
 *
 * With `all` a test is run a first time, for the page tables that are never given back and for
 * caches that it may fill; its points are counted in the second run.  One that draws random
 * numbers is run with WALK_SEEDS seeds instead.  What does not pass is a failure of the test, with
 * the number of the point.
 *
 * STATE.  The mode; the run that is on; whether a call is on, or on again.
 *
 * CONTEXT.  A thread; one test at a time.  Points in interrupt handlers belong to the call that was
 * interrupted.
 */
#include "faults.h"

#include <quarry/errno.h>
#include <quarry/fault_inject.h>
#include <quarry/printk.h>
#include <quarry/string.h>
#include <quarry/tests.h>

#include "faults_run.h"

#define WALK_PERCENT 2u  /* one point in fifty */
#define WALK_SEEDS   20u /* runs of a test that draws random numbers */
#define POINTS_MAX   2000u
#define POINTS_ENDS  200u /* of more than that, so many at each end */
#define POINTS_DRAWN 400u /* and between them */

/* Boot is over: no test can reach these. */
#define KINDS (FAULT_KINDS_ALL & ~(1u << FAULT_MEMBLOCK))

enum mode { MODE_OFF, MODE_COUNT, MODE_POINT, MODE_CALL, MODE_WALK, MODE_ALL };

/* What is to fail in one run of a test. */
struct plan {
	enum mode mode;
	unsigned long point; /* from 1 on */
	uint64_t seed;
};

struct result {
	unsigned long points, failed, outside;
	unsigned long nr_errors, nr_tolerated; /* calls */
	unsigned int world;
	unsigned int kinds; /* of which a point failed: bits */
};

bool faults_on;

static struct plan wanted, plan;
static struct result result;
static unsigned int depth;           /* of calls into mm/ */
static bool again;                   /* the call is on for the second time */
static unsigned long failed_at_call; /* points that had failed when it began */
static unsigned int nr_failed_by_test;

/* ---- counting --------------------------------------------------------------------------- */

static unsigned long nr_failed(void)
{
	struct fault_counts c;
	unsigned long nr = 0;

	fault_count(&c);
	for (unsigned int kind = 0; kind < FAULT_NR_KINDS; kind++)
		nr += c.failed[kind];
	return nr;
}

static void sum_up(struct result *r)
{
	struct fault_counts c;

	fault_count(&c);
	for (unsigned int kind = 0; kind < FAULT_NR_KINDS; kind++) {
		r->points += c.seen[kind];
		r->failed += c.failed[kind];
		r->kinds |= c.failed[kind] ? 1u << kind : 0;
	}
	r->outside += r->failed;
}

/* ---- calls ------------------------------------------------------------------------------ */

QAPI void faults_call_begins(void)
{
	if (!depth++ && !again)
		failed_at_call = nr_failed();
}

/* The call in which a point failed is over, and that was all. */
static void stop_failing(void)
{
	if (plan.mode == MODE_CALL)
		fault_nth(KINDS, 0, 0);
}

QAPI bool faults_call_ended(bool failed)
{
	unsigned long nr;

	if (--depth)
		return false;
	if (again) {
		again = false;
		fault_resume();
		return false;
	}
	nr = nr_failed() - failed_at_call;
	if (!nr)
		return false;
	stop_failing();
	result.outside -= nr;
	result.nr_errors += failed;
	result.nr_tolerated += !failed;
	if (!failed)
		return false;
	fault_suspend();
	again = true;
	return true;
}

/* ---- one run of a test ------------------------------------------------------------------ */

static void arm(void)
{
	const struct fault_attr chance = { .probability = WALK_PERCENT,
					   .interval = 1,
					   .times = -1 };

	if (plan.mode != MODE_WALK) {
		fault_nth(KINDS, plan.mode == MODE_COUNT ? 0 : plan.point,
			  plan.mode == MODE_CALL ? ~0ul : 1);
		return;
	}
	fault_seed(plan.seed);
	for (unsigned int kind = 0; kind < FAULT_NR_KINDS; kind++)
		BUG_ON((KINDS & 1u << kind) && fault_attr_set((enum fault_kind)kind, &chance));
}

/* Before the world is looked at: arming changes it, too. */
QAPI void faults_prepare(struct ktest *t)
{
	if (plan.mode == MODE_OFF)
		return;
	t->goes_on = true;
	fault_suspend();
	arm();
}

QAPI void faults_begin(void)
{
	if (plan.mode == MODE_OFF)
		return;
	result = (struct result){ 0 };
	depth = 0;
	again = false;
	fault_count_reset();
	faults_on = true;
	fault_resume();
}

QAPI void faults_end(const struct ktest *t)
{
	if (plan.mode == MODE_OFF)
		return;
	if (!again)
		fault_suspend(); /* otherwise a call never ended */
	faults_on = false;
	sum_up(&result);
	nr_failed_by_test = t->nr_failed;
}

/* After the world was compared. */
QAPI void faults_finish(const struct ktest *t)
{
	if (plan.mode == MODE_OFF)
		return;
	fault_off();
	fault_resume();
	result.world = t->nr_failed - nr_failed_by_test;
}

static void run_planned(const struct ktest_case *tc, struct ktest *t, struct plan p)
{
	plan = p;
	ktest_run_case(tc, t);
	plan.mode = MODE_OFF;
}

static void show_result(const struct ktest_case *tc, const struct ktest *t)
{
	console_fresh_line();
	out_printf(&out_console,
		   "# faults %s.%s: points=%lu failed=%lu errors=%lu tolerated=%lu outside=%lu "
		   "world=%u random=%d kinds=",
		   tc->suite, tc->name, result.points, result.failed, result.nr_errors,
		   result.nr_tolerated, result.outside, result.world, t->rng_used);
	for (unsigned int kind = 0; kind < FAULT_NR_KINDS; kind++) {
		if (result.kinds & 1u << kind)
			out_printf(&out_console, "%s,", fault_kind_name((enum fault_kind)kind));
	}
	out_printf(&out_console, "\n");
}

/* ---- all points of a test, one after the other ------------------------------------------ */

/* Count a failure of @t unless this run of it was as it has to be. */
static bool judge(struct ktest *t, const struct ktest *run, const struct plan *p)
{
	const char *what = p->mode == MODE_WALK ? "walk:" : "";
	unsigned long long number = p->mode == MODE_WALK ? p->seed : p->point;
	const char *behind = p->mode == MODE_CALL ? "+" : "";

	if (run->nr_failed)
		ktest_fail(t, __FILE__, __LINE__, "fails with faults=%s%llu%s", what, number,
			   behind);
	else if (result.outside)
		ktest_fail(t, __FILE__, __LINE__, "faults=%s%llu%s fails in no call of the test",
			   what, number, behind);
	else if (p->mode == MODE_POINT && !result.failed)
		ktest_fail(t, __FILE__, __LINE__, "faults=%llu is not reached", number);
	else
		return true;
	return false;
}

static bool run_and_judge(const struct ktest_case *tc, struct ktest *t, struct plan p)
{
	struct ktest run = { .tc = tc, .seed = p.mode == MODE_WALK ? p.seed : t->seed };

	run_planned(tc, &run, p);
	return judge(t, &run, &p);
}

/* Of more than POINTS_MAX points: is this one of those that are tried?  By chance within. */
static bool is_tried(struct ktest *t, unsigned long point, unsigned long nr)
{
	if (nr <= POINTS_MAX || point <= POINTS_ENDS || point > nr - POINTS_ENDS)
		return true;
	return (uint64_t)ktest_random(t) * (nr - 2 * POINTS_ENDS) >> 32 < POINTS_DRAWN;
}

static unsigned long run_points(const struct ktest_case *tc, struct ktest *t, unsigned long nr)
{
	unsigned long nr_covered = 0;

	for (unsigned long k = 1; k <= nr; k++) {
		bool good;

		if (!is_tried(t, k, nr))
			continue;
		good = run_and_judge(tc, t, (struct plan){ MODE_POINT, k, 0 });
		if (good && result.nr_tolerated)
			good = run_and_judge(tc, t, (struct plan){ MODE_CALL, k, 0 });
		nr_covered += good;
	}
	return nr_covered;
}

static unsigned long run_walks(const struct ktest_case *tc, struct ktest *t)
{
	unsigned long nr_failed_points = 0;

	for (uint64_t seed = 1; seed <= WALK_SEEDS; seed++) {
		run_and_judge(tc, t, (struct plan){ MODE_WALK, 0, seed });
		nr_failed_points += result.failed;
	}
	return nr_failed_points;
}

static void run_all(const struct ktest_case *tc, struct ktest *t)
{
	struct ktest first = { .tc = tc, .seed = t->seed }, second = first;
	unsigned long nr, nr_covered;

	run_planned(tc, &first, (struct plan){ MODE_COUNT, 0, 0 });
	run_planned(tc, &second, (struct plan){ MODE_COUNT, 0, 0 });
	if (first.nr_failed || second.nr_failed) {
		ktest_fail(t, __FILE__, __LINE__, "fails though nothing was made to fail");
		return;
	}
	nr = result.points;
	nr_covered = second.rng_used ? run_walks(tc, t) : run_points(tc, t, nr);
	console_fresh_line();
	out_printf(&out_console, "# faults %s.%s: %s=%lu points=%lu\n", tc->suite, tc->name,
		   second.rng_used ? "failed" : "covered", nr_covered, nr);
}

/* ---- what the command line wants -------------------------------------------------------- */

/* What stands behind @word in @text, a number and then @end. */
static int parse_number(const char *text, const char *word, const char *end, uint64_t *number)
{
	const char *rest;

	if (strncmp(text, word, strlen(word)) || parse_u64(text + strlen(word), &rest, number))
		return -EINVAL;
	return strcmp(rest, end) ? -EINVAL : 0;
}

QAPI int faults_parse(const char *text)
{
	uint64_t number = 0;

	if (!*text)
		wanted = (struct plan){ 0 };
	else if (!strcmp(text, "count"))
		wanted = (struct plan){ MODE_COUNT, 0, 0 };
	else if (!strcmp(text, "all"))
		wanted = (struct plan){ MODE_ALL, 0, 0 };
	else if (!parse_number(text, "walk:", "", &number))
		wanted = (struct plan){ MODE_WALK, 0, number };
	else if (!parse_number(text, "", "", &number) && number)
		wanted = (struct plan){ MODE_POINT, (unsigned long)number, 0 };
	else if (!parse_number(text, "", "+", &number) && number)
		wanted = (struct plan){ MODE_CALL, (unsigned long)number, 0 };
	else
		return -EINVAL;
	return 0;
}

QAPI void faults_run_case(const struct ktest_case *tc, struct ktest *t)
{
	if (wanted.mode == MODE_ALL) {
		run_all(tc, t);
		return;
	}
	if (wanted.mode == MODE_WALK)
		t->seed = wanted.seed;
	run_planned(tc, t, wanted);
	if (wanted.mode != MODE_OFF)
		show_result(tc, t);
}
