/*
 * Layer: port
 * hidden.h - put before everything else in code that runs at another address than it is linked
 * for: every symbol is reached relative to the instruction pointer, none through a table of
 * absolute addresses.
 */
#pragma GCC visibility push(hidden)
