/*
 * Layer: kernel
 * tests.h - the tests linked into the kernel, as the kernel sees them.
 */
#ifndef QUARRY_TESTS_H
#define QUARRY_TESTS_H

#include <quarry/bootinfo.h>
#include <quarry/compiler.h>
#include <quarry/out.h>
#include <quarry/types.h>

/* What the command line and the loader say about a run. */
struct tests_setup {
	const struct bootinfo *bi; /* must stay */
	uint64_t seed;
	unsigned long steps; /* of random walks; 0: each test's own number */
	bool may_take_long;
};

/**
 * tests_init - get ready for ktest_run(): register the kernel's hooks and remember the modules.
 *
 * Context: boot, once, with the page allocator up.
 */
QAPI void tests_init(const struct tests_setup *setup);

/**
 * faults_parse - which points of the tests are to fail: the words are in tests/faults.c.
 *
 * Return:  0, or -EINVAL.
 * Context: boot; a thread, between tests.
 */
QAPI int faults_parse(const char *text);

/**
 * death_commit - commit the crime called @name, which the kernel is expected not to survive.
 *
 * Return:  -ENOENT when no crime has that name; 0 when the kernel did survive it (which is
 *          printed).
 * Context: thread.
 */
QAPI int death_commit(const char *name);

/**
 * death_show - print the names of all crimes, one a line.
 */
QAPI void death_show(struct out *o);

#endif
