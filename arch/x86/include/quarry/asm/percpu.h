/*
 * Layer: port
 * percpu.h - per-CPU variables: one instruction each, through the base of %fs.
 *
 * A per-CPU variable is linked into .data.percpu, which is the boot CPU's copy.  %fs has the base
 * (copy - template), so %fs:(&var) is this CPU's copy, and the boot CPU's base is 0.  A single
 * instruction cannot be torn by an interrupt or a migration; a pointer from this_cpu_ptr() is only
 * good while the context keeps the thread where it is.
 */
#ifndef QUARRY_ASM_PERCPU_H
#define QUARRY_ASM_PERCPU_H

#include <quarry/asm/layout.h>
#include <quarry/compiler.h>
#include <quarry/types.h>

#define DEFINE_PER_CPU(type, name)  __section(".data.percpu") type name
#define DECLARE_PER_CPU(type, name) extern type name

/* Distance from the template to each CPU's copy; 0 for the boot CPU. */
extern uintptr_t percpu_offset[NR_CPUS];

#define per_cpu_ptr(ptr, cpu) ((__typeof__(ptr))((uintptr_t)(ptr) + percpu_offset[cpu]))

/* %fs:0 of the template is not ours to read: the base itself is kept in a per-CPU word. */
DECLARE_PER_CPU(uintptr_t, percpu_this_offset);
DECLARE_PER_CPU(unsigned int, percpu_cpu_id);

/* Only words of four bytes: what the field needs per CPU is counts and pointers. */
#define this_cpu_read(var)                                                         \
	({                                                                         \
		__typeof__(var) pcpu_val_;                                         \
		static_assert(sizeof(var) == 4, "one instruction, one word");      \
		__asm__ volatile("movl %%fs:%1, %0" : "=r"(pcpu_val_) : "m"(var)); \
		pcpu_val_;                                                         \
	})

#define this_cpu_write(var, val)                                                    \
	do {                                                                        \
		__typeof__(var) pcpu_val_ = (val);                                  \
		static_assert(sizeof(var) == 4, "one instruction, one word");       \
		__asm__ volatile("movl %1, %%fs:%0" : "=m"(var) : "ri"(pcpu_val_)); \
	} while (0)

#define this_cpu_add(var, val)                                                \
	do {                                                                  \
		static_assert(sizeof(var) == 4, "one instruction, one word"); \
		__asm__ volatile("addl %1, %%fs:%0"                           \
				 : "+m"(var)                                  \
				 : "ri"((unsigned int)(val))                  \
				 : "cc");                                     \
	} while (0)

#define this_cpu_or(var, val) \
	__asm__ volatile("orl %1, %%fs:%0" : "+m"(var) : "ri"((unsigned int)(val)) : "cc")

#define this_cpu_and(var, val) \
	__asm__ volatile("andl %1, %%fs:%0" : "+m"(var) : "ri"((unsigned int)(val)) : "cc")

#define this_cpu_ptr(ptr) ((__typeof__(ptr))((uintptr_t)(ptr) + this_cpu_read(percpu_this_offset)))

static inline unsigned int smp_cpu_id(void)
{
	return this_cpu_read(percpu_cpu_id);
}

#endif
