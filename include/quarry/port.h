/*
 * Layer: contract
 * port.h - what the rest of the kernel asks of the port beyond <quarry/asm/...> inlines.
 */
#ifndef QUARRY_PORT_H
#define QUARRY_PORT_H

#include <quarry/asm/layout.h>
#include <quarry/asm/pgtable.h>
#include <quarry/compiler.h>
#include <quarry/types.h>

struct bootinfo;
struct out;

/**
 * tlb_flush_page - forget the translation of @va, global ones included, on every CPU.
 *
 * Post:    no CPU holds a translation of the page at @va.
 * Context: any on one CPU; with several, interrupts on (the others are waited for).
 */
QAPI void tlb_flush_page(uintptr_t va);

/**
 * tlb_flush_range - the same for every page of [start, end); end 0 means the top of the space.
 */
QAPI void tlb_flush_range(uintptr_t start, uintptr_t end);

/**
 * tlb_flush_all - forget every translation, global ones included, on every CPU.
 */
QAPI void tlb_flush_all(void);

/**
 * port_fixmap_slot - find the page-table entry of a fixmap address; its table exists from boot.
 *
 * Return:  the entry: written with pte_set(), followed by a flush.  Entries of consecutive pages
 *          are consecutive: an array.
 * Context: any.
 */
QAPI pte_t *port_fixmap_slot(uintptr_t va);

/**
 * port_root_table - the kernel's top-level page table, as the CPU uses it.
 *
 * Return:  its kernel virtual address; its entries are those of level PT_LEVELS - 1.
 */
QAPI pte_t *port_root_table(void);

/**
 * port_switch_root - make @root the kernel's top-level table, on this CPU now and for good.
 * @root: a page in lowmem that maps at least what the old one mapped of the kernel.
 */
QAPI void port_switch_root(pte_t *root);

/**
 * port_root_entry_added - an entry of the kernel's top-level table appeared or was replaced.
 * @va:  first address that the entry covers.
 * @pte: the entry.
 *
 * A kernel with many address spaces copies the entry into each, here or lazily; one with a single
 * root does nothing.  An entry that points to a table is never taken away again.
 * Context: any.
 */
QAPI void port_root_entry_added(uintptr_t va, pte_t pte);

/**
 * port_install_fixed - enter the port's own permanent tables (the fixmap's) into a new @root.
 */
QAPI void port_install_fixed(pte_t *root);

/* A part of the kernel image: page-aligned, in the direct map. */
struct port_image_part {
	const char *name; /* of its reservation */
	const char *start, *end;
	uint32_t prot;  /* PROT_* it wants */
	bool boot_only; /* free it when boot is over */
};

/**
 * port_image - the parts of the kernel image.
 * @nr: set to their number.
 *
 * Return:  an array in ascending order of addresses.
 * Context: any.
 */
QAPI const struct port_image_part *port_image(unsigned int *nr);

/**
 * port_guard_pages - pages of the image below stacks: to be unmapped for good.
 * @nr: set to their number.
 *
 * Return:  an array of their addresses.
 * Context: any.
 */
QAPI const void *const *port_guard_pages(unsigned int *nr);

/**
 * early_ioremap - look at physical memory before (and after) there is a page allocator.
 * @pa:   bytes, any alignment.
 * @size: bytes; with the offset in its page at most FIX_EARLY_PAGES pages.
 *
 * Return:  a kernel address for exactly this range, cached, read and write; NULL when the range
 *          is too large, lies beyond PHYS_ADDR_LIMIT, or all FIX_EARLY_WINDOWS are in use.
 * Owner:   the caller, until early_iounmap() with the same result and size; another is a BUG.
 * Context: one CPU at boot, or one user at a time later; does not sleep.
 * Cost:    a page-table store and a TLB flush a page.
 */
QAPI void *early_ioremap(phys_addr_t pa, size_t size) __must_check;
QAPI void early_iounmap(void *va, size_t size);

/* Number of early_ioremap() windows in use: 0 between users. */
QAPI unsigned int early_ioremap_nr_used(void);

/**
 * port_stop - end it: the emulator's exit port, the power button, or a halted CPU.
 * @code: EXIT_CODE_*.
 */
QAPI void port_stop(int code) __noreturn;

#define EXIT_CODE_OK    0x10 /* clean poweroff, or every test passed */
#define EXIT_CODE_FAIL  0x11 /* tests failed */
#define EXIT_CODE_PANIC 0x12

/**
 * probe_read, probe_write - one load or store of a word that may fault.
 *
 * Return:  0, or -EFAULT when it faulted; then nothing has changed.
 * Context: any.
 */
QAPI int probe_read(const void *va, unsigned long *val) __must_check;
QAPI int probe_write(void *va, unsigned long val) __must_check;

/**
 * port_set_region_hook - who can say what an address is: fault reports ask @describe.
 */
QAPI void port_set_region_hook(QAPI const char *(*describe)(uintptr_t va));

/**
 * backtrace_here - print the call chain of the caller, innermost first, with symbols.
 */
QAPI void backtrace_here(struct out *o) __noinline;

/**
 * port_callers - who called the library: return addresses of the call chain, innermost first.
 * @to: gets at most @nr of them.
 *
 * Those that lie in the code of mm/ and lib/ are left out until the first that does not: that one
 * is the call into the library, as far as the chain can be followed.  A port that cannot tell the
 * library's code from its own leaves none out; one that cannot follow the chain finds none.
 *
 * Return:  how many were stored.
 * Context: any.
 */
QAPI unsigned int port_callers(const void **to, unsigned int nr) __noinline;

/**
 * port_early_init, port_late_init - the port's own start: tables and traps; then devices.
 *
 * port_early_init() leaves interrupts off; port_late_init() may be followed by irq_enable().
 */
QAPI void port_early_init(void);
QAPI void port_late_init(void);

/**
 * port_firmware_ranges - add to @bi what the firmware and the bring-up of further CPUs need of low
 * memory, as ranges to be kept.
 *
 * Context: boot, before memory is handed out.
 */
QAPI void port_firmware_ranges(struct bootinfo *bi);

/**
 * serial_console_stop - print no more on the serial line, which has been a console from the start.
 *
 * What is typed there is still read.
 */
QAPI void serial_console_stop(void);

/**
 * console_getc - the next byte typed at the console.
 *
 * Return:  0..255.
 * Context: a thread, interrupts on: the CPU is halted while it waits.
 */
QAPI int console_getc(void);

/**
 * clock_cycles - a counter that never goes back: the TSC.
 */
QAPI uint64_t clock_cycles(void);

/**
 * port_reboot - reset the machine.
 */
QAPI void port_reboot(void) __noreturn;

#endif
