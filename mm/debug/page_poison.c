/*
 * page_poison.c - who wrote to a page that was free?  And: no contents survive an owner.
 *
 * IDEA.  page_poison=1 fills every page with POISON when it is freed and verifies it when it is
 * allocated: a write in between is reported with the page and the offset.  init_on_free=1 and
 * init_on_alloc=1 zero instead, at the one or the other end; with page_poison=1 as well, the
 * pattern is verified first, and an owner finds zeroes all the same.
 *
 * STATE.  page_poison_mode, set once at boot.
 *
 * INVARIANTS.  P1: with PAGE_POISON_CHECK every page in the buddy is filled with POISON.
 *
 * CONTEXT.  Any.
 */
#include <quarry/bug.h>
#include <quarry/mm.h>
#include <quarry/printk.h>

#include "../internal.h"
#include "page_poison.h"

#define POISON      0xaau
#define POISON_WORD 0xaaaaaaaau

unsigned int page_poison_mode;

QAPI void page_poison_set(unsigned int option, bool on)
{
	page_poison_mode = (page_poison_mode & ~option) | (on ? option : 0);
}

/* init_on_free= zeroes here too when the free page had to hold the pattern. */
static bool must_zero_at_alloc(void)
{
	return (page_poison_mode & PAGE_POISON_INIT_A) ||
	       (page_poison_mode & PAGE_POISON_CHECK && page_poison_mode & PAGE_POISON_INIT_F);
}

QAPI void page_poison_alloc_slow(struct page *page, unsigned int order)
{
	unsigned long offset;

	if ((page_poison_mode & PAGE_POISON_CHECK) &&
	    !pages_are_filled(page, order, POISON, &offset)) {
		pr_emerg("BUG: write after free, %lu bytes into the block\n", offset);
		page_bad(page, "was written to while it was free");
	}
	if (must_zero_at_alloc())
		pages_fill(page, order, 0);
}

QAPI void page_poison_free_slow(struct page *page, unsigned int order)
{
	if (page_poison_mode & PAGE_POISON_CHECK)
		pages_fill(page, order, POISON_WORD);
	else if (page_poison_mode & PAGE_POISON_INIT_F)
		pages_fill(page, order, 0);
}

/* What is free was filled on its way into the buddy; from now on nothing goes around it. */
QAPI void page_poison_start(void)
{
	if (page_poison_mode)
		pcp_enable(false);
}
