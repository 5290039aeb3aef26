/*
 * host_memory.c - the library's loops over memory, for targets with a machine: libc's.
 *
 * IDEA.  A boot clears and fills more bytes than all that follows, one at a time and with a check
 * for each.  The linker's --wrap puts these in the place of lib/string.c's, which have tests of
 * their own; libc's look at the whole range at once.
 */
#include <stdint.h>
#include <string.h>

void *__wrap_q_memset(void *to, int byte, size_t size);
void *__wrap_q_memcpy(void *to, const void *from, size_t size);
uint32_t *__wrap_memset32(uint32_t *to, uint32_t word, size_t nr);

void *__wrap_q_memset(void *to, int byte, size_t size)
{
	return memset(to, byte, size);
}

void *__wrap_q_memcpy(void *to, const void *from, size_t size)
{
	return memcpy(to, from, size);
}

uint32_t *__wrap_memset32(uint32_t *to, uint32_t word, size_t nr)
{
	for (size_t i = 0; i < nr; i++)
		to[i] = word;
	return to;
}
