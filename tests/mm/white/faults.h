/*
 * Layer: tests
 * faults.h - as tests/faults.h, for calls that only white-box tests make.
 */
#ifndef TESTS_MM_WHITE_FAULTS_H
#define TESTS_MM_WHITE_FAULTS_H

#include "../../faults.h"

#if CONFIG_FAULT_INJECT

#include "../../../mm/internal.h"
#include "../../../mm/vmalloc.h"

#include <quarry/asm/restart.h>

FAULTY(struct vm_area *, vm_area_get, !r, (size_t size, unsigned long flags, const void *caller),
       (size, flags, caller))
FAULTY(struct page *, alloc_pages_below, !r, (gfp_t gfp, unsigned int order, pfn_t limit),
       (gfp, order, limit))
/* Of an allocation; a free has no point. */
FAULTY(uintptr_t, restart_step_call, !r,
       (const void *fn, uintptr_t arg1, uintptr_t arg2, unsigned int nth, bool *hit,
	QAPI void (*interruption)(void)),
       (fn, arg1, arg2, nth, hit, interruption))

#define restart_step_call(...) faulty_restart_step_call(__VA_ARGS__)
#define vm_area_get(...)       faulty_vm_area_get(__VA_ARGS__)
#define alloc_pages_below(...) faulty_alloc_pages_below(__VA_ARGS__)

#endif
#endif
