/*
 * kmap_pages.c - as many pages as there are slots of kmap(), and one more.
 *
 * STATE.  The pages; static, because the stack is small.  A test gives back what it took.
 *
 * CONTEXT.  Thread.
 */
#include "kmap_pages.h"

#include <quarry/gfp.h>

struct page *kmap_pages[NR_KMAP_PAGES];

QAPI unsigned long kmap_pages_take(unsigned long nr)
{
	for (unsigned long i = 0; i < nr; i++) {
		kmap_pages[i] = alloc_page(GFP_HIGHUSER | __GFP_NOWARN);
		if (!kmap_pages[i])
			return i;
	}
	return nr;
}

QAPI void kmap_pages_give(unsigned long nr)
{
	for (unsigned long i = 0; i < nr; i++)
		__free_page(kmap_pages[i]);
}

QAPI bool kmap_pages_take_all(void)
{
	unsigned long nr = kmap_pages_take(NR_KMAP_PAGES);
	bool all = nr == NR_KMAP_PAGES;

	for (unsigned long i = 0; i < nr; i++)
		all = all && kmap_needs_slot(kmap_pages[i]);
	if (!all)
		kmap_pages_give(nr);
	return all;
}

QAPI unsigned long kmap_pages_hold(unsigned long nr)
{
	for (unsigned long i = 0; i < nr; i++)
		if (!kmap(kmap_pages[i]))
			return i;
	return nr;
}

QAPI void kmap_pages_let_go(unsigned long from, unsigned long to)
{
	for (unsigned long i = from; i < to; i++)
		kunmap(kmap_pages[i]);
}

QAPI void kmap_pages_number(unsigned long nr)
{
	for (unsigned long i = 0; i < nr; i++)
		memcpy_to_page(kmap_pages[i], 0, &i, sizeof(i));
}
