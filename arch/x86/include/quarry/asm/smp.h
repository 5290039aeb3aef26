/*
 * Layer: port
 * smp.h - the CPUs that this port runs: one.
 */
#ifndef QUARRY_ASM_SMP_H
#define QUARRY_ASM_SMP_H

#include <quarry/smp_one.h>

#endif
