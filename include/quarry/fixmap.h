/*
 * Layer: mm
 * fixmap.h - physical memory at addresses that are known when the kernel is compiled.
 */
#ifndef QUARRY_FIXMAP_H
#define QUARRY_FIXMAP_H

#include <quarry/compiler.h>
#include <quarry/fixed_addresses.h>
#include <quarry/prot.h>
#include <quarry/types.h>

struct out;

/**
 * virt_to_fix - the number of the fixed page that @va lies in; outside the fixmap it is a BUG.
 */
QAPI unsigned int virt_to_fix(uintptr_t va);

/**
 * __set_fixmap - map physical memory, which need not be RAM, at a fixed page.
 * @index: FIX_MISC_FIRST..FIX_MISC_END - 1, or BUG: the others are not the caller's.
 * @pa:    a multiple of PAGE_SIZE below PHYS_ADDR_LIMIT, or BUG.
 * @prot:  PROT_*.
 *
 * What was mapped there is replaced.
 * Owner:   whoever the name is about, until clear_fixmap().
 * Context: boot, or a thread; one user of an index at a time.
 */
QAPI void __set_fixmap(unsigned int index, phys_addr_t pa, uint32_t prot);

/* Cached, read and write: RAM. */
static inline void set_fixmap(unsigned int index, phys_addr_t pa)
{
	__set_fixmap(index, pa, PROT_READ | PROT_WRITE);
}

/* The registers of a device. */
static inline void set_fixmap_nocache(unsigned int index, phys_addr_t pa)
{
	__set_fixmap(index, pa, PROT_READ | PROT_WRITE | PROT_UNCACHED);
}

/**
 * clear_fixmap - unmap a fixed page that is mapped, or BUG.
 *
 * Post: no CPU holds a translation of it.
 */
QAPI void clear_fixmap(unsigned int index);

/**
 * fixmap_user - who has the fixed page of a number.
 * @index: any.
 *
 * Return:  "early_ioremap", "lapic", "vga_text", "spare", "kmap_local"; "nobody" beyond.
 * Context: any.
 */
QAPI const char *fixmap_user(unsigned int index);

/**
 * fixmap_show - one line for each fixed page that is mapped: number, user, address, frame.
 *
 * Context: any.
 */
QAPI void fixmap_show(struct out *o);

#endif
