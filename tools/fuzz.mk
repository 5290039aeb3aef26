# Fuzzing: a program for each target in tests/fuzz, by libFuzzer, under ASan and UBSan.
#
#	tests/fuzz/parse_NAME.c      needs functions only: it is linked with those it calls
#	tests/fuzz/machine_NAME.c    needs a booted machine: it is linked with the whole kernel
#
# The kernel is compiled once, for all of them.

TARGET ?= *
TIME ?= 60
SEED ?=
MERGE ?=

fuzz-out := $(BUILD)/fuzz
fuzz-obj = $(1:%.c=$(fuzz-out)/%.o)
fuzz-of-kind = $(filter-out env,$(patsubst tests/fuzz/$(1)_%.c,%,$(sort $(wildcard tests/fuzz/$(1)_*.c))))
fuzz-parse := $(call fuzz-of-kind,parse)
fuzz-machine := $(call fuzz-of-kind,machine)
fuzz-programs :=

# The kernel without its tests: where they would start, the target does.
fuzz-kernel-src := $(hosted-library) $(filter-out $(hosted-library) arch/x86/% tests/%,$(kernel-src)) \
	$(hosted-src) $(hosted-one-src) tests/ktest.c tests/bench/process/no_rows.c
fuzz-shared-src := tests/fuzz/fuzz.c
fuzz-src-machine := $(addprefix tests/fuzz/,machine_env.c world.c model.c hoard.c)
# Models and oracles: what they reach says nothing.
fuzz-model-src := $(addprefix tests/,$(addprefix fuzz/,boot_model.c numbers.c verdict.c) boot/blob.c \
	boot/e820_oracle.c mm/white/va_model.c kernel/terminal_model.c)
fuzz-src-parse := tests/fuzz/parse_env.c $(fuzz-model-src)
fuzz-host-src := tests/fuzz/host_fuzz.c tests/fuzz/host_mutate.c
fuzz-host-src-parse := tests/fuzz/host_format.c
fuzz-host-src-machine := $(filter-out %/host_main.c,$(hosted-host-src)) tests/fuzz/host_memory.c

fuzz-sanitize := -fsanitize=address,undefined -fno-sanitize-recover=undefined
fuzz-common := -m64 -std=gnu11 -O1 -gline-tables-only -fno-omit-frame-pointer -fno-strict-aliasing \
	-fno-pie -ffile-prefix-map=$(CURDIR)=. -MMD -MP
# What is compared is worth recording where the fuzzer itself runs the code, and nowhere else.
fuzz-counters := -fsanitize-coverage=inline-8bit-counters,pc-table
$(fuzz-out)/boot/% $(fuzz-out)/tests/fuzz/% $(fuzz-out)/arch/x86/e820.o $(fuzz-out)/lib/cmdline.o $(fuzz-out)/lib/vsnprintf.o: \
	fuzz-counters += -fsanitize=fuzzer-no-link
$(call fuzz-obj,$(fuzz-model-src)): private fuzz-counters :=
fuzz-cflags = $(fuzz-common) $(fuzz-sanitize) $(fuzz-counters) $(HOST_WARNINGS) $(CONFIG_FLAGS) \
	-DHOSTED_SCHED=0 -ffreestanding -fno-stack-protector -Iinclude -Iarch/hosted/include \
	$(foreach n,$(host-renamed),-D$(n)=q_$(n))

# The oracle looks at each frame, and is not what is looked at.
$(fuzz-out)/tests/fuzz/model.o: private fuzz-counters := -O2
$(fuzz-out)/tests/fuzz/model.o: private fuzz-sanitize :=

$(fuzz-out)/%.o: %.c tools/fuzz.mk
	@mkdir -p $(@D)
	@$(if $(V),,echo "  FUZZCC  $@")
	$(Q)clang $(fuzz-cflags) -c $< -o $@

# libc's half is not what is looked at: no counters, no checks.
$(call fuzz-obj,$(fuzz-host-src) $(fuzz-host-src-parse) $(fuzz-host-src-machine)): $(fuzz-out)/%.o: %.c tools/fuzz.mk
	@mkdir -p $(@D)
	@$(if $(V),,echo "  FUZZCC  $@")
	$(Q)clang $(fuzz-common) $(HOST_WARNINGS) -O2 -D_FILE_OFFSET_BITS=64 -c $< -o $@

$(fuzz-out)/libkernel.a: $(call fuzz-obj,$(fuzz-kernel-src) $(fuzz-shared-src))
	$(Q)rm -f $@
	$(Q)$(AR) rcsT $@ $^

# Linker tables: there are no tests, and no commands where there is no monitor.
fuzz-empty = -Wl,--defsym,$(1)_start=0 -Wl,--defsym,$(1)_end=0
fuzz-ldflags-parse := -no-pie -Wl,-z,noexecstack $(foreach t,$(hosted-tables),$(call fuzz-empty,$(t)))
fuzz-ldflags-machine := $(subst __start_ktests,0,$(subst __stop_ktests,0,$(hosted-ldflags))) \
	-Wl,--wrap=q_memset,--wrap=q_memcpy,--wrap=memset32

# $(1): target; $(2): its kind; $(3): how it is linked with the kernel.
define fuzz-program
fuzz-programs += $(fuzz-out)/fuzz-$(1)
$(fuzz-out)/fuzz-$(1): $$(call fuzz-obj,tests/fuzz/$(2)_$(1).c $(fuzz-src-$(2)) $(fuzz-host-src) \
		$(fuzz-host-src-$(2))) \
		$(fuzz-out)/libkernel.a
	@$$(if $$(V),,echo "  LINK    $$@")
	$$(Q)clang -m64 -fsanitize=fuzzer $$(fuzz-sanitize) $$(fuzz-ldflags-$(2)) -o $$@ \
		$$(filter %.o,$$^) $(3)

-include $(fuzz-out)/tests/fuzz/$(2)_$(1).d
endef
$(foreach t,$(fuzz-parse),$(eval $(call fuzz-program,$(t),parse,$(fuzz-out)/libkernel.a)))
$(foreach t,$(fuzz-machine),$(eval $(call fuzz-program,$(t),machine,\
	-Wl$(comma)--whole-archive $(fuzz-out)/libkernel.a -Wl$(comma)--no-whole-archive)))

-include $(patsubst %.c,$(fuzz-out)/%.d,$(fuzz-kernel-src) $(fuzz-shared-src) $(fuzz-host-src) \
	$(fuzz-host-src-parse) $(fuzz-host-src-machine) $(fuzz-src-parse) $(fuzz-src-machine))

.PHONY: print-fuzz-programs
print-fuzz-programs:
	@echo $(fuzz-programs)
