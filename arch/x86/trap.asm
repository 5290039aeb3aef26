; trap.asm - the entries of all exceptions and interrupts.
;
; IDEA.  A stub pushes an error code where the CPU did not, and its vector.  The common part saves
; the registers, counts the nesting in this CPU's context word (so that code in the handler knows
; that it may not sleep) and calls trap_dispatch(frame).  On the way out the context word is put
; back to what it was, so a handler cannot leave it wrong for the interrupted code.
;
; INVARIANTS.  T1: struct trap_frame in x86.h is what is pushed here.  T2: trap_dispatch() may
; change the frame: that is how an interrupted restartable sequence is made to start again and how
; a probe survives its fault.
;
; SOURCES.  Intel SDM vol. 3, section 6.12 and 6.13.

bits 32

CONTEXT_IRQS_OFF	equ 0x80000000	; <quarry/asm/context.h>
CONTEXT_IRQ_ONE		equ 0x00010000

TRAP_STUB_SIZE		equ 16
NR_VECTORS		equ 64		; x86.h
NR_EXCEPTIONS		equ 32

; Vectors for which the CPU pushes an error code: 8, 10-14, 17, 21.
HAS_ERROR	equ (1 << 8) | (1 << 10) | (1 << 11) | (1 << 12) | (1 << 13) | (1 << 14) | \
		    (1 << 17) | (1 << 21)

extern trap_dispatch
extern double_fault
extern context_word

section .text progbits alloc exec nowrite align=16

global trap_stubs
	align 16
trap_stubs:
%assign vec 0
%rep NR_VECTORS
	align TRAP_STUB_SIZE
  %if vec >= NR_EXCEPTIONS
	push byte 0
  %elif (HAS_ERROR & (1 << vec)) == 0
	push byte 0
  %endif
	push byte vec
	jmp trap_common
%assign vec vec + 1
%endrep

global trap_common
trap_common:
	pushad
	cld
	mov ebx, [fs:context_word]
	push ebx
	add ebx, CONTEXT_IRQ_ONE
	or ebx, CONTEXT_IRQS_OFF
	mov [fs:context_word], ebx
	mov eax, esp
	call trap_dispatch
	pop dword [fs:context_word]
	popad
	add esp, 8			; vector, error
	iretd

; A task of its own: nothing of the interrupted stack is touched, and there is no way back.
global double_fault_entry
double_fault_entry:
	xor ebp, ebp
	call double_fault
	ud2
