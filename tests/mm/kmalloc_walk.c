/*
 * kmalloc_walk.c - a random walk of kmalloc(), its relatives and kfree().
 *
 * THEORY.  A number of slots each hold memory or nothing.  A step picks a slot and does something
 * that is legal there: fills it by one of the ways to get memory, changes its size, or gives it
 * back.  Sizes are spread evenly over the powers of two, so that each class sees as much traffic as
 * any other.  Small memory is written to the last byte and large memory in places; all of it is
 * compared before it is given back.  Two owners of one byte would find each other's marks.
 *
 * The validators run CHECKS times in between, and in the end every class has as many objects in
 * use as in the beginning.
 *
 * The walk is a function of the seed, which is printed: seed=N repeats it.
 *
 * STATE.  The slots, static: the stack is small.
 */
#include "helpers.h"

#include <quarry/align.h>
#include <quarry/slab.h>
#include <quarry/string.h>

#define NR_SLOTS      256u
#define CHECKS        10u     /* full validations in a walk */
#define DEFAULT_STEPS 50000ul /* without steps= */
#define STEP_COST     3ul     /* of the run's steps, for one that writes up to 128 KiB */
#define SIZE_BITS     17u     /* the largest size is 2^this */
#define DENSE_BYTES   64u     /* of the start and the end of memory, all are written */
#define SPARSE_STEP   251u    /* bytes between those that are written in the middle */

static_assert(1u << SIZE_BITS == KMALLOC_CACHE_MAX, "sizes reach the largest class");

static struct slot {
	uint8_t *p;
	size_t size;
	unsigned int mark;
} slots[NR_SLOTS];

struct walk {
	struct ktest *t;
	unsigned int next_mark;
	unsigned long nr_ops; /* that found memory */
};

/* ---- contents --------------------------------------------------------------------------- */

/* The place after @i that is written. */
static size_t next_place(size_t i, size_t size)
{
	if (i + 1 < DENSE_BYTES || i + 1 + DENSE_BYTES >= size)
		return i + 1;
	return min(i + SPARSE_STEP, size - DENSE_BYTES);
}

static uint8_t mark_at(unsigned int mark, size_t i)
{
	return (uint8_t)((mark + i) * 0x9e3779b1u >> 24);
}

static void write_marks(uint8_t *p, size_t size, unsigned int mark)
{
	for (size_t i = 0; i < size; i = next_place(i, size))
		p[i] = mark_at(mark, i);
}

/* The marks of memory that had @size bytes, in the first @kept of them. */
static bool marks_hold(const uint8_t *p, size_t size, size_t kept, unsigned int mark)
{
	bool hold = true;

	for (size_t i = 0; i < kept; i = next_place(i, size))
		hold &= p[i] == mark_at(mark, i);
	return hold;
}

/* ---- steps ------------------------------------------------------------------------------ */

static gfp_t random_gfp(struct walk *w)
{
	static const gfp_t gfps[] = {
		GFP_KERNEL, GFP_KERNEL, GFP_KERNEL, GFP_ATOMIC,
		GFP_NOWAIT, GFP_NOIO,   GFP_NOFS,   GFP_USER,
		GFP_DMA,    GFP_DMA32,  __GFP_COLD, __GFP_REPEAT | GFP_KERNEL
	};

	return gfps[ktest_random_below(w->t, ARRAY_SIZE(gfps))] | __GFP_NOWARN;
}

/* 1 to 2^SIZE_BITS, each doubling as often as the others. */
static size_t random_size(struct walk *w)
{
	unsigned int bits = ktest_random_below(w->t, SIZE_BITS);

	return 1 + (1u << bits) + ktest_random_below(w->t, 1u << bits) -
	       (ktest_random_below(w->t, 8) == 0 ? 1u : 0u);
}

static void slot_fill(struct walk *w, struct slot *s, void *p, size_t size)
{
	if (!p)
		return;
	EXPECT_GE(w->t, size, ksize(p));
	s->p = p;
	s->size = size;
	s->mark = w->next_mark++;
	write_marks(s->p, size, s->mark);
	w->nr_ops++;
}

static unsigned int nr_of(const struct slot *s)
{
	return (unsigned int)(s - slots);
}

static void slot_zeroed(struct walk *w, struct slot *s)
{
	size_t size = random_size(w);
	gfp_t gfp = random_gfp(w);
	void *p;

	ktest_tell(w->t, "p[%u] = kcalloc(1, %zu, %#x);", nr_of(s), size, gfp);
	p = kcalloc(1, size, gfp);
	EXPECT_TRUE(w->t, !p || !memchr_inv(p, 0, size));
	slot_fill(w, s, p, size);
}

/* A copy of another slot's memory. */
static void slot_copy(struct walk *w, struct slot *s)
{
	const struct slot *from = &slots[ktest_random_below(w->t, NR_SLOTS)];
	gfp_t gfp = random_gfp(w);
	uint8_t *p = NULL;

	if (from->p) {
		ktest_tell(w->t, "p[%u] = kmemdup(p[%u], %zu, %#x);", nr_of(s), nr_of(from),
			   from->size, gfp);
		p = kmemdup(from->p, from->size, gfp);
	}
	EXPECT_TRUE(w->t, !p || marks_hold(p, from->size, from->size, from->mark));
	slot_fill(w, s, p, from->size);
}

static void slot_print(struct walk *w, struct slot *s)
{
	unsigned int width = 1 + ktest_random_below(w->t, 500);
	gfp_t gfp = random_gfp(w);
	char *p;

	ktest_tell(w->t, "p[%u] = kasprintf(%#x, \"%%*u\", %u, 0u);", nr_of(s), gfp, width);
	p = kasprintf(gfp, "%*u", (int)width, w->next_mark % 10);
	EXPECT_EQ(w->t, p ? width : 0, p ? strlen(p) : 0);
	slot_fill(w, s, p, width + 1);
}

static void slot_alloc(struct walk *w, struct slot *s)
{
	size_t size = random_size(w);
	gfp_t gfp = random_gfp(w);
	void *p;

	ktest_tell(w->t, "p[%u] = kmalloc(%zu, %#x);", nr_of(s), size, gfp);
	p = kmalloc(size, gfp);
	/* A power of two is aligned to itself. */
	EXPECT_EQ(w->t, 0, size & (size - 1) ? 0 : (uintptr_t)p & (size - 1));
	slot_fill(w, s, p, size);
}

static void slot_resize(struct walk *w, struct slot *s)
{
	size_t size = random_size(w), had = s->size;
	gfp_t gfp = random_gfp(w);
	uint8_t *p;

	ktest_tell(w->t, "p[%u] = krealloc(p[%u], %zu, %#x);", nr_of(s), nr_of(s), size, gfp);
	p = krealloc(s->p, size, gfp);
	if (!p)
		return;
	EXPECT_TRUE(w->t, marks_hold(p, had, min(had, size), s->mark));
	s->p = NULL;
	slot_fill(w, s, p, size);
}

static void slot_drop(struct walk *w, struct slot *s, bool sensitive)
{
	EXPECT_TRUE(w->t, marks_hold(s->p, s->size, s->size, s->mark));
	ktest_tell(w->t, "%s(p[%u]);", sensitive ? "kfree_sensitive" : "kfree", nr_of(s));
	if (sensitive)
		kfree_sensitive(s->p);
	else
		kfree(s->p);
	s->p = NULL;
}

static void step(struct walk *w)
{
	struct slot *s = &slots[ktest_random_below(w->t, NR_SLOTS)];
	unsigned int dice = ktest_random_below(w->t, 16);

	if (s->p && dice < 4)
		slot_resize(w, s);
	else if (s->p)
		slot_drop(w, s, dice == 4);
	else if (dice < 2)
		slot_zeroed(w, s);
	else if (dice == 2)
		slot_copy(w, s);
	else if (dice == 3)
		slot_print(w, s);
	else
		slot_alloc(w, s);
}

/* ---- the walk --------------------------------------------------------------------------- */

static void note_in_use(unsigned long nr[2][KMALLOC_NR_CLASSES])
{
	mm_quiesce();
	for (unsigned int i = 0; i < KMALLOC_NR_CLASSES; i++) {
		nr[0][i] = kmem_cache_nr_in_use(kmalloc_caches[0][i]);
		nr[1][i] = kmem_cache_nr_in_use(kmalloc_caches[1][i]);
	}
}

KTEST(kmalloc_walk, random_requests_keep_every_invariant)
{
	static unsigned long nr_before[2][KMALLOC_NR_CLASSES], nr_after[2][KMALLOC_NR_CLASSES];
	unsigned long steps = ktest_steps(t, DEFAULT_STEPS) / STEP_COST;
	unsigned long every = steps / CHECKS + 1;
	struct walk w = { .t = t, .next_mark = ktest_random(t) };

	ktest_tell(t, "void *p[%u] __maybe_unused;", NR_SLOTS);
	note_in_use(nr_before);
	memset(slots, 0, sizeof(slots));
	for (unsigned long i = 0; i < steps && !t->nr_failed; i++) {
		if (ktest_step(t, i))
			step(&w);
		if (i % every == 0)
			EXPECT_EQ(t, 0, mm_check_all());
	}
	EXPECT_EQ(t, 0, mm_check_all());
	for (unsigned int i = 0; i < NR_SLOTS; i++)
		if (slots[i].p)
			slot_drop(&w, &slots[i], false);
	note_in_use(nr_after);
	EXPECT_EQ(t, 0, memcmp(nr_before, nr_after, sizeof(nr_before)));
	/* A walk that found no memory would prove nothing. */
	EXPECT_GE(t, ktest_is_reduced(t) ? 0 : steps / 8, w.nr_ops);
}
