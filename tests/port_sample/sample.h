/*
 * sample.h - what the sample kernel's two files share.
 */
#ifndef SAMPLE_H
#define SAMPLE_H

#include <quarry/compiler.h>
#include <quarry/types.h>

#define SAMPLE_RAM (64 * 1024 * 1024ul) /* bytes of make-believe physical memory */

/* Memory at [va, va + size), zeroed; false when the process cannot have it there. */
bool sample_map_memory(uintptr_t va, size_t size);

/* printk goes to standard output from now on. */
void sample_start_console(void);

void sample_exit(int status) __noreturn;

/* What the library asked of this kernel so far: the checks look at these. */
extern unsigned int sample_nr_wakes;      /* env_wake_reclaim() */
extern unsigned int sample_nr_root_added; /* port_root_entry_added() */
extern unsigned int sample_nr_switches;   /* port_switch_root() */

#endif
