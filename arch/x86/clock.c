/*
 * clock.c - the time-stamp counter.
 *
 * IDEA.  What the project needs to know is cost, and under an emulator that counts instructions
 * the TSC is exact.
 *
 * CONTEXT.  Any.
 */
#include <quarry/port.h>

QAPI uint64_t clock_cycles(void)
{
	uint32_t low, high;

	__asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
	return (uint64_t)high << 32 | low;
}
