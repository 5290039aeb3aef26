/*
 * interrupt.c - the timer's interrupt lands in a kmap_local section, at every depth of it.
 *
 * THEORY.  The 8253's channel 0 raises IRQ 0 through the PIC while a loop maps, writes, reads and
 * unmaps a page with as many slots held below as the test says.  The handler does the same with a
 * page of its own, so it pushes onto whatever it interrupted; who of the two meets the other's page
 * or leaves a slot behind is seen at once.  Each instruction in turn: tests/mm/white/kmap_steps.c.
 *
 * STATE.  What the handler counts and the page it maps; the line is masked between tests.
 *
 * SOURCES.  Intel 8254 data sheet: mode 2, a rate generator.
 */
#include <quarry/gfp.h>
#include <quarry/highmem.h>
#include <quarry/ktest.h>

#include "../../../arch/x86/io.h"
#include "../../../arch/x86/x86.h"

#define PIC1_MASK   0x21
#define PIT_DATA0   0x40
#define PIT_CMD     0x43
#define PIT_MODE2   0x34 /* channel 0, low byte then high byte */
#define PIT_MODE0   0x30 /* one shot: it does not begin again */
#define TIMER_IRQ   0u
#define TIMER_TICKS 119u       /* of 1.193 MHz: 10 kHz */
#define NR_HITS     4u         /* interrupts at each depth */
#define ROUNDS_MAX  100000000u /* of a timer that is dead; a busy host may keep it for a second */

static struct {
	struct page *page;
	unsigned int nr_irqs;
	unsigned int nr_wrong;
} timer;

/* Map a page, and see that what one writes there stays until it is unmapped. */
static unsigned int use_page(struct page *page, uint32_t tag)
{
	volatile uint32_t *va = kmap_local_page(page);
	unsigned int nr_wrong = 0;

	*va = tag;
	nr_wrong += *va != tag;
	va[1] = ~tag;
	nr_wrong += *va != tag || va[1] != ~tag;
	kunmap_local((const void *)va);
	return nr_wrong;
}

static QAPI void on_timer(void)
{
	timer.nr_wrong += !in_interrupt() + use_page(timer.page, ++timer.nr_irqs);
}

static void set_rate(uint8_t mode, unsigned int ticks)
{
	outb(PIT_CMD, mode);
	outb(PIT_DATA0, (uint8_t)ticks);
	outb(PIT_DATA0, (uint8_t)(ticks >> 8));
}

/* Use @page until the timer has come so many times; with @depth slots held below. */
static unsigned int use_under_fire(struct page *page, unsigned int depth)
{
	unsigned int nr_wrong = 0, until = timer.nr_irqs + NR_HITS;

	for (uint32_t i = 0; i < ROUNDS_MAX && (int)(until - READ_ONCE(timer.nr_irqs)) > 0; i++)
		nr_wrong += use_page(page, depth << 24 | i);
	return nr_wrong + ((int)(until - READ_ONCE(timer.nr_irqs)) > 0);
}

/* At each depth: what is held stays as it is, and the timer finds a slot above. */
static unsigned int nest_under_fire(struct page *page, struct page *held)
{
	uint32_t *va[KMAP_LOCAL_SLOTS];
	unsigned int nr_wrong = 0;

	for (unsigned int depth = 0; depth <= KMAP_LOCAL_SLOTS - 2; depth++) {
		nr_wrong += use_under_fire(page, depth);
		va[depth] = kmap_local_page(held + depth);
		*va[depth] = depth;
	}
	for (unsigned int depth = KMAP_LOCAL_SLOTS - 1; depth-- > 0;) {
		nr_wrong += *va[depth] != depth;
		kunmap_local(va[depth]);
	}
	return nr_wrong;
}

KTEST(interrupt, a_timer_that_uses_kmap_local_disturbs_no_depth_of_it)
{
	uint8_t mask = inb(PIC1_MASK);
	struct page *page = alloc_page(GFP_HIGHUSER), *held = alloc_pages(GFP_HIGHUSER, 4);
	unsigned int nr_wrong;

	static_assert(KMAP_LOCAL_SLOTS == 1u << 4, "a page for each slot");
	timer.page = alloc_page(GFP_HIGHUSER);
	timer.nr_irqs = timer.nr_wrong = 0;
	ASSERT_TRUE(t, page && held && timer.page);
	irq_set_handler(TIMER_IRQ, on_timer);
	set_rate(PIT_MODE2, TIMER_TICKS);
	pic_unmask(TIMER_IRQ);
	nr_wrong = nest_under_fire(page, held);
	outb(PIC1_MASK, mask);
	set_rate(PIT_MODE0, 0);
	irq_set_handler(TIMER_IRQ, NULL);
	EXPECT_EQ(t, 0, nr_wrong);
	EXPECT_EQ(t, 0, timer.nr_wrong);
	EXPECT_GE(t, (KMAP_LOCAL_SLOTS - 1) * NR_HITS, timer.nr_irqs);
	__free_page(page);
	__free_pages(held, 4);
	__free_page(timer.page);
}
