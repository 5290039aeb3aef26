/*
 * Layer: tests
 * world.h - what targets with a machine share: masks out of bytes, contexts, and the world before
 * and after.
 */
#ifndef TESTS_FUZZ_WORLD_H
#define TESTS_FUZZ_WORLD_H

#include "machine.h"
#include "model.h"
#include <quarry/compiler.h>
#include <quarry/gfp.h>

/* Remember what is free, and show it to the model; later: everything must be free again. */
void world_note(void);
void world_compare(void);

/* Empty every cache: then what mm/ says of free memory must be what the model says.  May sleep. */
void world_settle(void);

/* Every validator of mm/ must find nothing. */
void world_check(void);

/* A mask out of 16 bits: the low 4 choose a base, the others are a flag each. */
gfp_t world_gfp(uint16_t bits);

/* The same, as C; good until the fourth call after this one. */
const char *world_gfp_text(gfp_t gfp);

/* Call @fn as a thread does, or as an interrupt. */
void world_call(bool in_interrupt, QAPI void (*fn)(void));

/*
 * Before a request: what gives back the result, as C.  If the run ends in the request, or in the
 * judgement on it, a test that is made of the steps goes on, and needs it.
 */
void world_undo(const char *fmt, ...) __printf(1, 2);
void world_write_undo_down(void);

/*
 * What came of a request must be what was predicted; a test made of the steps asserts it, too.
 * @array, @nr: where the test has the result.
 */
void world_judge(enum model_answer answer, bool succeeded, const char *request, const char *array,
		 unsigned int nr);

#endif
