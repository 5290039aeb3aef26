/*
 * va_model.c - what first fit means, by trying every place.
 *
 * IDEA.  A byte for each page.  A guard is cut where the space ends, so the last run of free pages
 * serves a range with any guard.
 *
 * CONTEXT.  Any.
 */
#include "va_model.h"

#include <quarry/align.h>
#include <quarry/mm.h>
#include <quarry/string.h>

#define P PAGE_SIZE

void va_model_init(struct va_model *m, uintptr_t start, size_t nr)
{
	m->start = start;
	m->nr = nr;
	memset(m->taken, 0, sizeof(m->taken));
}

/* How many pages are free from @page on, before the first that is not, or @nr. */
static size_t nr_free_from(const struct va_model *m, size_t page, size_t nr)
{
	size_t i = 0;

	while (i < nr && page + i < m->nr && !m->taken[page + i])
		i++;
	return i;
}

static bool fits(const struct va_model *m, size_t page, const struct va_wish *w)
{
	uintptr_t va = m->start + page * P;
	size_t room = (m->nr - page) * P, size = w->size;

	if (va % w->align || va < w->low || size > room || va > w->high || size > w->high - va)
		return false;
	size += min(w->guard, room - size);
	return nr_free_from(m, page, size / P) == size / P;
}

uintptr_t va_model_place(const struct va_model *m, const struct va_wish *w)
{
	for (size_t page = 0; page < m->nr; page++) {
		if (fits(m, page, w))
			return m->start + page * P;
	}
	return 0;
}

void va_model_set(struct va_model *m, uintptr_t start, uintptr_t end, size_t guard, bool taken)
{
	size_t first = (start - m->start) / P, nr = (end - start) / P;

	nr += min(guard / P, m->nr - first - nr);
	memset(m->taken + first, taken, nr);
}

size_t va_model_largest(const struct va_model *m, size_t guard)
{
	size_t largest = 0, run;

	for (size_t page = 0; page < m->nr; page += run + 1) {
		run = nr_free_from(m, page, m->nr);
		if (page + run == m->nr)
			largest = max(largest, run);
		else if (run > guard / P)
			largest = max(largest, run - guard / P);
	}
	return largest * P;
}
