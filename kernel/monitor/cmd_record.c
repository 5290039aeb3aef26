/*
 * cmd_record.c - the command that records allocations.
 *
 * THEORY.  The recorder is mm/'s: <quarry/alloc_trace.h>.  A dump goes to the monitor's sink, which
 * is the log from which the host makes a trace.
 *
 * CONTEXT.  The monitor's thread.
 */
#include <quarry/alloc_trace.h>
#include <quarry/cmdline.h>
#include <quarry/errno.h>
#include <quarry/monitor.h>
#include <quarry/sizes.h>
#include <quarry/string.h>

#define DEFAULT_SIZE (1 * MiB)

static int start(const char *text)
{
	uint64_t size = DEFAULT_SIZE;
	const char *end = "";

	if (text && (parse_size(text, &end, &size) || *end || size > ALLOC_TRACE_SIZE_MAX))
		return -EINVAL;
	return alloc_trace_start((size_t)size);
}

static void show_status(struct out *o)
{
	struct alloc_trace_status s;

	alloc_trace_get_status(&s);
	out_printf(o, "recording=%s records=%lu room=%lu dropped=%lu\n", s.on ? "on" : "off",
		   s.nr_records, s.nr_max, s.nr_dropped);
}

static int end(struct out *o, const char *word)
{
	if (!strcmp(word, "dump"))
		return alloc_trace_dump(o);
	if (!strcmp(word, "off"))
		alloc_trace_stop();
	else if (!strcmp(word, "free"))
		alloc_trace_free();
	else
		return -EINVAL;
	show_status(o);
	return 0;
}

static QAPI int cmd_record(struct out *o, int argc, char **argv)
{
	int err;

	if (argc > 3 || (argc == 3 && strcmp(argv[1], "on")))
		return -EINVAL;
	if (argc == 1) {
		show_status(o);
		return 0;
	}
	if (strcmp(argv[1], "on"))
		return end(o, argv[1]);
	err = start(argc == 3 ? argv[2] : NULL);
	if (!err)
		show_status(o);
	return err;
}
MONITOR_COMMAND(record, "[on [SIZE] | off | dump | free]",
		"record every allocation and free into a ring of SIZE bytes; print it", cmd_record);
