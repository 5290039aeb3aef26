/*
 * fuzz_target.h - what the two halves of a fuzzing program know of each other.
 *
 * host_fuzz.c is compiled against libc and sees nothing of ours but this; everything else is
 * compiled as a kernel is and sees nothing of libc.  Hence plain C types and the host's convention.
 */
#ifndef TESTS_FUZZ_FUZZ_TARGET_H
#define TESTS_FUZZ_FUZZ_TARGET_H

/* Where an input runs. */
enum fuzz_where {
	FUZZ_IN_PROCESS, /* in the fuzzer: for functions without state */
	FUZZ_IN_CHILD,   /* in a child: what it changes is gone afterwards */
};

/*
 * One per program, called fuzz_target.  An input is @header bytes, then records of @record bytes
 * each, which a reproduction is reduced by; a record of 0: the input has no such parts.
 */
struct fuzz_target {
	const char *name;
	enum fuzz_where where;
	unsigned long header;
	unsigned long record;
	unsigned long size_max; /* bytes: what is beyond is cut off */
	void (*run)(const unsigned char *data, unsigned long size);
	/* Write down what gives back all that is held, where a run broke off; NULL: nothing. */
	void (*end)(void);
};

extern const struct fuzz_target fuzz_target;

/*
 * The glue of a kind of target.  fuzz_setup(): once, in the fuzzer.  fuzz_enter(): run an input,
 * in whatever it needs around it; it may end in host_exit().
 */
void fuzz_setup(void);
void fuzz_enter(const unsigned char *data, unsigned long size);

/* ---- libc's half ------------------------------------------------------------------------- */

/* Is this the last run of a reduced input, whose steps are to be written down? */
extern int fuzz_tracing;

/* Add a line to what is written down. */
void fuzz_trace_line(const char *line);

/* libc's own, which do in one call what a loop under sanitizers would take long for. */
void host_fill(void *to, int byte, unsigned long size);
int host_holds(const void *at, int byte, unsigned long size);

#endif
