; highload.asm - a boot loader's second half, far above the kernel's lowmem.
;
; `qemu -kernel` puts boot modules right behind the kernel, so a module above lowmem takes a kernel
; that is itself up there.  This one is: it is loaded at 1.5 GiB with quarry.elf as its first
; module.  It copies the ELF segments to where they belong, takes that module off the list, and
; enters the kernel as the loader would have; the other modules stay where they are.
;
; Flat binary (nasm -f bin), loaded by its multiboot1 address fields.

bits 32
org 0x60000000

MB1_MAGIC	equ 0x1BADB002
MB1_FLAGS	equ 1 << 16			; the address fields are valid
MB1_LOADED	equ 0x2BADB002
MBI_NR_MODULES	equ 20				; in the information block
MBI_MODULES	equ 24
MODULE_SIZE	equ 16				; an entry of the list; its first word is the start
ELF_ENTRY	equ 24
ELF_PHOFF	equ 28
ELF_PHNUM	equ 44
PHDR_SIZE	equ 32
PHDR_OFFSET	equ 4
PHDR_PADDR	equ 12
PHDR_FILESZ	equ 16
PHDR_MEMSZ	equ 20
PT_LOAD		equ 1

start:
	dd MB1_MAGIC, MB1_FLAGS, -(MB1_MAGIC + MB1_FLAGS)
	dd start, start, end, end, entry

entry:
	cld
	mov esi, [ebx + MBI_MODULES]
	mov ebp, [esi]				; the ELF file
	add dword [ebx + MBI_MODULES], MODULE_SIZE
	dec dword [ebx + MBI_NR_MODULES]

	movzx edx, word [ebp + ELF_PHNUM]
	mov eax, [ebp + ELF_PHOFF]
	add eax, ebp
.segment:
	cmp dword [eax], PT_LOAD
	jne .next
	mov esi, [eax + PHDR_OFFSET]
	add esi, ebp
	mov edi, [eax + PHDR_PADDR]
	mov ecx, [eax + PHDR_FILESZ]
	rep movsb
	mov ecx, [eax + PHDR_MEMSZ]
	sub ecx, [eax + PHDR_FILESZ]
	xchg eax, esi				; no stack here: ESI keeps EAX
	xor eax, eax
	rep stosb
	xchg eax, esi
.next:
	add eax, PHDR_SIZE
	dec edx
	jnz .segment

	mov ecx, [ebp + ELF_ENTRY]
	mov eax, MB1_LOADED
	jmp ecx
end:
