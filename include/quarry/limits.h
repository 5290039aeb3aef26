/*
 * Layer: mm
 * limits.h - what can be asked for at most, and where the addresses lie: one report.
 */
#ifndef QUARRY_LIMITS_H
#define QUARRY_LIMITS_H

#include <quarry/compiler.h>

struct out;

/**
 * limits_show - print the largest single request of each call, the limits of each zone and of its
 * per-CPU lists, and the map of the kernel's address space.
 *
 * One subject a line, key=value; the first word of a line names its kind: request, reserve, zone,
 * percpu, range.
 * Context: any.
 */
QAPI void limits_show(struct out *o);

#endif
