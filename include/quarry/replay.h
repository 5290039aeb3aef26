/*
 * Layer: kernel
 * replay.h - do again what another kernel or program asked its allocator for.
 *
 * A boot module holds the records of an allocation trace (tests/data/traces/README.md).  They are
 * replayed one after the other, measured or verified.
 */
#ifndef QUARRY_REPLAY_H
#define QUARRY_REPLAY_H

#include <quarry/compiler.h>
#include <quarry/out.h>

/**
 * replay_run - replay a boot module, and print what it cost and took.
 * @spec: the module's name, then words, with commas between them:
 *
 *	objects   only objects and areas; pages: only pages, those behind objects and areas too
 *	          (neither word: objects, areas, and the pages that are not behind them)
 *	nozero    ask nobody for zeroes
 *	check     do not measure: stamp every byte of every object, verify it when the object is
 *	          freed or moves, and run every validator from time to time
 *
 * The lines are "replay KEY=NUMBER ...", and the last one is "replay done problems=NUMBER".  Times
 * are ticks of the time-stamp counter: instructions where the emulator counts them.
 * Return:  problems, each printed: allocations that failed, contents that changed, pages that did
 *          not come back, violations; -ENOENT when no module has that name; -EINVAL when a word is
 *          none of these, or the module is no trace; another -errno without room for tables.
 * Context: a thread that may sleep, with nobody else allocating.  Cost: seconds.
 */
QAPI int replay_run(struct out *o, const char *spec);

#endif
