/*
 * region.c - what an address is, in words: for fault reports.
 *
 * IDEA.  The port reports faults but knows no address space; mm/ knows the space but not the image.
 * This joins both.
 *
 * CONTEXT.  Any, a report included.
 */
#include <quarry/mm.h>
#include <quarry/port.h>

#include "boot.h"

QAPI const char *region_describe(uintptr_t va)
{
	unsigned int nr;
	const struct port_image_part *parts = port_image(&nr);
	unsigned int nr_guards;
	const void *const *guards = port_guard_pages(&nr_guards);

	for (unsigned int i = 0; i < nr_guards; i++) {
		if (va - (uintptr_t)guards[i] < PAGE_SIZE)
			return "a guard page below a stack";
	}
	for (unsigned int i = 0; i < nr; i++) {
		if (va >= (uintptr_t)parts[i].start && va < (uintptr_t)parts[i].end)
			return parts[i].name;
	}
	return va < PAGE_SIZE ? "page 0 (NULL pointer)" : va_region(va);
}
