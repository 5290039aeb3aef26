# Tests of the boot parsers and of the memory map in a process: those that also run in the kernel,
# longer random walks, and every map under tests/data/maps against an oracle.

host-boot-src := $(host-ktest-src) $(boot-src) arch/x86/e820.c $(sort $(wildcard tests/boot/*.c)) \
	tests/host/boot_walks.c tests/host/e820_maps.c tests/host/host_files.c

$(foreach a,m32 m64,$(host-out)/$(a)/arch/x86/e820.o): HOST_CFLAGS += -Iarch/x86/include

# boot-m32 and boot-m64: one program an architecture.
define host-boot-program
host-tests += $(host-out)/boot-$(1)
$(host-out)/boot-$(1): $(host-boot-src:%.c=$(host-out)/$(1)/%.o)
	$$(host-compile) -$(1) $$(HOST_LDFLAGS) -o $$@ $$^
endef
$(foreach a,m32 m64,$(eval $(call host-boot-program,$(a))))

-include $(foreach a,m32 m64,$(patsubst %.c,$(host-out)/$(a)/%.d,$(host-boot-src)))
