/*
 * Layer: kernel
 * bench.h - what operations cost, measured in the running kernel.
 *
 * A row is one operation, or an allocation and its free.  The figures are ticks of the time-stamp
 * counter.  Under QEMU's -icount shift=0 a tick is an instruction, and `make bench` compares them;
 * on any other machine they say nothing about instructions.
 */
#ifndef QUARRY_BENCH_H
#define QUARRY_BENCH_H

#include <quarry/compiler.h>
#include <quarry/out.h>

/**
 * bench_run - measure the rows whose name matches, and print a line for each.
 * @patterns: globs separated by '|', because names hold blanks and commas; NULL or "": all rows.
 *
 * The lines: bench row="NAME", then NAME=NUMBER, decimal, medians unless said otherwise:
 *
 *	alloc= free= pair=   of an allocation, of its free, of both
 *	cost=                of an operation that is no pair
 *	mean= min= max= n=   of the pair or the cost, and how many were measured
 *	error="TEXT"         instead of figures
 *
 * Every row begins with drained per-CPU lists, so that its figures do not depend on other rows, and
 * leaves as many free pages as it found, or that is its error.
 * Return:  rows with an error; -ENOENT when no row has such a name; -ENOMEM when the machine has
 *          too little free lowmem for a row to be honest.
 * Context: a thread that may sleep, one at a time.  Cost: seconds.
 */
QAPI int bench_run(struct out *o, const char *patterns);

/**
 * bench_list - print the names of all rows, one a line.
 *
 * Context: any.
 */
QAPI void bench_list(struct out *o);

#endif
