/*
 * library_end.c - where the code of lib/ and mm/ ends.
 *
 * IDEA.  A section of the program has the files' parts in the order in which they are linked, and
 * this file is linked behind them: port_callers() compares addresses with its labels.
 *
 * STATE.  None.
 *
 * CONTEXT.  None: nothing of it runs.
 */
__asm__(".text\n"
	".globl library_text_end\n"
	"library_text_end:\n"
	".section .init.text, \"ax\"\n"
	".globl library_init_end\n"
	"library_init_end:\n"
	".text\n");
