# Tests of the EFI loader's pure functions in a process: its parsers and its information block, which
# the kernel's own parser reads back.

host-efi-src := $(host-ktest-src) $(efi-pure-src) boot/fill.c boot/multiboot2.c tests/boot/blob.c \
	$(sort $(wildcard tests/host/efi/*.c))

# What tests/host/test_elf_place.py runs: it lays out the image of any file.
host-elf-place-src := boot/efi/elf.c lib/string.c lib/vsnprintf.c tests/host/elf_place.c \
	tests/host/host_elf_place.c

# efi-m32 and efi-m64: one program an architecture.
define host-efi-program
host-tests += $(host-out)/efi-$(1)
$(host-out)/efi-$(1): $(host-efi-src:%.c=$(host-out)/$(1)/%.o) | $(host-out)/elf-place
	$$(host-compile) -$(1) $$(HOST_LDFLAGS) -o $$@ $$^
endef
$(foreach a,m32 m64,$(eval $(call host-efi-program,$(a))))

$(host-out)/elf-place: $(host-elf-place-src:%.c=$(host-out)/m64/%.o)
	$(host-compile) -m64 -no-pie $(HOST_SANITIZE) -o $@ $^

-include $(foreach a,m32 m64,$(patsubst %.c,$(host-out)/$(a)/%.d,$(host-efi-src) $(host-elf-place-src)))
