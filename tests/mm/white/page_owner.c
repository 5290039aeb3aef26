/*
 * page_owner.c - the records of page_owner=1: each way to a page and back is noted, by its caller.
 *
 * THEORY.  Who takes and who gives are functions of their own, out of line and with a frame: their
 * names must be what the records lead to, whatever the allocator called in between.
 */
#include "../../../mm/debug/page_owner.h"
#include "../../../mm/internal.h"
#include "../../../mm/vmalloc.h"
#include "../../shown.h"
#include "../helpers.h"

#include <quarry/align.h>
#include <quarry/ksyms.h>
#include <quarry/leaks.h>
#include <quarry/out.h>
#include <quarry/slab.h>
#include <quarry/string.h>
#include <quarry/vmalloc.h>
#include <quarry/whatis.h>

#define KTEST_OWNER(suite, test) KTEST_NEEDS(suite, test, .features = KTEST_PAGE_OWNER)

static const struct page_owner *record(const struct page *page)
{
	return &page_owners[page_to_pfn(page)];
}

/* Does a return address lead into the function @name, or into a part or copy of it, NAME.PART? */
static bool leads_to(const void *caller, const char *name)
{
	const char *found = caller ? ksym_lookup((uintptr_t)caller - 1, NULL, NULL) : NULL;

	size_t len = strlen(name);

	return found && !strncmp(found, name, len) && (!found[len] || found[len] == '.');
}

/* No tail call: the frame of whoever takes or gives must be on the stack. */
static __noinline struct page *taker(gfp_t gfp, unsigned int order)
{
	struct page *page = alloc_pages(gfp, order);

	opaque(page);
	return page;
}

static __noinline void giver(struct page *page, unsigned int order)
{
	__free_pages(page, order);
	barrier();
}

static bool is_out(const struct page *page, unsigned int order, const char *by)
{
	const struct page_owner *r = record(page);

	return r->taken && r->order == order && leads_to(r->taken_by[0], by);
}

static const char *whatis(const void *va)
{
	whatis_show(to_shown(), (uintptr_t)va);
	return shown_text;
}

KTEST_OWNER(page_owner, a_block_of_any_order_is_its_takers_until_it_is_given_back)
{
	for (unsigned int order = 0; order <= largest_order(GFP_KERNEL); order++) {
		uint64_t before = clock_cycles();
		struct page *page = taker(GFP_KERNEL, order);
		const struct page_owner *r;

		ASSERT_NE(t, NULL, page);
		r = record(page);
		EXPECT_TRUE(t, is_out(page, order, "taker"));
		EXPECT_EQ(t, GFP_KERNEL, r->gfp);
		EXPECT_TRUE(t, r->when_taken >= before && r->when_taken <= clock_cycles());
		EXPECT_FALSE(t, r->of_area);
		giver(page, order);
		EXPECT_FALSE(t, r->taken);
		EXPECT_TRUE(t, leads_to(r->given_by[0], "giver"));
		EXPECT_TRUE(t, r->when_given >= r->when_taken);
	}
}

KTEST_OWNER(page_owner, the_caller_of_the_caller_is_noted_too)
{
	struct page *page = taker(GFP_KERNEL, 0);
	const char *name = ksym_lookup((uintptr_t)__builtin_return_address(0), NULL, NULL);
	unsigned int nr = 0;

	ASSERT_TRUE(t, page && name);
	for (unsigned int i = 1; i < OWNER_TAKEN_BY; i++)
		nr += leads_to(record(page)->taken_by[i], name);
	EXPECT_EQ(t, 1, nr);
	giver(page, 0);
}

/* Its caller is the last that the chain leads to. */
static __noinline struct page *taker_at_the_end(void)
{
	volatile uintptr_t *frame = __builtin_frame_address(0);
	uintptr_t saved = frame[0];
	struct page *page;

	frame[0] = 0;
	page = alloc_page(GFP_KERNEL);
	frame[0] = saved;
	return page;
}

KTEST_OWNER(page_owner, a_short_chain_has_no_callers_of_an_earlier_one)
{
	struct page *page = taker(GFP_KERNEL, 0);
	const struct page_owner *r;

	ASSERT_NE(t, NULL, page);
	r = record(page);
	EXPECT_NE(t, NULL, r->taken_by[OWNER_TAKEN_BY - 1]);
	giver(page, 0);
	EXPECT_EQ(t, page, taker_at_the_end());
	EXPECT_TRUE(t, is_out(page, 0, "taker_at_the_end"));
	EXPECT_NE(t, NULL, r->taken_by[1]);
	for (unsigned int i = 2; i < OWNER_TAKEN_BY; i++)
		EXPECT_EQ(t, NULL, r->taken_by[i]);
	giver(page, 0);
}

/* linker.ld's: the code of lib/ and mm/. */
extern const char library_text_start[] __weak, library_text_end[] __weak;
extern const char library_init_start[] __weak, library_init_end[] __weak;

static bool between(const void *caller, const char *start, const char *end)
{
	return (uintptr_t)caller > (uintptr_t)start && (uintptr_t)caller <= (uintptr_t)end;
}

KTEST_OWNER(page_owner, no_owner_is_part_of_the_library_itself)
{
	unsigned int nr = 0, nr_inside = 0;

	for (pfn_t pfn = 0; pfn < max_pfn; pfn++) {
		const void *by = page_owners[pfn].taken_by[0];

		nr += page_owners[pfn].taken;
		nr_inside += between(by, library_text_start, library_text_end) ||
			     between(by, library_init_start, library_init_end);
	}
	EXPECT_TRUE(t, nr);
	EXPECT_EQ(t, 0, nr_inside);
}

KTEST_OWNER(page_owner, requests_in_an_interrupt_are_noted)
{
	unsigned long flags = irq_save();
	struct page *page = taker(GFP_ATOMIC, 0);

	EXPECT_TRUE(t, page && is_out(page, 0, "taker"));
	irq_restore(flags);
	giver(page, 0);
}

KTEST_NEEDS(page_owner, highmem_pages_have_owners_too, .features = KTEST_PAGE_OWNER,
	    .zones = KTEST_ZONE_HIGHMEM)
{
	struct page *page = taker(GFP_HIGHUSER | __GFP_MEMALLOC, 2);

	ASSERT_NE(t, NULL, page);
	EXPECT_TRUE(t, is_out(page, 2, "taker"));
	giver(page, 2);
	EXPECT_FALSE(t, record(page)->taken);
}

KTEST_OWNER(page_owner, each_page_of_a_split_block_is_the_blocks_owners)
{
	struct page *page = taker(GFP_KERNEL, 3);
	unsigned int nr = 0;

	ASSERT_NE(t, NULL, page);
	split_page(page, 3);
	for (unsigned int i = 0; i < 8; i++)
		nr += is_out(page + i, 0, "taker");
	EXPECT_EQ(t, 8, nr);
	for (unsigned int i = 0; i < 8; i++)
		giver(page + i, 0);
	EXPECT_EQ(t, 0, page_owner_check());
}

static __noinline void *taker_of_bytes(size_t size)
{
	void *va = alloc_pages_exact(size, GFP_KERNEL);

	opaque(va);
	return va;
}

KTEST_OWNER(page_owner, what_an_exact_size_leaves_over_has_no_owner)
{
	void *va = taker_of_bytes(5 * PAGE_SIZE);
	const struct page *page;

	ASSERT_NE(t, NULL, va);
	page = virt_to_page(va);
	for (unsigned int i = 0; i < 8; i++)
		EXPECT_EQ(t, i < 5, is_out(page + i, 0, "taker_of_bytes"));
	EXPECT_EQ(t, 0, page_owner_check());
	free_pages_exact(va, 5 * PAGE_SIZE);
	EXPECT_EQ(t, 0, page_owner_check());
}

static __noinline unsigned long taker_of_many(unsigned long nr, struct page **pages)
{
	unsigned long nr_got = alloc_pages_bulk_array(GFP_KERNEL, nr, pages);

	opaque(nr_got);
	return nr_got;
}

KTEST_OWNER(page_owner, pages_in_bulk_are_their_takers_each)
{
	struct page *pages[40] = { NULL };

	ASSERT_EQ(t, ARRAY_SIZE(pages), taker_of_many(ARRAY_SIZE(pages), pages));
	for (unsigned int i = 0; i < ARRAY_SIZE(pages); i++)
		EXPECT_TRUE(t, is_out(pages[i], 0, "taker_of_many"));
	free_pages_bulk_array(ARRAY_SIZE(pages), pages);
	EXPECT_EQ(t, 0, page_owner_check());
}

static __noinline void dropper(struct page *page)
{
	put_page(page);
	barrier();
}

KTEST_OWNER(page_owner, a_compound_page_is_its_takers_until_the_last_reference_goes)
{
	struct page *page = taker(GFP_KERNEL | __GFP_COMP, 2);

	ASSERT_NE(t, NULL, page);
	get_page(page + 3);
	dropper(page + 1);
	EXPECT_TRUE(t, is_out(page, 2, "taker"));
	dropper(page + 2);
	EXPECT_FALSE(t, record(page)->taken);
	EXPECT_TRUE(t, leads_to(record(page)->given_by[0], "dropper"));
}

KTEST_OWNER(page_owner, a_slab_is_of_whoever_made_its_cache_grow)
{
	struct kmem_cache *c = kmem_cache_create("owner-slab", 64, 0, 0, NULL, NULL);
	void *obj;

	ASSERT_NE(t, NULL, c);
	obj = kmem_cache_alloc(c, GFP_KERNEL);
	ASSERT_NE(t, NULL, obj);
	EXPECT_TRUE(t, leads_to(record(virt_to_page(obj))->taken_by[0], __func__));
	kmem_cache_free(c, obj);
	EXPECT_EQ(t, 0, kmem_cache_destroy(c));
}

KTEST_OWNER(page_owner, the_pages_of_an_area_are_marked_as_such_until_they_are_given_back)
{
	void *p = vmalloc(3 * PAGE_SIZE);
	struct page *page[3];

	ASSERT_NE(t, NULL, p);
	for (unsigned int i = 0; i < 3; i++) {
		page[i] = vmalloc_to_page((char *)p + i * PAGE_SIZE);
		EXPECT_TRUE(t, is_out(page[i], 0, __func__));
		EXPECT_TRUE(t, record(page[i])->of_area);
	}
	vfree(p);
	mm_quiesce();
	for (unsigned int i = 0; i < 3; i++)
		EXPECT_FALSE(t, record(page[i])->taken);
	page[0] = alloc_page(GFP_KERNEL | __GFP_HIGHMEM);
	ASSERT_NE(t, NULL, page[0]);
	EXPECT_FALSE(t, record(page[0])->of_area);
	__free_page(page[0]);
}

KTEST_OWNER(page_owner, whatis_names_owner_and_mask_of_any_page_of_a_block)
{
	struct page *page = taker(GFP_KERNEL | __GFP_NOWARN, 2);

	ASSERT_NE(t, NULL, page);
	for (unsigned int i = 0; i < 4; i++) {
		whatis(page_address(page + i));
		EXPECT_NE(t, NULL, strstr(shown_text, "\nowner by=taker"));
		EXPECT_NE(t, NULL,
			  strstr(shown_text, " order=2 gfp=__GFP_WAIT|__GFP_IO|__GFP_FS|"
					     "__GFP_NOWARN\n"));
		EXPECT_NE(t, NULL, strstr(shown_text, "\nowner from="));
	}
	giver(page, 2);
}

KTEST_OWNER(page_owner, whatis_names_who_had_a_free_page_and_who_gave_it_back)
{
	struct page *page = taker(GFP_KERNEL, 2);

	ASSERT_NE(t, NULL, page);
	giver(page, 2);
	for (unsigned int i = 0; i < 4; i++) {
		whatis(page_address(page + i));
		EXPECT_EQ(t, NULL, strstr(shown_text, "\nowner by="));
		EXPECT_NE(t, NULL, strstr(shown_text, "\nlast_owner by=taker"));
		EXPECT_NE(t, NULL, strstr(shown_text, "\nlast_free by=giver"));
	}
}

/* A block of four is given back; then one page of it is taken on its own. */
KTEST_OWNER(page_owner, the_newest_record_that_reaches_a_page_is_its)
{
	struct page *block = alloc_pages(GFP_KERNEL, 2), *page;

	ASSERT_NE(t, NULL, block);
	split_page(block, 2);
	for (unsigned int i = 0; i < 4; i++)
		if (i != 1)
			__free_page(block + i);
	page = block + 1;
	whatis(page_address(page));
	EXPECT_NE(t, NULL, strstr(shown_text, "\nowner by=ktest_fn_page_owner_the_newest_"));
	giver(page, 0);
	whatis(page_address(page));
	EXPECT_NE(t, NULL, strstr(shown_text, "\nlast_free by=giver"));
}

KTEST_OWNER(page_owner, a_record_that_is_wrong_is_counted)
{
	struct page *page = alloc_pages(GFP_KERNEL, 1);
	struct page_owner *r;

	ASSERT_NE(t, NULL, page);
	r = &page_owners[page_to_pfn(page)];
	EXPECT_EQ(t, 0, page_owner_check());
	r->taken = false;
	EXPECT_EQ(t, 1, page_owner_check());
	r->taken = true;
	r->order = 2;
	EXPECT_EQ(t, CONFIG_CHECK ? 1 : 0, mm_check_all());
	r->order = 1;
	EXPECT_EQ(t, 0, page_owner_check());
	__free_pages(page, 1);
}

/* A return address may be the first one behind its function: a call can be the last instruction. */
KTEST(page_owner, a_caller_is_its_function_and_how_far_behind_its_start_it_lies)
{
	const uintptr_t start = (uintptr_t)page_owner_check;
	unsigned long offset, size = 0;
	char want[2][64];

	ASSERT_TRUE(t, ksym_lookup(start, &offset, &size) != NULL);
	snprintf(want[0], sizeof(want[0]), "page_owner_check+0x9/%#lx", size);
	snprintf(want[1], sizeof(want[1]), "page_owner_check+%#lx/%#lx", size, size);
	for (unsigned int i = 0; i < 2; i++) {
		owner_caller_show(to_shown(), (const void *)(start + (i ? size : 9)));
		EXPECT_EQ(t, 0, strcmp(want[i], shown_text));
	}
}

KTEST(page_owner, pages_that_are_not_recorded_are_said_to_be_unknown)
{
	for (unsigned int i = 0; i < 2; i++) {
		shown(t, i ? leaks_show : pageowner_show);
		EXPECT_EQ(t, !page_owners,
			  strstr(shown_text, "pages unknown: boot with page_owner=1\n") ==
				  shown_text);
		EXPECT_EQ(t, page_owners != NULL, strstr(shown_text, "pages pages=") == shown_text);
	}
}

/* As another CPU sees a slab that is being made: what is no cache yet is not followed. */
KTEST_OWNER(leaks, a_page_that_becomes_a_slab_meanwhile_is_counted_and_its_cache_not_believed)
{
	struct page *page;

	leaks_mark();
	page = taker(GFP_KERNEL, 0);
	ASSERT_NE(t, NULL, page);
	for (uintptr_t cache = 0; cache <= 0x100; cache += 0x100) {
		page->slab_cache = (struct kmem_cache *)cache;
		page->flags |= PG_slab;
		shown(t, leaks_show);
		page->flags &= ~(unsigned long)PG_slab;
		EXPECT_NE(t, NULL,
			  strstr(shown_text, "page pages=1 kib=4 nr=1 kind=slab by=taker"));
	}
	__free_page(page);
}

/* ---- many callers ----------------------------------------------------------------------- */

#define NR_CALLERS 150u

/* The number behind @name in @line, or ~0. */
static unsigned long number(const char *line, const char *name)
{
	const char *at = line ? strstr(line, name) : NULL, *end;
	uint64_t val;

	if (!at || parse_u64(at + strlen(name), &end, &val))
		return ~0ul;
	return (unsigned long)val;
}

/* The lines of areas: are they in order, and what is the sum of what they show? */
static bool areas_descend(const char *line, unsigned long *nr_lines, unsigned long *nr_pages)
{
	unsigned long before = ~0ul;

	*nr_lines = *nr_pages = 0;
	while ((line = strstr(line, "\narea pages=")) != NULL) {
		unsigned long now = number(line++, " pages=");
		const char *end = strchr(line, '\n');
		const char *rest = strstr(line, "more_callers=");

		if (rest && rest < end)
			break;
		if (now > before)
			return false;
		before = now;
		*nr_pages += now;
		(*nr_lines)++;
	}
	return true;
}

/* No code is at address 1: no other area has such callers. */
KTEST(leaks, with_more_callers_than_room_the_largest_are_shown_and_the_rest_is_counted)
{
	struct vm_area *areas[NR_CALLERS];
	unsigned long nr_lines, nr_shown, nr_pages = 0, largest = 0;
	const char *sums;

	leaks_mark();
	for (unsigned int i = 0; i < NR_CALLERS; i++) {
		unsigned long nr = 1 + i * 37 % NR_CALLERS; /* 1..150, each once */

		areas[i] = vm_area_get(nr * PAGE_SIZE, VM_MAP,
				       (const void *)(uintptr_t)(1 + i * 101 % NR_CALLERS));
		ASSERT_NE(t, NULL, areas[i]);
		nr_pages += nr;
	}
	for (unsigned int i = 0; i < LEAKS_SHOWN_MAX; i++)
		largest += NR_CALLERS - i;
	shown(t, leaks_show);
	sums = strstr(shown_text, "areas pages=");
	EXPECT_EQ(t, nr_pages, number(sums, "areas pages="));
	EXPECT_EQ(t, NR_CALLERS, number(sums, " nr="));
	EXPECT_EQ(t, NR_CALLERS, number(sums, " callers="));
	EXPECT_TRUE(t, areas_descend(sums ? sums : "", &nr_lines, &nr_shown));
	EXPECT_EQ(t, LEAKS_SHOWN_MAX, nr_lines);
	EXPECT_EQ(t, largest, nr_shown);
	EXPECT_EQ(t, NR_CALLERS - LEAKS_SHOWN_MAX, number(sums, " more_callers="));
	sums = strstr(shown_text, "more_callers=");
	while (sums > shown_text && sums[-1] != '\n')
		sums--;
	EXPECT_EQ(t, nr_pages - largest, number(sums, " pages="));
	EXPECT_EQ(t, NR_CALLERS - LEAKS_SHOWN_MAX, number(sums, " nr="));
	for (unsigned int i = 0; i < NR_CALLERS; i++)
		vm_area_put(areas[i]);
}
