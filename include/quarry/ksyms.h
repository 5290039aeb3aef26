/*
 * Layer: base
 * ksyms.h - names for the kernel's addresses.
 */
#ifndef QUARRY_KSYMS_H
#define QUARRY_KSYMS_H

#include <quarry/compiler.h>
#include <quarry/types.h>

/**
 * ksym_lookup - the function or object that holds the address @va.
 * @offset: gets the distance of @va from its start, bytes; may be NULL.
 * @size:   gets the distance from its start to the next symbol, bytes; may be NULL.
 *
 * Return:  its name, a constant; NULL when @va lies outside the image or the image was linked
 *          without a table.
 * Context: any.  Cost: O(log of the number of symbols).
 */
QAPI const char *ksym_lookup(uintptr_t va, unsigned long *offset, unsigned long *size);

#endif
