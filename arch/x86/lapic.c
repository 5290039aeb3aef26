/*
 * lapic.c - the local APIC of each CPU: who it is, and interrupts that it sends to itself.
 *
 * IDEA.  The registers are a page of device memory that every CPU sees as its own, so one mapping
 * serves all; the kernel makes it (FIX_LAPIC) and hands over the pointer.  The local APIC stands
 * between the PIC and the CPU: its pin LINT0 is set to pass on what the PIC says, vector included
 * ("virtual wire"), which is how the firmware leaves it on a PC, but not everywhere.
 *
 * Its own interrupts have vectors of their own.  An interrupt to itself takes the way of any other:
 * accepted into IRR, served when the CPU takes interrupts, acknowledged by EOI.  So it may stand
 * for an interrupt of any device, at a place that the caller chooses.
 *
 * STATE.  registers: NULL until lapic_init().  handlers.
 *
 * INVARIANTS.  L1: a served interrupt is acknowledged once, behind its handler; a spurious one, for
 * which the CPU has marked nothing as served, is not.
 *
 * CONTEXT.  Any, once mapped.
 *
 * SOURCES.  Intel SDM vol. 3, chapter 10.
 */
#include "io.h"
#include "x86.h"
#include <quarry/asm/context.h>
#include <quarry/asm/lapic.h>
#include <quarry/bug.h>
#include <quarry/printk.h>

#define APIC_BASE_X2APIC 0x400ull /* registers are MSRs */
#define APIC_BASE_ON     0x800ull
#define APIC_BASE_ADDR   0xffffff000ull

#define REG_ID        0x020u
#define REG_VERSION   0x030u
#define REG_PRIORITY  0x080u
#define REG_EOI       0x0b0u
#define REG_SPURIOUS  0x0f0u
#define REG_SERVED    0x100u /* a bit a vector, 32 in each register */
#define REG_PENDING   0x200u /* the same */
#define REG_COMMAND   0x300u
#define REG_LVT_TIMER 0x320u
#define REG_LVT_LINT0 0x350u
#define REG_LVT_LINT1 0x360u
#define REG_LVT_ERROR 0x370u
#define REG_STEP      0x010u /* from one register to the next */

#define ID_SHIFT          24u
#define VERSION_MASK      0xffu
#define VERSION_LVT_SHIFT 16u /* number of the last local vector */
#define SPURIOUS_APIC_ON  0x100u
#define LVT_MASKED        0x10000u
#define LVT_NMI           0x400u
#define LVT_EXTINT        0x700u
#define COMMAND_SENDING   0x1000u
#define COMMAND_ASSERT    0x4000u
#define COMMAND_TO_SELF   0x40000u
#define VECTORS_PER_REG   32u

static_assert(LAPIC_VECTOR_FIRST == VEC_LAPIC_BASE && LAPIC_VECTOR_END == VEC_SPURIOUS,
	      "the vectors of lapic.h are those that have a gate and no other use");

static volatile uint32_t *registers;
static struct {
	QAPI void (*fn)(void);
} handlers[NR_LAPIC_VECTORS];

static uint32_t get(uint32_t reg)
{
	return registers[reg / sizeof(*registers)];
}

static void put(uint32_t reg, uint32_t val)
{
	registers[reg / sizeof(*registers)] = val;
}

QAPI bool lapic_find(phys_addr_t *pa)
{
	uint64_t base;

	if (!(cpu_features & CPUID_APIC) || !(cpu_features & CPUID_MSR))
		return false;
	base = read_msr(MSR_APIC_BASE);
	*pa = base & APIC_BASE_ADDR;
	return (base & APIC_BASE_ON) && !(base & APIC_BASE_X2APIC) && *pa < PHYS_ADDR_LIMIT;
}

/* A local vector can be unmasked only once the whole is on. */
__init QAPI void lapic_init(void *va)
{
	registers = va;
	put(REG_SPURIOUS, SPURIOUS_APIC_ON | VEC_SPURIOUS);
	put(REG_PRIORITY, 0);
	put(REG_LVT_TIMER, LVT_MASKED);
	put(REG_LVT_ERROR, LVT_MASKED);
	put(REG_LVT_LINT0, LVT_EXTINT);
	put(REG_LVT_LINT1, LVT_NMI);
	pr_info("lapic: CPU %u, version 0x%02x, %u local vectors\n", lapic_id(),
		lapic_version() & VERSION_MASK,
		((lapic_version() >> VERSION_LVT_SHIFT) & VERSION_MASK) + 1);
}

QAPI bool lapic_present(void)
{
	return registers;
}

QAPI unsigned int lapic_id(void)
{
	return get(REG_ID) >> ID_SHIFT;
}

QAPI uint32_t lapic_version(void)
{
	return get(REG_VERSION);
}

static void check_vector(unsigned int vector)
{
	if (vector < LAPIC_VECTOR_FIRST || vector >= LAPIC_VECTOR_END)
		panic("lapic: vector %u is not one of %u..%u", vector, LAPIC_VECTOR_FIRST,
		      LAPIC_VECTOR_END - 1);
}

QAPI void lapic_set_handler(unsigned int vector, QAPI void (*fn)(void))
{
	check_vector(vector);
	WRITE_ONCE(handlers[vector - LAPIC_VECTOR_FIRST].fn, fn);
}

static bool vector_bit(uint32_t reg, unsigned int vector)
{
	return get(reg + vector / VECTORS_PER_REG * REG_STEP) >> vector % VECTORS_PER_REG & 1;
}

QAPI bool lapic_is_pending(unsigned int vector)
{
	return vector_bit(REG_PENDING, vector);
}

QAPI bool lapic_is_served(unsigned int vector)
{
	return vector_bit(REG_SERVED, vector);
}

/* Whoever may be interrupted is, before the loop ends; preemption is off, so it is this CPU. */
QAPI void lapic_self_ipi(unsigned int vector)
{
	check_vector(vector);
	preempt_disable();
	put(REG_COMMAND, COMMAND_TO_SELF | COMMAND_ASSERT | vector);
	while (get(REG_COMMAND) & COMMAND_SENDING)
		barrier();
	while (!irqs_disabled() && lapic_is_pending(vector))
		barrier();
	preempt_enable();
}

void lapic_interrupt(uint32_t vector)
{
	QAPI void (*fn)(void) = READ_ONCE(handlers[vector - VEC_LAPIC_BASE].fn);

	if (vector == VEC_SPURIOUS)
		return;
	if (fn)
		fn();
	put(REG_EOI, 0);
}
