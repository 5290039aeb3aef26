/*
 * Layer: mm
 * highmem.h - addresses for pages that have none: kmap, kmap_atomic, kmap_local.
 *
 *	                     who may sleep      cost               may fail
 *	kmap()               yes                shared slots       when all are held
 *	kmap_local_page()    no, until unmap    this CPU's slots   no: 16 deep, last in first out
 *	kmap_atomic()        the older name of the same
 *
 * A page of lowmem has its address: for it these calls are a check of the context.
 */
#ifndef QUARRY_HIGHMEM_H
#define QUARRY_HIGHMEM_H

#include <quarry/compiler.h>
#include <quarry/env.h>
#include <quarry/mm.h>
#include <quarry/types.h>

struct out;

/* Is @page in highmem: without a kernel address of its own? */
static inline bool PageHighMem(const struct page *page)
{
	return page_zone_type(page) == ZONE_HIGHMEM;
}

/* Zones from this one on are mapped by slots, as a field of page->flags: all with kmap_debug=1. */
extern unsigned long kmap_first_zone;

static inline bool kmap_needs_slot(const struct page *page)
{
	return (page->flags & PG_ZONE_MASK) >= kmap_first_zone;
}

/* What is out of line. */
QAPI void *kmap_slot(struct page *page);
QAPI void kunmap_slot(struct page *page);
QAPI void *kmap_local_slot(struct page *page);
QAPI void kunmap_local_slot(const void *va);

/**
 * kmap - an address for @page that everybody may use, until as many kunmap() as kmap().
 *
 * The mapping outlives kunmap() until slots are scarce, so that the next kmap() finds it.
 * Return:  the address, the same for all who have the page mapped; NULL when every slot is held
 *          and this kernel has nobody to wait for, which is reported with those who hold them.
 * Owner:   the caller, until kunmap().
 * Context: a thread that may sleep, for every page.
 * Cost:    lowmem: a load.  Mapped already: one atomic instruction.  Otherwise a lock; once a round
 *          of slots, one flush.
 */
static inline void *kmap(struct page *page)
{
	might_sleep();
	return unlikely(kmap_needs_slot(page)) ? kmap_slot(page) : page_address(page);
}

/**
 * kunmap - the end of one kmap() of @page.  BUG when it is not mapped by one.
 *
 * Context: any.
 */
static inline void kunmap(struct page *page)
{
	if (unlikely(kmap_needs_slot(page)))
		kunmap_slot(page);
}

/**
 * kmap_local_page - an address for @page on this CPU, until kunmap_local().
 *
 * The thread stays on its CPU and may not sleep until then, whatever page it is.  Mappings nest,
 * those of interrupts above: KMAP_LOCAL_SLOTS deep, or BUG.
 * Return:  the address; never NULL.
 * Owner:   the caller; no other CPU may use the address.
 * Context: any.
 */
static inline void *kmap_local_page(struct page *page)
{
	preempt_disable();
	return unlikely(kmap_needs_slot(page)) ? kmap_local_slot(page) : page_address(page);
}

/**
 * kunmap_local - the end of the newest mapping of this CPU; of another one it is a BUG.
 * @va: any address in the page.
 *
 * Post: the address faults, if it was a slot's.
 */
static inline void kunmap_local(const void *va)
{
	if (unlikely(!virt_addr_valid(va)))
		kunmap_local_slot(va);
	preempt_enable();
}

static inline void *kmap_atomic(struct page *page)
{
	return kmap_local_page(page);
}

static inline void kunmap_atomic(const void *va)
{
	kunmap_local(va);
}

/**
 * clear_highpage, copy_highpage - a page's contents, wherever it is.
 *
 * Context: any.
 */
QAPI void clear_highpage(struct page *page);
QAPI void copy_highpage(struct page *to, struct page *from);

/**
 * zero_user, memcpy_to_page, memcpy_from_page - a part of a page's contents.
 * @offset, @size: bytes; what they name lies within the page, or BUG.
 *
 * Context: any.
 */
QAPI void zero_user(struct page *page, size_t offset, size_t size);
QAPI void memcpy_to_page(struct page *page, size_t offset, const void *from, size_t size);
QAPI void memcpy_from_page(void *to, struct page *page, size_t offset, size_t size);

/**
 * kmap_flush_unused - unmap all that nobody holds, now.
 *
 * Context: a thread that may sleep.
 * Cost:    a look at each slot; one flush on every CPU, if there was something.
 */
QAPI void kmap_flush_unused(void);

/* Slots of kmap() that are held: 0 when nobody forgot a kunmap(). */
QAPI unsigned long kmap_nr_held(void);

/**
 * pkmap_show - one line for each slot of kmap() that maps a page; of the held ones, who took it.
 *
 * Context: any.
 */
QAPI void pkmap_show(struct out *o);

/**
 * kmap_check - verify slots, page-table entries and page->virtual of kmap() and kmap_local_page().
 *
 * Return:  the number of violations, each printed.
 * Context: any; what a thread that may sleep holds of kmap_local_page() is one.
 */
QAPI unsigned int kmap_check(void);

#endif
