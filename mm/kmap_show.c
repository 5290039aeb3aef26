/*
 * kmap_show.c - what is mapped in the fixmap and in the slots of kmap(), in lines of key=value.
 *
 * STATE.  None.
 *
 * CONTEXT.  Any; slots are read without a lock, each on its own.
 */
#include <quarry/fixmap.h>
#include <quarry/highmem.h>
#include <quarry/out.h>

#include "kmap.h"

QAPI void pkmap_show(struct out *o)
{
	unsigned long nr_stale = 0;

	for (unsigned long i = 0; i < PKMAP_NR_PAGES; i++) {
		int count = atomic_read(&pkmap[i].count);

		nr_stale += count == 1;
		if (count)
			pkmap_describe(o, pkmap_va(i));
	}
	out_printf(o, "pkmap slots=%lu held=%lu unused=%lu\n", PKMAP_NR_PAGES, kmap_nr_held(),
		   nr_stale);
}

QAPI void fixmap_show(struct out *o)
{
	unsigned int nr_mapped = 0;

	for (unsigned int i = 0; i < NR_FIXED_ADDRESSES; i++) {
		pte_t pte = pte_read(port_fixmap_slot(__fix_to_virt(i)));

		if (!pte_present(pte))
			continue;
		out_printf(o, "fixmap slot=%u va=0x%08lx use=%s pfn=0x%05lx", i,
			   (unsigned long)__fix_to_virt(i), fixmap_user(i), pte_pfn(pte));
		if (i >= FIX_KMAP_LOCAL_FIRST)
			kmap_local_describe(o, i - FIX_KMAP_LOCAL_FIRST);
		out_printf(o, "\n");
		nr_mapped++;
	}
	out_printf(o, "fixmap slots=%u mapped=%u\n", (unsigned int)NR_FIXED_ADDRESSES, nr_mapped);
}
