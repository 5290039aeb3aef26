/*
 * Layer: tests
 * kmap_pages.h - as many pages as there are slots of kmap(), and one more, for tests of them.
 */
#ifndef TESTS_MM_KMAP_PAGES_H
#define TESTS_MM_KMAP_PAGES_H

#include <quarry/compiler.h>
#include <quarry/highmem.h>
#include <quarry/port.h>
#include <quarry/types.h>

#define NR_KMAP_PAGES (PKMAP_NR_PAGES + 1)

extern struct page *kmap_pages[NR_KMAP_PAGES];

/* Take so many pages, of highmem where there is some; how many there were. */
QAPI unsigned long kmap_pages_take(unsigned long nr);
QAPI void kmap_pages_give(unsigned long nr);

/* Take all; false, and all given back, when there are not so many that have slots. */
QAPI bool kmap_pages_take_all(void);

/* kmap() the first @nr until one finds no slot; how many did. */
QAPI unsigned long kmap_pages_hold(unsigned long nr);

/* kunmap() those from @from to @to - 1. */
QAPI void kmap_pages_let_go(unsigned long from, unsigned long to);

/* Write its number into each of the first @nr pages, by way of local slots. */
QAPI void kmap_pages_number(unsigned long nr);

static inline bool in_pkmap(const void *va)
{
	return (uintptr_t)va - PKMAP_START < PKMAP_NR_PAGES * PAGE_SIZE;
}

#endif
