; multiboot.asm - from the boot loader's jump to C code above 3 GiB.
;
; IDEA.  A loader that speaks multiboot 1 or 2 enters _start in 32-bit protected mode, paging off,
; at the physical address.  Nothing else is known: firmware leaves bits in CR0 and CR4, the
; loader's GDT may be gone.  So both registers are set outright, our own segments are loaded, and
; C code that can run at any address (arch/x86/early_paging.c) brings up the serial port, an IDT
; that reports faults, and the boot page tables.  Then paging goes on and we jump high.
;
; STATE.  EAX = the loader's magic, EBX = physical address of its information block.
;
; No framebuffer is asked for: GRUB would give up the text mode of a BIOS machine for one.  On UEFI
; it passes on the firmware's all the same.
;
; NOT HERE.  Reading the information block: multiboot1.c, multiboot2.c, once paging is on.
;
; SOURCES.  Multiboot Specification 0.6.96, section 3; Multiboot2 Specification 2.0, section 3.

bits 32

KERNEL_OFFSET	equ 0xC0000000

; ---- headers ---------------------------------------------------------------------------------

section .multiboot align=8

MB1_MAGIC	equ 0x1BADB002
MB1_FLAGS	equ 0x00000003		; modules page-aligned, memory information wanted

	align 4
	dd MB1_MAGIC
	dd MB1_FLAGS
	dd -(MB1_MAGIC + MB1_FLAGS)

MB2_MAGIC	equ 0xE85250D6
MB2_ARCH_I386	equ 0
MB2_TAG_END	equ 0
MB2_TAG_ALIGN	equ 6			; modules page-aligned

	align 8
mb2_header:
	dd MB2_MAGIC
	dd MB2_ARCH_I386
	dd mb2_header_end - mb2_header
	dd -(MB2_MAGIC + MB2_ARCH_I386 + (mb2_header_end - mb2_header))
	dw MB2_TAG_ALIGN
	dw 0
	dd 8
	dw MB2_TAG_END
	dw 0
	dd 8
mb2_header_end:

; ---- entry, at the physical address ------------------------------------------------------------

CR0_PE		equ 1 << 0
CR0_ET		equ 1 << 4
CR0_NE		equ 1 << 5
CR0_WP		equ 1 << 16
CR0_PG		equ 1 << 31

SEL_CODE	equ 0x08
SEL_DATA	equ 0x10

section .boot progbits alloc exec nowrite align=16

extern early_setup
extern kernel_entry
extern boot_stack_top

global _start
_start:
	cli
	cld
	mov esp, boot_stack_top - KERNEL_OFFSET
	push dword 0
	popfd
	mov ecx, CR0_PE | CR0_ET | CR0_NE
	mov cr0, ecx
	xor ecx, ecx
	mov cr4, ecx
	lgdt [boot_gdt_low]
	jmp SEL_CODE:.segments
.segments:
	mov ecx, SEL_DATA
	mov ds, ecx
	mov es, ecx
	mov ss, ecx
	mov fs, ecx
	mov gs, ecx

	mov esi, eax			; kept by the calling convention
	mov edi, ebx
	xor ebp, ebp			; the end of every backtrace
	mov ecx, early_setup - KERNEL_OFFSET
	push eax
	call ecx			; early_setup(magic): the root table's physical address
	add esp, 4

	mov cr3, eax
	mov eax, CR0_PE | CR0_ET | CR0_NE | CR0_WP | CR0_PG
	mov cr0, eax
	mov eax, boot_high
	jmp eax

boot_gdt_low:
	dw boot_gdt.end - boot_gdt - 1
	dd boot_gdt - KERNEL_OFFSET

; ---- the same code, now at its linked address -----------------------------------------------

section .init.text progbits alloc exec nowrite align=16

global boot_high
boot_high:
	lgdt [boot_gdt_high]
	add esp, KERNEL_OFFSET
	mov eax, esi
	mov edx, edi
	call kernel_entry		; kernel_entry(magic, information block)
	ud2

section .init.data progbits alloc noexec write align=8

global boot_gdt
boot_gdt:
	dq 0
	dq 0x00cf9b000000ffff		; code: base 0, 4 GiB
	dq 0x00cf93000000ffff		; data: the same
.end:

boot_gdt_high:
	dw boot_gdt.end - boot_gdt - 1
	dd boot_gdt
