/*
 * page_window.c - the contents of any page frame, mapped or not.
 *
 * IDEA.  kmap_local_page(), a page at a time: what is done with a page of a block is done in any
 * context.
 *
 * STATE.  None.
 *
 * CONTEXT.  Any.
 */
#include <quarry/highmem.h>
#include <quarry/string.h>

#include "internal.h"

QAPI void pages_fill(struct page *page, unsigned int order, uint32_t word)
{
	for (unsigned long i = 0; i < 1ul << order; i++) {
		void *va = kmap_local_page(page + i);

		memset32(va, word, PAGE_SIZE / sizeof(word));
		kunmap_local(va);
	}
}

QAPI bool pages_are_filled(struct page *page, unsigned int order, unsigned char byte,
			   unsigned long *offset)
{
	for (unsigned long i = 0; i < 1ul << order; i++) {
		const char *va = kmap_local_page(page + i);
		const char *other = memchr_inv(va, byte, PAGE_SIZE);

		if (other)
			*offset = i * PAGE_SIZE + (unsigned long)(other - va);
		kunmap_local(va);
		if (other)
			return false;
	}
	return true;
}
