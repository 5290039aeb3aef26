/*
 * machine_slab.c - caches and kmalloc() on any machine.
 *
 * IDEA.  A few caches of any size, alignment and flags live at a time; slots hold objects of
 * theirs and of kmalloc().  The model has each object's addresses: no two may overlap, and what an
 * owner wrote is there when he frees it.  Objects of a cache with a constructor are constructed
 * when they come.  Pages that are hoarded make memory short.  At the end everything is freed and
 * destroyed, and the world must be as it was.
 *
 * WHAT IS PREDICTED.  An object needs a slab at worst, and that two blocks of pages: of the order
 * that is wanted if there are such, and small ones will do.  If the model has the pages of large
 * ones for each object of a request, in pieces that will do, it must succeed.  It must fail when
 * there are fewer pages than bytes, or beyond the limit.  Of whole pages the model says it exactly.
 *
 * STATE.  caches, slots, nr_built; op: what is being done, for calls without arguments.
 *
 * CONTEXT.  A child of the fuzzer; operations with the bit IN_INTERRUPT in an interrupt.
 */
#include "hoard.h"
#include "world.h"
#include <quarry/align.h>
#include <quarry/bits.h>
#include <quarry/errno.h>
#include <quarry/mm.h>
#include <quarry/printk.h>
#include <quarry/slab.h>
#include <quarry/string.h>

#define NR_CACHES    4u
#define NR_SLOTS     400u
#define NR_BULK      100u
#define CTOR_BYTE    0xc7
#define IN_INTERRUPT 0x80u /* in op.b */
/* How much larger than its object a slab may be, as orders: one that will do, one that is best. */
#define SLAB_LEAST_ORDER 2u
#define SLAB_MORE_ORDER  3u
#define SLAB_REQUESTS    2ul /* for pages that a slab may make: for itself, and for its list */

static struct cache {
	struct kmem_cache *c; /* NULL: none */
	size_t size, align;
	unsigned long flags;
	bool constructs;
	unsigned long nr_held;
} caches[NR_CACHES];

static struct slot {
	void *obj; /* NULL: none */
	size_t size;
	struct cache *cache; /* NULL: kmalloc() */
	struct model_object *model;
} slots[NR_SLOTS];

static const struct machine_op *op;
static long nr_built; /* constructed, and not destroyed */
static unsigned int nr_made;

static QAPI void ctor(void *obj, struct kmem_cache *c, unsigned long flags)
{
	(void)flags;
	nr_built++;
	host_fill(obj, CTOR_BYTE, kmem_cache_size(c));
}

static QAPI void dtor(void *obj, struct kmem_cache *c, unsigned long flags)
{
	(void)flags;
	nr_built--;
	FUZZ_CHECK(host_holds(obj, CTOR_BYTE, kmem_cache_size(c)),
		   "what is destroyed is not constructed");
}

static bool in_interrupt_now(void)
{
	return op->b & IN_INTERRUPT;
}

static struct slot *find_slot(bool used)
{
	for (unsigned int i = 0; i < NR_SLOTS; i++) {
		struct slot *s = &slots[(op->slot + i) % NR_SLOTS];

		if ((s->obj != NULL) == used)
			return s;
	}
	return NULL;
}

static unsigned int nr_of(const struct slot *s)
{
	return (unsigned int)(s - slots);
}

/* A mask that objects may have. */
static gfp_t op_gfp(void)
{
	gfp_t gfp = world_gfp(op->c) &
		    ~(gfp_t)(__GFP_HIGHMEM | __GFP_COMP | __GFP_MOVABLE | __GFP_RECLAIMABLE);

	return in_interrupt_now() ? gfp & ~(gfp_t)__GFP_WAIT : gfp;
}

static gfp_t cache_gfp(const struct cache *k)
{
	gfp_t gfp = op_gfp();

	gfp &= k->flags & SLAB_CACHE_DMA ? ~0u : ~(gfp_t)__GFP_DMA;
	return k->constructs ? gfp & ~(gfp_t)__GFP_ZERO : gfp;
}

/* ---- predictions ------------------------------------------------------------------------- */

/* What must come of a request for @nr objects of @size bytes, or for memory of kmalloc(). */
static enum model_answer predict(size_t size, gfp_t gfp, unsigned int nr)
{
	unsigned int order = size ? log2_roundup(DIV_ROUND_UP(size, PAGE_SIZE)) : 0, wanted;

	if (size > KMALLOC_MAX_SIZE)
		return MUST_FAIL;
	if (size > KMALLOC_CACHE_MAX)
		return model_pages(gfp, order, MODEL_NO_LIMIT);
	if (nr * size > model_nr_possible(gfp) * PAGE_SIZE)
		return MUST_FAIL;
	wanted = max(order + SLAB_MORE_ORDER, SLAB_OBJECT_ORDER_MAX);
	order += SLAB_LEAST_ORDER;
	return model_nr_sure(gfp, order) >= (SLAB_REQUESTS * nr) << (wanted - order) ?
		       MUST_SUCCEED :
		       MAY_DO_EITHER;
}

/* ---- objects ----------------------------------------------------------------------------- */

static void check_place(const void *obj, size_t size, size_t align, bool dma)
{
	FUZZ_CHECK((uintptr_t)obj % align == 0, "%p is not aligned to %zu", obj, align);
	FUZZ_CHECK(virt_addr_valid(obj), "%p is not in lowmem", obj);
	FUZZ_CHECK(!dma || va_to_pa(obj) + size <= ZONE_DMA_LIMIT, "%p is not for DMA", obj);
}

static void hold(struct slot *s, void *obj, size_t size, struct cache *k)
{
	*s = (struct slot){ .obj = obj, .size = size, .cache = k };
	if (k)
		k->nr_held++;
}

/* From now on, and until it is freed, it has its pattern. */
static void own(struct slot *s)
{
	s->model = model_add(s->obj, s->size, 0);
	fuzz_step("\tmemset(o[%u], %#x, %zu);", nr_of(s), model_pattern(s->model->id), s->size);
}

static void own_object(struct slot *s, struct cache *k, void *obj, gfp_t gfp)
{
	hold(s, obj, k->size, k);
	check_place(obj, k->size, max(k->align, (size_t)SLAB_MIN_ALIGN), k->flags & SLAB_CACHE_DMA);
	if (k->constructs)
		FUZZ_CHECK(host_holds(obj, CTOR_BYTE, k->size), "an object is not constructed");
	if (gfp & __GFP_ZERO)
		FUZZ_CHECK(host_holds(obj, 0, k->size), "an object is not zero");
	own(s);
}

/* As its cache wants it back. */
static void disown(struct slot *s)
{
	fuzz_step("\tEXPECT_EQ(t, NULL, memchr_inv(o[%u], %#x, %zu));", nr_of(s),
		  model_pattern(s->model->id), s->size);
	model_drop(s->model);
	if (s->cache && s->cache->constructs) {
		fuzz_step("\tmemset(o[%u], %#x, %zu);", nr_of(s), CTOR_BYTE, s->size);
		host_fill(s->obj, CTOR_BYTE, s->size);
	}
	if (s->cache)
		s->cache->nr_held--;
}

static void free_slot(struct slot *s)
{
	void *obj = s->obj;

	disown(s);
	s->obj = NULL;
	if (s->cache && op->a & 1) {
		fuzz_step("\tkmem_cache_free(c[%u], o[%u]);", (unsigned int)(s->cache - caches),
			  nr_of(s));
		kmem_cache_free(s->cache->c, obj);
	} else if (!s->cache && op->a & 2) {
		fuzz_step("\tkfree_sensitive(o[%u]);", nr_of(s));
		kfree_sensitive(obj);
	} else {
		fuzz_step("\tkfree(o[%u]);", nr_of(s));
		kfree(obj);
	}
}

static void do_free(void)
{
	struct slot *s = find_slot(true);

	if (s)
		free_slot(s);
}

/* ---- caches ------------------------------------------------------------------------------ */

static struct cache *op_cache(void)
{
	struct cache *k = &caches[op->slot % NR_CACHES];

	return k->c ? k : NULL;
}

static void do_create(void)
{
	static const unsigned long flags[8] = { 0,
						SLAB_HWCACHE_ALIGN,
						SLAB_RECLAIM_ACCOUNT,
						SLAB_CACHE_DMA,
						SLAB_POISON,
						SLAB_RED_ZONE,
						SLAB_STORE_USER | SLAB_CONSISTENCY_CHECKS,
						SLAB_DEBUG_FLAGS };
	struct cache *k = &caches[op->slot % NR_CACHES];
	enum model_answer answer = predict(PAGE_SIZE, GFP_KERNEL, 1);
	char name[SLAB_NAME_MAX];

	if (k->c || in_interrupt_now())
		return;
	k->size = 1 + op->d % (op->a & 8 ? 16000 : 300);
	k->align = op->b & 0x10 ? 1ul << op->b % 12 : 0;
	k->flags = flags[op->a & 7] | flags[op->b >> 5 & 3];
	k->constructs = op->a & 0x10;
	snprintf(name, sizeof(name), "fuzz-%u", nr_made++);
	world_undo("EXPECT_EQ(t, 0, kmem_cache_destroy(c[%u]))", (unsigned int)(k - caches));
	fuzz_step("\tc[%u] = kmem_cache_create(\"%s\", %zu, %zu, %#lx, %s);",
		  (unsigned int)(k - caches), name, k->size, k->align, k->flags,
		  k->constructs ? "ctor, dtor" : "NULL, NULL");
	k->c = kmem_cache_create(name, k->size, k->align, k->flags, k->constructs ? ctor : NULL,
				 k->constructs ? dtor : NULL);
	world_judge(answer, k->c, "kmem_cache_create()", "c", (unsigned int)(k - caches));
	if (k->c)
		FUZZ_CHECK(kmem_cache_size(k->c) == k->size, "a cache has another size");
}

static void destroy(struct cache *k)
{
	struct kmem_cache *c = k->c;
	int err;

	fuzz_step("\tEXPECT_EQ(t, %d, kmem_cache_destroy(c[%u]));", k->nr_held ? -EBUSY : 0,
		  (unsigned int)(k - caches));
	k->c = NULL;
	err = kmem_cache_destroy(c);
	if (err)
		k->c = c;
	FUZZ_CHECK(err == (k->nr_held ? -EBUSY : 0), "kmem_cache_destroy() says %d of %lu objects",
		   err, k->nr_held);
}

static void do_destroy(void)
{
	struct cache *k = op_cache();

	if (k && !in_interrupt_now())
		destroy(k);
}

static void do_shrink(void)
{
	struct cache *k = op_cache();

	if (!k || in_interrupt_now())
		return;
	fuzz_step("\tkmem_cache_shrink(c[%u]);", (unsigned int)(k - caches));
	kmem_cache_shrink(k->c);
}

static void do_check_cache(void)
{
	struct cache *k = op_cache();

	if (!k || in_interrupt_now())
		return;
	fuzz_step("\tEXPECT_EQ(t, 0, kmem_cache_check(c[%u]));", (unsigned int)(k - caches));
	FUZZ_CHECK(!kmem_cache_check(k->c), "kmem_cache_check() finds something");
	FUZZ_CHECK(kmem_cache_nr_in_use(k->c) == k->nr_held, "%lu objects are in use, not %lu",
		   kmem_cache_nr_in_use(k->c), k->nr_held);
}

static enum model_answer predict_objects(const struct cache *k, gfp_t gfp, unsigned int nr)
{
	return predict(k->size, k->flags & SLAB_CACHE_DMA ? gfp | __GFP_DMA : gfp, nr);
}

static void do_alloc(void)
{
	struct cache *k = op_cache();
	struct slot *s = find_slot(false);
	enum model_answer answer;
	gfp_t gfp;
	void *obj;

	if (!k || !s)
		return;
	gfp = cache_gfp(k);
	answer = predict_objects(k, gfp, 1);
	world_undo("kfree(o[%u])", nr_of(s));
	fuzz_step("\to[%u] = kmem_cache_alloc(c[%u], %s);", nr_of(s), (unsigned int)(k - caches),
		  world_gfp_text(gfp));
	obj = kmem_cache_alloc(k->c, gfp);
	world_judge(answer, obj, "kmem_cache_alloc()", "o", nr_of(s));
	if (obj)
		own_object(s, k, obj, gfp);
}

/* As many as there are slots for. */
static void do_alloc_bulk(void)
{
	struct cache *k = op_cache();
	unsigned int nr = 1 + op->d % NR_BULK, got;
	enum model_answer answer;
	void *objs[NR_BULK];
	gfp_t gfp;

	if (!k)
		return;
	gfp = cache_gfp(k);
	answer = predict_objects(k, gfp, nr);
	fuzz_step("\tnr = kmem_cache_alloc_bulk(c[%u], %s, %u, bulk);", (unsigned int)(k - caches),
		  world_gfp_text(gfp), nr);
	got = kmem_cache_alloc_bulk(k->c, gfp, nr, objs);
	fuzz_step("\tASSERT_EQ(t, %u, nr);", answer == MUST_SUCCEED ? nr :
					     answer == MUST_FAIL    ? 0 :
								      got);
	if (answer == MUST_SUCCEED && !got)
		fuzz_step("\tkmem_cache_free_bulk(c[%u], nr, bulk);", (unsigned int)(k - caches));
	FUZZ_CHECK(!got || got == nr, "kmem_cache_alloc_bulk() gives %u of %u", got, nr);
	FUZZ_CHECK(got ? answer != MUST_FAIL : answer != MUST_SUCCEED,
		   "kmem_cache_alloc_bulk() gives %u, it had to %s", got, got ? "fail" : "succeed");
	for (unsigned int i = 0; i < got; i++) {
		struct slot *s = find_slot(false);

		if (s) {
			fuzz_step("\to[%u] = bulk[%u];", nr_of(s), i);
			own_object(s, k, objs[i], gfp);
			continue;
		}
		if (k->constructs)
			FUZZ_CHECK(host_holds(objs[i], CTOR_BYTE, k->size), "not constructed");
		fuzz_step("\tkfree(bulk[%u]);", i);
		kfree(objs[i]);
	}
}

/* Through the magazines, until they overflow. */
static void do_free_many(void)
{
	struct cache *k = op_cache();
	unsigned int nr_left = 1 + op->d % NR_BULK;

	for (struct slot *s = slots; k && s < slots + NR_SLOTS && nr_left; s++) {
		if (!s->obj || s->cache != k)
			continue;
		free_slot(s);
		nr_left--;
	}
}

static void do_alloc_many(void)
{
	for (unsigned int i = 0; i <= op->d % NR_BULK; i++)
		do_alloc();
}

static void do_free_bulk(void)
{
	struct cache *k = op_cache();
	unsigned int nr = 0, wanted = 1 + op->d % NR_BULK;
	void *objs[NR_BULK];

	if (!k)
		return;
	for (struct slot *s = slots; s < slots + NR_SLOTS && nr < wanted; s++) {
		if (!s->obj || s->cache != k)
			continue;
		disown(s);
		fuzz_step("\tbulk[%u] = o[%u];", nr, nr_of(s));
		objs[nr++] = s->obj;
		s->obj = NULL;
	}
	fuzz_step("\tkmem_cache_free_bulk(c[%u], %u, bulk);", (unsigned int)(k - caches), nr);
	kmem_cache_free_bulk(k->c, nr, objs);
}

/* ---- kmalloc() --------------------------------------------------------------------------- */

static size_t op_size(void)
{
	return (size_t)op->d >> op->b % 16 << (op->a & 7);
}

static void check_memory(const void *p, size_t size, gfp_t gfp)
{
	bool is_power = size && !(size & (size - 1));

	check_place(p, size, is_power && size > 8 ? size : 8, gfp & __GFP_DMA);
	FUZZ_CHECK(ksize(p) >= size, "ksize() is %zu of %zu bytes", ksize(p), size);
}

static void do_kmalloc(void)
{
	struct slot *s = find_slot(false);
	size_t size = op_size();
	gfp_t gfp = op_gfp();
	enum model_answer answer = predict(size, gfp, 1);
	void *p;

	if (!s)
		return;
	if (size)
		world_undo("kfree(o[%u])", nr_of(s));
	fuzz_step("\to[%u] = kmalloc(%zu, %s);", nr_of(s), size, world_gfp_text(gfp));
	p = kmalloc(size, gfp);
	if (!size) {
		FUZZ_CHECK(p == ZERO_SIZE_PTR, "kmalloc(0) is %p", p);
		return;
	}
	world_judge(answer, p, "kmalloc()", "o", nr_of(s));
	if (!p)
		return;
	hold(s, p, ksize(p), NULL);
	check_memory(p, size, gfp);
	if (gfp & __GFP_ZERO)
		FUZZ_CHECK(host_holds(p, 0, size), "kzalloc() is not zero");
	own(s);
}

/* The object of @s has moved to @p, and has @size bytes. */
static void take_moved(struct slot *s, void *p, size_t size, gfp_t gfp)
{
	size_t had = s->size, kept = min(had, size);

	s->obj = p;
	s->size = ksize(p);
	fuzz_step("\to[%u] = moved[0];", nr_of(s));
	fuzz_step("\tEXPECT_EQ(t, NULL, memchr_inv(o[%u], %#x, %zu));", nr_of(s),
		  model_pattern(s->model->id), kept);
	if (gfp & __GFP_ZERO && size > had)
		FUZZ_CHECK(host_holds((char *)p + had, 0, size - had), "not zero");
	model_move(s->model, p, s->size, kept);
	fuzz_step("\tmemset(o[%u], %#x, %zu);", nr_of(s), model_pattern(s->model->id), s->size);
}

static void do_krealloc(void)
{
	struct slot *s = find_slot(true);
	size_t size = op_size();
	gfp_t gfp = op_gfp();
	enum model_answer answer = predict(size, gfp, 1);
	void *p;

	if (!s || s->cache)
		return;
	if (!size)
		model_drop(s->model);
	if (size)
		world_undo("if (moved[0])\n\t\to[%u] = moved[0]", nr_of(s));
	fuzz_step("\tmoved[0] = krealloc(o[%u], %zu, %s);", nr_of(s), size, world_gfp_text(gfp));
	p = krealloc(s->obj, size, gfp);
	if (!size) {
		FUZZ_CHECK(p == ZERO_SIZE_PTR, "krealloc(0) is %p", p);
		s->obj = NULL;
		return;
	}
	/* Who wants less keeps what he has, if need be. */
	world_judge(size <= s->size ? MUST_SUCCEED : answer, p, "krealloc()", "moved", 0);
	if (!p)
		return;
	FUZZ_CHECK(ksize(p) >= size, "ksize() is %zu of %zu bytes", ksize(p), size);
	take_moved(s, p, size, gfp);
}

/* ---- the machine ------------------------------------------------------------------------- */

/* All reserves: what is left is for those who may take as much. */
#define HOARD_GFP (__GFP_MEMALLOC | __GFP_NOWARN)

static void do_hoard(void)
{
	hoard_toggle(op->slot, op->a % MAX_ORDER, HOARD_GFP);
}

static void do_exhaust(void)
{
	hoard_exhaust(op->a % 4, HOARD_GFP);
	if (op->c & 1)
		hoard_punch(op->a / 4 % 4);
}

static void do_settle(void)
{
	if (in_interrupt_now())
		return;
	if (!(op->a & 1)) {
		world_settle();
		return;
	}
	fuzz_step("\tkmem_cache_reap();");
	kmem_cache_reap();
}

static void do_check(void)
{
	if (!in_interrupt_now())
		world_check();
}

static QAPI void do_op(void)
{
	static void (*const todo[])(void) = { do_alloc,       do_free,      do_kmalloc,  do_create,
					      do_alloc_bulk,  do_free_bulk, do_krealloc, do_shrink,
					      do_exhaust,     do_free,      do_kmalloc,  do_hoard,
					      do_check_cache, do_destroy,   do_settle,   do_check,
					      do_alloc_many,  do_free_many };

	todo[op->what % ARRAY_SIZE(todo)]();
}

static void write_prologue_down(void)
{
	fuzz_step(
		"#include \"helpers.h\"\n\n#include <quarry/slab.h>\n#include <quarry/string.h>\n");
	fuzz_step("static __maybe_unused QAPI void ctor(void *obj, struct kmem_cache *c,\n"
		  "\t\t\t\t    unsigned long flags)\n"
		  "{\n\t(void)flags;\n\tmemset(obj, %#x, kmem_cache_size(c));\n}\n",
		  CTOR_BYTE);
	fuzz_step("static __maybe_unused QAPI void dtor(void *obj, struct kmem_cache *c,\n"
		  "\t\t\t\t    unsigned long flags)\n"
		  "{\n\t(void)obj;\n\t(void)c;\n\t(void)flags;\n}\n");
	hoard_declare();
	fuzz_step("KTEST(slab, operations_that_failed)\n{");
	fuzz_step("\tstatic struct kmem_cache *c[%u] __maybe_unused;\n"
		  "\tstatic void *o[%u] __maybe_unused, *bulk[%u] __maybe_unused;\n"
		  "\tvoid *moved[1] __maybe_unused;\n\tunsigned int nr __maybe_unused;\n",
		  NR_CACHES, NR_SLOTS, NR_BULK);
}

static void run(const unsigned char *data, unsigned long size)
{
	static const struct machine_op last;
	size_t nr;
	const struct machine_op *ops = machine_ops(data, size, &nr);

	write_prologue_down();
	world_note();
	for (size_t i = 0; i < nr; i++) {
		op = &ops[i];
		world_call(in_interrupt_now(), do_op);
	}
	op = &last;
	hoard_give_all();
	for (unsigned int i = 0; i < NR_SLOTS; i++)
		if (slots[i].obj)
			free_slot(&slots[i]);
	for (unsigned int i = 0; i < NR_CACHES; i++)
		if (caches[i].c)
			destroy(&caches[i]);
	FUZZ_CHECK(!nr_built, "%ld objects were constructed and not destroyed", nr_built);
	world_compare();
}

static void end(void)
{
	world_write_undo_down();
	hoard_write_end_down();
	for (unsigned int i = 0; i < NR_SLOTS; i++)
		if (slots[i].obj)
			fuzz_step("\tkfree(o[%u]);", i);
	for (unsigned int i = 0; i < NR_CACHES; i++)
		if (caches[i].c)
			fuzz_step("\tEXPECT_EQ(t, 0, kmem_cache_destroy(c[%u]));", i);
}

const struct fuzz_target fuzz_target = { .name = "slab", MACHINE_TARGET, .run = run, .end = end };
