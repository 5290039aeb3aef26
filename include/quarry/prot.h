/*
 * Layer: base
 * prot.h - what a mapping allows and how it is cached; a port translates to its own bits.
 */
#ifndef QUARRY_PROT_H
#define QUARRY_PROT_H

#define PROT_READ          0x01u
#define PROT_WRITE         0x02u
#define PROT_EXEC          0x04u
#define PROT_UNCACHED      0x08u
#define PROT_WRITE_COMBINE 0x10u
#define PROT_GLOBAL        0x20u /* survives an address-space switch, where the CPU can */

#define PROT_KERNEL    (PROT_READ | PROT_WRITE | PROT_GLOBAL)
#define PROT_KERNEL_RO (PROT_READ | PROT_GLOBAL)
#define PROT_KERNEL_RX (PROT_READ | PROT_EXEC | PROT_GLOBAL)

#endif
