/*
 * Layer: mm
 * watch.h - does a debug facility want to see every page, every object?
 *
 * If so, per-CPU lists or magazines are out of use, so that each call takes the slow path, where
 * the facilities are.  Whoever begins or ends to watch says pcp_enable(!pages_watched()) and
 * slab_magazines_enable(!objects_watched()) then.
 */
#ifndef MM_DEBUG_WATCH_H
#define MM_DEBUG_WATCH_H

#include "alloc_trace.h"
#include "fault_inject.h"
#include "page_owner.h"
#include "page_poison.h"

static inline bool pages_watched(void)
{
	return page_poison_on() || page_owner_on() || fault_on(FAULT_PAGE) || alloc_trace_on();
}

static inline bool objects_watched(void)
{
	return fault_on(FAULT_OBJECT) || alloc_trace_on();
}

#endif
