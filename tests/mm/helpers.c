/*
 * helpers.c - what the tests of mm/ share.
 *
 * THEORY.  A hoard needs no memory of its own, so that it can hold the last page of the machine:
 * its blocks are linked by page->lru and carry their order in page->private, both of which belong
 * to a page's owner.  Every second block goes to the other end of the list: blocks that were
 * taken one after another, and so are often buddies, come back far apart, and merging has to
 * work in every order.
 *
 * Contents of highmem pages are written and read through early_ioremap(), a page at a time.
 *
 * CONTEXT.  A thread; one test at a time.
 */
#include "helpers.h"

#include <quarry/align.h>
#include <quarry/alloc_trace.h>
#include <quarry/config.h>
#include <quarry/fault_inject.h>
#include <quarry/kernel.h>
#include <quarry/pgtable.h>
#include <quarry/port.h>
#include <quarry/slab.h>
#include <quarry/string.h>

QAPI unsigned long zone_nr_blocks(const struct zone *z, unsigned int order)
{
	unsigned long nr = 0;

	for (unsigned int m = 0; m < NR_MOBILITIES; m++)
		nr += z->free_area[order].nr_blocks[m];
	return nr;
}

/* Is a block of @order pages or a larger one free in @z? */
static bool zone_has(const struct zone *z, unsigned int order)
{
	unsigned long nr = 0;

	for (; order < MAX_ORDER; order++)
		nr += zone_nr_blocks(z, order);
	return nr != 0;
}

QAPI struct page *hoard_take(struct hoard *h, gfp_t gfp, unsigned int order)
{
	struct page *page = alloc_pages(gfp, order);

	if (!page)
		return NULL;
	page->private = order;
	if (h->nr_pages & 1ul << order)
		list_add(&page->lru, &h->blocks);
	else
		list_add_tail(&page->lru, &h->blocks);
	h->nr_pages += 1ul << order;
	return page;
}

QAPI unsigned long hoard_all(struct hoard *h, gfp_t gfp, unsigned int order)
{
	unsigned long nr = 0;

	while (hoard_take(h, gfp | __GFP_NOWARN, order))
		nr += 1ul << order;
	return nr;
}

QAPI bool option_given(const char *word)
{
	const char *cmdline = kernel_bootinfo->cmdline;
	size_t len = strlen(word);

	for (const char *p = strstr(cmdline, word); p; p = strstr(p + 1, word))
		if ((p == cmdline || p[-1] == ' ') && (p[len] == ' ' || p[len] == '\0'))
			return true;
	return false;
}

/*
 * @value: what stands behind the option's name, up to a blank; without letters all are meant.  With
 * a letter that is none the kernel ignores all of it.
 */
static bool debug_value_has(const char *value, const char *name, const char *letters)
{
	char glob[SLAB_NAME_MAX] = "*", *end;
	bool any = !*value || *value == ' ' || *value == ',', bad = false;

	for (; *value && *value != ' ' && *value != ','; value++) {
		any |= strchr(letters, *value) != NULL;
		bad |= strchr("FZPU", *value) == NULL;
	}
	if (*value == ',')
		strlcpy(glob, value + 1, sizeof(glob));
	end = strchr(glob, ' ');
	if (end)
		*end = '\0';
	return any && !bad && glob_match(glob, name);
}

QAPI bool slab_debug_given(const char *name, const char *letters)
{
	static const char option[] = "slab_debug";
	const char *cmdline = kernel_bootinfo->cmdline, *p = cmdline;

	for (; CONFIG_SLAB_DEBUG && (p = strstr(p, option)); p++) {
		const char *end = p + sizeof(option) - 1;

		if ((p == cmdline || p[-1] == ' ') && strchr("= ", *end))
			return debug_value_has(end + (*end == '='), name, letters);
	}
	return false;
}

#if CONFIG_ALLOC_TRACE
static bool recording(void)
{
	struct alloc_trace_status status;

	alloc_trace_get_status(&status);
	return status.on;
}
#else
static bool recording(void)
{
	return false;
}
#endif

QAPI bool lists_in_use(void)
{
	return !option_given("page_poison=1") && !option_given("init_on_alloc=1") &&
	       !option_given("init_on_free=1") &&
	       !(CONFIG_PAGE_OWNER && option_given("page_owner=1")) &&
	       !(CONFIG_FAULT_INJECT && fault_kinds() & 1u << FAULT_PAGE) && !recording();
}

QAPI gfp_t gfp_with_lists(void)
{
	bool dma = zones[ZONE_DMA].nr_managed > zones[ZONE_NORMAL].nr_managed;

	return GFP_KERNEL | (dma ? __GFP_DMA : 0);
}

QAPI unsigned long hoard_everything(struct hoard *h, gfp_t gfp)
{
	unsigned long nr = 0;

	for (unsigned int order = MAX_ORDER; order-- > 0;)
		nr += hoard_all(h, gfp, order);
	return nr;
}

QAPI gfp_t gfp_of_zone(enum zone_type type)
{
	static const gfp_t place[NR_ZONES] = { __GFP_DMA, 0, __GFP_HIGHMEM };

	return place[type] | __GFP_MEMALLOC | __GFP_NOWARN | __GFP_THISNODE;
}

/*
 * A request falls back to a lower zone as soon as the first one is below its low watermark, and
 * comes back when all are: so what lower zones give is kept until the wanted zone has no more.
 */
static unsigned long hoard_zone_order(struct hoard *h, struct hoard *lower, enum zone_type type,
				      unsigned int order)
{
	struct page *page;
	unsigned long nr = 0;

	while ((page = hoard_take(h, gfp_of_zone(type), order)) != NULL) {
		if (page_zone_type(page) == type) {
			nr += 1ul << order;
			continue;
		}
		list_move(&page->lru, &lower->blocks);
		h->nr_pages -= 1ul << order;
		lower->nr_pages += 1ul << order;
		if (!zone_has(&zones[type], order))
			break;
	}
	return nr;
}

QAPI unsigned long hoard_zone(struct hoard *h, enum zone_type type, unsigned int largest)
{
	HOARD(lower);
	unsigned long nr = 0;

	for (unsigned int order = largest + 1; order-- > 0;)
		nr += hoard_zone_order(h, &lower, type, order);
	hoard_free(&lower);
	return nr;
}

QAPI unsigned long hoard_machine(struct hoard *h)
{
	return hoard_everything(h, gfp_of_zone(ZONE_HIGHMEM));
}

/* The first block of the hoard, which is its no more; NULL: there is none. */
static struct page *hoard_pop(struct hoard *h)
{
	struct page *page;

	if (list_empty(&h->blocks))
		return NULL;
	page = list_first_entry(&h->blocks, struct page, lru);
	list_del(&page->lru);
	h->nr_pages -= 1ul << page->private;
	return page;
}

QAPI bool hoard_free_one(struct hoard *h)
{
	struct page *block = hoard_pop(h);
	unsigned long nr;

	if (!block)
		return false;
	nr = 1ul << block->private;
	split_page(block, (unsigned int)block->private);
	__free_page(block);
	for (unsigned long i = 1; i < nr; i++) {
		block[i].private = 0;
		list_add(&block[i].lru, &h->blocks);
	}
	h->nr_pages += nr - 1;
	return true;
}

QAPI void hoard_free(struct hoard *h)
{
	struct page *block;

	while ((block = hoard_pop(h)) != NULL)
		__free_pages(block, (unsigned int)block->private);
}

/* Could @z give a block of @order and stay above everything that requests of @class must leave? */
static bool zone_can_spare(const struct zone *z, unsigned int order, enum zone_type class)
{
	return zone_has(z, order) &&
	       z->nr_free > (1ul << order) + z->watermark[WMARK_HIGH] + z->lowmem_reserve[class];
}

QAPI unsigned int largest_order(gfp_t gfp)
{
	enum zone_type class = gfp & __GFP_DMA     ? ZONE_DMA :
			       gfp & __GFP_DMA32   ? ZONE_NORMAL :
			       gfp & __GFP_HIGHMEM ? ZONE_HIGHMEM :
						     ZONE_NORMAL;

	for (unsigned int order = MAX_ORDER - 1; order; order--)
		for (unsigned int z = 0; z <= (unsigned int)class; z++)
			if (zone_can_spare(&zones[z], order, class))
				return order;
	return 0;
}

QAPI void zones_snapshot(struct zones_state *s)
{
	for (unsigned int z = 0; z < NR_ZONES; z++) {
		s->nr_free[z] = zones[z].nr_free;
		for (unsigned int order = 0; order < MAX_ORDER; order++)
			s->nr_blocks[z][order] = zone_nr_blocks(&zones[z], order);
	}
}

QAPI unsigned int zones_compare(struct ktest *t, const struct zones_state *s)
{
	unsigned int before = t->nr_failed;

	for (unsigned int z = 0; z < NR_ZONES; z++) {
		if (zones[z].nr_free != s->nr_free[z])
			ktest_fail(t, __FILE__, __LINE__, "zone %s has %lu free pages, had %lu",
				   zones[z].name, zones[z].nr_free, s->nr_free[z]);
		for (unsigned int order = 0; order < MAX_ORDER; order++) {
			unsigned long nr = zone_nr_blocks(&zones[z], order);

			if (nr != s->nr_blocks[z][order])
				ktest_fail(t, __FILE__, __LINE__,
					   "zone %s has %lu free blocks of order %u, had %lu",
					   zones[z].name, nr, order, s->nr_blocks[z][order]);
		}
	}
	return t->nr_failed - before;
}

QAPI unsigned long nr_available(void)
{
	struct mm_account a;

	mm_account(&a);
	return a.nr_free + a.nr_pcp;
}

/* The contents of a page of any zone, until page_view_end(). */
static uint32_t *page_view(struct page *page)
{
	if (page_address(page))
		return page_address(page);
	return early_ioremap(page_to_phys(page), PAGE_SIZE);
}

static void page_view_end(struct page *page, uint32_t *view)
{
	if (!page_address(page))
		early_iounmap(view, PAGE_SIZE);
}

#define PAGE_WORDS (PAGE_SIZE / sizeof(uint32_t))
#define TAG_STEP   0x9E3779B9u /* odd: different pages of a block get different words */

QAPI void block_fill(struct page *head, unsigned int order, uint32_t tag)
{
	for (uint32_t i = 0; i < 1u << order; i++) {
		uint32_t *view = page_view(head + i);

		memset32(view, tag + i * TAG_STEP, PAGE_WORDS);
		page_view_end(head + i, view);
	}
}

static bool page_all_words(struct page *page, uint32_t word)
{
	uint32_t *view = page_view(page);
	uint32_t differ = 0;

	for (unsigned long i = 0; i < PAGE_WORDS; i++)
		differ |= view[i] ^ word;
	page_view_end(page, view);
	return !differ;
}

QAPI bool block_holds(struct page *head, unsigned int order, uint32_t tag)
{
	for (uint32_t i = 0; i < 1u << order; i++)
		if (!page_all_words(head + i, tag + i * TAG_STEP))
			return false;
	return true;
}

QAPI bool block_is_all(struct page *head, unsigned int order, uint32_t word)
{
	for (uint32_t i = 0; i < 1u << order; i++)
		if (!page_all_words(head + i, word))
			return false;
	return true;
}

QAPI bool block_is_zero(struct page *head, unsigned int order)
{
	return block_is_all(head, order, 0);
}

static QAPI void capture_write(struct console *console, const char *s, size_t n)
{
	struct capture *c = container_of(console, struct capture, console);
	size_t room = CAPTURE_MAX - 1 - c->len;

	if (n > room)
		n = room;
	memcpy(c->text + c->len, s, n);
	c->len += n;
	c->text[c->len] = '\0';
}

QAPI struct capture *capture_begin(void)
{
	static struct capture capture;

	capture.console.write = capture_write;
	capture.len = 0;
	console_register(&capture.console);
	/* What the log held already is not the caller's. */
	capture.len = 0;
	capture.text[0] = '\0';
	return &capture;
}

QAPI void capture_end(struct capture *c)
{
	console_unregister(&c->console);
}

QAPI unsigned int capture_count(const struct capture *c, const char *what)
{
	unsigned int nr = 0;

	for (const char *p = strstr(c->text, what); p; p = strstr(p + 1, what))
		nr++;
	return nr;
}

/* ---- addresses ---------------------------------------------------------------------------- */

QAPI uintptr_t unmapped_range(size_t size)
{
	uintptr_t span = 1ul << pt_shift(1), start = ALIGN_UP(mm_layout.vmalloc_start, span);
	uintptr_t va = start;
	struct pt_walk w;

	while (va < start + size && start + size <= mm_layout.vmalloc_end) {
		pgtable_walk(va, &w);
		va += PAGE_SIZE;
		if (w.present)
			va = start = start + span;
	}
	return va == start + size ? start : 0;
}
