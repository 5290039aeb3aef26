/*
 * Layer: port
 * percpu.h - per-CPU variables: a section of templates, and a distance for each host thread.
 *
 * A per-CPU variable is linked into the section percpu_data, which is the boot CPU's copy.  A CPU
 * is a host thread; how far its copies lie from the templates is a variable of the thread's own.
 */
#ifndef QUARRY_ASM_PERCPU_H
#define QUARRY_ASM_PERCPU_H

#include <quarry/asm/layout.h>
#include <quarry/compiler.h>
#include <quarry/types.h>

#define DEFINE_PER_CPU(type, name)  __section("percpu_data") type name
#define DECLARE_PER_CPU(type, name) extern type name

/* Distance from the template to each CPU's copy; 0 for the boot CPU. */
extern uintptr_t percpu_offset[NR_CPUS];

extern __thread uintptr_t percpu_this_offset;
extern __thread unsigned int percpu_cpu_id;

#define per_cpu_ptr(ptr, cpu) ((__typeof__(ptr))((uintptr_t)(ptr) + percpu_offset[cpu]))
#define this_cpu_ptr(ptr)     ((__typeof__(ptr))((uintptr_t)(ptr) + percpu_this_offset))

#define this_cpu_read(var)       READ_ONCE(*this_cpu_ptr(&(var)))
#define this_cpu_write(var, val) WRITE_ONCE(*this_cpu_ptr(&(var)), (val))
#define this_cpu_add(var, val)   ((void)(*this_cpu_ptr(&(var)) += (__typeof__(var))(val)))
#define this_cpu_or(var, val)    ((void)(*this_cpu_ptr(&(var)) |= (val)))
#define this_cpu_and(var, val)   ((void)(*this_cpu_ptr(&(var)) &= (val)))

static inline unsigned int smp_cpu_id(void)
{
	return percpu_cpu_id;
}

#endif
