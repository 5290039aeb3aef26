/*
 * Layer: port
 * lapic.h - the make-believe CPU has no local APIC.
 */
#ifndef QUARRY_ASM_LAPIC_H
#define QUARRY_ASM_LAPIC_H

#include <quarry/compiler.h>
#include <quarry/types.h>

static inline bool lapic_find(phys_addr_t *pa)
{
	(void)pa;
	return false;
}

static inline void lapic_init(void *va)
{
	(void)va;
}

static inline bool lapic_present(void)
{
	return false;
}

#endif
