/*
 * tlb.c - what the CPU's control registers say of the page tables in use.
 */
#include <quarry/ktest.h>
#include <quarry/port.h>

KTEST(tlb, the_cpu_uses_the_root_table_that_the_port_names)
{
	uint32_t cr3;

	__asm__ volatile("movl %%cr3, %0" : "=r"(cr3));
	EXPECT_EQ(t, cr3 & PAGE_MASK, va_to_pa(port_root_table()));
}

KTEST(tlb, read_only_pages_bind_the_kernel_too)
{
	uint32_t cr0;

	__asm__ volatile("movl %%cr0, %0" : "=r"(cr0));
	EXPECT_NE(t, 0, cr0 & 1u << 16);
}
