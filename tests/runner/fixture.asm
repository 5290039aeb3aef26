; fixture.asm - a kernel that behaves as its command line says, well or badly.
;
; The tests of the runner boot it instead of Quarry: each behaviour is one way in which a run can
; go, and test_runner.py states what the runner must make of it.  The word after "behave=" names a
; row of the table `behaviours`: text to print, then what to do.
;
; Flat binary (nasm -f bin), loaded at 1 MiB by its multiboot1 or multiboot2 address fields.

bits 32
org 0x100000

MB1_MAGIC	equ 0x1BADB002
MB1_FLAGS	equ 1 << 16			; the address fields are valid
MB1_LOADED	equ 0x2BADB002			; EAX at entry
MB2_MAGIC	equ 0xE85250D6
MB2_LOADED	equ 0x36D76289
MB1_CMDLINE	equ 16				; offset of the command line's address
MB2_TAG_CMDLINE	equ 1
COM1		equ 0x3F8
LINE_STATUS	equ COM1 + 5
EXIT_PORT	equ 0xF4			; isa-debug-exit
BOCHS_PORT	equ 0x8900			; "Shutdown" written here ends Bochs
KBD_COMMAND	equ 0x64

start:
	align 4
mb1:
	dd MB1_MAGIC, MB1_FLAGS, -(MB1_MAGIC + MB1_FLAGS)
	dd mb1, start, end, bss_end, entry
	align 8
mb2:
	dd MB2_MAGIC, 0, mb2_end - mb2, -(MB2_MAGIC + (mb2_end - mb2))
	dw 2, 0					; addresses
	dd 24, mb2, start, end, bss_end
	dw 3, 0					; entry
	dd 12, entry, 0
	dw 0, 0
	dd 8
mb2_end:

entry:
	mov esp, stack_top
	cmp eax, MB2_LOADED
	je .multiboot2
	mov esi, [ebx + MB1_CMDLINE]
	jmp find_behaviour
.multiboot2:
	lea esi, [ebx + 8]
.tag:
	cmp dword [esi], MB2_TAG_CMDLINE
	je .cmdline
	mov eax, [esi + 4]
	add eax, 7
	and eax, ~7
	add esi, eax
	jmp .tag
.cmdline:
	add esi, 8

; ESI: the command line.  Find "behave=" in it, then the row of that name.
find_behaviour:
	cmp byte [esi], 0
	je unknown
	cmp dword [esi], "beha"
	jne .next
	cmp dword [esi + 3], "ave="
	je .found
.next:
	inc esi
	jmp find_behaviour
.found:
	add esi, 7
	mov ebx, behaviours
.row:
	mov edi, [ebx]
	test edi, edi
	jz unknown
	mov edx, esi
.compare:
	mov al, [edi]
	test al, al
	jz .matched
	cmp al, [edx]
	jne .no
	inc edi
	inc edx
	jmp .compare
.no:
	add ebx, 12
	jmp .row
.matched:
	cmp byte [edx], ' '			; the name must end here too
	ja .no
	mov esi, [ebx + 4]
	call print
	jmp [ebx + 8]

unknown:
	mov esi, text_unknown
	call print
	jmp hang

; Print the NUL-terminated text at ESI; a newline is sent as CR LF.
print:
	lodsb
	test al, al
	jz .done
	cmp al, 10
	jne .plain
	mov al, 13
	call putc
	mov al, 10
.plain:
	call putc
	jmp print
.done:
	ret

; Send AL once the transmitter is empty.
putc:
	push edx
	push eax
	mov edx, LINE_STATUS
.wait:
	in al, dx
	test al, 0x20
	jz .wait
	pop eax
	mov edx, COM1
	out dx, al
	pop edx
	ret

; A received byte in AL.
getc:
	mov edx, LINE_STATUS
.wait:
	in al, dx
	test al, 1
	jz .wait
	mov edx, COM1
	in al, dx
	ret

; ---- what a behaviour does once its text is out ------------------------------------------------

exit_clean:
	mov al, 0x10
	jmp leave
exit_failed:
	mov al, 0x11
	jmp leave
exit_panic:
	mov al, 0x12
	jmp leave
exit_odd:
	mov al, 0x55
leave:
	out EXIT_PORT, al
	mov esi, text_shutdown			; still here: this is Bochs
	mov edx, BOCHS_PORT
.byte:
	lodsb
	out dx, al
	cmp byte [esi], 0
	jne .byte
hang:
	cli
	hlt
	jmp hang

triple_fault:
	lidt [no_idt]
	ud2

reset:
	mov al, 0xFE				; the keyboard controller pulls the reset line
	out KBD_COMMAND, al
	jmp hang

flood:
	mov esi, text_flood
	call print
	jmp flood

; A monitor: echoes a line, obeys poweroff, panic, reboot and hang, answers anything else.
monitor:
	mov esi, text_prompt
	call print
	mov edi, line
.byte:
	call getc
	cmp al, 13
	je .line
	cmp al, 10
	je .line
	call putc
	stosb
	jmp .byte
.line:
	mov byte [edi], 0
	mov esi, text_newline
	call print
	mov eax, [line]
	cmp eax, "powe"
	je exit_clean
	cmp eax, "rebo"
	je reset
	cmp eax, "hang"
	je hang
	cmp eax, "pani"
	je .panic
	mov esi, text_answer
	call print
	mov esi, line
	call print
	mov esi, text_newline
	call print
	jmp monitor
.panic:
	mov esi, text_panic
	call print
	jmp exit_panic

; ---- the table ---------------------------------------------------------------------------------

%macro behaviour 3				; name, label of its text, what follows
	[section .strings]
	%%name: db %1, 0
	__?SECT?__
	dd %%name, %2, %3
%endmacro

section .strings align=4 follows=.text
section .table align=4 follows=.strings
behaviours:
	behaviour "pass",	text_pass,	exit_clean
	behaviour "fail",	text_fail,	exit_failed
	behaviour "panic",	text_panics,	exit_panic
	behaviour "hidden-panic", text_hidden,	exit_clean
	behaviour "triple",	text_start,	triple_fault
	behaviour "reset",	text_start,	reset
	behaviour "hang",	text_start,	hang
	behaviour "silent",	text_nothing,	exit_clean
	behaviour "short",	text_start,	exit_clean
	behaviour "gap",	text_gap,	exit_clean
	behaviour "twice",	text_twice,	exit_clean
	behaviour "none",	text_none,	exit_clean
	behaviour "no-totals",	text_no_totals,	exit_clean
	behaviour "liar",	text_fail,	exit_clean
	behaviour "pessimist",	text_pass,	exit_failed
	behaviour "odd",	text_pass,	exit_odd
	behaviour "flood",	text_start,	flood
	behaviour "modules",	text_modules,	exit_clean
	behaviour "monitor",	text_hello,	monitor
	behaviour "death",	text_death,	exit_panic
	behaviour "survivor",	text_hello,	monitor
	dd 0

section .texts align=4 follows=.table
text_nothing:	db 0
text_start:	db `KTAP version 1\n1..3\nok 1 a.first\n`, 0
text_pass:	db `hello\nKTAP version 1\n# not-applicable a.big needs=highmem,ram>=64M\n1..3\n`
		db `ok 1 a.first\n# seen gfp __GFP_DMA\n# seen errno -EINVAL split_page\n`
		db `ok 2 a.second\n`
		db `ok 3 b.third\n# totals: pass=3 fail=0 not-applicable=1\n`, 0
text_fail:	db `KTAP version 1\n1..2\nok 1 a.first\n`
		db `# a.second: tests/x.c:33: expected 1, got 2\nnot ok 2 a.second\n`
		db `# totals: pass=1 fail=1 not-applicable=0\n`, 0
text_panics:	db `KTAP version 1\n1..2\nok 1 a.first\npanic: out of luck\nok 2 a.second\n`
		db `# totals: pass=2 fail=0 not-applicable=0\n`, 0
text_hidden:	db `KTAP version 1\n1..1\npanic: out of luck\nok 1 a.first\n`
		db `# totals: pass=1 fail=0 not-applicable=0\n`, 0
text_gap:	db `KTAP version 1\n1..3\nok 1 a.first\nok 3 a.third\nok 4 a.fourth\n`
		db `# totals: pass=3 fail=0 not-applicable=0\n`, 0
text_twice:	db `KTAP version 1\n1..2\nok 1 a.first\nok 2 a.first\n`
		db `# totals: pass=2 fail=0 not-applicable=0\n`, 0
text_none:	db `KTAP version 1\n1..0\n# totals: pass=0 fail=0 not-applicable=0\n`, 0
text_no_totals:	db `KTAP version 1\n1..1\nok 1 a.first\n`, 0
; the first checksum is right for the module random:1K:1
text_modules:	db `module random-1K-1.bin: 1024 bytes at 0x104000, checksum 750c072a\n`
		db `module random-1K-2.bin: 1024 bytes at 0x105000, checksum 750c072a\n`
		db `KTAP version 1\n1..1\nok 1 a.first\n`
		db `# totals: pass=1 fail=0 not-applicable=0\n`, 0
text_hello:	db `hello\n`, 0
text_prompt:	db `quarry> `, 0
text_answer:	db `you said `, 0
text_newline:	db `\n`, 0
text_panic:	db `panic: as you wish\n`, 0
text_death:	db `page: freed twice\npanic: double free of page 0x1000\n`, 0
text_unknown:	db `panic: no such behaviour\n`, 0
text_flood:	db `and on and on and on and on and on and on and on and on and on and on\n`, 0
text_shutdown:	db `Shutdown`, 0
no_idt:		dw 0
		dd 0
end:

section .bss align=16 nobits
line:		resb 256
		resb 4096
stack_top:
bss_end:
