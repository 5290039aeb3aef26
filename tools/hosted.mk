# The kernel as a process: the same lib/, boot/, mm/, kernel/ and tests/ on arch/hosted.  A variant
# is a word size, a compiler and what watches over the run:
#
#	m64-gcc-asan  m64-clang-asan  m32-gcc-asan  m32-clang-asan    ASan and UBSan
#	m64-gcc-tsan  m64-clang-tsan                                  the thread sanitizer
#	m64-gcc-steps  m32-gcc-steps           each access to memory of mm/ is a point of the scheduler
#	m64-gcc  m32-gcc                                              nothing: for valgrind and profilers
#	m32-gcc-cov                                                   gcov
#	m32-gcc-fast                                                  compiled as the kernel is

VARIANT ?= m64-gcc-asan
HOSTED_VARIANTS := m64-gcc-asan m32-gcc-asan m64-clang-asan m32-clang-asan m64-gcc m32-gcc m32-gcc-cov \
	m32-gcc-fast m64-gcc-tsan m64-clang-tsan m64-gcc-steps m32-gcc-steps
hosted-out := $(BUILD)/hosted

# Tests of what only the x86 port has are in a folder of their own, but for white-box ones that step
# through mm/.  The benchmark counts guest instructions: its figures would be of another machine.
# The library's code is in one piece, between two files that say where.
hosted-library := arch/hosted/library_start.c $(lib-src) $(mm-src) arch/hosted/library_end.c
hosted-all-src := $(hosted-library) $(filter-out $(hosted-library) arch/x86/% tests/arch/x86/% \
		$(call tests-using,restart_step_anywhere) tests/bench/% tests/zz_last.c,$(kernel-src)) $(hosted-src) $(sort $(wildcard tests/arch/hosted/*.c)) tests/bench/process/no_rows.c tests/zz_last.c

# Linker tables, by the kernel's names for their bounds.
hosted-tables := ktests monitor_cmds
hosted-ldflags := -no-pie -Wl,-z,noexecstack $(foreach t,$(hosted-tables),\
	-Wl,--defsym,$(t)_start=__start_$(t) -Wl,--defsym,$(t)_end=__stop_$(t))
# The make-believe image's stacks: arch/hosted/hosted.h has the same numbers.
hosted-ldflags += $(foreach s,boot_stack_guard=0x6010B000 boot_stack_top=0x6010E000 \
	df_stack_guard=0x6010E000 df_stack_top=0x60110000,-Wl,--defsym,$(s))

# Every caller is to be on the backtrace.
hosted-common := -std=gnu11 -O1 -g -fno-omit-frame-pointer \
	-fno-optimize-sibling-calls -fno-strict-aliasing -fno-pie -ffile-prefix-map=$(CURDIR)=. -MMD -MP
hosted-cflags = $(hosted-common) $(HOST_WARNINGS) $(CONFIG_FLAGS) -ffreestanding -fno-stack-protector \
	-Iinclude -Iarch/hosted/include $(foreach n,$(host-renamed),-D$(n)=q_$(n))

hosted-watch-asan := -fsanitize=address,undefined -fno-sanitize-recover=undefined
# With the counters in between, gcc no longer sees what is always set.
hosted-watch-cov := --coverage -Wno-maybe-uninitialized
# What stands behind the common flags wins.  Counting its instructions says something.
hosted-tune-fast := -O2 -march=i686 -mtune=generic -foptimize-sibling-calls -momit-leaf-frame-pointer

# Several CPUs: arch/hosted/smp/.  Accesses to volatile objects are told from others.
hosted-smp-watches := asan tsan steps
hosted-tsan-gcc := -fsanitize=thread --param=tsan-distinguish-volatile=1
hosted-tsan-clang := -fsanitize=thread -mllvm -tsan-distinguish-volatile=1
hosted-watch-tsan := -fsanitize=thread
# What the handler of faults runs is no code of a CPU.
hosted-unwatched := arch/hosted/tlb.c arch/hosted/fault.c arch/hosted/host_%

# $(1): variant; $(2): source.
hosted-object-flags = -DHOSTED_SCHED=$(if $(filter $(hosted-smp-watches),$(word 3,$(subst -, ,$(1)))),1,0) \
	$(if $(filter %-tsan,$(1)),$(if $(filter $(hosted-unwatched),$(2)),-fno-sanitize=thread,$(hosted-tsan-$(hosted-cc-$(1))))) \
	$(if $(filter %-steps,$(1)),$(if $(filter mm/% lib/rbtree.c,$(2)),$(hosted-tsan-gcc)))
hosted-sources = $(filter-out $(if $(filter $(hosted-smp-watches),$(word 3,$(subst -, ,$(1)))),$(hosted-one-src),tests/arch/hosted/smp/%) tests/zz_last.c,\
	$(hosted-all-src) $(hosted-one-src) $(sort $(wildcard tests/arch/hosted/smp/*.c))) \
	$(if $(filter $(hosted-smp-watches),$(word 3,$(subst -, ,$(1)))),$(hosted-smp-src) $(hosted-$(word 3,$(subst -, ,$(1)))-src)) tests/zz_last.c

# The table of symbols, as for the kernel: $(1): variant; $(2): pass.
hosted-ksyms = $(NM) -n $(hosted-out)/$(1)/pass$(2) | grep -v ' A ' | \
	$(PYTHON) tools/gen_ksyms.py --min 0x1000 >$(hosted-out)/$(1)/ksyms$(2).asm && \
	$(NASM) -f elf$(patsubst m%,%,$(word 1,$(subst -, ,$(1)))) -o $(hosted-out)/$(1)/ksyms$(2).o \
	$(hosted-out)/$(1)/ksyms$(2).asm

# $(1): variant; its word size, compiler and watch are its words.
define hosted-variant
hosted-flags-$(1) := -$(word 1,$(subst -, ,$(1))) $(hosted-watch-$(word 3,$(subst -, ,$(1))))
hosted-cc-$(1) := $(word 2,$(subst -, ,$(1)))
hosted-link-$(1) = $$(hosted-cc-$(1)) $$(hosted-flags-$(1)) $$(hosted-ldflags)
hosted-obj-$(1) := $$(patsubst %.c,$(hosted-out)/$(1)/%.o,$$(call hosted-sources,$(1))) $(hosted-host-src:%.c=$(hosted-out)/$(1)/%.o)

$(foreach d,$(tests-faulty),$(hosted-out)/$(1)/$(d)/%.o): hosted-extra := -include tests/faults.h
$(hosted-out)/$(1)/tests/mm/white/%.o: hosted-extra := -include tests/mm/white/faults.h

$(hosted-out)/$(1)/%.o: %.c tools/hosted.mk
	@mkdir -p $$(@D)
	@$$(if $$(V),,echo "  CC      $$@")
	$$(Q)$$(hosted-cc-$(1)) $$(hosted-flags-$(1)) $$(hosted-cflags) $$(hosted-tune-$(word 3,$(subst -, ,$(1)))) \
		$$(call hosted-object-flags,$(1),$$<) $$(hosted-extra) -c $$< -o $$@

$(hosted-out)/$(1)/arch/hosted/host_%.o: arch/hosted/host_%.c tools/hosted.mk
	@mkdir -p $$(@D)
	@$$(if $$(V),,echo "  CC      $$@")
	$$(Q)$$(hosted-cc-$(1)) $$(hosted-flags-$(1)) $$(hosted-common) $$(HOST_WARNINGS) \
		-D_FILE_OFFSET_BITS=64 -c $$< -o $$@

$(hosted-out)/quarry-$(1): $$(hosted-obj-$(1))
	@$$(if $$(V),,echo "  LINK    $$@")
	$$(Q)$$(hosted-link-$(1)) -o $(hosted-out)/$(1)/pass1 $$^
	$$(Q)$$(call hosted-ksyms,$(1),1)
	$$(Q)$$(hosted-link-$(1)) -o $(hosted-out)/$(1)/pass2 $$^ $(hosted-out)/$(1)/ksyms1.o
	$$(Q)$$(call hosted-ksyms,$(1),2)
	$$(Q)$$(hosted-link-$(1)) -o $$@ $$^ $(hosted-out)/$(1)/ksyms2.o

-include $$(hosted-obj-$(1):.o=.d)
endef
$(foreach v,$(HOSTED_VARIANTS),$(eval $(call hosted-variant,$(v))))
