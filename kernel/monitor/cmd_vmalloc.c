/*
 * cmd_vmalloc.c - areas of vmalloc() by hand.
 *
 * THEORY.  As `kmalloc` and `kfree`: what was handed out is remembered, and `vfree` takes only what
 * is.
 *
 * STATE.  A table of areas; a slot is free when its address is NULL.
 *
 * CONTEXT.  The monitor's thread.
 */
#include <quarry/errno.h>
#include <quarry/monitor.h>
#include <quarry/out.h>
#include <quarry/vmalloc.h>

#define NR_HELD 64u

static void *table[NR_HELD];

/* NULL finds a free slot. */
static void **find_held(const void *va)
{
	for (unsigned int i = 0; i < NR_HELD; i++) {
		if (table[i] == va)
			return &table[i];
	}
	return NULL;
}

static QAPI int cmd_vmalloc(struct out *o, int argc, char **argv)
{
	void **held = find_held(NULL);
	unsigned long size;

	if (argc != 2 || monitor_parse_ulong(argv[1], &size))
		return -EINVAL;
	if (!held)
		return -ENOSPC;
	*held = vmalloc(size);
	if (!*held)
		return -ENOMEM;
	out_printf(o, "area=0x%08lx size=%lu\n", (unsigned long)(uintptr_t)*held, size);
	return 0;
}
MONITOR_COMMAND(vmalloc, "<bytes>", "allocate bytes that are contiguous by address only",
		cmd_vmalloc);

static QAPI int cmd_vfree(struct out *o, int argc, char **argv)
{
	unsigned long va;
	void **held;

	if (argc != 2 || monitor_parse_ulong(argv[1], &va))
		return -EINVAL;
	held = va ? find_held((const void *)va) : NULL;
	if (!held) {
		out_printf(o, "0x%08lx is nothing that vmalloc gave\n", va);
		return -ENOENT;
	}
	vfree(*held);
	*held = NULL;
	out_printf(o, "freed area=0x%08lx\n", va);
	return 0;
}
MONITOR_COMMAND(vfree, "<0xVA>", "give back what vmalloc gave", cmd_vfree);
