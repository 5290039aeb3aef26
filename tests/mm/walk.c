/*
 * walk.c - a random walk of page operations.
 *
 * THEORY.  A number of slots each hold a block, a compound block with some references, an exact
 * allocation, or nothing.  A step picks a slot and does something that is legal there.  Every
 * page of a block is marked at its first and last word when it is allocated and compared before
 * it is freed: two owners of one page would overwrite each other's marks.  The validators run
 * CHECKS times in between, and the counts must add up at the end.
 *
 * The walk is a function of the seed, which is printed: seed=N repeats it.
 *
 * STATE.  The slots, static: the stack is small.
 */
#include "helpers.h"

#include <quarry/align.h>
#include <quarry/gfp.h>
#include <quarry/ktest.h>
#include <quarry/mm.h>
#include <quarry/port.h>

#define NR_SLOTS      512u
#define NR_BULK       24u
#define CHECKS        20u      /* full validations in a walk */
#define DEFAULT_STEPS 100000ul /* without steps= */

enum kind { EMPTY, PLAIN, COMPOUND, EXACT };

static struct slot {
	enum kind kind;
	struct page *page;
	unsigned int order;
	unsigned int nr_refs; /* of a compound block */
	size_t size;          /* of an exact allocation, bytes */
	uint32_t mark;
} slots[NR_SLOTS];

struct walk {
	struct ktest *t;
	uint32_t next_mark;
	unsigned long nr_held; /* pages in slots */
	unsigned long nr_ops;  /* that found memory */
};

static const gfp_t base_gfps[] = { GFP_KERNEL, GFP_ATOMIC, GFP_NOWAIT,   GFP_NOIO,
				   GFP_NOFS,   GFP_USER,   GFP_HIGHUSER, GFP_HIGHUSER_MOVABLE,
				   GFP_DMA,    GFP_DMA32,  GFP_THISNODE };

static const gfp_t extra_gfps[] = { 0,
				    0,
				    0,
				    __GFP_ZERO,
				    __GFP_COLD,
				    __GFP_MOVABLE,
				    __GFP_RECLAIMABLE,
				    __GFP_HIGH,
				    __GFP_REPEAT,
				    __GFP_NORETRY,
				    __GFP_NOMEMALLOC };

static gfp_t random_gfp(struct walk *w)
{
	gfp_t gfp = base_gfps[ktest_random_below(w->t, ARRAY_SIZE(base_gfps))] | __GFP_NOWARN;
	gfp_t extra = extra_gfps[ktest_random_below(w->t, ARRAY_SIZE(extra_gfps))];

	/* Both at once are worth a warning, which gfp.c is about. */
	if (extra == __GFP_RECLAIMABLE && gfp & __GFP_MOVABLE)
		extra = 0;
	return gfp | extra;
}

/* Each order half as often as the one below it. */
static unsigned int random_order(struct walk *w)
{
	uint32_t bits = ktest_random(w->t) | 1u << (MAX_ORDER - 1);

	return (unsigned int)__builtin_ctz(bits);
}

/* First and last word of a page of lowmem; highmem is marked through a window, now and then. */
static uint32_t *view(struct page *page)
{
	return page_address(page) ? page_address(page) :
				    early_ioremap(page_to_phys(page), PAGE_SIZE);
}

static void view_end(struct page *page, uint32_t *va)
{
	if (!page_address(page))
		early_iounmap(va, PAGE_SIZE);
}

#define LAST_WORD (PAGE_SIZE / sizeof(uint32_t) - 1)

static void mark_pages(struct page *page, unsigned long nr, uint32_t mark)
{
	for (unsigned long i = 0; i < nr; i++) {
		uint32_t *va = view(page + i);

		va[0] = mark + (uint32_t)i;
		va[LAST_WORD] = ~va[0];
		view_end(page + i, va);
	}
}

static bool marks_hold(struct page *page, unsigned long nr, uint32_t mark)
{
	bool hold = true;

	for (unsigned long i = 0; i < nr; i++) {
		uint32_t *va = view(page + i);

		hold &= va[0] == mark + (uint32_t)i && va[LAST_WORD] == ~va[0];
		view_end(page + i, va);
	}
	return hold;
}

static bool ends_are_zero(struct page *page, unsigned long nr)
{
	bool zero = true;

	for (unsigned long i = 0; i < nr; i++) {
		uint32_t *va = view(page + i);

		zero &= va[0] == 0 && va[LAST_WORD] == 0;
		view_end(page + i, va);
	}
	return zero;
}

static unsigned long slot_nr_pages(const struct slot *s)
{
	return s->kind == EXACT ? DIV_ROUND_UP(s->size, PAGE_SIZE) : 1ul << s->order;
}

static void slot_fill(struct walk *w, struct slot *s, struct page *page, gfp_t gfp)
{
	unsigned long nr = slot_nr_pages(s);

	s->page = page;
	s->nr_refs = 1;
	s->mark = w->next_mark;
	w->next_mark += 0x10001u * 2048u + 1u;
	w->nr_held += nr;
	w->nr_ops++;
	if (gfp & __GFP_ZERO)
		EXPECT_TRUE(w->t, ends_are_zero(page, nr));
	mark_pages(page, nr, s->mark);
}

static unsigned int nr_of(const struct slot *s)
{
	return (unsigned int)(s - slots);
}

static void slot_alloc(struct walk *w, struct slot *s)
{
	gfp_t gfp = random_gfp(w);
	unsigned int order = random_order(w);
	bool compound = ktest_random(w->t) & 1;
	struct page *page;

	gfp |= compound ? __GFP_COMP : 0;
	ktest_tell(w->t, "p[%u] = alloc_pages(%#x, %u);", nr_of(s), gfp, order);
	page = alloc_pages(gfp, order);
	if (!page)
		return;
	EXPECT_EQ(w->t, 0, page_to_pfn(page) & ((1ul << order) - 1));
	s->kind = compound ? COMPOUND : PLAIN;
	s->order = order;
	slot_fill(w, s, page, gfp);
}

static void slot_alloc_exact(struct walk *w, struct slot *s)
{
	gfp_t gfp = random_gfp(w) & ~(gfp_t)__GFP_HIGHMEM;
	size_t size = 1 + ktest_random_below(w->t, (uint32_t)(PAGE_SIZE << random_order(w)));
	void *va;

	ktest_tell(w->t, "p[%u] = virt_to_page(alloc_pages_exact(%zu, %#x));", nr_of(s), size, gfp);
	va = alloc_pages_exact(size, gfp);
	if (!va)
		return;
	s->kind = EXACT;
	s->size = size;
	slot_fill(w, s, virt_to_page(va), gfp);
}

static void put_any(struct walk *w, struct slot *s)
{
	unsigned int nr = ktest_random_below(w->t, 1u << s->order);

	ktest_tell(w->t, "put_page(p[%u] + %u);", nr_of(s), nr);
	put_page(s->page + nr);
	s->nr_refs--;
}

static void slot_drop(struct walk *w, struct slot *s)
{
	unsigned long nr = slot_nr_pages(s);

	EXPECT_TRUE(w->t, marks_hold(s->page, nr, s->mark));
	w->nr_held -= nr;
	if (s->kind == EXACT) {
		ktest_tell(w->t, "free_pages_exact(page_address(p[%u]), %zu);", nr_of(s), s->size);
		free_pages_exact(page_address(s->page), s->size);
	} else if (s->kind == PLAIN) {
		ktest_tell(w->t, "__free_pages(p[%u], %u);", nr_of(s), s->order);
		__free_pages(s->page, s->order);
	} else {
		while (s->nr_refs)
			put_any(w, s);
	}
	s->kind = EMPTY;
}

/* Cut a plain block and free its pages one by one, in another order. */
static void slot_split(struct walk *w, struct slot *s)
{
	unsigned int mask = (1u << s->order) - 1;
	unsigned int start = ktest_random(w->t) & mask;

	EXPECT_TRUE(w->t, marks_hold(s->page, mask + 1, s->mark));
	ktest_tell(w->t, "split_page(p[%u], %u);", nr_of(s), s->order);
	split_page(s->page, s->order);
	for (unsigned int i = 0; i <= mask; i++) {
		unsigned int nr = (start + i * 0x2545u) & mask;

		ktest_tell(w->t, "__free_page(p[%u] + %u);", nr_of(s), nr);
		__free_page(s->page + nr);
	}
	w->nr_held -= mask + 1;
	s->kind = EMPTY;
}

static void slot_reference(struct walk *w, struct slot *s)
{
	unsigned int nr = ktest_random_below(w->t, 1u << s->order);
	struct page *any = s->page + nr;

	EXPECT_EQ(w->t, s->page, compound_head(any));
	EXPECT_EQ(w->t, s->nr_refs, page_count(any));
	if (s->nr_refs == 4) {
		put_any(w, s);
		return;
	}
	ktest_tell(w->t, "get_page(p[%u] + %u);", nr_of(s), nr);
	get_page(any);
	s->nr_refs++;
}

/* An array with holes is filled, marked, compared and freed. */
static void bulk_round(struct walk *w)
{
	struct page *array[NR_BULK] = { NULL };
	unsigned int nr = 1 + ktest_random_below(w->t, NR_BULK);
	unsigned int hole = ktest_random_below(w->t, nr);
	gfp_t gfp = random_gfp(w);

	ktest_tell(w->t, "array[%u] = alloc_page(%#x);", hole, gfp);
	array[hole] = alloc_page(gfp);
	ktest_tell(w->t, "alloc_pages_bulk_array(%#x, %u, array);", gfp, nr);
	if (alloc_pages_bulk_array(gfp, nr, array) == nr)
		w->nr_ops++;
	for (unsigned int i = 0; i < nr; i++)
		if (array[i])
			mark_pages(array[i], 1, i + w->next_mark);
	for (unsigned int i = 0; i < nr; i++)
		if (array[i])
			EXPECT_TRUE(w->t, marks_hold(array[i], 1, i + w->next_mark));
	ktest_tell(w->t, "free_pages_bulk_array(%u, array);", nr);
	free_pages_bulk_array(nr, array);
	w->next_mark += NR_BULK;
}

static void step(struct walk *w)
{
	struct slot *s = &slots[ktest_random_below(w->t, NR_SLOTS)];
	unsigned int dice = ktest_random_below(w->t, 16);

	if (dice == 0)
		bulk_round(w);
	else if (s->kind == EMPTY && dice == 1)
		slot_alloc_exact(w, s);
	else if (s->kind == EMPTY)
		slot_alloc(w, s);
	else if (s->kind == COMPOUND && dice < 8)
		slot_reference(w, s);
	else if (s->kind == PLAIN && dice < 4)
		slot_split(w, s);
	else
		slot_drop(w, s);
}

KTEST(mm_walk, random_operations_keep_every_invariant)
{
	unsigned long steps = ktest_steps(t, DEFAULT_STEPS);
	unsigned long every = steps / CHECKS + 1;
	unsigned long available = nr_available();
	struct walk w = { .t = t, .next_mark = ktest_random(t) };

	ktest_tell(t, "struct page *p[%u] __maybe_unused, *array[%u] __maybe_unused = { 0 };",
		   NR_SLOTS, NR_BULK);
	for (unsigned int i = 0; i < NR_SLOTS; i++)
		slots[i].kind = EMPTY;
	for (unsigned long i = 0; i < steps && !t->nr_failed; i++) {
		if (ktest_step(t, i))
			step(&w);
		if (i % every != 0)
			continue;
		EXPECT_EQ(t, 0, mm_check_all());
		EXPECT_EQ(t, available, nr_available() + w.nr_held);
	}
	for (unsigned int i = 0; i < NR_SLOTS; i++)
		if (slots[i].kind != EMPTY)
			slot_drop(&w, &slots[i]);
	EXPECT_EQ(t, 0, w.nr_held);
	/* A walk that found no memory would prove nothing. */
	EXPECT_GE(t, ktest_is_reduced(t) ? 0 : steps / 8, w.nr_ops);
}
