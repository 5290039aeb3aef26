/*
 * kmap_steps.c - kmap() and kmap_local_page(), interrupted at each instruction.
 *
 * THEORY.  The port steps through a call and, before the n-th instruction at which an interrupt
 * might come, runs an interruption; n goes from 1 until the call is shorter.  An interruption that
 * uses slots of its own must not meet the interrupted one's.
 *
 * It also stands for another CPU: kmap() of a page that has a slot takes no lock, so anything may
 * be done with slots between two of its instructions; and while somebody flushes, with interrupts
 * on, others go on mapping.  as_another_cpu() makes the context that of a thread for that.
 *
 * Whether a translation was forgotten is seen in what an address reads.
 *
 * STATE.  The pages; what the interruption saw.
 */
#include "../../../mm/kmap.h"

#include <quarry/asm/restart.h>
#include <quarry/config.h>
#include <quarry/env.h>
#include <quarry/highmem.h>
#include <quarry/ktest.h>

#include "../helpers.h"

#define MAX_NTH 2000u /* more instructions than any of the calls has */

enum { MINE, OTHERS, HELD, NR_PAGES };

static struct page *pages[NR_PAGES];

static struct {
	unsigned int nr_wrong, nr_refused, nr_mapped;
	uint32_t *va; /* what it has mapped and not unmapped */
} other;

/* Each page says which it is. */
static bool take_pages(void)
{
	bool all = true;

	for (uint32_t i = 0; i < NR_PAGES; i++) {
		pages[i] = alloc_page(GFP_HIGHUSER);
		all = all && pages[i];
		if (pages[i])
			memcpy_to_page(pages[i], 0, &i, sizeof(i));
	}
	kmap_flush_unused();
	return all && kmap_needs_slot(pages[0]);
}

static void give_pages(void)
{
	for (unsigned int i = 0; i < NR_PAGES; i++)
		if (pages[i])
			__free_page(pages[i]);
}

static int count_of(const struct page *page)
{
	for (unsigned long i = 0; i < PKMAP_NR_PAGES; i++)
		if (pkmap[i].page == page)
			return atomic_read(&pkmap[i].count);
	return 0;
}

static unsigned int nr_violations(void)
{
	return CONFIG_CHECK ? kmap_check() : 0;
}

/* ---- kmap_local_page() ---------------------------------------------------------------------- */

/* A word written through @page's slot and read back; @tag, if it is the same. */
static __noinline QAPI uint32_t write_and_read(struct page *page, uint32_t tag)
{
	volatile uint32_t *va = kmap_local_page(page);
	uint32_t was = *va;

	*va = tag;
	tag = *va;
	*va = was;
	kunmap_local((const void *)va);
	return tag;
}

static QAPI void interrupt_local(void)
{
	uint32_t *outer = kmap_atomic(pages[OTHERS]);

	other.nr_wrong += *outer != OTHERS;
	other.nr_wrong += write_and_read(pages[HELD], 0x51a7) != 0x51a7;
	other.nr_wrong += *outer != OTHERS;
	kunmap_atomic(outer);
}

KTEST(kmap_steps, an_interrupt_anywhere_in_kmap_local_nests_above_and_leaves_nothing)
{
	unsigned int nth = 0;
	bool hit = true;

	if (take_pages()) {
		other.nr_wrong = 0;
		while (hit && !t->nr_failed && ++nth < MAX_NTH) {
			EXPECT_EQ(t, 0xfeedu,
				  restart_step_anywhere((const void *)write_and_read,
							(uintptr_t)pages[MINE], 0xfeed, nth, &hit,
							interrupt_local));
			EXPECT_EQ(t, 0, this_cpu_ptr(&kmap_local_stack)->depth);
			EXPECT_EQ(t, 0, other.nr_wrong);
		}
		EXPECT_EQ(t, 0, nr_violations());
		EXPECT_FALSE(t, hit);
		EXPECT_GE(t, 50, nth); /* it was inside all of it */
	}
	give_pages();
}

/* ---- kmap() and interrupts ------------------------------------------------------------------ */

static __noinline QAPI uint32_t map_and_unmap(struct page *page)
{
	uint32_t *va = kmap_slot(page), got = *va;

	kunmap_slot(page);
	return got;
}

/* What an interrupt may: end others' mappings, and look at pages. */
static QAPI void interrupt_shared(void)
{
	other.nr_wrong += *other.va != HELD;
	kunmap(pages[HELD]);
	other.nr_wrong += write_and_read(pages[MINE], 0x1234) != 0x1234;
}

/* @stale: the page has a slot, which nobody uses. */
static void interrupt_kmap(struct ktest *t, bool stale)
{
	unsigned int nth = 0;
	bool hit = true;

	while (hit && !t->nr_failed && ++nth < MAX_NTH) {
		kmap_flush_unused();
		if (stale)
			map_and_unmap(pages[MINE]);
		other.va = kmap(pages[HELD]);
		EXPECT_EQ(t, MINE,
			  restart_step_anywhere((const void *)map_and_unmap, (uintptr_t)pages[MINE],
						0, nth, &hit, interrupt_shared));
		EXPECT_EQ(t, 1, count_of(pages[MINE]));
		EXPECT_EQ(t, hit ? 1 : 2, count_of(pages[HELD]));
		EXPECT_EQ(t, 0, other.nr_wrong);
		if (!hit)
			kunmap(pages[HELD]);
	}
	EXPECT_EQ(t, 0, nr_violations());
	EXPECT_FALSE(t, hit);
	EXPECT_GE(t, 20, nth);
}

KTEST(kmap_steps, an_interrupt_anywhere_in_kmap_may_kunmap_another_page)
{
	if (take_pages()) {
		other.nr_wrong = 0;
		interrupt_kmap(t, false);
		interrupt_kmap(t, true);
	}
	give_pages();
}

/* ---- kmap() and other CPUs ------------------------------------------------------------------ */

/* Do what a thread of another CPU could do at this moment. */
static void as_another_cpu(void (*fn)(void))
{
	unsigned int word = context_read();

	irq_enable();
	this_cpu_write(context_word, 0u);
	fn();
	irq_save();
	this_cpu_write(context_word, word);
}

/* The slot of a page that nobody uses is given to another page, which stays there. */
static void take_slot_away(void)
{
	kmap_flush_unused();
	other.va = kmap(pages[OTHERS]);
	other.nr_wrong += *other.va != OTHERS;
}

static QAPI void interrupt_by_taking_the_slot(void)
{
	as_another_cpu(take_slot_away);
}

KTEST(kmap_steps, a_slot_that_changes_hands_while_kmap_looks_at_it_is_left_alone)
{
	unsigned int nth = 0, nr_lost = 0;
	bool hit = true;

	if (take_pages()) {
		other.nr_wrong = 0;
		while (hit && !t->nr_failed && ++nth < MAX_NTH) {
			uint32_t *va, *was;

			kmap_flush_unused();
			was = kmap(pages[MINE]);
			kunmap(pages[MINE]);
			va = (uint32_t *)restart_step_anywhere((const void *)kmap_slot,
							       (uintptr_t)pages[MINE], 0, nth, &hit,
							       interrupt_by_taking_the_slot);
			EXPECT_EQ(t, MINE, *va);
			EXPECT_EQ(t, 2, count_of(pages[MINE]));
			nr_lost += va != was;
			kunmap(pages[MINE]);
			if (!hit)
				break;
			EXPECT_EQ(t, OTHERS, *other.va);
			EXPECT_EQ(t, 2, count_of(pages[OTHERS]));
			EXPECT_EQ(t, 0, other.nr_wrong);
			kunmap(pages[OTHERS]);
		}
		EXPECT_EQ(t, 0, nr_violations());
		EXPECT_FALSE(t, hit);
		EXPECT_GE(t, 5, nr_lost); /* the slot was really lost, and before that and after */
	}
	give_pages();
}

/* ---- the flush and other CPUs --------------------------------------------------------------- */

/* OTHERS was mapped and is not used; HELD is used. */
static void map_during_flush(void)
{
	uint32_t *held = kmap(pages[HELD]);

	other.nr_wrong += *held != HELD;
	kunmap(pages[HELD]);
	other.va = kmap_try(pages[OTHERS], NULL);
	if (other.va) {
		other.nr_mapped++;
		other.nr_wrong += *other.va != OTHERS;
	} else {
		other.nr_refused++;
	}
}

static QAPI void interrupt_by_mapping(void)
{
	as_another_cpu(map_during_flush);
}

KTEST(kmap_steps, while_somebody_flushes_no_slot_is_given_out_and_held_pages_can_be_mapped)
{
	unsigned int nth = 0;
	uint32_t *mine;
	bool hit = true;

	if (take_pages()) {
		other.nr_wrong = other.nr_refused = other.nr_mapped = 0;
		EXPECT_NE(t, NULL, kmap(pages[HELD]));
		while (hit && !t->nr_failed && ++nth < MAX_NTH) {
			/* Both were used, so the TLB knows them. */
			EXPECT_EQ(t, MINE, map_and_unmap(pages[MINE]));
			EXPECT_EQ(t, OTHERS, map_and_unmap(pages[OTHERS]));
			other.va = NULL;
			restart_step_anywhere((const void *)kmap_flush_unused, 0, 0, nth, &hit,
					      interrupt_by_mapping);
			mine = kmap(pages[MINE]);
			EXPECT_EQ(t, MINE, *mine);
			kunmap(pages[MINE]);
			if (other.va)
				kunmap(pages[OTHERS]);
			EXPECT_EQ(t, 0, other.nr_wrong);
			EXPECT_EQ(t, 2, count_of(pages[HELD]));
			kmap_flush_unused();
		}
		EXPECT_EQ(t, 0, nr_violations());
		EXPECT_FALSE(t, hit);
		EXPECT_GE(t, 5, other.nr_refused);
		EXPECT_GE(t, 5, other.nr_mapped);
		kunmap(pages[HELD]);
	}
	give_pages();
}

static QAPI void end_the_others_flush(void)
{
	other.nr_mapped++;
	pkmap_flushing = false;
}

KTEST(kmap_steps, a_flush_waits_for_one_that_is_under_way)
{
	bool hit;

	if (take_pages()) {
		other.nr_mapped = 0;
		EXPECT_EQ(t, MINE, map_and_unmap(pages[MINE]));
		pkmap_flushing = true;
		EXPECT_EQ(t, NULL, kmap_try(pages[OTHERS], NULL));
		restart_step_anywhere((const void *)kmap_flush_unused, 0, 0, MAX_NTH, &hit,
				      end_the_others_flush);
		EXPECT_TRUE(t, hit);
		EXPECT_EQ(t, 1, other.nr_mapped);
		EXPECT_FALSE(t, pkmap_flushing);
		EXPECT_EQ(t, 0, count_of(pages[MINE]));
		EXPECT_EQ(t, OTHERS, map_and_unmap(pages[OTHERS]));
	}
	give_pages();
}
