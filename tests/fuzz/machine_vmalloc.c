/*
 * machine_vmalloc.c - areas, mappings of pages, and slots for them, on any machine.
 *
 * IDEA.  The model has the addresses of every area and the page behind it, and every frame that an
 * area or the pool of pages has.  What is written to an area is read by the bus in the frames that
 * it says it has; what is in a page is read at each address that it is mapped at.  Behind an area,
 * and where something was unmapped for good, an access must fault.
 *
 * WHAT IS PREDICTED.  An area for which there are addresses by the model, and pages above the low
 * watermark for it, its descriptor and its tables, must be had; one that is larger than the largest
 * gap, or than what nobody has, must not; nor may RAM be mapped as a device.
 *
 * STATE.  The pool, areas, fixed pages; op: what is being done, for calls without arguments.
 *
 * CONTEXT.  A child of the fuzzer; operations with the bit IN_INTERRUPT in an interrupt.
 */
#include "hoard.h"
#include "world.h"
#include <quarry/align.h>
#include <quarry/fixmap.h>
#include <quarry/highmem.h>
#include <quarry/mm.h>
#include <quarry/pgtable.h>
#include <quarry/port.h>
#include <quarry/slab.h>
#include <quarry/vmalloc.h>

#define NR_AREAS     40u
#define NR_POOL      24u
#define NR_MAP       12u /* pages that are mapped at once */
#define NR_FIXED     4u
#define NR_GONE      8u
#define IN_INTERRUPT 0x80u /* in op.b */
/*
 * A descriptor needs a slab at worst, and that two blocks of pages, its own and for its list: of
 * the largest order if there are such, but small ones will do.
 */
#define SLAB_PAGES       (2ul << SLAB_OBJECT_ORDER_MAX)
#define SLAB_LEAST_ORDER 2u
#define TABLES_MORE      3ul          /* page tables, because an area may begin anywhere */
#define DEVICE_PA        0x10000000ul /* 256 MiB: beyond all RAM, and on the bus */

enum kind { EMPTY, VMALLOC, VMAP, MAP_RAM, DEVICE };

static struct area {
	enum kind kind;
	char *va;
	unsigned long nr; /* pages */
	size_t offset;    /* of a device: in its page */
	struct model_object *model;
	unsigned int page[NR_MAP]; /* of the pool */
} areas[NR_AREAS];

static struct {
	struct page *page; /* NULL: none */
	unsigned int id;
	unsigned int nr_kmaps;
	char *kmap;
} pool[NR_POOL];

static unsigned int fixed[NR_FIXED]; /* number of the page in the pool, plus 1 */
static const char *gone[NR_GONE];    /* addresses that were unmapped lately */
static unsigned int nr_gone, next_id = 1;
static const struct machine_op *op;

static bool in_interrupt_now(void)
{
	return op->b & IN_INTERRUPT;
}

static struct area *find_area(unsigned int kinds)
{
	for (unsigned int i = 0; i < NR_AREAS; i++) {
		struct area *a = &areas[(op->slot + i) % NR_AREAS];

		if (kinds & 1u << a->kind)
			return a;
	}
	return NULL;
}

static unsigned int nr_of(const struct area *a)
{
	return (unsigned int)(a - areas);
}

static void must_fault(const void *va)
{
	unsigned long word;

	FUZZ_CHECK(probe_read(va, &word), "%p is mapped, but must not be", va);
}

/* ---- what an area shows ------------------------------------------------------------------ */

static struct page *page_at(const struct area *a, unsigned long i)
{
	struct page *page = vmalloc_to_page(a->va + i * PAGE_SIZE);

	FUZZ_CHECK(page, "page %lu of an area is not mapped", i);
	FUZZ_CHECK(vmalloc_to_pfn(a->va + i * PAGE_SIZE) == page_to_pfn(page),
		   "an area has two frames at one address");
	return page;
}

static void check_ends(const struct area *a)
{
	FUZZ_CHECK(is_vmalloc_addr(a->va) && is_vmalloc_addr(a->va + a->nr * PAGE_SIZE - 1),
		   "%p is outside the range of areas", (void *)a->va);
	must_fault(a->va + a->nr * PAGE_SIZE);
}

static struct area *new_area(enum kind kind, void *va, unsigned long nr)
{
	struct area *a = find_area(1u << EMPTY);

	a->kind = kind;
	a->va = (char *)((uintptr_t)va & PAGE_MASK);
	a->offset = (uintptr_t)va & ~PAGE_MASK;
	a->nr = nr;
	fuzz_step("\tarea[%u] = va[0];", nr_of(a));
	check_ends(a);
	/* What a mapping shows is somebody else's; the addresses are its own. */
	a->model = model_add(a->va, kind == VMALLOC ? nr * PAGE_SIZE : 0,
			     kind == VMALLOC ? PAGE_SIZE : (nr + 1) * PAGE_SIZE);
	return a;
}

/* What gives an area back, as C. */
static void write_free_down(const struct area *a)
{
	if (a->kind == VMALLOC)
		fuzz_step("\tvfree(area[%u]);", nr_of(a));
	else if (a->kind == VMAP)
		fuzz_step("\tvunmap(area[%u]);", nr_of(a));
	else if (a->kind == MAP_RAM)
		fuzz_step("\tvm_unmap_ram(area[%u], %lu);", nr_of(a), a->nr);
	else if (a->kind == DEVICE)
		fuzz_step("\tiounmap(area[%u]);", nr_of(a));
}

static void forget_area(struct area *a)
{
	gone[nr_gone++ % NR_GONE] = a->va;
	a->kind = EMPTY;
}

/* ---- vmalloc() --------------------------------------------------------------------------- */

/* An area of @nr pages, for @nr_taken of which memory is taken by @gfp. */
static enum model_answer predict(unsigned long nr, unsigned long nr_taken, gfp_t gfp)
{
	size_t gap = model_largest_gap(mm_layout.vmalloc_start, mm_layout.vmalloc_end);
	unsigned long nr_tables = nr / (PAGE_SIZE / sizeof(pte_t)) + TABLES_MORE;

	if (!nr || nr * PAGE_SIZE > gap || nr_taken > model_nr_possible(gfp))
		return MUST_FAIL;
	/* At the end of the range no guard is needed. */
	if ((nr + 1) * PAGE_SIZE > gap ||
	    model_nr_sure(GFP_KERNEL, SLAB_LEAST_ORDER) < SLAB_PAGES >> SLAB_LEAST_ORDER ||
	    model_nr_sure(GFP_KERNEL, 0) < nr_tables + SLAB_PAGES ||
	    model_nr_sure(gfp, 0) < nr_taken + nr_tables + SLAB_PAGES)
		return MAY_DO_EITHER;
	return MUST_SUCCEED;
}

static void own_pages(struct area *a, gfp_t gfp)
{
	for (unsigned long i = 0; i < a->nr; i++) {
		pfn_t pfn = page_to_pfn(page_at(a, i));

		model_take(pfn, 1);
		FUZZ_CHECK(model_reaches(gfp, pfn), "frame %#lx is beyond the mask", pfn);
	}
}

/* Through its addresses the owner wrote; the frames must show it. */
static void check_frames(const struct area *a)
{
	for (unsigned long i = 0; i < a->nr; i++)
		model_verify(page_to_pfn(page_at(a, i)), 1, a->model->id);
}

static void *call_vmalloc(size_t size, gfp_t gfp, unsigned int how)
{
	static const char *const name[] = { "vmalloc", "vzalloc", "vmalloc_32" };

	if (how == 3) {
		fuzz_step("\tva[0] = __vmalloc(%zu, %s, PROT_READ | PROT_WRITE);", size,
			  world_gfp_text(gfp));
		return __vmalloc(size, gfp, PROT_READ | PROT_WRITE);
	}
	fuzz_step("\tva[0] = %s(%zu);", name[how], size);
	return how == 0 ? vmalloc(size) : how == 1 ? vzalloc(size) : vmalloc_32(size);
}

static void do_vmalloc(void)
{
	size_t size = (size_t)op->d << op->a % 11;
	unsigned int how = op->c & 3;
	gfp_t gfp = GFP_KERNEL | __GFP_NOWARN | (op->c & 4 ? __GFP_HIGHMEM : 0) |
		    (op->c & 8 ? __GFP_ZERO : 0);
	bool lowmem = how == 2 || (how == 3 && !(op->c & 4));
	unsigned long nr = DIV_ROUND_UP(size, PAGE_SIZE);
	enum model_answer answer = predict(nr, nr, lowmem ? GFP_KERNEL : GFP_HIGHUSER);
	struct area *a;
	void *va;

	if (in_interrupt_now() || !find_area(1u << EMPTY))
		return;
	world_undo("vfree(va[0])");
	va = call_vmalloc(size, gfp, how);
	world_judge(answer, va, "vmalloc()", "va", 0);
	if (!va)
		return;
	FUZZ_CHECK((uintptr_t)va % PAGE_SIZE == 0, "%p is not aligned", va);
	if (how == 1 || (how == 3 && gfp & __GFP_ZERO))
		FUZZ_CHECK(host_holds(va, 0, nr * PAGE_SIZE), "vzalloc() is not zero");
	a = new_area(VMALLOC, va, nr);
	own_pages(a, lowmem ? GFP_KERNEL : GFP_HIGHUSER);
	check_frames(a);
}

static void free_vmalloc(struct area *a)
{
	check_ends(a);
	check_frames(a);
	for (unsigned long i = 0; i < a->nr; i++)
		model_give(page_to_pfn(page_at(a, i)), 1, true);
	model_drop(a->model);
	write_free_down(a);
	forget_area(a);
	vfree(a->va);
}

/* ---- the pool of pages ------------------------------------------------------------------- */

/* Number of a page of the pool that is there, from @from on; NR_POOL: there is none. */
static unsigned int find_page(unsigned int from)
{
	for (unsigned int i = 0; i < NR_POOL; i++)
		if (pool[(from + i) % NR_POOL].page)
			return (from + i) % NR_POOL;
	return NR_POOL;
}

static void must_show(const void *va, unsigned int nr)
{
	FUZZ_CHECK(host_holds(va, model_pattern(pool[nr].id), PAGE_SIZE),
		   "%p does not show frame %#lx", va, page_to_pfn(pool[nr].page));
}

static bool is_mapped(unsigned int nr)
{
	for (unsigned int i = 0; i < NR_AREAS; i++)
		for (unsigned int j = 0; j < areas[i].nr && j < NR_MAP; j++)
			if ((areas[i].kind == VMAP || areas[i].kind == MAP_RAM) &&
			    areas[i].page[j] == nr)
				return true;
	for (unsigned int i = 0; i < NR_FIXED; i++)
		if (fixed[i] == nr + 1)
			return true;
	return pool[nr].nr_kmaps;
}

/* Take a page into the pool, or give it back, if nothing maps it. */
static void do_page(void)
{
	unsigned int nr = op->slot % NR_POOL;
	gfp_t gfp = op->a & 1 ? GFP_HIGHUSER : GFP_KERNEL;
	enum model_answer answer;

	gfp = (in_interrupt_now() ? gfp & ~(gfp_t)__GFP_WAIT : gfp) | __GFP_NOWARN;
	if (!pool[nr].page) {
		answer = model_pages(gfp, 0, MODEL_NO_LIMIT);
		world_undo("if (page[%u])\n\t\t__free_page(page[%u])", nr, nr);
		fuzz_step("\tpage[%u] = alloc_page(%s);", nr, world_gfp_text(gfp));
		pool[nr].page = alloc_page(gfp);
		world_judge(answer, pool[nr].page, "alloc_page()", "page", nr);
		if (!pool[nr].page)
			return;
		pool[nr].id = next_id++;
		model_take(page_to_pfn(pool[nr].page), 1);
		model_mark(page_to_pfn(pool[nr].page), 1, pool[nr].id);
	} else if (!is_mapped(nr)) {
		model_verify(page_to_pfn(pool[nr].page), 1, pool[nr].id);
		model_give(page_to_pfn(pool[nr].page), 1, false);
		fuzz_step("\t__free_page(page[%u]);", nr);
		__free_page(pool[nr].page);
		pool[nr].page = NULL;
	}
}

static void do_copy(void)
{
	unsigned int to = find_page(op->slot), from = find_page(op->a);

	if (to == NR_POOL || to == from)
		return;
	fuzz_step("\tcopy_highpage(page[%u], page[%u]);", to, from);
	copy_highpage(pool[to].page, pool[from].page);
	pool[to].id = pool[from].id;
	model_verify(page_to_pfn(pool[to].page), 1, pool[to].id);
}

/* ---- vmap() and its like ----------------------------------------------------------------- */

static void check_mapping(const struct area *a)
{
	check_ends(a);
	for (unsigned int i = 0; i < a->nr; i++) {
		FUZZ_CHECK(page_at(a, i) == pool[a->page[i]].page, "a mapping has another page");
		must_show(a->va + i * PAGE_SIZE, a->page[i]);
	}
}

static void do_vmap(void)
{
	unsigned int nr = 1 + op->a % NR_MAP, which[NR_MAP];
	enum model_answer answer = predict(nr, 0, GFP_KERNEL);
	struct page *pages[NR_MAP];
	bool ram = op->c & 1;
	struct area *a;
	void *va;

	if (in_interrupt_now() || !find_area(1u << EMPTY) || find_page(0) == NR_POOL)
		return;
	for (unsigned int i = 0; i < nr; i++) {
		which[i] = find_page(op->slot + i * (1 + (op->c >> 1) % NR_POOL));
		pages[i] = pool[which[i]].page;
		fuzz_step("\tpages[%u] = page[%u];", i, which[i]);
	}
	world_undo(ram ? "if (va[0])\n\t\tvm_unmap_ram(va[0], %u)" : "vunmap(va[0])", nr);
	fuzz_step(ram ? "\tva[0] = vm_map_ram(pages, %u, 0, PROT_READ | PROT_WRITE);" :
			"\tva[0] = vmap(pages, %u, VM_MAP, PROT_READ | PROT_WRITE);",
		  nr);
	va = ram ? vm_map_ram(pages, nr, 0, PROT_READ | PROT_WRITE) :
		   vmap(pages, nr, VM_MAP, PROT_READ | PROT_WRITE);
	world_judge(answer, va, "vmap()", "va", 0);
	if (!va)
		return;
	a = new_area(ram ? MAP_RAM : VMAP, va, nr);
	for (unsigned int i = 0; i < nr; i++)
		a->page[i] = which[i];
	check_mapping(a);
}

static void free_mapping(struct area *a)
{
	enum kind kind = a->kind;

	check_mapping(a);
	model_drop(a->model);
	write_free_down(a);
	forget_area(a);
	if (kind == MAP_RAM) {
		vm_unmap_ram(a->va, (unsigned int)a->nr);
		return;
	}
	vunmap(a->va);
	must_fault(a->va);
}

/* ---- devices ----------------------------------------------------------------------------- */

static void do_ioremap(void)
{
	bool is_ram = op->c & 1;
	phys_addr_t pa = is_ram ? 2 * MiB + op->d % 1024 * 1024 : DEVICE_PA + op->d;
	/* Addresses cost nothing but tables: enough of them to run short. */
	size_t size = 1 + ((size_t)op->a * 512 << (op->c >> 1) % 8);
	unsigned long nr = ((pa & ~PAGE_MASK) + size + PAGE_SIZE - 1) >> PAGE_SHIFT;
	enum model_answer answer = is_ram ? MUST_FAIL : predict(nr, 0, GFP_KERNEL);
	char *va;

	if (in_interrupt_now() || !find_area(1u << EMPTY))
		return;
	world_undo("iounmap(va[0])");
	fuzz_step("\tva[0] = ioremap(%#llx, %zu);", pa, size);
	va = ioremap(pa, size);
	world_judge(answer, va, "ioremap()", "va", 0);
	if (!va)
		return;
	FUZZ_CHECK(((uintptr_t)va & ~PAGE_MASK) == (pa & ~PAGE_MASK), "another offset");
	new_area(DEVICE, va, nr);
	FUZZ_CHECK(pgtable_pfn((uintptr_t)va) == pa >> PAGE_SHIFT, "another frame");
	FUZZ_CHECK(pgtable_pfn((uintptr_t)va + size - 1) == (pa + size - 1) >> PAGE_SHIFT,
		   "another frame at the end");
}

static void free_device(struct area *a)
{
	model_drop(a->model);
	write_free_down(a);
	forget_area(a);
	iounmap(a->va + a->offset);
}

static void free_area(struct area *a)
{
	if (a->kind == VMALLOC)
		free_vmalloc(a);
	else if (in_interrupt_now())
		return;
	else if (a->kind == DEVICE)
		free_device(a);
	else if (a->kind != EMPTY)
		free_mapping(a);
}

static void do_free(void)
{
	struct area *a = find_area(~(1u << EMPTY));

	if (a)
		free_area(a);
}

/* ---- slots ------------------------------------------------------------------------------- */

static void do_kmap(void)
{
	unsigned int nr = find_page(op->slot);
	char *va;

	if (nr == NR_POOL)
		return;
	if (pool[nr].nr_kmaps && (in_interrupt_now() || op->a & 1)) {
		must_show(pool[nr].kmap, nr);
		fuzz_step("\tkunmap(page[%u]);", nr);
		kunmap(pool[nr].page);
		pool[nr].nr_kmaps--;
	} else if (!in_interrupt_now()) {
		fuzz_step("\tASSERT_NE(t, NULL, kmap(page[%u]));", nr);
		va = kmap(pool[nr].page);
		FUZZ_CHECK(va, "kmap() finds no slot");
		FUZZ_CHECK(!pool[nr].nr_kmaps || pool[nr].kmap == va, "a page has two addresses");
		pool[nr].kmap = va;
		pool[nr].nr_kmaps++;
		must_show(va, nr);
	}
}

/* Several at once; the first must still show its page when the last has gone. */
static void do_kmap_local(void)
{
	unsigned int depth = 1 + op->a % (KMAP_LOCAL_SLOTS - 2), which[KMAP_LOCAL_SLOTS];
	void *va[KMAP_LOCAL_SLOTS];

	if (find_page(0) == NR_POOL)
		return;
	for (unsigned int i = 0; i < depth; i++) {
		which[i] = find_page(op->slot + i * (1 + op->c % NR_POOL));
		fuzz_step("\tlocal[%u] = kmap_local_page(page[%u]);", i, which[i]);
		va[i] = kmap_local_page(pool[which[i]].page);
		must_show(va[i], which[i]);
	}
	while (depth--) {
		must_show(va[depth], which[depth]);
		fuzz_step("\tkunmap_local(local[%u]);", depth);
		kunmap_local((char *)va[depth] + op->d % PAGE_SIZE);
		if (!virt_addr_valid(va[depth]))
			must_fault(va[depth]);
	}
}

static void do_fixmap(void)
{
	unsigned int i = op->a % NR_FIXED, index = FIX_SPARE_FIRST + i, nr = find_page(op->slot);
	const void *va = (const void *)__fix_to_virt(index);

	if (in_interrupt_now())
		return;
	if (fixed[i])
		must_show(va, fixed[i] - 1);
	if (fixed[i] && op->c & 1) {
		fuzz_step("\tclear_fixmap(FIX_SPARE_FIRST + %u);", i);
		clear_fixmap(index);
		fixed[i] = 0;
		must_fault(va);
	} else if (nr < NR_POOL) {
		fuzz_step("\tset_fixmap(FIX_SPARE_FIRST + %u, page_to_phys(page[%u]));", i, nr);
		set_fixmap(index, page_to_phys(pool[nr].page));
		fixed[i] = nr + 1;
		must_show(va, nr);
	}
}

/* ---- the machine ------------------------------------------------------------------------- */

static bool is_living(const char *va)
{
	for (unsigned int i = 0; i < NR_AREAS; i++)
		if (areas[i].kind != EMPTY && va >= areas[i].va &&
		    va < areas[i].va + areas[i].nr * PAGE_SIZE)
			return true;
	return false;
}

static void do_flush(void)
{
	if (in_interrupt_now())
		return;
	if (op->a & 1) {
		fuzz_step("\tkmap_flush_unused();");
		kmap_flush_unused();
		return;
	}
	if (op->a & 2) {
		world_settle();
	} else {
		fuzz_step("\tvm_unmap_aliases();");
		vm_unmap_aliases();
		model_flushed();
	}
	for (unsigned int i = 0; i < NR_GONE; i++)
		if (gone[i] && !is_living(gone[i]))
			must_fault(gone[i]);
}

#define HOARD_GFP (__GFP_HIGHMEM | __GFP_NOWARN)

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

static void do_check(void)
{
	if (in_interrupt_now())
		return;
	for (unsigned int i = 0; i < NR_AREAS; i++)
		if (areas[i].kind == VMAP || areas[i].kind == MAP_RAM)
			check_mapping(&areas[i]);
		else if (areas[i].kind == VMALLOC)
			check_frames(&areas[i]);
	world_check();
}

static QAPI void do_op(void)
{
	static void (*const todo[])(
		void) = { do_page,    do_vmalloc,    do_vmap,  do_free,    do_kmap,   do_fixmap,
			  do_ioremap, do_kmap_local, do_page,  do_vmalloc, do_free,   do_flush,
			  do_copy,    do_hoard,      do_check, do_free,    do_exhaust };

	todo[op->what % ARRAY_SIZE(todo)]();
}

static void write_pool_down(void)
{
	for (unsigned int i = 0; i < NR_FIXED; i++)
		if (fixed[i])
			fuzz_step("\tclear_fixmap(FIX_SPARE_FIRST + %u);", i);
	for (unsigned int i = 0; i < NR_POOL; i++) {
		for (unsigned int nr = 0; nr < pool[i].nr_kmaps; nr++)
			fuzz_step("\tkunmap(page[%u]);", i);
		if (pool[i].page)
			fuzz_step("\t__free_page(page[%u]);", i);
	}
	fuzz_step("\tkmap_flush_unused();");
}

static void end(void)
{
	world_write_undo_down();
	hoard_write_end_down();
	for (unsigned int i = 0; i < NR_AREAS; i++)
		write_free_down(&areas[i]);
	write_pool_down();
}

static void give_back(void)
{
	hoard_give_all();
	for (unsigned int i = 0; i < NR_AREAS; i++)
		free_area(&areas[i]);
	for (unsigned int i = 0; i < NR_FIXED; i++)
		if (fixed[i])
			clear_fixmap(FIX_SPARE_FIRST + i);
	for (unsigned int i = 0; i < NR_POOL; i++) {
		for (; pool[i].nr_kmaps; pool[i].nr_kmaps--)
			kunmap(pool[i].page);
		if (!pool[i].page)
			continue;
		model_verify(page_to_pfn(pool[i].page), 1, pool[i].id);
		model_give(page_to_pfn(pool[i].page), 1, false);
		__free_page(pool[i].page);
	}
}

static void run(const unsigned char *data, unsigned long size)
{
	static const struct machine_op last;
	size_t nr;
	const struct machine_op *ops = machine_ops(data, size, &nr);

	fuzz_step("#include \"helpers.h\"\n\n#include <quarry/fixmap.h>\n"
		  "#include <quarry/highmem.h>\n"
		  "#include <quarry/vmalloc.h>\n");
	hoard_declare();
	fuzz_step("KTEST(vmalloc, operations_that_failed)\n{");
	fuzz_step("\tstatic void *va[1] __maybe_unused, *area[%u] __maybe_unused,\n"
		  "\t\t*local[%u] __maybe_unused;\n"
		  "\tstatic struct page *page[%u] __maybe_unused, *pages[%u] __maybe_unused;\n",
		  NR_AREAS, KMAP_LOCAL_SLOTS, NR_POOL, NR_MAP);
	world_note();
	for (size_t i = 0; i < nr; i++) {
		op = &ops[i];
		world_call(in_interrupt_now(), do_op);
	}
	op = &last;
	give_back();
	kmap_flush_unused();
	world_compare();
}

const struct fuzz_target fuzz_target = {
	.name = "vmalloc", MACHINE_TARGET, .run = run, .end = end
};
