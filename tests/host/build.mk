# Tests that run as processes on the developer's machine.  Each program in host-tests prints KTAP
# and exits with 0 when all of its tests passed.

host-out := $(BUILD)/host
HOST_CC ?= gcc

# Functions of ours whose names belong to libc in a process, sometimes with another calling
# convention: there they get a prefix.
host-renamed := memcpy memmove memset memcmp strlen strnlen strcmp strncmp strchr strrchr strstr \
	strlcpy vsnprintf snprintf

HOST_WARNINGS = $(filter-out -Wthread-safety,$(WARNINGS))
HOST_SANITIZE := -fsanitize=address,undefined -fno-sanitize-recover=undefined
HOST_COMMON = -std=gnu11 -O1 -g -fno-omit-frame-pointer -fno-strict-aliasing -fno-pie \
	-ffile-prefix-map=$(CURDIR)=. $(HOST_SANITIZE) $(HOST_WARNINGS) -MMD -MP
# Our side, as the kernel is compiled; and libc's side: tests/host/host_*.c.
HOST_CFLAGS = $(HOST_COMMON) -ffreestanding -fno-stack-protector -Iinclude -Itests/host \
	$(foreach n,$(host-renamed),-D$(n)=q_$(n))
HOST_LIBC_CFLAGS = $(HOST_COMMON) -Itests/host
# The kernel's names for the bounds of the table of tests.
HOST_LDFLAGS = -no-pie $(HOST_SANITIZE) -Wl,--defsym,ktests_start=__start_ktests \
	-Wl,--defsym,ktests_end=__stop_ktests -Wl,-z,noexecstack

define host-compile
@mkdir -p $(@D)
@$(if $(V),,echo "  HOSTCC  $@")
$(Q)$(HOST_CC)
endef

$(host-out)/m32/%.o: %.c tests/host/build.mk
	$(host-compile) -m32 $(HOST_CFLAGS) -c $< -o $@

$(host-out)/m64/%.o: %.c tests/host/build.mk
	$(host-compile) -m64 $(HOST_CFLAGS) -c $< -o $@

$(host-out)/m32/tests/host/host_%.o: tests/host/host_%.c tests/host/build.mk
	$(host-compile) -m32 $(HOST_LIBC_CFLAGS) -c $< -o $@

$(host-out)/m64/tests/host/host_%.o: tests/host/host_%.c tests/host/build.mk
	$(host-compile) -m64 $(HOST_LIBC_CFLAGS) -c $< -o $@

host-tests :=
include tests/host/lib.mk
include tests/host/boot.mk
include tests/host/efi.mk

.PHONY: print-host-tests
print-host-tests:
	@echo $(host-tests)
