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

# What `make hosted` runs, and with which arguments: those of arch/hosted/host_main.c.  The words of
# APPEND are not the shell's: they may have stars and dollars.
hosted-program = $(if $(filter $(HOSTED_VARIANTS),$(VARIANT)),$(hosted-out)/quarry-$(VARIANT),\
	$(error VARIANT=$(VARIANT) is none of: $(HOSTED_VARIANTS)))
hosted-sched = $(if $(filter seed threads,$(SCHED)),$(if $(filter threads,$(SCHED)),-t),\
	$(error SCHED=$(SCHED) is neither seed nor threads))
hosted-args = -m $(MEM) -c $(CPUS) $(hosted-sched) $(addprefix -i ,$(MODULES)) \
	$(foreach w,$(APPEND),'$(subst ','\'',$(w))')

# A variant is $(1) in this file.  Its words: m32 or m64, the compiler, the watch, which may be none.
hosted-bits = $(word 1,$(subst -, ,$(1)))
hosted-cc = $(word 2,$(subst -, ,$(1)))
hosted-watch = $(word 3,$(subst -, ,$(1)))

# Those that can have several CPUs: arch/hosted/smp/.
hosted-smp-watches := asan tsan steps
hosted-is-smp = $(filter $(hosted-smp-watches),$(hosted-watch))

# ---- what is linked ------------------------------------------------------------------------------

# The library's code is in one piece, between two files that say where.
hosted-library := arch/hosted/library_start.c $(lib-src) $(mm-src) arch/hosted/library_end.c

# Tests of what only the x86 port has are in a folder of their own, but for white-box ones that step
# through mm/.  The benchmark counts guest instructions: its figures would be of another machine.
hosted-not-here := arch/x86/% tests/arch/x86/% $(call tests-using,restart_step_anywhere) tests/bench/%

# It is to run behind all other tests: tests run in the order in which they are linked.
hosted-last-test := tests/zz_last.c

hosted-kernel-src := $(filter-out $(hosted-library) $(hosted-not-here) $(hosted-last-test),$(kernel-src))
hosted-test-src := $(sort $(wildcard tests/arch/hosted/*.c)) tests/bench/process/no_rows.c
hosted-smp-test-src := $(sort $(wildcard tests/arch/hosted/smp/*.c))

# Several CPUs, their tests, and what the watch needs; or one.
hosted-cpus-src = $(if $(hosted-is-smp),\
	$(hosted-smp-test-src) $(hosted-smp-src) $(hosted-$(hosted-watch)-src),$(hosted-one-src))

# Our half of a variant.
hosted-sources = $(hosted-library) $(hosted-kernel-src) $(hosted-src) $(hosted-test-src) \
	$(hosted-cpus-src) $(hosted-last-test)

# Linker tables, by the kernel's names for their bounds.
hosted-tables := ktests monitor_cmds
hosted-ldflags := -no-pie -Wl,-z,noexecstack $(foreach t,$(hosted-tables),\
	-Wl,--defsym,$(t)_start=__start_$(t) -Wl,--defsym,$(t)_end=__stop_$(t))
# The make-believe image's stacks: arch/hosted/hosted.h has the same numbers.
hosted-ldflags += $(foreach s,boot_stack_guard=0x6010B000 boot_stack_top=0x6010E000 \
	df_stack_guard=0x6010E000 df_stack_top=0x60110000,-Wl,--defsym,$(s))

# ---- how it is compiled --------------------------------------------------------------------------

# Every caller is to be on the backtrace.
hosted-common := -std=gnu11 -O1 -g -fno-omit-frame-pointer \
	-fno-optimize-sibling-calls -fno-strict-aliasing -fno-pie -ffile-prefix-map=$(CURDIR)=. -MMD -MP
hosted-cflags = $(hosted-common) $(HOST_WARNINGS) $(CONFIG_FLAGS) -ffreestanding -fno-stack-protector \
	-Iinclude -Iarch/hosted/include $(foreach n,$(host-renamed),-D$(n)=q_$(n))

# What a watch adds to all files, libc's half included, and to the link.
hosted-watch-asan := -fsanitize=address,undefined -fno-sanitize-recover=undefined
hosted-watch-tsan := -fsanitize=thread
# With the counters in between, gcc no longer sees what is always set.
hosted-watch-cov := --coverage -Wno-maybe-uninitialized

# What it adds to our half.  Counting instructions says something of code that is compiled as the
# kernel is; these stand behind the common flags, and what stands behind wins.  For valgrind, 32 bits
# store 64 by SSE: a store by the x87 that faults cannot be made again there, its stack is popped.
hosted-tune- := -msse2
hosted-tune-fast := -O2 -march=i686 -mtune=generic -foptimize-sibling-calls -momit-leaf-frame-pointer

# The thread sanitizer's calls, by compiler; accesses to volatile objects are told from others.
hosted-calls-gcc := -fsanitize=thread --param=tsan-distinguish-volatile=1
hosted-calls-clang := -fsanitize=thread -mllvm -tsan-distinguish-volatile=1
# They are in all files but those of the handler of faults, which is no code of a CPU; or, where the
# scheduler answers them, in mm/ and what guards its data.
hosted-uncalled := arch/hosted/tlb.c arch/hosted/fault.c
hosted-stepped := mm/% lib/rbtree.c

# What a watch adds to one file, $(2).
hosted-file-tsan = $(if $(filter $(hosted-uncalled),$(2)),-fno-sanitize=thread,$(hosted-calls-$(hosted-cc)))
hosted-file-steps = $(if $(filter $(hosted-stepped),$(2)),$(hosted-calls-$(hosted-cc)))
hosted-file-flags = -DHOSTED_SCHED=$(if $(hosted-is-smp),1,0) $(hosted-tune-$(hosted-watch)) \
	$(hosted-file-$(hosted-watch))

# The table of symbols, as for the kernel, of pass $(2).
hosted-ksyms = $(NM) -n $(hosted-out)/$(1)/pass$(2) | grep -v ' A ' | \
	$(PYTHON) tools/gen_ksyms.py --min 0x1000 >$(hosted-out)/$(1)/ksyms$(2).asm && \
	$(NASM) -f elf$(hosted-bits:m%=%) -o $(hosted-out)/$(1)/ksyms$(2).o \
	$(hosted-out)/$(1)/ksyms$(2).asm

# ---- the rules of a variant ----------------------------------------------------------------------

define hosted-variant
hosted-driver-$(1) := $(hosted-cc) -$(hosted-bits) $(hosted-watch-$(hosted-watch))
hosted-link-$(1) = $$(hosted-driver-$(1)) $$(hosted-ldflags)
hosted-obj-$(1) := $$(patsubst %.c,$(hosted-out)/$(1)/%.o,$(hosted-sources) $(hosted-host-src))

$(foreach d,$(tests-faulty),$(hosted-out)/$(1)/$(d)/%.o): hosted-extra := -include tests/faults.h
$(hosted-out)/$(1)/tests/mm/white/%.o: hosted-extra := -include tests/mm/white/faults.h

$(hosted-out)/$(1)/%.o: %.c tools/hosted.mk
	@mkdir -p $$(@D)
	@$$(if $$(V),,echo "  CC      $$@")
	$$(Q)$$(hosted-driver-$(1)) $$(hosted-cflags) $$(call hosted-file-flags,$(1),$$<) $$(hosted-extra) \
		-c $$< -o $$@

$(hosted-out)/$(1)/arch/hosted/host_%.o: arch/hosted/host_%.c tools/hosted.mk
	@mkdir -p $$(@D)
	@$$(if $$(V),,echo "  CC      $$@")
	$$(Q)$$(hosted-driver-$(1)) $$(hosted-common) $$(HOST_WARNINGS) -D_FILE_OFFSET_BITS=64 -c $$< -o $$@

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
