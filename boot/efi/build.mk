# boot/efi/: the loader for UEFI machines, one program for each of the two kinds of firmware.

efi-out := $(BUILD)/efi
EFI_CC ?= gcc
OBJCOPY := objcopy

# Pure functions, which tests/host/efi.mk also makes a process of; and what talks to firmware.
efi-pure-src := boot/efi/config.c boot/efi/devpath.c boot/efi/elf.c boot/efi/leave.c \
	boot/efi/mb2head.c boot/efi/mb2info.c boot/efi/memmap.c
efi-src := $(efi-pure-src) boot/efi/loader.c boot/efi/efi_console.c boot/efi/efi_file.c \
	boot/efi/efi_memory.c boot/efi/efi_tables.c lib/string.c lib/vsnprintf.c
efi-asm := boot/efi/handoff.asm

efi-apps := $(efi-out)/BOOTX64.EFI $(efi-out)/BOOTIA32.EFI

# Firmware's functions take Microsoft's calling convention on x86-64, which GNU_EFI_USE_MS_ABI puts
# on their types; interrupts use the stack below RSP, hence no red zone.
EFI_CFLAGS = -std=gnu11 -O2 -ffreestanding -fpic -fvisibility=hidden -fshort-wchar \
	-fno-stack-protector -fcf-protection=none -fno-strict-aliasing -fno-common \
	-fno-asynchronous-unwind-tables -mgeneral-regs-only -ffile-prefix-map=$(CURDIR)=. \
	$(filter-out -Wthread-safety,$(WARNINGS)) -Iinclude -isystem /usr/include/efi
EFI_LDFLAGS := -nostdlib -znocombreloc -shared -Bsymbolic -z noexecstack --no-warn-rwx-segments \
	--build-id=none
EFI_SECTIONS := $(addprefix -j ,.text .sdata .data .dynamic .dynsym .rel .rela .rel.* .rela.* .reloc)

x64-cflags := -m64 -mno-red-zone -DGNU_EFI_USE_MS_ABI -isystem /usr/include/efi/x86_64
x64-nasm := elf64
x64-crt0 := /usr/lib/crt0-efi-x86_64.o
x64-ldflags := -m elf_x86_64 -T /usr/lib/elf_x86_64_efi.lds -L /usr/lib
x64-target := efi-app-x86_64

ia32-cflags := -m32 -march=i686 -isystem /usr/include/efi/ia32
ia32-nasm := elf32
ia32-crt0 := /usr/lib32/crt0-efi-ia32.o
ia32-ldflags := -m elf_i386 -T /usr/lib32/elf_ia32_efi.lds -L /usr/lib32
ia32-target := efi-app-ia32

# The rules of one kind of firmware: its short name, its program.
define efi-program
efi-obj-$(1) := $(efi-src:%.c=$(efi-out)/$(1)/%.o) $(efi-asm:%.asm=$(efi-out)/$(1)/%.asm.o)

$(efi-out)/$(1)/%.o: %.c boot/efi/build.mk
	@mkdir -p $$(@D)
	@$$(if $$(V),,echo "  EFICC   $$@")
	$$(Q)$$(EFI_CC) $$(EFI_CFLAGS) $$($(1)-cflags) -MMD -MP -c $$< -o $$@

$(efi-out)/$(1)/%.asm.o: %.asm boot/efi/build.mk
	@mkdir -p $$(@D)
	@$$(if $$(V),,echo "  NASM    $$@")
	$$(Q)$$(NASM) -f $$($(1)-nasm) -o $$@ $$<

$(efi-out)/$(2): $$(efi-obj-$(1))
	@$$(if $$(V),,echo "  EFILINK $$@")
	$$(Q)$$(LD) $$(EFI_LDFLAGS) $$($(1)-ldflags) -o $$@.so $$($(1)-crt0) $$(efi-obj-$(1)) -lgnuefi
	@if $$(NM) -u $$@.so | grep .; then echo "$(2) needs what nobody has" >&2; exit 1; fi
	$$(Q)$$(OBJCOPY) $$(EFI_SECTIONS) --target $$($(1)-target) --subsystem=10 $$@.so $$@

-include $$(efi-obj-$(1):.o=.d)
endef
$(eval $(call efi-program,x64,BOOTX64.EFI))
$(eval $(call efi-program,ia32,BOOTIA32.EFI))

.PHONY: efi
efi: $(efi-apps)
