/*
 * Layer: tests
 * rows.h - how a row of the benchmark is written.
 *
 * A row is a bracket, a function that reads the time-stamp counter before, between and after what
 * is measured, so that nothing else stands there: all arithmetic is the runner's.  In `take` and
 * `give` the name obj is a void * of the bracket's own.
 *
 *	BENCH_PAIR("alloc_page", 1001, NULL, 0, obj = alloc_page(GFP_KERNEL), __free_page(obj));
 */
#ifndef TESTS_BENCH_ROWS_H
#define TESTS_BENCH_ROWS_H

#include <quarry/compiler.h>
#include <quarry/out.h>
#include <quarry/types.h>

#define BENCH_MANY 1001u /* brackets of a row, if nothing speaks against it */

enum bench_kind {
	BENCH_KIND_PAIR,   /* bracket(): stamps 0, 1, 2 around an allocation and its free */
	BENCH_KIND_ONE,    /* bracket(): stamps 0, 1 */
	BENCH_KIND_EACH,   /* fill() and drain(): nr allocations, then nr frees */
	BENCH_KIND_ROUNDS, /* prepare() and bracket(), stamps 0, 1; the mean of a round of nr */
};

enum bench_order { BENCH_LIFO, BENCH_FIFO, BENCH_SHUFFLED };

struct bench_row;

/* What several rows need around them.  up() is false when there is no memory for it. */
struct bench_stage {
	QAPI bool (*up)(unsigned long arg);
	QAPI void (*down)(void);
};

struct bench_row {
	const char *name;
	enum bench_kind kind;
	enum bench_order order; /* of the frees of a batch */
	unsigned int nr;        /* brackets; objects of a batch, BENCH_EACH_MAX at most */
	const struct bench_stage *stage;
	unsigned long arg; /* for the stage; bench_arg meanwhile */
	QAPI void (*bracket)(void);
	QAPI void (*prepare)(void);
	QAPI void (*fill)(void **objs, unsigned int nr);
	QAPI void (*drain)(void **objs, unsigned int nr);
};

#define BENCH_EACH_MAX 10000u

/* Filled by brackets.  Static, so that a stamp is stored by one instruction. */
extern uint32_t bench_stamps[3];

/* The row's arg, as a number that no compiler knows. */
extern unsigned long bench_arg;

/* A number in [0, @limit), the same ones for a row in every run. */
QAPI uint32_t bench_random_below(uint32_t limit);

/**
 * bench_measure - run one row, which need not be in the table, and print its line.
 *
 * Return:  false when it printed an error.
 * Context: a thread, with interrupts on and no source of them; @room has BENCH_ROOM_ORDER.
 */
QAPI bool bench_measure(struct out *o, const struct bench_row *row, void *room);

#define BENCH_ROOM_ORDER 4u /* of the pages that hold samples and objects */

/* ---- declaring rows ---------------------------------------------------------------------- */

/* Two instructions; nothing moves across. */
#define BENCH_STAMP(i)                             \
	__asm__ volatile("rdtsc\n\tmovl %%eax, %0" \
			 : "=m"(bench_stamps[i])   \
			 :                         \
			 : "eax", "edx", "memory")

/* The compiler must make @x, and know nothing of it. */
#define BENCH_USE(x)  __asm__ volatile("" : : "r"(x) : "memory")
#define BENCH_HIDE(x) __asm__ volatile("" : "+r"(x) : : "memory")

#define BENCH_PASTE2(a, b) a##b
#define BENCH_PASTE(a, b)  BENCH_PASTE2(a, b)

#if defined(__clang__)
#define BENCH_IN_ORDER
#else
#define BENCH_IN_ORDER __attribute__((no_reorder))
#endif

/* Aligned by hand, as the section is an array: the compiler may like larger alignments. */
#define BENCH_ROW(id)                                                                          \
	static const struct bench_row __used __section("bench_rows") __aligned(sizeof(void *)) \
		BENCH_IN_ORDER                                                                 \
		BENCH_PASTE(bench_row_, id)

#define BENCH_PAIR_ID(id, name_, nr_, stage_, arg_, take, give) \
	static QAPI void BENCH_PASTE(bench_bracket_, id)(void)  \
	{                                                       \
		void *obj __maybe_unused;                       \
                                                                \
		BENCH_STAMP(0);                                 \
		take;                                           \
		BENCH_STAMP(1);                                 \
		give;                                           \
		BENCH_STAMP(2);                                 \
	}                                                       \
	BENCH_ROW(id) = { .name = name_ " pair",                \
			  .kind = BENCH_KIND_PAIR,              \
			  .nr = nr_,                            \
			  .stage = stage_,                      \
			  .arg = arg_,                          \
			  .bracket = BENCH_PASTE(bench_bracket_, id) }

#define BENCH_ONE_ID(id, name_, nr_, stage_, arg_, what)       \
	static QAPI void BENCH_PASTE(bench_bracket_, id)(void) \
	{                                                      \
		BENCH_STAMP(0);                                \
		what;                                          \
		BENCH_STAMP(1);                                \
	}                                                      \
	BENCH_ROW(id) = { .name = name_,                       \
			  .kind = BENCH_KIND_ONE,              \
			  .nr = nr_,                           \
			  .stage = stage_,                     \
			  .arg = arg_,                         \
			  .bracket = BENCH_PASTE(bench_bracket_, id) }

#define BENCH_EACH_ID(id, name_, nr_, order_, stage_, arg_, take, give)                   \
	static QAPI void BENCH_PASTE(bench_fill_, id)(void **objs, unsigned int nr_objs)  \
	{                                                                                 \
		for (unsigned int i = 0; i < nr_objs; i++) {                              \
			void *obj;                                                        \
                                                                                          \
			take;                                                             \
			objs[i] = obj;                                                    \
		}                                                                         \
	}                                                                                 \
	static QAPI void BENCH_PASTE(bench_drain_, id)(void **objs, unsigned int nr_objs) \
	{                                                                                 \
		for (unsigned int i = 0; i < nr_objs; i++) {                              \
			void *obj = objs[(order_) == BENCH_LIFO ? nr_objs - 1 - i : i];   \
                                                                                          \
			give;                                                             \
		}                                                                         \
	}                                                                                 \
	BENCH_ROW(id) = { .name = name_ " alloc + free, each",                            \
			  .kind = BENCH_KIND_EACH,                                        \
			  .order = order_,                                                \
			  .nr = nr_,                                                      \
			  .stage = stage_,                                                \
			  .arg = arg_,                                                    \
			  .fill = BENCH_PASTE(bench_fill_, id),                           \
			  .drain = BENCH_PASTE(bench_drain_, id) }

/* An allocation and its free. */
#define BENCH_PAIR(name, nr, stage, arg, take, give) \
	BENCH_PAIR_ID(__COUNTER__, name, nr, stage, arg, take, give)

/* Anything else that is done at once. */
#define BENCH_ONE(name, nr, stage, arg, what) BENCH_ONE_ID(__COUNTER__, name, nr, stage, arg, what)

/* @nr allocations, then as many frees, in the order that @order says. */
#define BENCH_EACH(name, nr, order, stage, arg, take, give) \
	BENCH_EACH_ID(__COUNTER__, name, nr, order, stage, arg, take, give)

#endif
