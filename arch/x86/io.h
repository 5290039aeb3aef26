/*
 * Layer: port
 * io.h - I/O ports and control registers.
 */
#ifndef ARCH_X86_IO_H
#define ARCH_X86_IO_H

#include <quarry/compiler.h>
#include <quarry/types.h>

static inline void outb(uint16_t port, uint8_t val)
{
	__asm__ volatile("outb %0, %1" ::"a"(val), "Nd"(port));
}

static inline void outw(uint16_t port, uint16_t val)
{
	__asm__ volatile("outw %0, %1" ::"a"(val), "Nd"(port));
}

static inline void outl(uint16_t port, uint32_t val)
{
	__asm__ volatile("outl %0, %1" ::"a"(val), "Nd"(port));
}

static inline uint8_t inb(uint16_t port)
{
	uint8_t val;

	__asm__ volatile("inb %1, %0" : "=a"(val) : "Nd"(port));
	return val;
}

static inline uint16_t inw(uint16_t port)
{
	uint16_t val;

	__asm__ volatile("inw %1, %0" : "=a"(val) : "Nd"(port));
	return val;
}

static inline uint32_t inl(uint16_t port)
{
	uint32_t val;

	__asm__ volatile("inl %1, %0" : "=a"(val) : "Nd"(port));
	return val;
}

static inline uint32_t read_cr0(void)
{
	uint32_t val;

	__asm__ volatile("movl %%cr0, %0" : "=r"(val));
	return val;
}

static inline void write_cr0(uint32_t val)
{
	__asm__ volatile("movl %0, %%cr0" ::"r"(val) : "memory");
}

static inline uint32_t read_cr2(void)
{
	uint32_t val;

	__asm__ volatile("movl %%cr2, %0" : "=r"(val));
	return val;
}

static inline uint32_t read_cr3(void)
{
	uint32_t val;

	__asm__ volatile("movl %%cr3, %0" : "=r"(val));
	return val;
}

static inline void write_cr3(uint32_t val)
{
	__asm__ volatile("movl %0, %%cr3" ::"r"(val) : "memory");
}

static inline uint32_t read_cr4(void)
{
	uint32_t val;

	__asm__ volatile("movl %%cr4, %0" : "=r"(val));
	return val;
}

static inline void write_cr4(uint32_t val)
{
	__asm__ volatile("movl %0, %%cr4" ::"r"(val) : "memory");
}

static inline uint64_t read_msr(uint32_t msr)
{
	uint64_t val;

	__asm__ volatile("rdmsr" : "=A"(val) : "c"(msr));
	return val;
}

static inline void write_msr(uint32_t msr, uint64_t val)
{
	__asm__ volatile("wrmsr" ::"c"(msr), "A"(val) : "memory");
}

/* Write back and empty this CPU's caches. */
static inline void write_back_caches(void)
{
	__asm__ volatile("wbinvd" ::: "memory");
}

#define MSR_APIC_BASE 0x01bu
#define MSR_PAT       0x277u

/* CPUID leaf 1, EDX: cpu_features. */
#define CPUID_PSE  (1u << 3)
#define CPUID_MSR  (1u << 5)
#define CPUID_APIC (1u << 9)
#define CPUID_PGE  (1u << 13)
#define CPUID_CMOV (1u << 15)
#define CPUID_PAT  (1u << 16)

/* Memory types, as entries of the PAT have them. */
#define MEMORY_UC       0x00ull /* uncached, whatever the MTRRs say */
#define MEMORY_WC       0x01ull /* write-combining */
#define MEMORY_WT       0x04ull /* write-through */
#define MEMORY_WB       0x06ull /* write-back */
#define MEMORY_UC_MINUS 0x07ull /* uncached, unless an MTRR says write-combining */

#define CR0_CD (1u << 30) /* caches fill no more */

#define CR4_PSE (1u << 4) /* 4 MiB pages */
#define CR4_PGE (1u << 7) /* global pages */

#define EFLAGS_TF (1u << 8)
#define EFLAGS_IF (1u << 9)

#endif
