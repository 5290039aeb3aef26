/*
 * Layer: contract
 * e820.h - making a firmware's memory map fit for use.  Pure functions over arrays.
 *
 *	firmware or text --> list --mem=, memmap=--> list --sanitize--> map --limits--> map
 *
 * A "list" is what somebody said: any order, overlaps, lies.  A "map" is what sanitising makes of
 * it: sorted, disjoint, page-aligned, merged, nothing empty, nothing wrapping, types of enum
 * mem_type only, no RAM in 0xA0000-0xFFFFF.  What is in no entry of a map is not RAM.
 *
 * Context: any, for all of these: no state, no allocation, no recursion, less than 512 bytes of
 * stack.
 */
#ifndef QUARRY_E820_H
#define QUARRY_E820_H

#include <quarry/bootinfo.h>
#include <quarry/compiler.h>
#include <quarry/types.h>

/* Entries of a list or map, and room for more. */
struct e820_list {
	struct mem_region *region;
	unsigned int nr;
	unsigned int cap;
};

/* What was wrong with a list, and what came out.  Byte counts are whole pages. */
struct e820_report {
	unsigned int nr_empty;   /* entries of size 0: left out */
	unsigned int nr_wrapped; /* entries that ran past 2^64: clipped there */
	unsigned int nr_unknown; /* entries of unknown type: taken as reserved */
	unsigned int nr_partial; /* entries that do not start and end at page boundaries */
	unsigned int nr_dropped; /* runs of the result for which there was no room */
	phys_addr_t dropped_ram; /* bytes of RAM in these */
	phys_addr_t conflict;    /* bytes that one entry calls RAM and another one takes away */
	phys_addr_t ram;         /* bytes of RAM in the result */
};

/* What e820_limit_struct_pages() found and did.  Bytes. */
struct e820_struct_pages {
	phys_addr_t lowmem;       /* RAM below the end of lowmem, after the cut */
	phys_addr_t needed;       /* struct pages of everything up to the last RAM, after the cut */
	phys_addr_t needed_uncut; /* the same, before */
	phys_addr_t ram_end;      /* end of the last RAM, after the cut */
	phys_addr_t ram_end_uncut; /* the same, before */
	phys_addr_t left_out;      /* RAM cut off */
};

/**
 * e820_sanitize - make a map of the @nr_in entries at @in.
 * @out: the map; does not overlap @in.
 * @cap: entries that fit at @out; 2 * @nr_in + 3 always suffice.
 * @rep: what was found.
 *
 * Where entries disagree the stricter type wins: MEM_BAD, then MEM_ACPI_NVS, then MEM_RESERVED
 * and every unknown type, then MEM_ACPI_RECLAIM, then MEM_RAM.  A page is RAM if every byte of it
 * is, and otherwise what the strictest other entry says that touches it.  0xA0000-0xFFFFF counts
 * as reserved.  The last page of the 64-bit space is never listed, so that start + size fits.
 * Runs without room are left out from the top: that can lose RAM, never make any.
 *
 * Return:  entries at @out.
 * Cost:    O(@nr_in^2).
 */
QAPI unsigned int e820_sanitize(const struct mem_region *in, unsigned int nr_in,
				struct mem_region *out, unsigned int cap, struct e820_report *rep);

/**
 * e820_check - look for what keeps the @nr entries at @map from being a map as described above.
 *
 * Return:  the number of violations.
 */
QAPI unsigned int e820_check(const struct mem_region *map, unsigned int nr);

/**
 * e820_limit_ram - take away all RAM at and above @limit (rounded down to a page).
 * @l: a list or a map; other types stay.
 *
 * Return:  bytes taken away (for a list: the sum over its entries, overlaps counted again).
 */
QAPI phys_addr_t e820_limit_ram(struct e820_list *l, phys_addr_t limit);

/**
 * e820_apply_mem - boot option mem=: take away all RAM from @text on ("64M", "0x4000000").
 * @l: a list, or a map.
 *
 * Return:  0; -EINVAL when @text is no size, or 0; -ERANGE when it does not fit 64 bits.
 */
QAPI int e820_apply_mem(struct e820_list *l, const char *text) __must_check;

/**
 * e820_apply_memmap - boot option memmap=: directives between commas, applied from left to right.
 * @l: a list, to be sanitised afterwards.
 *
 *	nn@ss	 nn bytes from ss on are RAM       nn$ss	 nn bytes from ss on are reserved
 *	nn#ss	 ... are ACPI tables               nn	 as mem=nn
 *	exactmap forget everything said so far
 *
 * They are said in addition to what the firmware said, so RAM cannot override anything stricter;
 * after exactmap there is nothing to override.  nn and ss take K, M, G, T.  A directive that fails
 * changes nothing, but those before it stay applied.
 *
 * Return:  0; -EINVAL when a directive makes no sense; -ERANGE when a number does not fit 64 bits;
 *          -ENOSPC when @l is full: then all RAM from ss on was taken away if ss was to be no RAM.
 */
QAPI int e820_apply_memmap(struct e820_list *l, const char *text) __must_check;

/**
 * e820_parse_text - replace @l by what @len bytes of @text say, an entry a line.
 * @line: the number of the last line looked at, from 1 on: of the bad one after a failure.
 *
 *	0xSTART 0xSIZE TYPE			start and size in hexadecimal, in bytes
 *	... [mem 0xFIRST-0xLAST] TYPE		a line of a kernel log; LAST is the last byte
 *	# comment				also behind an entry; empty lines are skipped
 *
 * TYPE is a number (types nobody knows included), "type N", or one of: usable, reserved,
 * ACPI data, ACPI NVS, unusable, persistent, soft reserved, device reserved.
 *
 * Return:  0; -EILSEQ when a line is none of these; -ENOSPC when there are more than @l has room
 *          for.  After a failure @l is empty.
 */
QAPI int e820_parse_text(struct e820_list *l, const char *text, size_t len, unsigned int *line)
	__must_check;

/**
 * e820_limit_struct_pages - take away RAM from the top until its struct pages fit.
 * @map:        a map.
 * @lowmem_max: end of the memory that struct pages can lie in, bytes.
 * @size:       bytes of one struct page, 1..PAGE_SIZE / 2.
 * @rep:        the figures.
 *
 * There is one struct page for every page from 0 to the last RAM, holes included, rounded up to
 * MEM_MAP_ALIGN pages.  Afterwards they need at most half of the RAM below @lowmem_max, and no cut
 * at a higher address does that; a map too small for any has no RAM left.
 */
QAPI void e820_limit_struct_pages(struct e820_list *map, unsigned long lowmem_max,
				  unsigned int size, struct e820_struct_pages *rep);

/* Struct pages come in multiples of the largest buddy block: 2^(MAX_ORDER - 1). */
#define MEM_MAP_ALIGN 1024u

/**
 * e820_type_name - @type as text.
 *
 * Return:  "usable", "reserved", "ACPI data", "ACPI NVS" or "unusable", and "unknown" for what is
 *          not in enum mem_type.
 */
QAPI const char *e820_type_name(uint32_t type);

#endif
