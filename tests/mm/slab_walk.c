/*
 * slab_walk.c - a random walk of slab operations over several caches at once.
 *
 * THEORY.  A few caches of random size, alignment and flags live at a time; each is destroyed and
 * replaced now and then.  A number of slots each hold an object, or nothing.  Every byte of an
 * object is filled with a pattern made of its number when it is allocated and compared when it is
 * freed, so that nobody else may write to it; and no new object may overlap one that is held, which
 * is compared address by address.  In caches with a constructor, objects are constructed when they
 * come and left so when they go.
 *
 * In between, the caches are checked and their counts compared with the walk's own; at the end
 * every count is back where it was, and every constructor has its destructor.
 *
 * The walk is a function of the seed, which is printed: seed=N repeats it.
 *
 * STATE.  Caches and slots, static: the stack is small.
 */
#include "helpers.h"

#include <quarry/env.h>
#include <quarry/slab.h>
#include <quarry/string.h>

#define NR_CACHES     6u
#define NR_SLOTS      400u
#define NR_BULK       80u
#define CHECK_CACHE   50u     /* steps between checks of a cache */
#define CHECKS        16u     /* of everything, in a walk */
#define DEFAULT_STEPS 50000ul /* without steps= */
#define STEP_COST     5ul     /* of the run's steps, for one that compares all objects */
#define CTOR_BYTE     0xc7

static struct slot {
	uint8_t *obj; /* NULL: none */
	size_t size;
	unsigned int cache;
	uint32_t id;
} slots[NR_SLOTS];

static struct {
	struct kmem_cache *c;
	size_t size, align;
	bool constructs;
	unsigned long nr_held;
} caches[NR_CACHES];

static unsigned long nr_ctor, nr_dtor;

struct walk {
	struct ktest *t;
	uint32_t next_id;
	unsigned int nr_made;  /* caches */
	unsigned long nr_took; /* objects */
};

/* ---- contents ------------------------------------------------------------------------------- */

static uint8_t pattern(uint32_t id, size_t i)
{
	return (uint8_t)((id >> (i & 3) * 8) + i * 7u);
}

static void fill(const struct slot *s)
{
	for (size_t i = 0; i < s->size; i++)
		s->obj[i] = pattern(s->id, i);
}

static bool holds(const struct slot *s)
{
	for (size_t i = 0; i < s->size; i++)
		if (s->obj[i] != pattern(s->id, i))
			return false;
	return true;
}

static bool is_all(const uint8_t *obj, size_t size, uint8_t with)
{
	for (size_t i = 0; i < size; i++)
		if (obj[i] != with)
			return false;
	return true;
}

static QAPI void ctor(void *obj, struct kmem_cache *c, unsigned long flags)
{
	(void)flags;
	nr_ctor++;
	memset(obj, CTOR_BYTE, kmem_cache_size(c));
}

static QAPI void dtor(void *obj, struct kmem_cache *c, unsigned long flags)
{
	(void)flags;
	/* One that is not constructed counts as not destroyed. */
	nr_dtor += is_all(obj, kmem_cache_size(c), CTOR_BYTE);
}

/* ---- caches --------------------------------------------------------------------------------- */

static size_t random_size(struct walk *w)
{
	uint32_t dice = ktest_random_below(w->t, 16);

	if (dice == 0)
		return 1 + ktest_random_below(w->t, 9000);
	return 1 + ktest_random_below(w->t, dice < 4 ? 1200 : 150);
}

static unsigned long random_flags(struct walk *w)
{
	static const unsigned long any[] = { 0,
					     0,
					     0,
					     SLAB_HWCACHE_ALIGN,
					     SLAB_RECLAIM_ACCOUNT,
					     SLAB_CACHE_DMA,
					     SLAB_RED_ZONE,
					     SLAB_POISON,
					     SLAB_RED_ZONE | SLAB_POISON,
					     SLAB_STORE_USER | SLAB_CONSISTENCY_CHECKS,
					     SLAB_DEBUG_FLAGS };

	return any[ktest_random_below(w->t, ARRAY_SIZE(any))];
}

static void make_cache(struct walk *w, unsigned int k)
{
	char name[SLAB_NAME_MAX];
	unsigned long flags;

	caches[k].size = random_size(w);
	caches[k].align = ktest_random(w->t) & 1 ? 0 : 1ul << ktest_random_below(w->t, 9);
	caches[k].constructs = ktest_random_below(w->t, 4) == 0;
	caches[k].nr_held = 0;
	flags = random_flags(w);
	snprintf(name, sizeof(name), "slab-walk-%u", w->nr_made++);
	ktest_tell(w->t, "c[%u] = kmem_cache_create(\"%s\", %zu, %zu, %#lx, %s);", k, name,
		   caches[k].size, caches[k].align, flags,
		   caches[k].constructs ? "ctor, dtor" : "NULL, NULL");
	caches[k].c = kmem_cache_create(name, caches[k].size, caches[k].align, flags,
					caches[k].constructs ? ctor : NULL,
					caches[k].constructs ? dtor : NULL);
}

/* ---- objects -------------------------------------------------------------------------------- */

static bool overlaps_another(const struct slot *s)
{
	for (const struct slot *o = slots; o < slots + NR_SLOTS; o++)
		if (o != s && o->obj && s->obj < o->obj + o->size && o->obj < s->obj + s->size)
			return true;
	return false;
}

/* @obj of cache @k goes to @s, which is empty. */
static void slot_put(struct walk *w, struct slot *s, unsigned int k, void *obj, bool zeroed)
{
	s->obj = obj;
	s->size = caches[k].size;
	s->cache = k;
	s->id = w->next_id;
	w->next_id += 0x9E3779B1u;
	w->nr_took++;
	caches[k].nr_held++;
	EXPECT_FALSE(w->t, overlaps_another(s));
	if (caches[k].align)
		EXPECT_EQ(w->t, 0, (uintptr_t)obj & (caches[k].align - 1));
	if (zeroed)
		EXPECT_TRUE(w->t, is_all(obj, s->size, 0));
	if (caches[k].constructs)
		EXPECT_TRUE(w->t, is_all(obj, s->size, CTOR_BYTE));
	fill(s);
}

/* The object of @s, as its cache wants it back. */
static void *slot_get(struct walk *w, struct slot *s)
{
	uint8_t *obj = s->obj;

	EXPECT_TRUE(w->t, holds(s));
	if (caches[s->cache].constructs)
		memset(obj, CTOR_BYTE, s->size);
	caches[s->cache].nr_held--;
	s->obj = NULL;
	return obj;
}

static unsigned int nr_of(const struct slot *s)
{
	return (unsigned int)(s - slots);
}

static void slot_alloc(struct walk *w, struct slot *s)
{
	static const gfp_t gfps[] = { GFP_KERNEL, GFP_KERNEL, GFP_NOIO, GFP_ATOMIC, GFP_NOWAIT };
	unsigned int k = ktest_random_below(w->t, NR_CACHES);
	gfp_t gfp = gfps[ktest_random_below(w->t, ARRAY_SIZE(gfps))] | __GFP_NOWARN;
	bool zeroed = !caches[k].constructs && ktest_random_below(w->t, 4) == 0;
	bool irqs_off = !(gfp & __GFP_WAIT) && (ktest_random(w->t) & 1);
	unsigned long flags = 0;
	void *obj;

	gfp |= zeroed ? __GFP_ZERO : 0;
	ktest_tell(w->t, "o[%u] = kmem_cache_alloc(c[%u], %#x);", nr_of(s), k, gfp);
	if (irqs_off)
		flags = irq_save();
	obj = kmem_cache_alloc(caches[k].c, gfp);
	if (irqs_off)
		irq_restore(flags);
	if (obj)
		slot_put(w, s, k, obj, zeroed);
}

static void slot_free(struct walk *w, struct slot *s)
{
	unsigned int k = s->cache;

	ktest_tell(w->t, "kmem_cache_free(c[%u], o[%u]);", k, nr_of(s));
	kmem_cache_free(caches[k].c, slot_get(w, s));
}

/* Fill as many empty slots as there are, from one cache. */
static void bulk_alloc(struct walk *w)
{
	void *objs[NR_BULK];
	unsigned int k = ktest_random_below(w->t, NR_CACHES), nr = 0, wanted = 0;
	unsigned int nr_max = 1 + ktest_random_below(w->t, NR_BULK);

	for (unsigned int i = 0; i < NR_SLOTS && wanted < nr_max; i++)
		wanted += !slots[i].obj;
	ktest_tell(w->t, "kmem_cache_alloc_bulk(c[%u], GFP_KERNEL | __GFP_NOWARN, %u, objs);", k,
		   wanted);
	if (kmem_cache_alloc_bulk(caches[k].c, GFP_KERNEL | __GFP_NOWARN, wanted, objs) != wanted)
		return;
	for (struct slot *s = slots; nr < wanted; s++)
		if (!s->obj) {
			ktest_tell(w->t, "o[%u] = objs[%u];", nr_of(s), nr);
			slot_put(w, s, k, objs[nr++], false);
		}
}

static void bulk_free(struct walk *w)
{
	void *objs[NR_BULK];
	unsigned int k = ktest_random_below(w->t, NR_CACHES), nr = 0;
	unsigned int nr_max = 1 + ktest_random_below(w->t, NR_BULK);

	for (struct slot *s = slots; s < slots + NR_SLOTS && nr < nr_max; s++)
		if (s->obj && s->cache == k) {
			ktest_tell(w->t, "objs[%u] = o[%u];", nr, nr_of(s));
			objs[nr++] = slot_get(w, s);
		}
	ktest_tell(w->t, "kmem_cache_free_bulk(c[%u], %u, objs);", k, nr);
	kmem_cache_free_bulk(caches[k].c, nr, objs);
}

static void free_all_of(struct walk *w, unsigned int k)
{
	for (struct slot *s = slots; s < slots + NR_SLOTS; s++)
		if (s->obj && s->cache == k)
			slot_free(w, s);
}

/* ---- the walk ------------------------------------------------------------------------------- */

static void check_cache(struct walk *w, unsigned int k)
{
	EXPECT_EQ(w->t, 0, kmem_cache_check(caches[k].c));
	EXPECT_EQ(w->t, caches[k].nr_held, kmem_cache_nr_in_use(caches[k].c));
}

static void destroy_cache(struct walk *w, unsigned int k)
{
	free_all_of(w, k);
	check_cache(w, k);
	ktest_tell(w->t, "EXPECT_EQ(t, 0, kmem_cache_destroy(c[%u]));", k);
	EXPECT_EQ(w->t, 0, kmem_cache_destroy(caches[k].c));
	caches[k].c = NULL;
}

/* What is done more rarely than an allocation or a free. */
static void rare_step(struct walk *w)
{
	unsigned int k = ktest_random_below(w->t, NR_CACHES);
	uint32_t dice = ktest_random_below(w->t, 64);

	if (dice < 2) {
		destroy_cache(w, k);
		make_cache(w, k);
	} else if (dice < 8) {
		ktest_tell(w->t, "kmem_cache_shrink(c[%u]);", k);
		kmem_cache_shrink(caches[k].c);
	} else if (dice < 10) {
		ktest_tell(w->t, "kmem_cache_reap();");
		kmem_cache_reap();
	} else if (dice < 40) {
		bulk_alloc(w);
	} else {
		bulk_free(w);
	}
}

static void step(struct walk *w)
{
	struct slot *s = &slots[ktest_random_below(w->t, NR_SLOTS)];

	if (ktest_random_below(w->t, 16) == 0)
		rare_step(w);
	else if (s->obj)
		slot_free(w, s);
	else
		slot_alloc(w, s);
}

static bool start(struct walk *w)
{
	bool made = true;

	nr_ctor = 0;
	nr_dtor = 0;
	for (unsigned int i = 0; i < NR_SLOTS; i++)
		slots[i].obj = NULL;
	for (unsigned int k = 0; k < NR_CACHES; k++) {
		make_cache(w, k);
		made &= caches[k].c != NULL;
	}
	return made;
}

KTEST(slab_walk, random_operations_on_several_caches_keep_every_invariant)
{
	unsigned long steps = ktest_steps(t, DEFAULT_STEPS) / STEP_COST;
	unsigned long every = steps / CHECKS + 1, available = nr_available();
	struct walk w = { .t = t, .next_id = ktest_random(t) };

	ktest_tell(t, "struct kmem_cache *c[%u] __maybe_unused;", NR_CACHES);
	ktest_tell(t, "void *o[%u] __maybe_unused, *objs[%u] __maybe_unused;", NR_SLOTS, NR_BULK);
	ASSERT_TRUE(t, start(&w));
	for (unsigned long i = 0; i < steps && !t->nr_failed; i++) {
		if (ktest_step(t, i))
			step(&w);
		if (i % CHECK_CACHE == 0)
			check_cache(&w, (unsigned int)(i / CHECK_CACHE % NR_CACHES));
		if (i % every == 0)
			EXPECT_EQ(t, 0, mm_check_all());
	}
	for (unsigned int k = 0; k < NR_CACHES; k++)
		destroy_cache(&w, k);
	mm_quiesce();
	EXPECT_EQ(t, available, nr_available());
	EXPECT_EQ(t, nr_ctor, nr_dtor);
	/* A walk that found no memory would prove nothing. */
	EXPECT_GE(t, ktest_is_reduced(t) ? 0 : steps / 4, w.nr_took);
}
