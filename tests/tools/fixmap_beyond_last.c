/*
 * fixmap_beyond_last.c - the address of a fixed page that is not there: it must not link.
 */
#include <quarry/fixmap.h>

QAPI uintptr_t fixmap_beyond_last(void);

QAPI uintptr_t fixmap_beyond_last(void)
{
	return fix_to_virt(NR_FIXED_ADDRESSES);
}
