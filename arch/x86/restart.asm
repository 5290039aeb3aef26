; restart.asm - pop and push of a per-CPU stack, as restartable sequences.
;
; IDEA.  Each operation is a few instructions that read, and one last instruction that stores the
; new count: the commit.  Until then nothing has happened that anybody could see (push writes a slot
; above the count, which belongs to nobody).  When an interrupt arrives between the first
; instruction and the commit, the interrupt return path finds EIP in this section and moves it back
; to the start of the sequence (arch/x86/restart.c).  So the fast path disables nothing, takes no
; lock and no locked instruction, and is still atomic on its CPU: whatever the interrupt did to the
; stack, and whichever CPU the thread wakes up on, the sequence begins again with fresh values.
;
; INVARIANTS.
;   R1  the inputs (EAX, EDX) are unchanged until the commit, so that starting again is possible;
;   R2  the commit is one instruction, the last of its sequence, and nothing before it writes a
;       word that is in use;
;   R3  code behind the commit is outside [start, end): it must not run twice.
;
; CONTEXT.  Any, on this CPU's own stacks.  Not from an NMI.
;
; SOURCES.  Bershad, Redell, Ellis, "Fast mutual exclusion for uniprocessors", ASPLOS 1992.

bits 32

STACK_NR	equ 0			; struct percpu_stack
STACK_LIMIT	equ 4
STACK_SLOT	equ 8

section .restart progbits alloc exec nowrite align=16

; void *percpu_stack_pop(struct percpu_stack *s: EAX)
global percpu_stack_pop
	align 16
percpu_stack_pop:
restart_pop_start:
	mov edx, [fs:eax + STACK_NR]
	sub edx, 1
	jc pop_empty
	mov ecx, [fs:eax + STACK_SLOT + edx * 4]
	mov [fs:eax + STACK_NR], edx
restart_pop_end:
	mov eax, ecx
	ret
pop_empty:
	xor eax, eax
	ret

; bool percpu_stack_push(struct percpu_stack *s: EAX, void *obj: EDX)
global percpu_stack_push
	align 16
percpu_stack_push:
restart_push_start:
	mov ecx, [fs:eax + STACK_NR]
	cmp ecx, [fs:eax + STACK_LIMIT]
	jae push_full
	mov [fs:eax + STACK_SLOT + ecx * 4], edx
	inc dword [fs:eax + STACK_NR]
restart_push_end:
	mov eax, 1
	ret
push_full:
	xor eax, eax
	ret

section .rodata progbits alloc noexec nowrite align=4

; struct restart_sequence { start, end }: EIP in (start, end) goes back to start.
global restart_table
global restart_table_end
restart_table:
	dd restart_pop_start, restart_pop_end
	dd restart_push_start, restart_push_end
restart_table_end:
