/*
 * fixmap_last.c - the address of the last fixed page: it links, and is a constant.
 */
#include <quarry/fixmap.h>

QAPI uintptr_t fixmap_last(void);

QAPI uintptr_t fixmap_last(void)
{
	return fix_to_virt(NR_FIXED_ADDRESSES - 1);
}
