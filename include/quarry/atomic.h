/*
 * Layer: contract
 * atomic.h - atomic_t: atomic_read, atomic_set, atomic_inc, atomic_dec_and_test, atomic_fetch_add,
 * atomic_cmpxchg.
 *
 * The port's <quarry/asm/atomic.h> supplies them; each but read and set is a full barrier.
 */
#ifndef QUARRY_ATOMIC_H
#define QUARRY_ATOMIC_H

#include <quarry/asm/atomic.h>

#endif
