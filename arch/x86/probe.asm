; probe.asm - one load and one store that may fault: trap.c sends a fault here to probe_failed.
;
; int probe_read(const void *va: EAX, unsigned long *val: EDX)
; int probe_write(void *va: EAX, unsigned long val: EDX)
;
; Both return 0, or -EFAULT when the access faulted; nothing else of the machine has changed then.

bits 32

EFAULT	equ 14

section .text progbits alloc exec nowrite align=16

global probe_read
global probe_read_insn
	align 16
probe_read:
probe_read_insn:
	mov ecx, [eax]
	mov [edx], ecx
	xor eax, eax
	ret

global probe_write
global probe_write_insn
	align 16
probe_write:
probe_write_insn:
	mov [eax], edx
	xor eax, eax
	ret

global probe_failed
probe_failed:
	mov eax, -EFAULT
	ret

; uint32_t restart_stepped_call(const void *fn: EAX, uint32_t arg1: EDX, uint32_t arg2: ECX)
;
; Calls fn(arg1, arg2) with the trap flag set: a debug exception after every instruction of fn.
global restart_stepped_call
	align 16
restart_stepped_call:
	push ebx
	mov ebx, eax
	mov eax, edx
	mov edx, ecx
	pushfd
	or dword [esp], 1 << 8
	popfd
	call ebx
	pushfd
	and dword [esp], ~(1 << 8)
	popfd
	pop ebx
	ret
