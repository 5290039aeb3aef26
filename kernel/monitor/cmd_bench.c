/*
 * cmd_bench.c - what operations cost, from the monitor.
 *
 * THEORY.  The figures are ticks of the time-stamp counter: instructions only where the emulator
 * counts them (make bench), elsewhere the time of this machine or of the host.
 *
 * CONTEXT.  The monitor's thread.
 */
#include <quarry/bench.h>
#include <quarry/errno.h>
#include <quarry/monitor.h>
#include <quarry/string.h>

static QAPI int cmd_bench(struct out *o, int argc, char **argv)
{
	int nr_errors;

	if (argc > 2)
		return -EINVAL;
	if (argc == 2 && strcmp(argv[1], "list") == 0) {
		bench_list(o);
		return 0;
	}
	out_printf(o, "time-stamp ticks; they are instructions only under QEMU's -icount\n");
	nr_errors = bench_run(o, argc == 2 ? argv[1] : NULL);
	return nr_errors < 0 ? nr_errors : 0; /* a row's error is in its line */
}
MONITOR_COMMAND(bench, "[list | glob|...]",
		"ticks, which mean nothing but under `make bench`, of operations", cmd_bench);
