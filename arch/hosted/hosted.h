/*
 * Layer: port
 * hosted.h - what the files of our half of this port share; nobody else includes it.
 */
#ifndef ARCH_HOSTED_HOSTED_H
#define ARCH_HOSTED_HOSTED_H

#include <quarry/asm/layout.h>
#include <quarry/asm/pgtable.h>
#include <quarry/compiler.h>
#include <quarry/types.h>

struct host_boot;
struct out;

/*
 * The make-believe kernel image: the program itself lies outside the window, but mm/ is to reserve,
 * protect and free an image all the same, so this much of RAM from 1 MiB on plays it.
 */
#define IMAGE_PA    (1 * MiB)
#define IMAGE_PAGES 20u

/* Page numbers within it; the guard pages and stacks are linker symbols of the same numbers. */
#define IMAGE_BOOT   0u /* boot_only */
#define IMAGE_TEXT   1u
#define IMAGE_RODATA 3u
#define IMAGE_INIT   5u /* boot_only */
#define IMAGE_DATA   7u
#define IMAGE_TABLES 9u /* boot_only: boot page tables, two pages */
#define IMAGE_BSS    11u
#define IMAGE_STACKS 11u /* guard, stack of two pages, guard, stack */
#define IMAGE_FIXED  16u /* the fixmap's tables: of level 1, then two of level 0 */

#define IMAGE_PAGE_PA(nr) (IMAGE_PA + (nr)*PAGE_SIZE)

/* tlb.c: RAM as hardware sees it, below DIRECT_MAP_MAX; a table in it. */
extern char *bus;
void tlb_init(phys_addr_t ram_size);

enum tlb_answer { TLB_FILLED, TLB_NOT_PRESENT, TLB_PROTECTED };

/* The access to @va faulted: fetch its translation, or say why there is none. */
enum tlb_answer tlb_fill(uintptr_t va, bool is_write);

/* boot_tables.c: the first page tables. */
phys_addr_t boot_tables_make(void);

/* loader.c: what a boot loader leaves in RAM; where its information block is. */
uint32_t loader_load(const struct host_boot *boot);

/* console.c */
void console_init(void);

/* backtrace.c */
void backtrace_show(struct out *o, uintptr_t pc, uintptr_t fp);

/* cpu.c: this CPU handles an interrupt; the result is for interrupt_end(). */
unsigned int interrupt_begin(void);
void interrupt_end(unsigned int word);

/* Call @fn as an interrupt handler is called. */
void interrupt_call(QAPI void (*fn)(void));

#if HOSTED_SCHED

/*
 * smp/cpus.c: make CPUs 1 .. @nr - 1; @at_once: they run as the host pleases, not by seed.  False:
 * this program has one CPU.
 */
bool smp_init(unsigned int nr, bool at_once);

/* A flush: every other CPU has been told when this returns. */
void smp_flush(void);

/* A report begins: nobody else runs from now on, where one runs at a time. */
void smp_freeze(void);

#else

static inline bool smp_init(unsigned int nr, bool at_once)
{
	return nr == 1 && !at_once;
}

static inline void smp_flush(void)
{
}

static inline void smp_freeze(void)
{
}

#endif

#endif
