/*
 * Layer: tests
 * hoard.h - pages that are taken to make memory short, for targets that are about something else.
 */
#ifndef TESTS_FUZZ_HOARD_H
#define TESTS_FUZZ_HOARD_H

#include <quarry/gfp.h>

/* Write down, as C, what stands before a test that is made of the steps. */
void hoard_declare(void);

/* Take a block of @order into place @nr modulo the places there are, or give back what is there. */
void hoard_toggle(unsigned int nr, unsigned int order, gfp_t gfp);

/* All that there is, the largest blocks first, down to those of @least, as far as there is room. */
void hoard_exhaust(unsigned int least, gfp_t gfp);

/* Of each larger block, give every other run of 2^@order pages back. */
void hoard_punch(unsigned int order);

/* Give everything back; or write down, as C, what would. */
void hoard_give_all(void);
void hoard_write_end_down(void);

#endif
