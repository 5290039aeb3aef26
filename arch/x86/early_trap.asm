; early_trap.asm - exception entries that work before paging: relative jumps, no absolute address.
;
; Each stub pushes an error code where the CPU did not, and its vector; the common part completes
; struct trap_frame and calls early_trap(frame), which does not return.

bits 32

section .init.text progbits alloc exec nowrite align=16

extern early_trap

EARLY_STUB_SIZE	equ 16			; early_trap.c finds stub n at n times this

; Vectors for which the CPU pushes an error code: 8, 10-14, 17, 21.
HAS_ERROR	equ (1 << 8) | (1 << 10) | (1 << 11) | (1 << 12) | (1 << 13) | (1 << 14) | \
		    (1 << 17) | (1 << 21)

global early_trap_stubs
	align 16
early_trap_stubs:
%assign vec 0
%rep 32
	align EARLY_STUB_SIZE
  %if (HAS_ERROR & (1 << vec)) == 0
	push byte 0
  %endif
	push byte vec
	jmp early_trap_common
%assign vec vec + 1
%endrep

early_trap_common:
	pushad
	push dword 0			; no context word yet
	cld
	push esp
	call early_trap
	ud2
