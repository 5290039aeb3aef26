; tiny.asm - a kernel that proves where and how it was entered; see test_efi_errors.py.
;
; It is linked where boot services are in the way, so the EFI loader has to move it once they have
; ended.  It prints one line, "tiny: fine" or "tiny: " and a letter for what is wrong, on COM1, and
; leaves by the debug-exit device.

bits 32

COM1		equ 0x3f8
DEBUG_EXIT	equ 0xf4
EXIT_FINE	equ 0x10
EXIT_WRONG	equ 0x11
MB2_MAGIC	equ 0xE85250D6
LOADER_MAGIC	equ 0x36d76289
CR0_PE		equ 1 << 0
CR0_PG		equ 1 << 31
PATTERN_WORDS	equ 0x20000		; 512 KiB
EFLAGS_IF	equ 1 << 9
TAIL		equ 0x5a

section .text

	align 8
	dd MB2_MAGIC, 0, 16 + 8, -(MB2_MAGIC + 16 + 8)
	dw 0, 0
	dd 8

global _start
_start:
	mov esp, stack_top
	mov bp, 'm'
	cmp eax, LOADER_MAGIC
	jne wrong
	mov bp, 'b'			; a block of a plausible size, with zero behind it
	cmp dword [ebx], 0x100
	jb wrong
	cmp dword [ebx + 4], 0
	jne wrong
	mov bp, 'p'
	mov eax, cr0
	and eax, CR0_PE | CR0_PG
	cmp eax, CR0_PE
	jne wrong
	mov bp, 'i'
	pushfd
	pop eax
	test eax, EFLAGS_IF
	jnz wrong
	mov bp, 'c'
	mov eax, cr4
	test eax, eax
	jnz wrong
	mov bp, 'd'			; the image, to its last byte
	mov esi, pattern
	xor ecx, ecx
.word:
	lodsd
	cmp eax, ecx
	jne wrong
	inc ecx
	cmp ecx, PATTERN_WORDS
	jne .word
	cmp byte [esi], TAIL
	jne wrong
	mov bp, 'z'			; and zero where the file has nothing
	lea edi, [esi + 1]
	mov ecx, zeros_end
	sub ecx, edi
	xor eax, eax
	repe scasb
	jne wrong
	mov esi, fine
	call print
	mov al, EXIT_FINE
	out DEBUG_EXIT, al
	hlt

wrong:
	mov esi, wrong_text
	call print
	mov ax, bp
	mov dx, COM1
	out dx, al
	mov al, EXIT_WRONG
	out DEBUG_EXIT, al
	hlt

print:
	mov dx, COM1
.next:
	lodsb
	test al, al
	jz .done
	out dx, al
	jmp .next
.done:
	ret

fine:		db "tiny: fine", 10, 0
wrong_text:	db "tiny: wrong, ", 0

section .data align=4096
pattern:
%assign word 0
%rep PATTERN_WORDS
	dd word
%assign word word + 1
%endrep
		db TAIL			; what comes from the file ends within a word

section .bss align=4096
	resb 0x180000
zeros_end:
	resb 4096
stack_top:
