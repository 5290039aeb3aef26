/*
 * Layer: tests
 * areas.h - what tests of areas ask for again and again.
 */
#ifndef TESTS_MM_AREAS_H
#define TESTS_MM_AREAS_H

#include <quarry/vmalloc.h>

#include "helpers.h"

static inline struct vm_counts count(void)
{
	struct vm_counts c;

	vm_count(&c);
	return c;
}

static inline bool flushes_at_once(void)
{
	return option_given("vmalloc_debug=1");
}

#endif
