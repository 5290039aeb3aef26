/*
 * Layer: tests
 * e820_oracle.h - what a map must say, found out the slow way.
 */
#ifndef QUARRY_TESTS_E820_ORACLE_H
#define QUARRY_TESTS_E820_ORACLE_H

#include <quarry/bootinfo.h>
#include <quarry/e820.h>
#include <quarry/ktest.h>
#include <quarry/types.h>

#define ORACLE_PAGE  4096ull
#define ORACLE_PAGES (UINT64_MAX / ORACLE_PAGE) /* page numbers are below this */

/* The type that page number @page has according to the entries at @list; 0: a hole. */
uint32_t oracle_page_type(const struct mem_region *list, unsigned int nr, uint64_t page);

/* Sanitise @list into @out, of @cap entries, and compare with the oracle.  Entries at @out. */
unsigned int expect_sanitized(struct ktest *t, const struct mem_region *list, unsigned int nr,
			      struct mem_region *out, unsigned int cap);

/*
 * Cut @map (of @nr entries, from e820_sanitize()) to what @lowmem_max and @size allow, and compare
 * with every other cut.  @scratch has room for the map.
 */
void expect_struct_pages_fit(struct ktest *t, const struct mem_region *map, unsigned int nr,
			     struct mem_region *scratch, unsigned long lowmem_max,
			     unsigned int size);

#endif
