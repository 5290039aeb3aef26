/*
 * hooks.c - what the kernel does around each test: may it run here, and did it leave the world as
 * it was?
 *
 * THEORY.  Before a test the per-CPU lists are drained and the state of every zone is noted; after
 * it they are drained again and compared: free pages of each zone, and free blocks of each order,
 * because equal counts with other blocks would be a missed merge.  Every validator runs; on a large
 * machine, where that takes long, after every CHECK_INTERVALth test.  The context must be that of a
 * thread again, no window of early_ioremap() may be open, and no reserve may be claimed.
 *
 * One thing may change: page tables are never freed.  A test that made some took as many pages
 * from lowmem, and then the total is compared, tables included.
 *
 * STATE.  What was noted before the test.
 *
 * CONTEXT.  A thread; one test at a time.
 */
#include <quarry/tests.h>

#include <quarry/asm/framebuffer.h>
#include <quarry/asm/lapic.h>
#include <quarry/asm/pgtable.h>
#include <quarry/asm/smp.h>
#include <quarry/asm/vga.h>
#include <quarry/config.h>
#include <quarry/env.h>
#include <quarry/errno.h>
#include <quarry/fixmap.h>
#include <quarry/gfp.h>
#include <quarry/highmem.h>
#include <quarry/ktest.h>
#include <quarry/memblock.h>
#include <quarry/mm.h>
#include <quarry/out.h>
#include <quarry/pgtable.h>
#include <quarry/port.h>
#include <quarry/sizes.h>
#include <quarry/string.h>

#include "edu.h"
#include "faults_run.h"
#include "mm/helpers.h"
#include "modules.h"

#define CHECK_ALWAYS_PAGES (256 * MiB / PAGE_SIZE)
#define CHECK_INTERVAL     8u

static struct {
	struct zones_state zones;
	unsigned long nr_managed;
	unsigned long nr_pgtable;
	unsigned int nr_windows;
} noted;

static struct tests_setup setup;

/* ---- what a test may ask for -------------------------------------------------------------- */

static bool zones_have_memory(unsigned int wanted)
{
	static const unsigned int bit[NR_ZONES] = { KTEST_ZONE_DMA, KTEST_ZONE_NORMAL,
						    KTEST_ZONE_HIGHMEM };

	for (unsigned int z = 0; z < NR_ZONES; z++)
		if ((wanted & bit[z]) && !zones[z].nr_managed)
			return false;
	return true;
}

static bool in_direct_map(uintptr_t va)
{
	return va >= PAGE_OFFSET && va < mm_layout.high_memory;
}

/* Does an entry say @prot when it was made with it? */
static bool made_with(uint32_t prot)
{
	return pte_prot(pte_make(0, prot, 0)) & prot;
}

static unsigned int features_here(void)
{
	unsigned int here = KTEST_KERNEL;

	here |= pt_leaf_possible(1) ? KTEST_PSE : 0;
	here |= made_with(PROT_GLOBAL) ? KTEST_PGE : 0;
	here |= made_with(PROT_WRITE_COMBINE) ? KTEST_PAT : 0;
	here |= in_direct_map((uintptr_t)features_here) ? KTEST_IMAGE : 0;
	here |= lapic_present() ? KTEST_LAPIC : 0;
	here |= vga_console_present() ? KTEST_SCREEN : 0;
	here |= framebuffer_console() ? KTEST_PIXELS : 0;
	here |= setup.may_take_long ? KTEST_LONG : 0;
	here |= CONFIG_PAGE_OWNER && option_given("page_owner=1") ? KTEST_PAGE_OWNER : 0;
	here |= setup.bi->nr_modules ? KTEST_MODULE : 0;
	here |= strcmp(setup.bi->protocol, "multiboot1") ? KTEST_MULTIBOOT2 : KTEST_MULTIBOOT1;
	here |= edu_find() ? KTEST_EDU : 0;
	here |= smp_is_by_seed() ? KTEST_BY_SEED : 0;
	return here;
}

static QAPI bool applies(const struct ktest_needs *n)
{
	return zones_have_memory(n->zones) &&
	       memblock_nr_pages() / (MiB / PAGE_SIZE) >= n->ram_mib &&
	       mm_layout.lowmem_end / MiB >= n->lowmem_mib && env_nr_cpus() >= n->cpus &&
	       !(n->features & ~features_here());
}

/* ---- before and after --------------------------------------------------------------------- */

static unsigned long nr_managed(void)
{
	struct mm_account a;

	mm_account(&a);
	return a.nr_managed;
}

static QAPI void before(struct ktest *t)
{
	faults_prepare(t);
	mm_quiesce();
	zones_snapshot(&noted.zones);
	noted.nr_managed = nr_managed();
	noted.nr_pgtable = pgtable_nr_pages();
	noted.nr_windows = early_ioremap_nr_used();
	faults_begin();
}

static void compare_totals(struct ktest *t)
{
	unsigned long had = noted.nr_pgtable, has = pgtable_nr_pages();

	for (unsigned int z = ZONE_DMA; z <= ZONE_NORMAL; z++) {
		had += noted.zones.nr_free[z];
		has += zones[z].nr_free;
	}
	EXPECT_EQ(t, had, has);
	EXPECT_EQ(t, noted.zones.nr_free[ZONE_HIGHMEM], zones[ZONE_HIGHMEM].nr_free);
}

/* Who forgot a kunmap() or a kunmap_local() is named. */
static void show_slots(void)
{
	if (CONFIG_SHOW) {
		pkmap_show(&out_console);
		fixmap_show(&out_console);
	}
}

static void compare_context(struct ktest *t)
{
	if (kmap_nr_held() || !env_can_sleep())
		show_slots();
	if (!env_can_sleep()) {
		ktest_fail(t, __FILE__, __LINE__, "the test ended with context word %#x",
			   context_read());
		this_cpu_write(context_word, CONTEXT_IRQS_OFF);
		irq_enable();
	}
	EXPECT_EQ(t, 0, env_current()->flags);
	EXPECT_EQ(t, noted.nr_windows, early_ioremap_nr_used());
	EXPECT_EQ(t, 0, kmap_nr_held());
}

/* The validators look at every page: on a large machine only after some of the tests. */
static bool check_is_due(void)
{
	static unsigned int nr_tests;

	return max_pfn <= CHECK_ALWAYS_PAGES || ++nr_tests % CHECK_INTERVAL == 0;
}

static QAPI void after(struct ktest *t)
{
	faults_end(t);
	compare_context(t);
	mm_quiesce();
	if (pgtable_nr_pages() == noted.nr_pgtable)
		zones_compare(t, &noted.zones);
	else
		compare_totals(t);
	EXPECT_EQ(t, noted.nr_managed, nr_managed());
	if (CONFIG_CHECK && check_is_due())
		EXPECT_EQ(t, 0, mm_check_all());
	faults_finish(t);
}

/* ---- without points ------------------------------------------------------------------------ */

#if !CONFIG_FAULT_INJECT
/* That it was asked for is told as a bad value. */
QAPI int faults_parse(const char *text)
{
	return *text ? -EINVAL : 0;
}
#endif

/* ---- for the coverage table ---------------------------------------------------------------- */

static QAPI void print_gfp(struct out *o, gfp_t gfp)
{
	char text[512];
	struct out_buf b;

	out_buf_init(&b, text, sizeof(text));
	gfp_show(&b.out, gfp);
	for (char *p = text; *p; p++)
		if (*p == '|')
			*p = ' ';
	out_printf(o, "%s", text);
}

/* The boot module that says which steps of a walk to take: tools/reduce.py's.  It stays mapped. */
static void read_steps(const struct bootinfo *bi, struct ktest_hooks *h)
{
	for (unsigned int i = 0; i < bi->nr_modules; i++) {
		const struct boot_module *m = &bi->modules[i];

		if (strcmp(m->name, "ktest-steps"))
			continue;
		h->only = early_ioremap(m->start, (size_t)m->size);
		h->nr_only = h->only ? (unsigned long)m->size * 8 : 0;
	}
}

QAPI void tests_init(const struct tests_setup *s)
{
	static struct ktest_hooks hooks = {
		.applies = applies,
		.before = before,
		.after = after,
		.run = faults_run_case,
		.print_gfp = print_gfp,
	};

	setup = *s;
	hooks.seed = s->seed;
	hooks.steps = s->steps;
	read_steps(s->bi, &hooks);
	ktest_register_hooks(&hooks);
	modules_remember(s->bi);
}
