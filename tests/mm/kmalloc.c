/*
 * kmalloc.c - memory by size: every size, every class edge, every context, until there is no more.
 *
 * THEORY.  kmalloc() promises little, for a lot of sizes: enough bytes, nobody else's, aligned.  So
 * every size up to the largest class is asked for while its predecessors still lie there with
 * their marks in them, and at the edges of the classes, where an error by one would show, all bytes
 * are written.  A size that the compiler knows takes another way than one that it does not: what
 * both must do is asked of both; hidden() makes the second kind.
 *
 * A machine whose memory map is a comb has no large blocks.  take() returns NULL there, but fails
 * the test if there was a block to be had.
 *
 * CONTEXT.  A thread.
 */
#include "kmalloc.h"

#include <quarry/align.h>
#include <quarry/asm/restart.h>
#include <quarry/env.h>
#include <quarry/limits.h>
#include <quarry/percpu.h>

#define MARK_STEP       64u       /* bytes between marks */
#define ALL_SIZES_STEPS 1000000ul /* a run of so many steps tries every size */
#define GAP_MAX         61ul      /* bytes between the sizes of the shortest run */
#define DMA_END         (16 * MiB)

/* ---- marks ------------------------------------------------------------------------------ */

/* First, last and every MARK_STEPth byte. */
static void mark(void *p, size_t size, unsigned int tag)
{
	uint8_t *byte = p, value = (uint8_t)tag;

	for (size_t i = 0; i < size; i += MARK_STEP)
		byte[i] = value++;
	byte[size - 1] = (uint8_t)~tag;
}

static bool marks_hold(const void *p, size_t size, unsigned int tag)
{
	const uint8_t *byte = p;
	uint8_t value = (uint8_t)tag;
	size_t last = size - 1;
	bool hold = byte[last] == (uint8_t)~tag;

	for (size_t i = 0; i < last; i += MARK_STEP)
		hold &= byte[i] == value++;
	return hold;
}

/* ---- sizes ------------------------------------------------------------------------------ */

static void check_size(struct ktest *t, const void *p, size_t size)
{
	const struct kmem_cache *c = kmalloc_caches[0][kmalloc_index(size)];

	if (virt_to_page(p)->slab_cache != c || ksize(p) != kmem_cache_size(c))
		ktest_fail(t, __FILE__, __LINE__, "%zu bytes come from %s", size,
			   kmem_cache_name(virt_to_page(p)->slab_cache));
}

/*
 * Each allocation is checked NR_LIVE steps later, when those behind it have been written to.  In a
 * short run (steps=) there are gaps between the sizes above a page: which of them it tries, is the
 * seed's choice.
 */
KTEST(kmalloc, every_size_has_its_first_its_last_and_each_64th_byte_for_itself)
{
	struct live {
		void *p;
		size_t size;
	} live[NR_LIVE] = { 0 };
	unsigned long steps = ktest_steps(t, ALL_SIZES_STEPS);
	uint32_t gap = (uint32_t)clamp(ALL_SIZES_STEPS / max(steps, 1ul), 1ul, GAP_MAX);
	size_t size = 1;

	for (unsigned int i = 0; size <= KMALLOC_CACHE_MAX && !t->nr_failed; i++) {
		struct live *l = &live[i % NR_LIVE];

		if (l->p && !marks_hold(l->p, l->size, (unsigned int)l->size))
			ktest_fail(t, __FILE__, __LINE__, "marks in %zu bytes are gone", l->size);
		kfree(l->p);
		l->size = size;
		l->p = take(t, size, GFP_KERNEL);
		if (l->p) {
			check_size(t, l->p, size);
			mark(l->p, size, (unsigned int)size);
		}
		size += size < PAGE_SIZE || gap == 1 ? 1 : 1 + ktest_random_below(t, 2 * gap - 1);
	}
	for (unsigned int i = 0; i < NR_LIVE; i++) {
		EXPECT_TRUE(t, !live[i].p || marks_hold(live[i].p, live[i].size,
							(unsigned int)live[i].size));
		kfree(live[i].p);
	}
}

/* @size bytes, with two of the same class around them in time. */
static void check_all_bytes(struct ktest *t, size_t size)
{
	void *p[3];

	for (unsigned int i = 0; i < ARRAY_SIZE(p); i++) {
		p[i] = take(t, size, GFP_KERNEL);
		if (p[i])
			fill(p[i], size, i);
	}
	for (unsigned int i = 0; i < ARRAY_SIZE(p); i++) {
		if (p[i] && !filled(p[i], size, i))
			ktest_fail(t, __FILE__, __LINE__, "%zu bytes did not keep", size);
		kfree(p[i]);
	}
}

KTEST(kmalloc, sizes_at_and_beside_each_class_edge_have_all_their_bytes)
{
	for (unsigned int i = 0; i < KMALLOC_NR_CLASSES; i++) {
		check_all_bytes(t, class_size(i) - 1);
		check_all_bytes(t, class_size(i));
		if (class_size(i) < KMALLOC_CACHE_MAX)
			check_all_bytes(t, class_size(i) + 1);
	}
}

/* The owner may use all that ksize() says. */
KTEST(kmalloc, all_bytes_that_ksize_promises_are_the_owners)
{
	for (unsigned int i = 0; i < KMALLOC_NR_CLASSES; i++) {
		size_t size = i ? class_size(i - 1) + 1 : 1;
		void *p = take(t, size, GFP_KERNEL), *q = take(t, size, GFP_KERNEL);

		if (p && q) {
			EXPECT_EQ(t, class_size(i), ksize(p));
			fill(p, ksize(p), 1);
			fill(q, ksize(q), 2);
			EXPECT_TRUE(t, filled(p, ksize(p), 1));
		}
		kfree(p);
		kfree(q);
	}
}

KTEST(kmalloc, a_power_of_two_is_aligned_to_itself)
{
	for (size_t size = 8; size <= KMALLOC_CACHE_MAX; size *= 2) {
		void *p[NR_LIVE];

		for (unsigned int i = 0; i < NR_LIVE; i++) {
			p[i] = take(t, size, GFP_KERNEL);
			EXPECT_EQ(t, 0, (uintptr_t)p[i] & (size - 1));
		}
		for (unsigned int i = 0; i < NR_LIVE; i++)
			kfree(p[i]);
	}
}

KTEST(kmalloc, every_small_size_is_aligned_to_8)
{
	for (size_t size = 1; size <= 1024; size++) {
		void *p = take(t, size, GFP_KERNEL);

		EXPECT_EQ(t, 0, (uintptr_t)p & 7);
		kfree(p);
	}
}

KTEST(kmalloc, the_index_of_a_size_is_the_smallest_class_that_holds_it)
{
	for (size_t size = 1; size <= KMALLOC_CACHE_MAX; size++) {
		unsigned int i = kmalloc_index(size);

		ASSERT_LE(t, KMALLOC_NR_CLASSES - 1, i);
		ASSERT_GE(t, size, class_size(i));
		if (i)
			ASSERT_LE(t, size - 1, class_size(i - 1));
	}
}

KTEST(kmalloc, a_class_is_named_after_its_size_and_found_by_that_name)
{
	for (unsigned int i = 0; i < KMALLOC_NR_CLASSES; i++) {
		for (unsigned int dma = 0; dma < 2; dma++) {
			struct kmem_cache *c = kmalloc_caches[dma][i];
			char name[SLAB_NAME_MAX];

			snprintf(name, sizeof(name), "%skmalloc-%zu", dma ? "dma-" : "",
				 class_size(i));
			EXPECT_STREQ(t, name, kmem_cache_name(c));
			EXPECT_EQ(t, c, slab_cache_find(name));
			EXPECT_EQ(t, class_size(i), kmem_cache_size(c));
		}
	}
}

KTEST(kmalloc, the_promised_classes_are_there)
{
	static const unsigned int promised[] = { 8,    16,    32,    64,    96,    128,
						 192,  256,   512,   1024,  2048,  4096,
						 8192, 16384, 32768, 65536, 131072 };

	for (unsigned int i = 0; i < ARRAY_SIZE(promised); i++) {
		void *p = take(t, promised[i], GFP_KERNEL);

		if (p)
			EXPECT_EQ(t, promised[i], ksize(p));
		kfree(p);
	}
}

/* Constants on both sides of class edges: the compiler's choice and the
 * table's. */
#define CHECK_CONSTANT(t, n)                                             \
	do {                                                             \
		void *known_ = kmalloc((n), GFP_KERNEL | __GFP_NOWARN);  \
		void *unknown_ = take(t, (n), GFP_KERNEL);               \
                                                                         \
		if (known_ && unknown_)                                  \
			EXPECT_EQ(t, virt_to_page(unknown_)->slab_cache, \
				  virt_to_page(known_)->slab_cache);     \
		kfree(known_);                                           \
		kfree(unknown_);                                         \
	} while (0)

KTEST(kmalloc, a_constant_and_a_variable_size_come_from_the_same_class)
{
	CHECK_CONSTANT(t, 1);
	CHECK_CONSTANT(t, 8);
	CHECK_CONSTANT(t, 9);
	CHECK_CONSTANT(t, 64);
	CHECK_CONSTANT(t, 65);
	CHECK_CONSTANT(t, 96);
	CHECK_CONSTANT(t, 97);
	CHECK_CONSTANT(t, 129);
	CHECK_CONSTANT(t, 192);
	CHECK_CONSTANT(t, 193);
	CHECK_CONSTANT(t, 256);
	CHECK_CONSTANT(t, 257);
	CHECK_CONSTANT(t, 4096);
	CHECK_CONSTANT(t, 65537);
	CHECK_CONSTANT(t, 131072);
}

/* ---- the ends --------------------------------------------------------------------------- */

KTEST(kmalloc, of_0_bytes_is_zero_size_ptr)
{
	EXPECT_EQ(t, ZERO_SIZE_PTR, kmalloc(0, GFP_KERNEL));
	EXPECT_EQ(t, ZERO_SIZE_PTR, kmalloc(hidden(0), GFP_KERNEL));
	EXPECT_EQ(t, ZERO_SIZE_PTR, kzalloc(hidden(0), GFP_KERNEL));
	EXPECT_EQ(t, ZERO_SIZE_PTR, kmalloc_array(hidden(0), 8, GFP_KERNEL));
	EXPECT_EQ(t, ZERO_SIZE_PTR, kcalloc(8, hidden(0), GFP_ATOMIC));
	EXPECT_EQ(t, ZERO_SIZE_PTR, kmemdup("", 0, GFP_KERNEL));
}

KTEST(kmalloc, nothing_is_freed_without_complaint_and_has_no_size)
{
	struct capture *c = capture_begin();

	kfree(NULL);
	kfree(ZERO_SIZE_PTR);
	kfree_sensitive(NULL);
	kfree_sensitive(ZERO_SIZE_PTR);
	capture_end(c);
	EXPECT_EQ(t, 0, c->len);
	EXPECT_EQ(t, 0, ksize(NULL));
	EXPECT_EQ(t, 0, ksize(ZERO_SIZE_PTR));
}

/* A second run of the tests in one boot finds the one warning spent. */
KTEST(kmalloc, a_size_above_the_limit_gives_null_and_one_warning)
{
	static bool told;
	struct capture *c = capture_begin();
	void *p = kmalloc(hidden(KMALLOC_MAX_SIZE + 1), GFP_KERNEL);
	void *q = kmalloc(hidden(SIZE_MAX), GFP_ATOMIC);
	void *r = kmalloc(hidden(KMALLOC_MAX_SIZE + 1), GFP_KERNEL);

	capture_end(c);
	EXPECT_EQ(t, NULL, p);
	EXPECT_EQ(t, NULL, q);
	EXPECT_EQ(t, NULL, r);
	EXPECT_EQ(t, told ? 0 : 1, capture_count(c, "are more than the limit of"));
	EXPECT_EQ(t, told ? 0 : 1, capture_count(c, "a_size_above_the_limit_gives_null"));
	told = true;
}

KTEST(kmalloc, a_size_above_the_limit_is_silent_if_asked_to_be)
{
	struct capture *c = capture_begin();
	void *p = kmalloc(hidden(KMALLOC_MAX_SIZE + 1), T_GFP(t, GFP_KERNEL | __GFP_NOWARN));

	capture_end(c);
	EXPECT_EQ(t, NULL, p);
	EXPECT_EQ(t, 0, c->len);
}

/* ---- masks and contexts ----------------------------------------------------------------- */

KTEST_NEEDS(kmalloc, dma_memory_lies_below_16_mib_in_every_class, .zones = KTEST_ZONE_DMA)
{
	for (unsigned int i = 0; i < KMALLOC_NR_CLASSES; i++) {
		size_t size = class_size(i);
		void *p = kmalloc(hidden(size), T_GFP(t, GFP_KERNEL | GFP_DMA | __GFP_NOWARN));

		if (!p)
			continue;
		EXPECT_LE(t, DMA_END - size, va_to_pa(p));
		EXPECT_EQ(t, kmalloc_caches[1][i], virt_to_page(p)->slab_cache);
		EXPECT_EQ(t, size, ksize(p));
		fill(p, size, i);
		EXPECT_TRUE(t, filled(p, size, i));
		kfree(p);
	}
}

KTEST_NEEDS(kmalloc, dma_memory_of_a_constant_size_lies_below_16_mib, .zones = KTEST_ZONE_DMA)
{
	void *p = kmalloc(100, GFP_KERNEL | GFP_DMA), *q = kzalloc(3000, GFP_DMA);

	ASSERT_NE(t, NULL, p);
	EXPECT_NE(t, NULL, q);
	EXPECT_LE(t, DMA_END - 128, va_to_pa(p));
	EXPECT_LE(t, DMA_END - 4096, va_to_pa(q));
	EXPECT_STREQ(t, "dma-kmalloc-128", kmem_cache_name(virt_to_page(p)->slab_cache));
	EXPECT_TRUE(t, is_zero(q, 3000));
	kfree(p);
	kfree(q);
}

/* More than a magazine and a slab hold: the slow paths are walked as well. */
#define NR_ATOMIC 300u

static void take_and_give_atomic(struct ktest *t)
{
	static void *p[NR_ATOMIC];
	unsigned int nr = 0;

	for (unsigned int i = 0; i < NR_ATOMIC; i++) {
		p[i] = kmalloc(hidden(1 + i % 400), GFP_ATOMIC);
		nr += p[i] != NULL;
	}
	for (unsigned int i = 0; i < NR_ATOMIC; i++)
		kfree(p[i]);
	EXPECT_EQ(t, NR_ATOMIC, nr);
}

KTEST(kmalloc, atomic_requests_work_with_interrupts_off)
{
	unsigned long flags;

	mm_quiesce();
	flags = irq_save();
	take_and_give_atomic(t);
	EXPECT_TRUE(t, irqs_disabled());
	irq_restore(flags);
}

KTEST(kmalloc, atomic_requests_work_without_preemption)
{
	mm_quiesce();
	preempt_disable();
	take_and_give_atomic(t);
	EXPECT_FALSE(t, env_can_sleep());
	preempt_enable();
}

static DEFINE_PER_CPU(struct percpu_stack, stack);
static struct ktest *interrupted;

static QAPI void allocate_in_interrupt(void)
{
	EXPECT_TRUE(interrupted, in_interrupt());
	take_and_give_atomic(interrupted);
}

KTEST(kmalloc, atomic_requests_work_in_an_interrupt)
{
	bool hit = false;

	mm_quiesce();
	interrupted = t;
	restart_step_pop(&stack, 1, &hit, allocate_in_interrupt);
	EXPECT_TRUE(t, hit);
}

/* ---- until there is no more ------------------------------------------------------------- */

struct chain {
	struct chain *next;
	uint32_t check;
};

static struct chain *take_all(struct chain *chain, size_t size, gfp_t gfp, unsigned long *nr)
{
	struct chain *p;

	while ((p = kmalloc(hidden(size), gfp | __GFP_NOWARN)) != NULL) {
		p->next = chain;
		p->check = ~(uint32_t)(uintptr_t)chain;
		chain = p;
		++*nr;
	}
	return chain;
}

/* Every link must be as take_all() left it; the number of them. */
static unsigned long free_all(struct ktest *t, struct chain *chain)
{
	unsigned long nr = 0;

	while (chain) {
		struct chain *next = chain->next;

		if (chain->check != ~(uint32_t)(uintptr_t)next) {
			ktest_fail(t, __FILE__, __LINE__, "link %lu is broken", nr);
			break;
		}
		kfree(chain);
		chain = next;
		nr++;
	}
	return nr;
}

struct in_use {
	unsigned long nr[2][KMALLOC_NR_CLASSES];
};

static void note_in_use(struct in_use *u)
{
	mm_quiesce();
	for (unsigned int i = 0; i < KMALLOC_NR_CLASSES; i++) {
		u->nr[0][i] = kmem_cache_nr_in_use(kmalloc_caches[0][i]);
		u->nr[1][i] = kmem_cache_nr_in_use(kmalloc_caches[1][i]);
	}
}

/* With guards or users, objects of a class lie further apart than they are large. */
static bool class_has_guards(unsigned int i)
{
	return slab_debug_given(kmem_cache_name(kmalloc_caches[0][i]), "ZU");
}

/*
 * The largest class takes nearly all, and the others what is in between.  Of the smallest zone: the
 * emulator has to find memory for whatever is written to.
 */
KTEST_NEEDS(kmalloc, what_was_taken_until_there_was_no_more_can_all_be_given_back,
	    .zones = KTEST_ZONE_DMA)
{
	gfp_t gfp = GFP_NOWAIT | GFP_DMA;
	struct in_use before, after;
	struct chain *chain = NULL;
	unsigned long nr = 0;

	note_in_use(&before);
	for (unsigned int i = KMALLOC_NR_CLASSES; i-- > kmalloc_index(sizeof(struct chain));)
		chain = take_all(chain, class_size(i), gfp, &nr);
	EXPECT_EQ(t, NULL, kmalloc(hidden(64 * KiB), gfp | __GFP_NOWARN));
	EXPECT_EQ(t, nr, free_all(t, chain));
	EXPECT_GE(t, 20, nr);
	note_in_use(&after);
	EXPECT_EQ(t, 0, memcmp(&before, &after, sizeof(before)));
}

/* All that is left of lowmem are some single pages: three quarters of them become objects. */
#define NR_LEFT 48u

KTEST(kmalloc, each_small_class_uses_the_last_page_and_then_gives_null)
{
	struct in_use before, after;
	HOARD(h);

	note_in_use(&before);
	hoard_zone(&h, ZONE_NORMAL, MAX_ORDER - 1);
	hoard_zone(&h, ZONE_DMA, MAX_ORDER - 1);
	for (unsigned int i = 0; i < NR_LEFT; i++)
		hoard_free_one(&h);
	for (unsigned int i = kmalloc_index(sizeof(struct chain)); class_size(i) <= 512; i++) {
		unsigned long nr = 0, nr_at_least = NR_LEFT * PAGE_SIZE / class_size(i) * 3 / 4;
		struct chain *chain =
			take_all(NULL, class_size(i), GFP_NOWAIT | __GFP_MEMALLOC, &nr);

		/* Guards and users are larger than small objects. */
		EXPECT_GE(t, class_has_guards(i) ? NR_LEFT : nr_at_least, nr);
		EXPECT_EQ(t, nr, free_all(t, chain));
		kmem_cache_reap();
	}
	hoard_free(&h);
	note_in_use(&after);
	EXPECT_EQ(t, 0, memcmp(&before, &after, sizeof(before)));
}

KTEST(kmalloc, whole_pages_are_aligned_known_to_ksize_and_freed_by_kfree)
{
	const size_t size = 3 * PAGE_SIZE;
	char *p = kmalloc_large(size, T_GFP(t, GFP_KERNEL | __GFP_ZERO));

	ASSERT_NE(t, NULL, p);
	EXPECT_EQ(t, 0, (uintptr_t)p % (4 * PAGE_SIZE));
	EXPECT_EQ(t, 4 * PAGE_SIZE, ksize(p));
	EXPECT_EQ(t, NULL, memchr_inv(p, 0, size));
	EXPECT_TRUE(t, virt_to_page(p)->flags & PG_kmalloc);
	kfree(p);
	EXPECT_FALSE(t, virt_to_page(p)->flags & PG_kmalloc);
}
