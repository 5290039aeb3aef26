/*
 * cmd_slab.c - commands that show slab caches and memory pools.
 *
 * THEORY.  As cmd_reports.c: every report is a function of mm/.
 *
 * CONTEXT.  The monitor's thread.
 *
 * NOT HERE.  Objects by hand: cmd_objects.c.
 */
#include <quarry/errno.h>
#include <quarry/mempool.h>
#include <quarry/monitor.h>
#include <quarry/slab.h>

static QAPI int cmd_slabinfo(struct out *o, int argc, char **argv)
{
	(void)argv;
	if (argc != 1)
		return -EINVAL;
	slabinfo_show(o);
	return 0;
}
MONITOR_COMMAND(slabinfo, "", "slab caches, as /proc/slabinfo", cmd_slabinfo);

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

static QAPI int cmd_mempools(struct out *o, int argc, char **argv)
{
	(void)argv;
	if (argc != 1)
		return -EINVAL;
	mempools_show(o);
	return 0;
}
MONITOR_COMMAND(mempools, "", "memory pools: what each holds in reserve, who made it",
		cmd_mempools);
