/*
 * vmalloc_walk.c - a random walk of areas: vmalloc(), vmap(), ioremap() and their ends.
 *
 * THEORY.  A table of slots; each step fills an empty one or empties a full one.  Every page of an
 * area has words that say whose it is, which are verified before the area goes.  The validators run
 * at intervals.  The walk is a function of the seed, which is printed.
 *
 * STATE.  The slots.
 */
#include "helpers.h"

#include <quarry/align.h>
#include <quarry/env.h>
#include <quarry/string.h>
#include <quarry/vmalloc.h>

#define NR_SLOTS      40u
#define PAGES_MAX     24u
#define DEFAULT_STEPS 20000ul
#define STEP_COST     5ul /* steps of other walks that one here takes as long as: it flushes */
#define CHECKS        20u
#define DEVICE        0xFEE00000ull

enum kind { EMPTY, VMALLOC, VMAP, RAM, DEVICE_AREA, NR_KINDS };

struct slot {
	enum kind kind;
	char *va;
	unsigned int nr;
	uint32_t mark;
	struct page *page; /* of VMAP and RAM: mapped @nr times */
};

static struct slot slots[NR_SLOTS];

static uint32_t *word_of(const struct slot *s, unsigned int page)
{
	return (uint32_t *)(s->va + page * PAGE_SIZE + s->mark % (PAGE_SIZE / 4) * 4);
}

/* What is mapped several times has one word. */
static uint32_t mark_of(const struct slot *s, unsigned int page)
{
	return s->kind == VMALLOC ? s->mark + page : s->mark;
}

static void expect_contents(struct ktest *t, const struct slot *s)
{
	for (unsigned int i = 0; s->kind != DEVICE_AREA && i < s->nr; i++)
		EXPECT_EQ(t, mark_of(s, i), *word_of(s, i));
}

static unsigned int nr_of(const struct slot *s)
{
	return (unsigned int)(s - slots);
}

static char *map_one_page(struct ktest *t, struct slot *s)
{
	struct page *pages[PAGES_MAX];
	char *va;

	ktest_tell(t, "page[%u] = alloc_page(GFP_KERNEL | __GFP_HIGHMEM | __GFP_NOWARN);",
		   nr_of(s));
	s->page = alloc_page(GFP_KERNEL | __GFP_HIGHMEM | __GFP_NOWARN);
	if (!s->page)
		return NULL;
	for (unsigned int i = 0; i < s->nr; i++)
		pages[i] = s->page;
	ktest_tell(t, "for (unsigned int i = 0; i < %u; i++)\n#C \tpages[i] = page[%u];", s->nr,
		   nr_of(s));
	ktest_tell(t,
		   s->kind == VMAP ? "va[%u] = vmap(pages, %u, VM_MAP, PROT_KERNEL);" :
				     "va[%u] = vm_map_ram(pages, %u, -1, PROT_KERNEL);",
		   nr_of(s), s->nr);
	va = s->kind == VMAP ? vmap(pages, s->nr, VM_MAP, PROT_KERNEL) :
			       vm_map_ram(pages, s->nr, -1, PROT_KERNEL);
	if (!va)
		__free_page(s->page);
	return va;
}

static void fill_slot(struct ktest *t, struct slot *s)
{
	size_t size;

	s->kind = (enum kind)(1 + ktest_random_below(t, NR_KINDS - 1));
	s->nr = 1 + ktest_random_below(t, PAGES_MAX);
	s->mark = ktest_random(t);
	size = s->nr * PAGE_SIZE;
	if (s->kind == VMALLOC) {
		size -= ktest_random_below(t, PAGE_SIZE);
		ktest_tell(t, "va[%u] = __vmalloc(%zu, GFP_HIGHUSER, PROT_KERNEL);", nr_of(s),
			   size);
		s->va = __vmalloc(size, GFP_KERNEL | __GFP_HIGHMEM | __GFP_NOWARN, PROT_KERNEL);
	} else if (s->kind == DEVICE_AREA) {
		ktest_tell(t, "va[%u] = ioremap(%#llx, %zu);", nr_of(s), DEVICE, size);
		s->va = ioremap(DEVICE, size);
	} else {
		s->va = map_one_page(t, s);
	}
	if (!s->va) {
		s->kind = EMPTY;
		return;
	}
	for (unsigned int i = 0; s->kind != DEVICE_AREA && i < s->nr; i++)
		*word_of(s, i) = mark_of(s, i);
}

/* One in four is freed where nobody may sleep. */
static void free_area(struct ktest *t, struct slot *s)
{
	unsigned long flags;

	if (ktest_random_below(t, 4)) {
		ktest_tell(t, "vfree(va[%u]);", nr_of(s));
		vfree(s->va);
		return;
	}
	ktest_tell(t, "flags = irq_save();\n#C vfree(va[%u]);\n#C irq_restore(flags);", nr_of(s));
	flags = irq_save();
	vfree(s->va);
	irq_restore(flags);
}

static void empty_slot(struct ktest *t, struct slot *s)
{
	expect_contents(t, s);
	if (s->kind == VMALLOC) {
		free_area(t, s);
	} else if (s->kind == DEVICE_AREA) {
		ktest_tell(t, "iounmap(va[%u]);", nr_of(s));
		iounmap(s->va);
	} else {
		ktest_tell(t, s->kind == VMAP ? "vunmap(va[%u]);" : "vm_unmap_ram(va[%u], %u);",
			   nr_of(s), s->nr);
		if (s->kind == VMAP)
			vunmap(s->va);
		else
			vm_unmap_ram(s->va, s->nr);
		EXPECT_EQ(t, 1, page_count(s->page));
		ktest_tell(t, "vm_unmap_aliases();\n#C __free_page(page[%u]);", nr_of(s));
		vm_unmap_aliases();
		__free_page(s->page);
	}
	s->kind = EMPTY;
}

/* Has it filled a slot? */
static bool step(struct ktest *t)
{
	struct slot *s = &slots[ktest_random_below(t, NR_SLOTS)];

	if (s->kind == EMPTY)
		fill_slot(t, s);
	else
		empty_slot(t, s);
	return s->kind != EMPTY;
}

KTEST(vmalloc_walk, random_areas_keep_every_invariant)
{
	unsigned long steps = ktest_steps(t, DEFAULT_STEPS) / STEP_COST, nr_filled = 0;

	ktest_tell(t, "void *va[%u] __maybe_unused;", NR_SLOTS);
	ktest_tell(t, "struct page *page[%u] __maybe_unused, *pages[%u] __maybe_unused;", NR_SLOTS,
		   PAGES_MAX);
	ktest_tell(t, "unsigned long flags __maybe_unused;");
	for (unsigned long i = 0; i < steps; i++) {
		if (ktest_step(t, i))
			nr_filled += step(t);
		if (i % (steps / CHECKS + 1) == 0)
			EXPECT_EQ(t, 0, vmalloc_check());
		if (t->nr_failed)
			break;
	}
	EXPECT_EQ(t, 0, mm_check_all());
	for (struct slot *s = slots; s < slots + NR_SLOTS; s++) {
		if (s->kind != EMPTY)
			empty_slot(t, s);
	}
	vm_unmap_aliases();
	EXPECT_EQ(t, 0, vmalloc_check());
	/* A walk that got nothing would prove nothing. */
	EXPECT_TRUE(t,
		    ktest_is_reduced(t) || nr_filled > min(steps, DEFAULT_STEPS / STEP_COST) / 8);
}
