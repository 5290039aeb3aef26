/*
 * ksyms.c - looking up the name of an address in the table that the build embeds.
 *
 * THEORY.  tools/gen_ksyms.py turns the symbols of a linked kernel into this table, which is then
 * linked into the kernel:
 *
 *	ksym_addrs[]         sorted addresses, one more than there are symbols: the last is the end
 *	ksym_name_offsets[]  where each name begins in ksym_names[]
 *	ksym_names[]         the names, each with its NUL
 *
 * The table moves what lies behind it, so its addresses are those of a second link, made with a
 * table of the same symbols and hence of the same size.  Without a table (the first link, the
 * library) the weak symbols are absent and every lookup fails.
 *
 * Of several symbols at one address the first in the table gives the name.
 *
 * CONTEXT.  Any: constants only.
 */
#include <quarry/ksyms.h>

extern const uint32_t ksym_count __weak;
extern const uint32_t ksym_addrs[] __weak;
extern const uint32_t ksym_name_offsets[] __weak;
extern const char ksym_names[] __weak;

/* How many symbols start at or below @va. */
static uint32_t nr_up_to(uintptr_t va)
{
	uint32_t low = 0, high = ksym_count;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (ksym_addrs[middle] <= va)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

QAPI const char *ksym_lookup(uintptr_t va, unsigned long *offset, unsigned long *size)
{
	uint32_t next, sym;

	if (!&ksym_count || !ksym_count || va >= ksym_addrs[ksym_count])
		return NULL;
	next = nr_up_to(va);
	if (!next)
		return NULL;
	for (sym = next - 1; sym && ksym_addrs[sym - 1] == ksym_addrs[sym]; sym--)
		;
	if (offset)
		*offset = va - ksym_addrs[sym];
	if (size)
		*size = ksym_addrs[next] - ksym_addrs[sym];
	return ksym_names + ksym_name_offsets[sym];
}
