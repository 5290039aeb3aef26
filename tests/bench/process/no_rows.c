/*
 * no_rows.c - the benchmark of a process, which has none: its time-stamp counter counts time.
 */
#include <quarry/bench.h>
#include <quarry/errno.h>

QAPI int bench_run(struct out *o, const char *patterns)
{
	(void)o;
	(void)patterns;
	return -ENOENT;
}

QAPI void bench_list(struct out *o)
{
	(void)o;
}
