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

#define CR4_PSE (1u << 4) /* 4 MiB pages */
#define CR4_PGE (1u << 7) /* global pages */

#define EFLAGS_TF (1u << 8)
#define EFLAGS_IF (1u << 9)

#endif
