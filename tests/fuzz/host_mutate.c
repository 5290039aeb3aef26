/*
 * host_mutate.c - changes to inputs that are made of records.
 *
 * IDEA.  A byte put in or taken away turns all records behind it into others, and what the input
 * did is lost.  So whole records are added, left out, copied and exchanged, and bytes change in
 * place, within a record or the header.  An input without records is libFuzzer's own business.
 *
 * CONTEXT.  The fuzzer.
 */
#include "fuzz_target.h"
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define RUN_MAX 16u /* records that are added or copied at once */
#define SMALL_MASK \
	15u /* most bytes of a new record are small: slots meet, and orders are possible */

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t size_max);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t size_max, unsigned int seed);

static unsigned int rng;

static unsigned int below(size_t limit)
{
	rng = rng * 1664525u + 1013904223u;
	return limit ? (unsigned int)((rng >> 8) % limit) : 0;
}

static uint8_t *record_at(uint8_t *data, size_t nr)
{
	return data + fuzz_target.header + nr * fuzz_target.record;
}

static size_t add_records(uint8_t *data, size_t nr, size_t nr_max)
{
	size_t add = 1 + below(RUN_MAX);

	for (; add && nr < nr_max; add--, nr++)
		for (size_t i = 0; i < fuzz_target.record; i++)
			record_at(data, nr)[i] =
				(uint8_t)(below(4) ? below(256) & SMALL_MASK : below(256));
	return nr;
}

static size_t drop_run(uint8_t *data, size_t nr)
{
	size_t first = below(nr), run = 1 + below(RUN_MAX);

	if (run > nr - first)
		run = nr - first;
	memmove(record_at(data, first), record_at(data, first + run),
		(nr - first - run) * fuzz_target.record);
	return nr - run;
}

static size_t copy_run(uint8_t *data, size_t nr, size_t nr_max)
{
	size_t from = below(nr), run = 1 + below(RUN_MAX);

	if (run > nr - from)
		run = nr - from;
	if (run > nr_max - nr)
		run = nr_max - nr;
	memmove(record_at(data, nr), record_at(data, from), run * fuzz_target.record);
	return nr + run;
}

static void exchange(uint8_t *a, uint8_t *b)
{
	for (size_t i = 0; i < fuzz_target.record; i++) {
		uint8_t was = a[i];

		a[i] = b[i];
		b[i] = was;
	}
}

static size_t change(uint8_t *data, size_t nr, size_t nr_max)
{
	unsigned int dice = below(8);

	if (dice == 0 && fuzz_target.header)
		LLVMFuzzerMutate(data, fuzz_target.header, fuzz_target.header);
	else if (dice <= 2 || !nr)
		return add_records(data, nr, nr_max);
	else if (dice == 3)
		return drop_run(data, nr);
	else if (dice == 4)
		return copy_run(data, nr, nr_max);
	else if (dice == 5)
		exchange(record_at(data, below(nr)), record_at(data, below(nr)));
	else
		LLVMFuzzerMutate(record_at(data, below(nr)), fuzz_target.record,
				 fuzz_target.record);
	return nr;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t size_max, unsigned int seed)
{
	const size_t header = fuzz_target.header, record = fuzz_target.record;
	size_t nr;

	if (!record || size_max < header + record)
		return LLVMFuzzerMutate(data, size, size_max);
	rng = seed;
	if (size < header)
		memset(data + size, 0, header - size);
	nr = size > header ? (size - header) / record : 0;
	for (unsigned int i = 1 + below(3); i; i--)
		nr = change(data, nr, (size_max - header) / record);
	return header + nr * record;
}
