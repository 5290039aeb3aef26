/*
 * Layer: tests
 * faults_run.h - two faces: what the hooks around a test do while points are made to fail, or
 * nothing.
 */
#ifndef TESTS_FAULTS_RUN_H
#define TESTS_FAULTS_RUN_H

#include <quarry/config.h>
#include <quarry/ktest.h>

#if CONFIG_FAULT_INJECT

/* Before the world is noted; right before the test; right after it; once all was compared. */
QAPI void faults_prepare(struct ktest *t);
QAPI void faults_begin(void);
QAPI void faults_end(const struct ktest *t);
QAPI void faults_finish(const struct ktest *t);

/* In place of ktest_run_case(): what faults= says. */
QAPI void faults_run_case(const struct ktest_case *tc, struct ktest *t);

#else

static inline void faults_prepare(struct ktest *t)
{
	(void)t;
}

static inline void faults_begin(void)
{
}

static inline void faults_end(const struct ktest *t)
{
	(void)t;
}

static inline void faults_finish(const struct ktest *t)
{
	(void)t;
}

static inline QAPI void faults_run_case(const struct ktest_case *tc, struct ktest *t)
{
	ktest_run_case(tc, t);
}

#endif
#endif
