/*
 * ktest.c - runs the tests that the linker collected and reports in KTAP.
 *
 * THEORY.  The section "ktests" is an array; its order is that of the link.  A run selects by
 * name (globs) and by need (a hook of the environment), prints what does not apply, the plan, and
 * a line for each test.  Diagnostics are lines that begin with '#'.
 *
 *	KTAP version 1
 *	# not-applicable buddy.highmem_is_given_last needs=highmem,ram>=1024M
 *	1..2
 *	ok 1 list.a_deleted_entry_is_no_longer_found
 *	# seen errno -EINVAL parse_u64
 *	# list.b: tests/x.c:33: expected f() == 1 (0x1), got 2 (0x2)
 *	not ok 2 list.b
 *	# totals: pass=1 fail=1 not-applicable=1
 *
 * Random numbers: each test has its own sequence, made of the run's seed and the test's name, so
 * that a test run alone repeats what it did in the whole suite.
 *
 * STATE.  The hooks.  A run's state is on its stack.
 *
 * CONTEXT.  One run at a time, in boot or in a thread.
 *
 * SOURCES.  KTAP: the Linux kernel's test output format, version 1.  The generator is splitmix64:
 * Steele, Lea and Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014.
 */
#include <quarry/ktest.h>

#include <quarry/printk.h>
#include <quarry/string.h>

#define FULL_NAME_MAX   160u /* suite.name */
#define MAX_DIAGNOSTICS 20u  /* failures printed of one test */

/* The bounds of the section "ktests": linker.ld. */
extern const struct ktest_case ktests_start[];
extern const struct ktest_case ktests_end[];

static const struct ktest_hooks no_hooks;
static const struct ktest_hooks *hooks = &no_hooks;

QAPI void ktest_register_hooks(const struct ktest_hooks *h)
{
	hooks = h;
}

static void full_name(const struct ktest_case *tc, char *buf, size_t size)
{
	snprintf(buf, size, "%s.%s", tc->suite, tc->name);
}

/* Does @name match one of the globs in @patterns? */
static bool name_selected(const char *name, const char *patterns)
{
	char glob[FULL_NAME_MAX];

	if (!patterns || !*patterns)
		return true;
	while (*patterns) {
		const char *comma = strchr(patterns, ',');
		size_t len = comma ? (size_t)(comma - patterns) : strlen(patterns);

		if (len < sizeof(glob)) {
			memcpy(glob, patterns, len);
			glob[len] = '\0';
			if (glob_match(glob, name))
				return true;
		}
		patterns += comma ? len + 1 : len;
	}
	return false;
}

static bool case_selected(const struct ktest_case *tc, const char *patterns)
{
	char name[FULL_NAME_MAX];

	full_name(tc, name, sizeof(name));
	return name_selected(name, patterns);
}

static bool case_applies(const struct ktest_case *tc)
{
	const struct ktest_needs *n = &tc->needs;

	if (hooks->applies)
		return hooks->applies(n);
	return !n->zones && !n->ram_mib && !n->lowmem_mib && !n->cpus && !n->features;
}

static const char *const zone_names[] = { "dma", "normal", "highmem" };
static const char *const feature_names[KTEST_FEATURE_NR] = {
	"pse", "pge", "long",  "module", "kernel", "multiboot1", "multiboot2", "page_owner",
	"edu", "pat", "lapic", "screen", "pixels", "image",      "by_seed",
};

/* Append the names of the set bits of @bits, commas between. */
static void append_bits(char *buf, size_t size, unsigned int bits, const char *const *names,
			unsigned int nr_names)
{
	for (unsigned int i = 0; i < nr_names; i++) {
		size_t len = strlen(buf);

		if (bits & 1u << i)
			snprintf(buf + len, size - len, "%s%s", len ? "," : "", names[i]);
	}
}

/* Append "@what@figure@unit" unless @figure is 0. */
static void append_figure(char *buf, size_t size, const char *what, unsigned int figure,
			  const char *unit)
{
	size_t len = strlen(buf);

	if (figure)
		snprintf(buf + len, size - len, "%s%s%u%s", len ? "," : "", what, figure, unit);
}

/* One line: what is to be said of @tc, its name, its needs. */
static void print_case(struct out *o, const char *what, const struct ktest_case *tc)
{
	char needs[FULL_NAME_MAX] = "";

	append_bits(needs, sizeof(needs), tc->needs.zones, zone_names, ARRAY_SIZE(zone_names));
	append_figure(needs, sizeof(needs), "ram>=", tc->needs.ram_mib, "M");
	append_figure(needs, sizeof(needs), "lowmem>=", tc->needs.lowmem_mib, "M");
	append_figure(needs, sizeof(needs), "cpus>=", tc->needs.cpus, "");
	append_bits(needs, sizeof(needs), tc->needs.features, feature_names, KTEST_FEATURE_NR);
	out_printf(o, "# %s %s.%s needs=%s\n", what, tc->suite, tc->name, needs);
}

QAPI void ktest_list(struct out *o)
{
	for (const struct ktest_case *tc = ktests_start; tc < ktests_end; tc++)
		print_case(o, "test", tc);
}

void ktest_fail(struct ktest *t, const char *file, int line, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	t->nr_failed++;
	if (t->nr_failed > MAX_DIAGNOSTICS)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	console_fresh_line();
	out_printf(&out_console, "# %s.%s: %s:%d: %s\n", t->tc->suite, t->tc->name, file, line,
		   text);
	if (t->nr_failed == MAX_DIAGNOSTICS)
		out_printf(&out_console, "# %s.%s: further failures are only counted\n",
			   t->tc->suite, t->tc->name);
}

QAPI bool ktest_expect_streq(struct ktest *t, const char *want, const char *got,
			     const char *got_text, const char *file, int line)
{
	if (got && !strcmp(want, got))
		return true;
	ktest_fail(t, file, line, "expected %s == \"%s\", got \"%s\"", got_text, want, got);
	return false;
}

static uint64_t mix64(uint64_t x)
{
	x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9ull;
	x = (x ^ x >> 27) * 0x94D049BB133111EBull;
	return x ^ x >> 31;
}

/* The run's seed, made different for each test. */
static uint64_t case_seed(const struct ktest_case *tc, uint64_t seed)
{
	for (const char *p = tc->suite; *p; p++)
		seed = mix64(seed + (unsigned char)*p);
	for (const char *p = tc->name; *p; p++)
		seed = mix64(seed + (unsigned char)*p);
	return seed;
}

static void start_numbers(struct ktest *t)
{
	if (t->rng_used)
		return;
	console_fresh_line();
	out_printf(&out_console, "# %s.%s: seed=%llu\n", t->tc->suite, t->tc->name,
		   (unsigned long long)t->seed);
	t->base = case_seed(t->tc, t->seed);
	t->rng = t->base;
	t->rng_used = true;
}

QAPI bool ktest_step(struct ktest *t, unsigned long nr)
{
	start_numbers(t);
	t->rng = mix64(t->base ^ (nr + 1));
	return !hooks->only || (nr < hooks->nr_only && hooks->only[nr / 8] >> nr % 8 & 1);
}

QAPI bool ktest_is_reduced(const struct ktest *t)
{
	(void)t;
	return hooks->only;
}

void ktest_tell(struct ktest *t, const char *fmt, ...)
{
	char text[256];
	va_list args;

	if (!ktest_is_reduced(t))
		return;
	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	console_fresh_line();
	out_printf(&out_console, "#C %s\n", text);
}

QAPI uint32_t ktest_random(struct ktest *t)
{
	start_numbers(t);
	t->rng += 0x9E3779B97F4A7C15ull; /* 2^64 / the golden ratio, odd: visits every value */
	return (uint32_t)(mix64(t->rng) >> 32);
}

QAPI uint32_t ktest_random_below(struct ktest *t, uint32_t limit)
{
	/* The upper half of a 64-bit product: no division, and a bias below limit / 2^32. */
	return (uint32_t)((uint64_t)ktest_random(t) * limit >> 32);
}

QAPI unsigned long ktest_steps(const struct ktest *t, unsigned long default_steps)
{
	(void)t;
	return hooks->steps ? hooks->steps : default_steps;
}

/* The length of the function's name in the text of a call. */
static size_t callee_len(const char *expr)
{
	const char *paren = strchr(expr, '(');

	return paren ? (size_t)(paren - expr) : strlen(expr);
}

QAPI void ktest_saw_errno(struct ktest *t, const char *err, const char *expr)
{
	size_t len = callee_len(expr);

	for (unsigned int i = 0; i < t->nr_errnos; i++)
		if (!strcmp(t->errnos[i].err, err) && t->errnos[i].callee_len == len &&
		    !strncmp(t->errnos[i].callee, expr, len))
			return;
	if (t->nr_errnos == KTEST_SEEN_ERRNO_MAX) {
		ktest_fail(t, __FILE__, __LINE__, "more than %u errors to remember: split the test",
			   KTEST_SEEN_ERRNO_MAX);
		return;
	}
	t->errnos[t->nr_errnos].err = err;
	t->errnos[t->nr_errnos].callee = expr;
	t->errnos[t->nr_errnos].callee_len = len;
	t->nr_errnos++;
}

static void flush_gfps(struct ktest *t)
{
	for (unsigned int i = 0; i < t->nr_gfps; i++) {
		out_printf(&out_console, "# seen gfp ");
		if (hooks->print_gfp)
			hooks->print_gfp(&out_console, t->gfps[i]);
		else
			out_printf(&out_console, "%#x", t->gfps[i]);
		out_printf(&out_console, "\n");
	}
	t->nr_gfps = 0;
}

QAPI gfp_t ktest_saw_gfp(struct ktest *t, gfp_t gfp)
{
	for (unsigned int i = 0; i < t->nr_gfps; i++)
		if (t->gfps[i] == gfp)
			return gfp;
	if (t->nr_gfps == KTEST_SEEN_GFP_MAX)
		flush_gfps(t);
	t->gfps[t->nr_gfps++] = gfp;
	return gfp;
}

static void flush_errnos(struct ktest *t)
{
	for (unsigned int i = 0; i < t->nr_errnos; i++)
		out_printf(&out_console, "# seen errno %s %.*s\n", t->errnos[i].err,
			   (int)t->errnos[i].callee_len, t->errnos[i].callee);
	t->nr_errnos = 0;
}

QAPI void ktest_run_case(const struct ktest_case *tc, struct ktest *t)
{
	if (hooks->before)
		hooks->before(t);
	tc->fn(t);
	if (hooks->after)
		hooks->after(t);
}

/* Run one test and print its result; did it pass? */
static bool run_case(const struct ktest_case *tc, unsigned int number)
{
	struct ktest t = { .tc = tc, .seed = hooks->seed };

	if (hooks->run)
		hooks->run(tc, &t);
	else
		ktest_run_case(tc, &t);
	console_fresh_line();
	out_printf(&out_console, "%s %u %s.%s\n", t.nr_failed ? "not ok" : "ok", number, tc->suite,
		   tc->name);
	flush_errnos(&t);
	flush_gfps(&t);
	return !t.nr_failed;
}

QAPI unsigned int ktest_run(const char *patterns)
{
	unsigned int nr_selected = 0, nr_apply = 0, nr_failed = 0, number = 0;

	console_fresh_line();
	out_printf(&out_console, "KTAP version 1\n");
	for (const struct ktest_case *tc = ktests_start; tc < ktests_end; tc++) {
		if (!case_selected(tc, patterns))
			continue;
		nr_selected++;
		if (case_applies(tc))
			nr_apply++;
		else
			print_case(&out_console, "not-applicable", tc);
	}
	out_printf(&out_console, "1..%u\n", nr_apply);
	for (const struct ktest_case *tc = ktests_start; tc < ktests_end; tc++)
		if (case_selected(tc, patterns) && case_applies(tc))
			nr_failed += !run_case(tc, ++number);
	out_printf(&out_console, "# totals: pass=%u fail=%u not-applicable=%u\n",
		   nr_apply - nr_failed, nr_failed, nr_selected - nr_apply);
	if (nr_selected)
		return nr_failed;
	out_printf(&out_console, "# no test is called %s\n", patterns ? patterns : "anything");
	return 1;
}
