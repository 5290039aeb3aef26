/*
 * machine_pages.c - page operations on any machine.
 *
 * IDEA.  Slots hold blocks, compound pages, exact allocations, arrays, memory for devices.  An
 * operation takes the next slot that it makes sense for.  The model says beforehand what must come
 * of a request; each page that is handed out must be in a zone that the mask allows and nobody
 * else's, and keeps its owner's pattern until it is freed.  At the end everything is freed, and the
 * world must be as it was.
 *
 * STATE.  The slots; op: what is being done, for calls without arguments.
 *
 * CONTEXT.  A child of the fuzzer; operations with the bit IN_INTERRUPT, and their allocations, in
 * an interrupt.
 */
#include "world.h"
#include <quarry/align.h>
#include <quarry/bits.h>
#include <quarry/dma.h>
#include <quarry/mm.h>
#include <quarry/slab.h>

#define NR_SLOTS     64u
#define NR_BULK      24u
#define IN_INTERRUPT 0x80u /* in op.b */
#define REFS_MAX     4u
/* Of a device: with the bit ANY_MASK in op.b the bits below say where, else address lines. */
#define ANY_MASK        0x40u
#define MASK_BITS_LEAST 21u
#define MASK_BITS_MORE  16u

enum kind { EMPTY, BLOCK, COMPOUND, EXACT, BULK, COHERENT };

static struct slot {
	enum kind kind;
	struct page *page;
	unsigned int order;
	unsigned int nr_refs;
	unsigned long nr; /* pages; of an array, places */
	size_t size;      /* of an exact or coherent allocation, bytes */
	unsigned int id;
	struct device dev; /* of a coherent allocation */
	dma_addr_t handle;
	struct page *array[NR_BULK];
} slots[NR_SLOTS];

static const struct machine_op *op;
static unsigned int next_id;

static unsigned int nr_of(const struct slot *s)
{
	return (unsigned int)(s - slots);
}

/* The next slot from the operation's on that is of one of @kinds; NULL: there is none. */
static struct slot *find_slot(unsigned int kinds)
{
	for (unsigned int i = 0; i < NR_SLOTS; i++) {
		struct slot *s = &slots[(op->slot + i) % NR_SLOTS];

		if (kinds & 1u << s->kind)
			return s;
	}
	return NULL;
}

/* The operation's mask, fit for where it runs. */
static gfp_t op_gfp(gfp_t without)
{
	gfp_t gfp = world_gfp(op->c) & ~without;

	return op->b & IN_INTERRUPT ? gfp & ~(gfp_t)__GFP_WAIT : gfp;
}

/* ---- blocks ------------------------------------------------------------------------------ */

static void check_page(struct page *page, gfp_t gfp)
{
	pfn_t pfn = page_to_pfn(page);

	FUZZ_CHECK(model_reaches(gfp, pfn), "frame %#lx is beyond what the mask allows", pfn);
	if (pfn < mm_layout.lowmem_end_pfn)
		FUZZ_CHECK(page_address(page) == pa_to_va(page_to_phys(page)),
			   "frame %#lx has the wrong address", pfn);
}

static void own(struct slot *s, enum kind kind, struct page *page, unsigned long nr, gfp_t gfp)
{
	pfn_t pfn = page_to_pfn(page);

	s->kind = kind;
	s->page = page;
	s->nr = nr;
	s->nr_refs = 1;
	s->id = next_id++;
	model_take(pfn, nr);
	for (unsigned long i = 0; i < nr; i++)
		check_page(page + i, gfp);
	FUZZ_CHECK(page_count(page) == 1, "a new block has %d references", page_count(page));
	if (gfp & __GFP_ZERO)
		FUZZ_CHECK(model_zero(pfn, nr), "a block is not zero");
	model_mark(pfn, nr, s->id);
}

/* One block into @s: was it to be had? */
static bool take_block(struct slot *s, gfp_t gfp, unsigned int order)
{
	enum model_answer answer = model_pages(gfp, order, MODEL_NO_LIMIT);
	struct page *page;

	world_undo("if (p[%u])\n\t\t__free_pages(p[%u], %u)", nr_of(s), nr_of(s), order);
	fuzz_step("\tp[%u] = alloc_pages(%s, %u);", nr_of(s), world_gfp_text(gfp), order);
	page = alloc_pages(gfp, order);
	world_judge(answer, page, "alloc_pages()", "p", nr_of(s));
	if (!page)
		return false;
	s->order = order;
	own(s, gfp & __GFP_COMP && order ? COMPOUND : BLOCK, page, 1ul << order, gfp);
	FUZZ_CHECK(page_to_pfn(page) % (1ul << order) == 0, "a block is not aligned");
	return true;
}

static void do_alloc(void)
{
	struct slot *s = find_slot(1u << EMPTY);

	if (s)
		take_block(s, op_gfp(0), op->a % (MAX_ORDER + 1));
}

/* All that there is, the largest blocks first; what is left are the smallest, and the reserves. */
static void do_exhaust(void)
{
	struct slot *s;

	for (unsigned int order = MAX_ORDER; order-- > op->a % 4;)
		while ((s = find_slot(1u << EMPTY)) && take_block(s, op_gfp(0), order))
			;
}

static void do_alloc_address(void)
{
	struct slot *s = find_slot(1u << EMPTY);
	unsigned int order = op->a % MAX_ORDER;
	gfp_t gfp = op_gfp(__GFP_HIGHMEM | __GFP_COMP);
	enum model_answer answer = model_pages(gfp, order, MODEL_NO_LIMIT);
	unsigned long va;

	if (!s)
		return;
	world_undo("free_pages((unsigned long)va[%u], %u)", nr_of(s), order);
	fuzz_step("\tva[%u] = (void *)__get_free_pages(%s, %u);", nr_of(s), world_gfp_text(gfp),
		  order);
	va = __get_free_pages(gfp, order);
	world_judge(answer, va, "__get_free_pages()", "va", nr_of(s));
	if (!va)
		return;
	fuzz_step("\tp[%u] = virt_to_page(va[%u]);", nr_of(s), nr_of(s));
	s->order = order;
	own(s, BLOCK, virt_to_page((void *)va), 1ul << order, gfp);
}

static void do_alloc_exact(void)
{
	struct slot *s = find_slot(1u << EMPTY);
	size_t size = (size_t)op->d << (op->a % 7);
	gfp_t gfp = op_gfp(__GFP_HIGHMEM | __GFP_COMP);
	enum model_answer answer = MUST_FAIL;
	void *va;

	if (!s)
		return;
	if (size)
		answer = model_pages(gfp, log2_roundup(DIV_ROUND_UP(size, PAGE_SIZE)),
				     MODEL_NO_LIMIT);
	world_undo("if (va[%u])\n\t\tfree_pages_exact(va[%u], %zu)", nr_of(s), nr_of(s), size);
	fuzz_step("\tva[%u] = alloc_pages_exact(%zu, %s);", nr_of(s), size, world_gfp_text(gfp));
	va = alloc_pages_exact(size, gfp);
	world_judge(answer, va, "alloc_pages_exact()", "va", nr_of(s));
	if (!va)
		return;
	s->size = size;
	own(s, EXACT, virt_to_page(va), DIV_ROUND_UP(size, PAGE_SIZE), gfp);
}

/* ---- below a limit ----------------------------------------------------------------------- */

/* A mask of whole address lines, or one that ends anywhere in lowmem. */
static unsigned long long op_mask(void)
{
	if (op->b & ANY_MASK)
		return mm_layout.lowmem_end / ANY_MASK * (op->b % ANY_MASK) + op->c;
	return DMA_BIT_MASK(MASK_BITS_LEAST + op->b % MASK_BITS_MORE);
}

/*
 * Beside the pages a record is needed: a slab at worst, which is two blocks of pages.  They may be
 * of the very block that the request needs, so that one of four times the size is asked for.
 */
static enum model_answer predict_coherent(size_t size, gfp_t gfp, pfn_t limit)
{
	unsigned int order = size ? log2_roundup(DIV_ROUND_UP(size, PAGE_SIZE)) : 0;

	gfp &= ~GFP_PLACE_MASK;
	if (limit <= zone_end_pfn(&zones[ZONE_DMA]))
		gfp |= __GFP_DMA;
	limit = min(limit, mm_layout.lowmem_end_pfn);
	if (!size || model_pages(gfp, order, limit) == MUST_FAIL)
		return MUST_FAIL;
	order = max(order, SLAB_OBJECT_ORDER_MAX) + 2;
	gfp &= ~(__GFP_HIGH | __GFP_MEMALLOC);
	return model_pages(gfp, order, limit) == MUST_SUCCEED ? MUST_SUCCEED : MAY_DO_EITHER;
}

static void do_alloc_coherent(void)
{
	struct slot *s = find_slot(1u << EMPTY);
	size_t size = (size_t)op->d >> (op->a >> 3) % 16 << op->a % 8;
	gfp_t gfp = op_gfp(0);
	pfn_t limit = (pfn_t)((op_mask() + 1) >> PAGE_SHIFT);
	enum model_answer answer = predict_coherent(size, gfp, limit);
	void *va;

	if (!s)
		return;
	s->dev = (struct device){ "fuzz", op_mask(), op_mask() };
	fuzz_step("\tdev[%u] = (struct device){ \"fuzz\", %#llx, %#llx };", nr_of(s), op_mask(),
		  op_mask());
	world_undo("dma_free_coherent(&dev[%u], %zu, va[%u], handle[%u])", nr_of(s), size, nr_of(s),
		   nr_of(s));
	fuzz_step("\tva[%u] = dma_alloc_coherent(&dev[%u], %zu, &handle[%u], %s);", nr_of(s),
		  nr_of(s), size, nr_of(s), world_gfp_text(gfp));
	va = dma_alloc_coherent(&s->dev, size, &s->handle, gfp);
	world_judge(answer, va, "dma_alloc_coherent()", "va", nr_of(s));
	if (!va)
		return;
	s->size = size;
	own(s, COHERENT, virt_to_page(va), DIV_ROUND_UP(size, PAGE_SIZE),
	    (gfp & ~GFP_PLACE_MASK) | __GFP_ZERO);
	FUZZ_CHECK(s->handle == va_to_pa(va), "%p has another handle", va);
	fuzz_step("\tEXPECT_LE(t, %#llx, handle[%u] + %zu);", op_mask(), nr_of(s), size - 1);
	FUZZ_CHECK(s->handle + (size - 1) <= op_mask(), "%p is beyond the mask", va);
	FUZZ_CHECK(page_to_pfn(s->page) % (1ul << log2_roundup(s->nr)) == 0, "%p is not aligned",
		   va);
}

/* ---- arrays ------------------------------------------------------------------------------ */

static unsigned long nr_filled(const struct slot *s)
{
	unsigned long nr = 0;

	for (unsigned int i = 0; i < s->nr; i++)
		nr += s->array[i] != NULL;
	return nr;
}

static void own_array(struct slot *s, gfp_t gfp)
{
	s->id = next_id++;
	for (unsigned int i = 0; i < s->nr; i++) {
		if (!s->array[i])
			continue;
		model_take(page_to_pfn(s->array[i]), 1);
		check_page(s->array[i], gfp);
		if (gfp & __GFP_ZERO)
			FUZZ_CHECK(model_zero(page_to_pfn(s->array[i]), 1), "a page is not zero");
		model_mark(page_to_pfn(s->array[i]), 1, s->id);
	}
}

static void do_alloc_bulk(void)
{
	struct slot *s = find_slot(1u << EMPTY);
	gfp_t gfp = op_gfp(0);
	unsigned long got;

	if (!s)
		return;
	*s = (struct slot){ .kind = BULK, .nr = op->a % (NR_BULK + 1) };
	fuzz_step("\talloc_pages_bulk_array(%s, %lu, array[%u]);", world_gfp_text(gfp), s->nr,
		  nr_of(s));
	got = alloc_pages_bulk_array(gfp, s->nr, s->array);
	FUZZ_CHECK(got == nr_filled(s), "alloc_pages_bulk_array() says %lu", got);
	own_array(s, gfp);
}

/* What frees a block, as C. */
static void write_free_down(const struct slot *s)
{
	unsigned int slot = nr_of(s);

	if (s->kind == BULK)
		fuzz_step("\tfree_pages_bulk_array(%lu, array[%u]);", s->nr, slot);
	else if (s->kind == EXACT)
		fuzz_step("\tfree_pages_exact(va[%u], %zu);", slot, s->size);
	else if (s->kind == COHERENT)
		fuzz_step("\tdma_free_coherent(&dev[%u], %zu, va[%u], handle[%u]);", slot, s->size,
			  slot, slot);
	else if (s->kind == BLOCK)
		fuzz_step("\t__free_pages(p[%u], %u);", slot, s->order);
	for (unsigned int i = 0; s->kind == COMPOUND && i < s->nr_refs; i++)
		fuzz_step("\tput_page(p[%u] + %lu);", slot, op->d % s->nr);
}

static void free_array(struct slot *s)
{
	for (unsigned int i = 0; i < s->nr; i++) {
		if (!s->array[i])
			continue;
		model_verify(page_to_pfn(s->array[i]), 1, s->id);
		model_give(page_to_pfn(s->array[i]), 1, false);
	}
	write_free_down(s);
	free_pages_bulk_array(s->nr, s->array);
	FUZZ_CHECK(!nr_filled(s), "free_pages_bulk_array() left a page");
	s->kind = EMPTY;
}

/* ---- what is done with blocks ------------------------------------------------------------ */

static void free_block(struct slot *s)
{
	enum kind kind = s->kind;

	model_verify(page_to_pfn(s->page), s->nr, s->id);
	model_give(page_to_pfn(s->page), s->nr, false);
	write_free_down(s);
	s->kind = EMPTY;
	if (kind == EXACT)
		free_pages_exact(page_address(s->page), s->size);
	else if (kind == COHERENT)
		dma_free_coherent(&s->dev, s->size, page_address(s->page), s->handle);
	else if (kind == BLOCK)
		__free_pages(s->page, s->order);
	for (; kind == COMPOUND && s->nr_refs; s->nr_refs--)
		put_page(s->page + op->d % s->nr);
}

static void free_slot(struct slot *s)
{
	if (s->kind == BULK)
		free_array(s);
	else if (s->kind != EMPTY)
		free_block(s);
}

static void do_free(void)
{
	struct slot *s = find_slot(~(1u << EMPTY));

	if (s)
		free_slot(s);
}

/* Cut a block; its first page stays, the others go, in an order of their own. */
static void do_split(void)
{
	struct slot *s = find_slot(1u << BLOCK);
	unsigned int mask;

	if (!s)
		return;
	mask = (1u << s->order) - 1;
	fuzz_step("\tsplit_page(p[%u], %u);", nr_of(s), s->order);
	split_page(s->page, s->order);
	s->order = 0;
	s->nr = 1;
	for (unsigned int i = 0; i <= mask; i++) {
		unsigned int nr = (op->d + i * (op->c | 1u)) & mask;

		if (!nr)
			continue;
		model_verify(page_to_pfn(s->page) + nr, 1, s->id);
		model_give(page_to_pfn(s->page) + nr, 1, false);
		fuzz_step("\t__free_page(p[%u] + %u);", nr_of(s), nr);
		__free_page(s->page + nr);
	}
}

static void do_reference(void)
{
	struct slot *s = find_slot(1u << COMPOUND);
	struct page *any;

	if (!s)
		return;
	any = s->page + op->d % s->nr;
	FUZZ_CHECK(compound_head(any) == s->page, "a tail has another head");
	FUZZ_CHECK(page_count(any) == (int)s->nr_refs, "a block has %d references",
		   page_count(any));
	if (s->nr_refs < REFS_MAX) {
		fuzz_step("\tget_page(p[%u] + %lu);", nr_of(s), op->d % s->nr);
		get_page(any);
		s->nr_refs++;
	} else {
		fuzz_step("\tput_page(p[%u] + %lu);", nr_of(s), op->d % s->nr);
		put_page(any);
		s->nr_refs--;
	}
}

/* ---- the machine ------------------------------------------------------------------------- */

static void do_settle(void)
{
	if (!(op->b & IN_INTERRUPT))
		world_settle();
}

static void do_check(void)
{
	if (!(op->b & IN_INTERRUPT))
		world_check();
}

static void do_min_free(void)
{
	if (op->b & IN_INTERRUPT)
		return;
	fuzz_step("\t(void)mm_set_min_free(%u);", op->d % 1024);
	(void)mm_set_min_free(op->d % 1024);
}

static QAPI void do_op(void)
{
	static void (*const todo[])(
		void) = { do_alloc,       do_free,       do_alloc,     do_split,
			  do_alloc_exact, do_alloc_bulk, do_reference, do_alloc_address,
			  do_settle,      do_free,       do_alloc,     do_check,
			  do_exhaust,     do_min_free,   do_free,      do_alloc_coherent };

	todo[op->what % ARRAY_SIZE(todo)]();
}

static void run(const unsigned char *data, unsigned long size)
{
	size_t nr;
	const struct machine_op *ops = machine_ops(data, size, &nr);

	fuzz_step("#include \"helpers.h\"\n\n#include <quarry/dma.h>\n");
	fuzz_step("KTEST(page_alloc, operations_that_failed)\n{");
	fuzz_step("\tstatic struct page *p[%u] __maybe_unused, *array[%u][%u] __maybe_unused;\n"
		  "\tstatic void *va[%u] __maybe_unused;\n"
		  "\tstatic struct device dev[%u] __maybe_unused;\n"
		  "\tstatic dma_addr_t handle[%u] __maybe_unused;\n",
		  NR_SLOTS, NR_SLOTS, NR_BULK, NR_SLOTS, NR_SLOTS, NR_SLOTS);
	world_note();
	for (size_t i = 0; i < nr; i++) {
		op = &ops[i];
		world_call(op->b & IN_INTERRUPT, do_op);
	}
	for (unsigned int i = 0; i < NR_SLOTS; i++)
		free_slot(&slots[i]);
	world_compare();
}

static void end(void)
{
	world_write_undo_down();
	for (unsigned int i = 0; i < NR_SLOTS; i++)
		write_free_down(&slots[i]);
}

const struct fuzz_target fuzz_target = { .name = "pages", MACHINE_TARGET, .run = run, .end = end };
