/*
 * Layer: base
 * sizes.h - byte units.
 */
#ifndef QUARRY_SIZES_H
#define QUARRY_SIZES_H

#define KiB (1024ul)
#define MiB (1024ul * KiB)
#define GiB (1024ull * MiB) /* 64-bit: four of them do not fit an unsigned long */

#endif
