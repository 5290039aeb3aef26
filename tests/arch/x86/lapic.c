/*
 * lapic.c - the local APIC: where it is mapped, and interrupts that a CPU sends to itself.
 *
 * STATE.  What the handlers saw; no handler is left behind.
 */
#include <quarry/asm/context.h>
#include <quarry/asm/lapic.h>
#include <quarry/env.h>
#include <quarry/fixmap.h>
#include <quarry/ktest.h>
#include <quarry/pgtable.h>
#include <quarry/vmalloc.h>

#include "../../../arch/x86/io.h"
#include "../../../arch/x86/x86.h"

#define VECTOR (LAPIC_VECTOR_FIRST + 3)
#define HIGHER (LAPIC_VECTOR_END - 1)

#define ID_OFFSET      0x20u
#define VERSION_OFFSET 0x30u
#define BASE_ADDR      0xfffff000u

static struct {
	unsigned int nr_calls, nr_higher, nr_in_interrupt, nr_served;
	unsigned int higher_before; /* calls of VECTOR's handler when HIGHER's ran */
} seen;

static QAPI void handler(void)
{
	seen.nr_calls++;
	seen.nr_in_interrupt += in_interrupt() && irqs_disabled() && !env_can_sleep();
	seen.nr_served += lapic_is_served(VECTOR) && !lapic_is_pending(VECTOR);
}

static QAPI void higher_handler(void)
{
	seen.nr_higher++;
	seen.higher_before = seen.nr_calls;
}

/* The interrupt that has no sender: the CPU asks, and there is nothing to serve any more. */
static QAPI void spurious_meanwhile(void)
{
	seen.nr_calls++;
	__asm__ volatile("int %0" ::"i"(VEC_SPURIOUS) : "memory");
	seen.nr_served += lapic_is_served(VECTOR);
}

static void start(QAPI void (*fn)(void))
{
	seen = (__typeof__(seen)){ 0 };
	lapic_set_handler(VECTOR, fn);
}

static void end(struct ktest *t)
{
	EXPECT_FALSE(t, lapic_is_pending(VECTOR) || lapic_is_served(VECTOR));
	lapic_set_handler(VECTOR, NULL);
}

KTEST(lapic, its_page_of_the_fixmap_is_mapped_if_and_only_if_the_cpu_has_one)
{
	bool has_one = cpu_features & CPUID_APIC;
	struct pt_walk w;

	pgtable_walk(fix_to_virt(FIX_LAPIC), &w);
	EXPECT_EQ(t, has_one, lapic_present());
	EXPECT_EQ(t, has_one, w.present);
	if (has_one)
		EXPECT_EQ(t, read_msr(MSR_APIC_BASE) & BASE_ADDR, w.pa);
}

KTEST_NEEDS(lapic, it_says_through_the_fixmap_what_it_says_through_another_mapping,
	    .features = KTEST_LAPIC)
{
	const uint32_t *other;
	phys_addr_t pa;

	ASSERT_TRUE(t, lapic_find(&pa));
	other = ioremap(pa, PAGE_SIZE);
	ASSERT_NE(t, NULL, other);
	EXPECT_EQ(t, READ_ONCE(other[VERSION_OFFSET / 4]), lapic_version());
	EXPECT_EQ(t, READ_ONCE(other[ID_OFFSET / 4]) >> 24, lapic_id());
	EXPECT_GE(t, 0x10, lapic_version() & 0xff); /* integrated, not the 82489DX */
	iounmap(other);
}

KTEST_NEEDS(lapic, an_interrupt_to_itself_is_served_before_the_call_returns,
	    .features = KTEST_LAPIC)
{
	start(handler);
	for (unsigned int i = 1; i <= 10; i++) {
		lapic_self_ipi(VECTOR);
		EXPECT_EQ(t, i, seen.nr_calls);
	}
	EXPECT_EQ(t, 10, seen.nr_in_interrupt);
	EXPECT_EQ(t, 10, seen.nr_served);
	EXPECT_TRUE(t, env_can_sleep());
	end(t);
}

KTEST_NEEDS(lapic, with_interrupts_off_it_waits_and_comes_once, .features = KTEST_LAPIC)
{
	unsigned int nr_early;
	unsigned long flags;
	bool pending;

	start(handler);
	flags = irq_save();
	lapic_self_ipi(VECTOR);
	lapic_self_ipi(VECTOR);
	pending = lapic_is_pending(VECTOR);
	nr_early = seen.nr_calls;
	irq_restore(flags);
	EXPECT_TRUE(t, pending);
	EXPECT_EQ(t, 0, nr_early);
	EXPECT_EQ(t, 1, seen.nr_calls);
	end(t);
}

KTEST_NEEDS(lapic, what_it_interrupted_finds_its_context_and_registers_as_they_were,
	    .features = KTEST_LAPIC)
{
	uint32_t esi = 0x51515151, edi = 0xd1d1d1d1;
	unsigned int context;

	start(handler);
	preempt_disable();
	irq_save();
	lapic_self_ipi(VECTOR);
	this_cpu_and(context_word, ~CONTEXT_IRQS_OFF);
	/* It comes behind the first NOP. */
	__asm__ volatile("sti\n\tnop\n\tnop" : "+S"(esi), "+D"(edi)::"memory");
	context = context_read();
	preempt_enable();
	EXPECT_EQ(t, 1, seen.nr_calls);
	EXPECT_EQ(t, 1, context);
	EXPECT_EQ(t, 0x51515151, esi);
	EXPECT_EQ(t, 0xd1d1d1d1, edi);
	end(t);
}

KTEST_NEEDS(lapic, of_two_that_wait_the_higher_comes_first_and_neither_nests,
	    .features = KTEST_LAPIC)
{
	unsigned long flags;

	start(handler);
	lapic_set_handler(HIGHER, higher_handler);
	flags = irq_save();
	lapic_self_ipi(VECTOR);
	lapic_self_ipi(HIGHER);
	irq_restore(flags);
	lapic_set_handler(HIGHER, NULL);
	EXPECT_EQ(t, 1, seen.nr_calls);
	EXPECT_EQ(t, 1, seen.nr_higher);
	EXPECT_EQ(t, 0, seen.higher_before);
	end(t);
}

KTEST_NEEDS(lapic, a_spurious_interrupt_acknowledges_nothing, .features = KTEST_LAPIC)
{
	start(spurious_meanwhile);
	lapic_self_ipi(VECTOR);
	EXPECT_EQ(t, 1, seen.nr_calls);
	EXPECT_EQ(t, 1, seen.nr_served);
	end(t);
}

KTEST_NEEDS(lapic, a_vector_without_a_handler_is_acknowledged, .features = KTEST_LAPIC)
{
	start(NULL);
	lapic_self_ipi(VECTOR);
	end(t);
}
