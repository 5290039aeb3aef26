/*
 * Layer: port
 * percpu.h - one CPU: a per-CPU variable is a variable.
 */
#ifndef QUARRY_ASM_PERCPU_H
#define QUARRY_ASM_PERCPU_H

#include <quarry/asm/layout.h>
#include <quarry/types.h>

#define DEFINE_PER_CPU(type, name)  type name
#define DECLARE_PER_CPU(type, name) extern type name

/* There is no CPU but 0, so the number is looked at and not used. */
#define per_cpu_ptr(ptr, cpu) ((void)(cpu), (ptr))
#define this_cpu_ptr(ptr)     (ptr)

#define this_cpu_read(var)       (var)
#define this_cpu_write(var, val) ((var) = (val))
#define this_cpu_add(var, val)   ((var) += (val))

static inline unsigned int smp_cpu_id(void)
{
	return 0;
}

#endif
