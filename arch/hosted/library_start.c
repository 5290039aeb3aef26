/*
 * library_start.c - where the code of lib/ and mm/ begins.
 *
 * IDEA.  A section of the program has the files' parts in the order in which they are linked, and
 * this file is linked before them: port_callers() compares addresses with its labels.
 *
 * STATE.  None.
 *
 * CONTEXT.  None: nothing of it runs.
 */
__asm__(".text\n"
	".globl library_text_start\n"
	"library_text_start:\n"
	".section .init.text, \"ax\"\n"
	".globl library_init_start\n"
	"library_init_start:\n"
	".text\n");
