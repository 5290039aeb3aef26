; handoff.asm - from firmware's mode, long or protected, to the state that multiboot2 promises.
;
; IDEA.  Boot services have ended, so all memory but what the kernel will read is free, and the
; loader, its stack and the firmware's page tables may lie where the kernel belongs.  What follows
; therefore runs from one page, a copy of handoff_page below 4 GiB outside of that place, with its
; stack in the same page: load a GDT of our own, go to a 32-bit code segment, switch paging off, and
; only then move the kernel and jump.
;
;	64-bit, paging      lgdt, far return to SEL_CODE            handoff, elf64
;	32-bit, paging      the same                                handoff, elf32
;	compatibility mode or protected mode, paging: CR0.PG = 0    .enter on the page
;	protected mode, no paging: EFER, CR4 cleared; copy; clear; jump
;
; The page is mapped at its own address (UEFI: boot services memory is identity-mapped), and was
; allocated as loader code, which firmware does not make non-executable.
;
; STATE.  The head of the page is struct handoff (efi_app.h): what to copy and how many zeros behind
; it, where to jump.  An image that is at its place already is copied onto itself.
;
; SOURCES.  Intel SDM vol. 3, section 9.8.5.4 (leaving IA-32e mode); UEFI Specification 2.10,
; section 2.3; Multiboot2 Specification 2.0, section 3.5 (machine state).

PAGE_SIZE	equ 4096

CR0_PG		equ 1 << 31
CR4_PCIDE	equ 1 << 17
MSR_EFER	equ 0xC0000080
EFER_LME	equ 1 << 8
EFER_NXE	equ 1 << 11
CPUID_EXT_MAX	equ 0x80000000
CPUID_EXT	equ 0x80000001
CPUID_EXT_NX	equ 1 << 20
CPUID_EXT_LM	equ 1 << 29

SEL_CODE	equ 0x08
SEL_DATA	equ 0x10

MB2_LOADER_MAGIC equ 0x36d76289

; struct handoff
COPY_FROM	equ 0
COPY_TO		equ 4
COPY_WORDS	equ 8
ZERO_WORDS	equ 12
ENTRY		equ 16
INFO		equ 20
HEAD_SIZE	equ 24

%define ON_PAGE(label) (label - handoff_page)

section .text

; ---- void handoff(struct handoff *page), by the compiler's own convention ------------------------

global handoff:function hidden

%ifidn __OUTPUT_FORMAT__, elf64

bits 64
handoff:
	cli
	cld
	mov rax, cr4			; CR0.PG cannot be cleared while process contexts are on
	and rax, ~CR4_PCIDE
	mov cr4, rax
	lea rax, [rdi + ON_PAGE(gdt)]
	mov [rdi + ON_PAGE(gdt_pointer) + 2], rax
	lgdt [rdi + ON_PAGE(gdt_pointer)]
	lea rsp, [rdi + PAGE_SIZE]
	mov ebp, edi
	lea rax, [rdi + ON_PAGE(enter)]
	push qword SEL_CODE
	push rax
	o64 retf

%else

bits 32
handoff:
	cli
	cld
	mov ebp, [esp + 4]
	lea eax, [ebp + ON_PAGE(gdt)]
	mov [ebp + ON_PAGE(gdt_pointer) + 2], eax
	lgdt [ebp + ON_PAGE(gdt_pointer)]
	lea esp, [ebp + PAGE_SIZE]
	lea eax, [ebp + ON_PAGE(enter)]
	push dword SEL_CODE
	push eax
	retf

%endif

; ---- the page: EBP is where its copy lies --------------------------------------------------------

global handoff_page:data hidden
global handoff_page_end:data hidden

	align 16
handoff_page:
	times HEAD_SIZE db 0

	align 8
gdt:
	dq 0
	dq 0x00cf9b000000ffff		; code: base 0, 4 GiB
	dq 0x00cf93000000ffff		; data: the same
gdt_end:

gdt_pointer:
	dw gdt_end - gdt - 1
	dq 0

bits 32
enter:
	mov eax, SEL_DATA
	mov ds, eax
	mov es, eax
	mov ss, eax
	mov fs, eax
	mov gs, eax
	mov eax, cr0
	and eax, ~CR0_PG
	mov cr0, eax

	mov eax, CPUID_EXT_MAX
	cpuid
	cmp eax, CPUID_EXT
	jb .no_efer
	mov eax, CPUID_EXT
	cpuid
	test edx, CPUID_EXT_NX | CPUID_EXT_LM
	jz .no_efer
	mov ecx, MSR_EFER
	rdmsr
	and eax, ~(EFER_LME | EFER_NXE)
	wrmsr
.no_efer:
	xor eax, eax
	mov cr4, eax

	mov esi, [ebp + COPY_FROM]
	mov edi, [ebp + COPY_TO]
	mov ecx, [ebp + COPY_WORDS]
	rep movsd
	mov ecx, [ebp + ZERO_WORDS]
	xor eax, eax
	rep stosd			; behind what was copied: EDI stands there
	mov eax, MB2_LOADER_MAGIC
	mov ebx, [ebp + INFO]
	jmp [ebp + ENTRY]

	times PAGE_SIZE / 2 - ($ - handoff_page) db 0	; the rest of the page is the stack
handoff_page_end:
