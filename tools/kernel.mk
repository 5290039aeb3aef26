# The kernel image: compile, link, embed the symbol table.

WARNINGS := -Wall -Wextra -Wshadow -Wundef -Wvla -Wmissing-prototypes -Wstrict-prototypes \
	-Wimplicit-fallthrough -Werror
ifneq ($(findstring clang,$(CC)),)
WARNINGS += -Wthread-safety
endif

# Frame pointers make backtraces; a leaf function is never on one's way.
TARGET_FLAGS := -m32 -march=i686 -mtune=generic -std=gnu11 -O2 -g -ffreestanding -fno-pic -fno-pie \
	-fno-stack-protector -fcf-protection=none -mno-sse -mno-mmx -mno-80387 \
	-fno-asynchronous-unwind-tables -fno-strict-aliasing -fno-common \
	-fno-omit-frame-pointer -momit-leaf-frame-pointer -ffile-prefix-map=$(CURDIR)=.
CONFIG_FLAGS := $(addprefix -DCONFIG_,$(CONFIG))
PORT_INCLUDE := -Iarch/x86/include
CFLAGS_KERNEL := $(TARGET_FLAGS) $(WARNINGS) $(CONFIG_FLAGS) -Iinclude $(PORT_INCLUDE)

# Code that runs before paging is on, at another address than it is linked for, and before the CPU
# was found to have CMOV.
CFLAGS_EARLY := -march=i586 -fpie -fno-jump-tables -include arch/x86/hidden.h

kernel-src := $(lib-src) $(boot-src) $(arch-src) $(mm-src) $(kernel-src) $(monitor-src) $(tests-src)
kernel-asm := $(boot-asm) $(arch-asm)
kernel-obj := $(kernel-asm:%.asm=$(OUT)/%.asm.o) $(kernel-src:%.c=$(OUT)/%.o)
# lib/ and mm/ as one archive, so that linker.ld can tell their code from the rest.
kernel-library := $(OUT)/libquarry.a
kernel-library-obj := $(patsubst %.c,$(OUT)/%.o,$(lib-src) $(mm-src))
kernel-link := $(filter-out $(kernel-library-obj),$(kernel-obj)) \
	--whole-archive $(kernel-library) --no-whole-archive

$(addprefix $(OUT)/,$(early-src:.c=.o)): CFLAGS_EXTRA := $(CFLAGS_EARLY)

Q := $(if $(V),,@)

$(OUT)/%.o: %.c tools/kernel.mk
	@mkdir -p $(@D)
	@$(if $(V),,echo "  CC      $<")
	$(Q)$(CC) $(CFLAGS_KERNEL) $(CFLAGS_EXTRA) -MMD -MP -c $< -o $@

$(OUT)/%.asm.o: %.asm tools/kernel.mk
	@mkdir -p $(@D)
	@$(if $(V),,echo "  NASM    $<")
	$(Q)$(NASM) -f elf32 -MD $(@:.o=.d) -o $@ $<

# Three links: without symbols, with a table of the final size, with the final addresses.
LINK = $(LD) -m elf_i386 -n -T linker.ld -z max-page-size=4096 -z noexecstack --no-warn-rwx-segments \
	--build-id=none
KSYMS = $(NM) -n $(1) | $(PYTHON) tools/gen_ksyms.py > $(2)

$(kernel-library): $(kernel-library-obj)
	@$(if $(V),,echo "  AR      $@")
	$(Q)rm -f $@
	$(Q)$(AR) rcsTD $@ $(kernel-library-obj)

$(KERNEL): $(kernel-obj) $(kernel-library) linker.ld tools/gen_ksyms.py
	@$(if $(V),,echo "  LINK    $@")
	$(Q)$(LINK) -o $(OUT)/pass1.elf $(kernel-link)
	$(Q)$(call KSYMS,$(OUT)/pass1.elf,$(OUT)/ksyms1.asm)
	$(Q)$(NASM) -f elf32 -o $(OUT)/ksyms1.o $(OUT)/ksyms1.asm
	$(Q)$(LINK) -o $(OUT)/pass2.elf $(kernel-link) $(OUT)/ksyms1.o
	$(Q)$(call KSYMS,$(OUT)/pass2.elf,$(OUT)/ksyms2.asm)
	$(Q)$(NASM) -f elf32 -o $(OUT)/ksyms2.o $(OUT)/ksyms2.asm
	$(Q)$(LINK) -o $@.tmp $(kernel-link) $(OUT)/ksyms2.o
	$(Q)$(call KSYMS,$@.tmp,$(OUT)/ksyms3.asm)
	$(Q)cmp $(OUT)/ksyms2.asm $(OUT)/ksyms3.asm
	$(Q)mv $@.tmp $@

# The path alone on the last line: for who builds a kernel of another CONFIG.
.PHONY: print-kernel
print-kernel: $(KERNEL)
	@echo $(KERNEL)

-include $(kernel-obj:.o=.d)
