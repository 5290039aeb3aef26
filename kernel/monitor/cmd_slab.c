/*
 * cmd_slab.c - the command that shows one slab cache.
 *
 * THEORY.  As cmd_reports.c: every report is a function of mm/.
 *
 * CONTEXT.  The monitor's thread.
 *
 * NOT HERE.  All caches: cmd_reports.c.  Objects by hand: cmd_objects.c.
 */
#include <quarry/errno.h>
#include <quarry/monitor.h>
#include <quarry/slab.h>

static QAPI int cmd_slab(struct out *o, int argc, char **argv)
{
	struct kmem_cache *c;

	if (argc != 2)
		return -EINVAL;
	c = slab_cache_find(argv[1]);
	if (!c)
		return -ENOENT;
	slab_cache_show(o, c);
	return 0;
}
MONITOR_COMMAND(slab, "<cache>", "one cache: geometry, counts, magazines, its slabs", cmd_slab);
