/*
 * cmd_highmem.c - pages mapped by hand.
 *
 * THEORY.  `kmap` remembers what it mapped, and `kunmap` takes only that; what kmap_local_page()
 * gives cannot be held while one waits for a key.
 *
 * STATE.  A table of pages, one entry a kmap(); an entry is free when its page is NULL.
 *
 * CONTEXT.  The monitor's thread.
 *
 * NOT HERE.  What is mapped, as a report: cmd_reports.c.
 */
#include <quarry/errno.h>
#include <quarry/highmem.h>
#include <quarry/mm.h>
#include <quarry/monitor.h>

#define NR_HELD 64u

static struct page *table[NR_HELD];

/* NULL finds a free entry. */
static struct page **find_held(const struct page *page)
{
	for (unsigned int i = 0; i < NR_HELD; i++) {
		if (table[i] == page)
			return &table[i];
	}
	return NULL;
}

static QAPI int cmd_kmap(struct out *o, int argc, char **argv)
{
	struct page **held = find_held(NULL);
	void *va;
	pfn_t pfn;
	int err;

	if (argc != 2)
		return -EINVAL;
	err = monitor_parse_pfn(argv[1], &pfn);
	if (err)
		return err;
	if (!held)
		return -ENOSPC;
	va = kmap(pfn_to_page(pfn));
	if (!va)
		return -ENOMEM;
	*held = pfn_to_page(pfn);
	out_printf(o, "mapped pfn=0x%05lx va=0x%08lx\n", pfn, (unsigned long)(uintptr_t)va);
	return 0;
}
MONITOR_COMMAND(kmap, "<pfn|0xVA|pa:0xPA>", "map a page for all to use", cmd_kmap);

static QAPI int cmd_kunmap(struct out *o, int argc, char **argv)
{
	struct page **held;
	pfn_t pfn;
	int err;

	if (argc != 2)
		return -EINVAL;
	err = monitor_parse_pfn(argv[1], &pfn);
	if (err)
		return err;
	held = find_held(pfn_to_page(pfn));
	if (!held) {
		out_printf(o, "pfn=0x%05lx is nothing that kmap mapped\n", pfn);
		return -ENOENT;
	}
	kunmap(*held);
	*held = NULL;
	out_printf(o, "unmapped pfn=0x%05lx\n", pfn);
	return 0;
}
MONITOR_COMMAND(kunmap, "<pfn|0xVA|pa:0xPA>", "the end of one kmap", cmd_kunmap);
