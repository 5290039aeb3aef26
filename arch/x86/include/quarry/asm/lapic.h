/*
 * Layer: port
 * lapic.h - the local APIC: found by the port, mapped by the kernel, which hands back a pointer.
 */
#ifndef QUARRY_ASM_LAPIC_H
#define QUARRY_ASM_LAPIC_H

#include <quarry/compiler.h>
#include <quarry/types.h>

/* Vectors that nothing but lapic_self_ipi() raises. */
#define LAPIC_VECTOR_FIRST 48u
#define LAPIC_VECTOR_END   63u

/**
 * lapic_find - does this CPU have a local APIC with registers in memory?
 * @pa: set to where they are, a multiple of PAGE_SIZE, when it has.
 *
 * False also when the firmware switched it off, or to another mode of access (x2APIC).
 * Context: any.
 */
QAPI bool lapic_find(phys_addr_t *pa);

/**
 * lapic_init - switch on the local APIC of the CPU that runs this.
 * @va: where its registers are mapped, uncached; they stay there.
 *
 * The interrupts of the PIC go on coming, through it.
 * Context: boot, interrupts off; each CPU once.
 */
QAPI void lapic_init(void *va);

/* lapic_init() was called. */
QAPI bool lapic_present(void);

/**
 * lapic_id, lapic_version - the number of this CPU, 0..255, and what its local APIC is.
 *
 * Context: any, after lapic_init().
 */
QAPI unsigned int lapic_id(void);
QAPI uint32_t lapic_version(void);

/**
 * lapic_set_handler - call @fn, in the interrupt, whenever one of @vector arrives; NULL: nothing.
 * @vector: LAPIC_VECTOR_FIRST..LAPIC_VECTOR_END - 1, or BUG.
 */
QAPI void lapic_set_handler(unsigned int vector, QAPI void (*fn)(void));

/**
 * lapic_self_ipi - interrupt this CPU.
 * @vector: as above.
 *
 * With interrupts on, the handler has run when this returns.  With interrupts off it runs as soon
 * as they are on, once however often this was called meanwhile: so a test can have a real interrupt
 * behind the instruction of its choice.
 * Context: any, after lapic_init().
 */
QAPI void lapic_self_ipi(unsigned int vector);

/**
 * lapic_is_pending, lapic_is_served - an interrupt of @vector waits; its handler is running.
 */
QAPI bool lapic_is_pending(unsigned int vector);
QAPI bool lapic_is_served(unsigned int vector);

#endif
