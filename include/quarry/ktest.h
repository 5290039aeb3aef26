/*
 * Layer: kernel
 * ktest.h - tests: how they are declared, what they say they need, and how they are run.
 *
 * A test's name is its claim.  The same test object runs in the kernel and in a host process:
 *
 *	KTEST(list, a_deleted_entry_is_no_longer_found) { EXPECT_TRUE(t, ...); }
 *	KTEST_NEEDS(buddy, highmem_is_given_last, .zones = KTEST_ZONE_HIGHMEM, .ram_mib = 1024)
 *	{
 *		...
 *	}
 *
 * The body gets `struct ktest *t`.  The linker collects the tests in the section "ktests".
 */
#ifndef QUARRY_KTEST_H
#define QUARRY_KTEST_H

#include <quarry/compiler.h>
#include <quarry/out.h>
#include <quarry/types.h>

/* Zones that must have memory. */
#define KTEST_ZONE_DMA     (1u << 0)
#define KTEST_ZONE_NORMAL  (1u << 1)
#define KTEST_ZONE_HIGHMEM (1u << 2)

/* Other things a test may need. */
#define KTEST_PSE        (1u << 0)  /* the CPU has 4 MiB pages */
#define KTEST_PGE        (1u << 1)  /* the CPU has global pages */
#define KTEST_LONG       (1u << 2)  /* it was allowed to take long: long=1 */
#define KTEST_MODULE     (1u << 3)  /* the loader gave a module at least */
#define KTEST_KERNEL     (1u << 4)  /* a real kernel below, no process */
#define KTEST_MULTIBOOT1 (1u << 5)  /* the loader spoke multiboot1 */
#define KTEST_MULTIBOOT2 (1u << 6)  /* the loader spoke multiboot2 */
#define KTEST_PAGE_OWNER (1u << 7)  /* pages are recorded: page_owner=1 */
#define KTEST_EDU        (1u << 8)  /* the machine has QEMU's device edu */
#define KTEST_PAT        (1u << 9)  /* the CPU has a PAT: write-combining mappings */
#define KTEST_LAPIC      (1u << 10) /* the CPU has a local APIC */
#define KTEST_SCREEN     (1u << 11) /* a text screen is a console */
#define KTEST_PIXELS     (1u << 12) /* a framebuffer is a console */
#define KTEST_IMAGE      (1u << 13) /* the kernel's text, data and stack are in the direct map */
#define KTEST_BY_SEED    (1u << 14) /* its CPUs run one at a time, drawn from a seed */
#define KTEST_FEATURE_NR 15u

/* What must be there for a test to make sense; all 0: it always applies. */
struct ktest_needs {
	unsigned int zones;      /* KTEST_ZONE_* */
	unsigned int ram_mib;    /* usable RAM, MiB, at least */
	unsigned int lowmem_mib; /* end of lowmem, MiB, at least */
	unsigned int cpus;       /* online CPUs, at least */
	unsigned int features;   /* KTEST_PSE ... */
};

struct ktest;

struct ktest_case {
	const char *suite;
	const char *name;
	const char *file;
	QAPI void (*fn)(struct ktest *t);
	struct ktest_needs needs;
};

#define KTEST_SEEN_ERRNO_MAX 32u /* different (errno, function) pairs in one test */
#define KTEST_SEEN_GFP_MAX   64u /* different gfp masks kept until they are printed */

/* One run of one test. */
struct ktest {
	const struct ktest_case *tc;
	unsigned int nr_failed; /* expectations that did not hold */
	uint64_t seed;          /* of this run; shown when the test first asks for a number */
	uint64_t rng;
	uint64_t base; /* of all its numbers */
	bool rng_used;
	bool goes_on; /* what ends a test does not end this one: it is to give back what it took */

	unsigned int nr_errnos;
	struct {
		const char *err;    /* "-EINVAL" */
		const char *callee; /* text that begins with the function's name */
		size_t callee_len;  /* bytes of that name */
	} errnos[KTEST_SEEN_ERRNO_MAX];
	unsigned int nr_gfps;
	gfp_t gfps[KTEST_SEEN_GFP_MAX];
};

/* What the environment (the kernel, a process) supplies; any pointer may be NULL. */
struct ktest_hooks {
	/* Can this run meet @needs?  NULL: only those of tests that need nothing. */
	QAPI bool (*applies)(const struct ktest_needs *needs);
	/* Around each test; may fail it with ktest_fail(), for leaving the world changed. */
	QAPI void (*before)(struct ktest *t);
	QAPI void (*after)(struct ktest *t);
	/* In place of ktest_run_case(): may run it more than once, and fail @t; NULL: once. */
	QAPI void (*run)(const struct ktest_case *tc, struct ktest *t);
	/* The flags of @gfp by name, blanks between. */
	QAPI void (*print_gfp)(struct out *o, gfp_t gfp);
	uint64_t seed;       /* of all random tests */
	unsigned long steps; /* of random walks; 0: each test's own number */
	/* A bit for each step that is to be taken, written down as C; NULL: all, in silence. */
	const unsigned char *only;
	unsigned long nr_only;
};

/**
 * ktest_register_hooks - use @hooks from now on; it must stay.
 */
QAPI void ktest_register_hooks(const struct ktest_hooks *hooks);

/**
 * ktest_run - run the tests whose suite.name matches, printing KTAP on out_console.
 * @patterns: globs separated by commas; NULL or "" means all tests.
 *
 * Return:  tests that failed; 1 when no test has such a name at all.
 * Context: thread or boot; the tests' own.
 */
QAPI unsigned int ktest_run(const char *patterns);

/**
 * ktest_run_case - one run of one test, between the hooks; only failures are printed.
 * @t: its tc and seed are set, all else is 0.
 */
QAPI void ktest_run_case(const struct ktest_case *tc, struct ktest *t);

/**
 * ktest_list - print every test with its needs, a line each: "# test suite.name needs=...".
 *
 * Context: thread.
 */
QAPI void ktest_list(struct out *o);

/**
 * ktest_fail - count a failure of @t and print it.  For the macros below and the hooks.
 */
void ktest_fail(struct ktest *t, const char *file, int line, const char *fmt, ...) __printf(4, 5);

/**
 * ktest_random - the next 32 bits of the test's own random sequence.
 *
 * The first call prints the seed; the same seed and test give the same sequence.
 */
QAPI uint32_t ktest_random(struct ktest *t);

/**
 * ktest_random_below - a random number in [0, @limit); @limit is not 0.
 */
QAPI uint32_t ktest_random_below(struct ktest *t, uint32_t limit);

/**
 * ktest_steps - the length of a random walk: what the run was told, otherwise @default_steps.
 */
QAPI unsigned long ktest_steps(const struct ktest *t, unsigned long default_steps);

/**
 * ktest_step - begin a step of a random walk.
 * @nr: its number; each number once.
 *
 * The step's random numbers depend on the seed, the test and @nr alone: it does the same when
 * others are left out, which is how tools/reduce.py finds those that a failure needs.
 * Return:  false: this one is left out.
 */
QAPI bool ktest_step(struct ktest *t, unsigned long nr);

/**
 * ktest_tell - write a step down as a line of C, if that was asked for.
 */
void ktest_tell(struct ktest *t, const char *fmt, ...) __printf(2, 3);

/* Are steps left out?  Then how much a walk achieved says nothing. */
QAPI bool ktest_is_reduced(const struct ktest *t);

/* For the macros below. */
QAPI bool ktest_expect_streq(struct ktest *t, const char *want, const char *got,
			     const char *got_text, const char *file, int line);
QAPI void ktest_saw_errno(struct ktest *t, const char *err, const char *expr);
QAPI gfp_t ktest_saw_gfp(struct ktest *t, gfp_t gfp);

/* gcc puts out variables last to first unless told otherwise: tests are to run as written. */
#if defined(__clang__)
#define KTEST_IN_ORDER
#else
#define KTEST_IN_ORDER __attribute__((no_reorder))
#endif

/*
 * The table entry is aligned by hand, or the compiler would align it to 32 bytes and the entries
 * of several objects would not lie side by side.
 */
#define KTEST_ENTRY __used __section("ktests") __aligned(sizeof(void *)) KTEST_IN_ORDER

#define KTEST_NEEDS(suite_, name_, ...)                                         \
	static QAPI void ktest_fn_##suite_##_##name_(struct ktest *t);          \
	static const struct ktest_case KTEST_ENTRY ktest_##suite_##_##name_ = { \
		.suite = #suite_,                                               \
		.name = #name_,                                                 \
		.file = __FILE__,                                               \
		.fn = ktest_fn_##suite_##_##name_,                              \
		.needs = { __VA_ARGS__ },                                       \
	};                                                                      \
	static QAPI void ktest_fn_##suite_##_##name_(struct ktest *t)

#define KTEST(suite_, name_) KTEST_NEEDS(suite_, name_, 0)

/* An integer or a pointer as 64 bits: signed values keep their value, pointers are unsigned. */
#define KTEST_POINTER_CLASS 5 /* what __builtin_classify_type() says of a pointer */
#define KTEST_INT(x)                                                                         \
	((long long)__builtin_choose_expr(__builtin_classify_type(x) == KTEST_POINTER_CLASS, \
					  (uintptr_t)(x), (x)))

/* Value of a statement expression: did it hold? */
#define KTEST_COMPARE(t, want, op, got, got_text)                                          \
	({                                                                                 \
		long long want_ = KTEST_INT(want);                                         \
		long long got_ = KTEST_INT(got);                                           \
		bool held_ = got_ op want_;                                                \
                                                                                           \
		if (unlikely(!held_))                                                      \
			ktest_fail((t), __FILE__, __LINE__,                                \
				   "expected %s " #op " %lld (0x%llx), got %lld (0x%llx)", \
				   got_text, want_, want_, got_, got_);                    \
		held_;                                                                     \
	})

#define KTEST_TRUTH(t, truth, cond, cond_text)                                                 \
	({                                                                                     \
		bool held_ = (cond) ? (truth) : !(truth);                                      \
                                                                                               \
		if (unlikely(!held_))                                                          \
			ktest_fail((t), __FILE__, __LINE__, "expected %s to be %s", cond_text, \
				   (truth) ? "true" : "false");                                \
		held_;                                                                         \
	})

/*
 * Expectations: a failure is printed and counted, the test goes on.  Integers are compared as
 * 64-bit signed values, pointers by address.
 */
#define EXPECT_EQ(t, want, got)  ((void)KTEST_COMPARE(t, want, ==, got, #got))
#define EXPECT_NE(t, other, got) ((void)KTEST_COMPARE(t, other, !=, got, #got))
#define EXPECT_LE(t, limit, got) ((void)KTEST_COMPARE(t, limit, <=, got, #got))
#define EXPECT_GE(t, limit, got) ((void)KTEST_COMPARE(t, limit, >=, got, #got))
#define EXPECT_TRUE(t, cond)     ((void)KTEST_TRUTH(t, true, cond, #cond))
#define EXPECT_FALSE(t, cond)    ((void)KTEST_TRUTH(t, false, cond, #cond))
#define EXPECT_STREQ(t, want, got) \
	((void)ktest_expect_streq(t, want, got, #got, __FILE__, __LINE__))

/* The same, but a failure ends the test: for what the rest of it stands on. */
#define KTEST_OR_RETURN(t, held)                  \
	do {                                      \
		if (!(held) && !KTEST_GOES_ON(t)) \
			return;                   \
	} while (0)

/*
 * Calls that a point made fail are made again before a test that goes on sees them, so what the
 * rest stands on holds: the analyzer is not to follow a path on which it does not.
 */
#ifdef __clang_analyzer__
#define KTEST_GOES_ON(t) false
#else
#define KTEST_GOES_ON(t) ((t)->goes_on)
#endif

#define ASSERT_EQ(t, want, got)  KTEST_OR_RETURN(t, KTEST_COMPARE(t, want, ==, got, #got))
#define ASSERT_NE(t, other, got) KTEST_OR_RETURN(t, KTEST_COMPARE(t, other, !=, got, #got))
#define ASSERT_LE(t, limit, got) KTEST_OR_RETURN(t, KTEST_COMPARE(t, limit, <=, got, #got))
#define ASSERT_GE(t, limit, got) KTEST_OR_RETURN(t, KTEST_COMPARE(t, limit, >=, got, #got))
#define ASSERT_TRUE(t, cond)     KTEST_OR_RETURN(t, KTEST_TRUTH(t, true, cond, #cond))
#define ASSERT_FALSE(t, cond)    KTEST_OR_RETURN(t, KTEST_TRUTH(t, false, cond, #cond))
#define ASSERT_STREQ(t, want, got) \
	KTEST_OR_RETURN(t, ktest_expect_streq(t, want, got, #got, __FILE__, __LINE__))

/* @expr returns the error @err (written -EINVAL): recorded for the coverage table. */
#define EXPECT_ERR(t, err, expr)                            \
	do {                                                \
		if (KTEST_COMPARE(t, err, ==, expr, #expr)) \
			ktest_saw_errno((t), #err, #expr);  \
	} while (0)

/* @gfp, whose flags the test passes on; recorded for the coverage table. */
#define T_GFP(t, gfp) ktest_saw_gfp((t), (gfp))

#endif
