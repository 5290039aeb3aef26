# The verbs: what a person types.  Each installs what is missing, builds, then hands over to a tool.

MEM ?= 1G
SMP ?= 1
MACHINE ?=
BOOT ?= direct
CPU ?=
APPEND ?=
MODULES ?=
DEVICES ?=
GARBAGE ?= 0
TIMEOUT ?= 60
FILTER ?=
LIST ?=
GDB_ARGS ?=
UNDER ?=
CPUS ?= 1
SCHED ?= seed
SCREEN ?= none

run-qemu := QUARRY_BUILD="$(abspath $(BUILD))" tools/run_qemu.py
machine-args = --kernel $(KERNEL) --mem "$(MEM)" --smp "$(SMP)" --machine "$(MACHINE)" \
	--boot "$(BOOT)" --cpu "$(CPU)" --append '$(subst ','\'',$(APPEND))' --garbage "$(GARBAGE)" \
	--screen "$(SCREEN)" --timeout "$(TIMEOUT)" $(foreach m,$(MODULES),--module '$(m)') \
	$(foreach d,$(DEVICES),--device '$(d)')
qtest = QUARRY_BUILD="$(abspath $(BUILD))" QUARRY_CC="$(CC)" QUARRY_CONFIG="$(CONFIG)" tools/qtest.py --kernel $(KERNEL) \
	--filter '$(subst ','\'',$(FILTER))' \
	$(if $(filter-out 0,$(V)),--verbose) $(if $(filter-out 0,$(LIST)),--list)

# A make of its own: the compilers that it asks for its settings may only just have been installed.
# Its standard output is the build's, which is not the verb's.
build-kernel = @+$(MAKE) -f $(firstword $(MAKEFILE_LIST)) --no-print-directory -s \
	$(if $(findstring jobserver,$(MAKEFLAGS)),,-j$(shell nproc)) $(KERNEL) efi </dev/null >&2

.PHONY: setup
setup:
	@tools/setup.sh

.PHONY: run
run: setup
	$(build-kernel)
	@$(run-qemu) run $(machine-args)

# The same kernel as a process; the monitor reads standard input.
.PHONY: hosted
hosted: setup
	@+$(MAKE) --no-print-directory -s $(if $(findstring jobserver,$(MAKEFLAGS)),,-j$(shell nproc)) \
		$(hosted-program) </dev/null >&2
	@$(UNDER) $(hosted-program) $(hosted-args)

# Lines and branches of mm/ and lib/ that the tests reach, as a process; what mm/ must have, in percent.
COVERAGE_LINES ?= 95
COVERAGE_BRANCHES ?= 90
.PHONY: coverage
coverage: setup
	@+$(MAKE) --no-print-directory -s $(if $(findstring jobserver,$(MAKEFLAGS)),,-j$(shell nproc)) \
		$(hosted-out)/quarry-m32-gcc-cov </dev/null >&2
	@QUARRY_BUILD="$(abspath $(BUILD))" $(PYTHON) tools/coverage.py \
		--lines $(COVERAGE_LINES) --branches $(COVERAGE_BRANCHES)

# Random inputs against the oracles of tests/fuzz; MERGE=1: then keep what is new, and small.
.PHONY: fuzz
fuzz: setup
	@+$(MAKE) --no-print-directory -s $(if $(findstring jobserver,$(MAKEFLAGS)),,-j$(shell nproc)) \
		$(fuzz-programs) </dev/null >&2
	@QUARRY_BUILD="$(abspath $(BUILD))" $(PYTHON) tools/fuzz.py --time $(TIME) --target '$(TARGET)' \
		$(if $(SEED),--seed $(SEED)) $(if $(filter-out 0,$(MERGE)),--merge) $(fuzz-programs)

# Each test again, with each of its points failing; without a filter some rows of tests.cfg first.
.PHONY: faults
faults: setup
	@+$(MAKE) --no-print-directory -s $(if $(findstring jobserver,$(MAKEFLAGS)),,-j$(shell nproc)) \
		$(hosted-program) $(if $(FILTER),,$(KERNEL)) </dev/null >&2
	@rows=0; $(if $(FILTER),,$(qtest) --long --filter 'faults*' || rows=1;) \
		$(PYTHON) tools/faults.py --program $(hosted-program) \
		--filter '$(subst ','\'',$(FILTER))' && exit $$rows

.PHONY: debug
debug: setup
	$(build-kernel)
	@$(run-qemu) debug $(machine-args) --gdb-args '$(subst ','\'',$(GDB_ARGS))'

.PHONY: iso
iso: setup
	$(build-kernel)
	@$(run-qemu) iso --kernel $(KERNEL) --append '$(subst ','\'',$(APPEND))' --out $(BUILD)/quarry.iso

.PHONY: usb
usb: setup
	$(build-kernel)
	@$(run-qemu) usb --kernel $(KERNEL) --boot usb --append '$(subst ','\'',$(APPEND))' \
		$(foreach m,$(MODULES),--module '$(m)') --out $(BUILD)/quarry.img

.PHONY: test
test: setup
	$(build-kernel)
	@$(qtest)

.PHONY: test-long
test-long: setup
	$(build-kernel)
	@$(qtest) --long

# One machine, whatever MEM and SMP say: the one that the table's figures come from.
.PHONY: bench
bench: setup
	$(build-kernel)
	@QUARRY_BUILD="$(abspath $(BUILD))" tools/bench.py --kernel $(KERNEL) --config '$(CONFIG)' \
		--filter '$(subst ','\'',$(FILTER))'

# Traces through the allocators: in the kernel, and in a process under a profiler.  The largest
# kmalloc() that there can be, as programs ask for much; a folder of its own, as it is another kernel.
TRACE ?=
WHERE ?= both
WHAT ?=
RECORDS ?= 0
replay-build := $(BUILD)/replay
replay-config := $(filter-out KMALLOC_MAX_SIZE=%,$(CONFIG)) KMALLOC_MAX_SIZE=4194304
replay-kernel = $(replay-build)/x86-$(notdir $(CC))-$(subst =,,$(subst $(space),-,$(strip $(replay-config))))/quarry.elf
replay-program := $(replay-build)/hosted/quarry-m32-gcc-fast

.PHONY: replay
replay: setup
	@+$(MAKE) --no-print-directory -s $(if $(findstring jobserver,$(MAKEFLAGS)),,-j$(shell nproc)) \
		BUILD="$(replay-build)" CONFIG="$(strip $(replay-config))" $(if $(filter hosted,$(WHERE)),,$(replay-kernel)) \
		$(if $(filter kernel,$(WHERE)),,$(replay-program)) </dev/null >&2
	@QUARRY_BUILD="$(abspath $(replay-build))" tools/replay.py --kernel $(replay-kernel) \
		--program $(replay-program) --where $(WHERE) --what "$(WHAT)" --records $(RECORDS) $(TRACE)

define help-text
Verbs
  make run        boot under QEMU and leave you at the serial monitor; when standard input is not
                  a terminal, its lines are typed at the prompts, then poweroff
  make hosted     the same kernel as a process, under the address and undefined sanitizers
  make test       host tests and the boot rows of tests/tests.cfg (some 10 minutes on 2 cores)
  make test-long  the same on every combination of the axes, longer, and under Bochs
  make bench      what operations cost in guest instructions, beside Linux's; fails beyond a budget
  make replay     allocation traces of Linux and of programs through mm/: cost and footprint
  make coverage   lines and branches of mm/ and lib/ that the tests reach, as text and HTML; fails
                  when mm/ has less than 95 and 90 percent
  make fuzz       random inputs and operations against oracles, under sanitizers: tests/fuzz/README.md
  make mutants    plants bugs in copies of mm/, by a seed and by hand: do the tests find them?
  make faults     each test again with each of its allocation points failing, as processes, some in
                  QEMU; FILTER="vmalloc.* dma*": only these tests
  make debug      gdb attached to QEMU, stopped at the kernel's entry
  make check      layers, style, warnings of two compilers, and what no test exercises;
                  CHECKS="layers style" runs only these
  make format     clang-format on all C sources
  make lib        build/libquarry.a, or with PORT=dir against another kernel
  make iso        build/quarry.iso, bootable by GRUB
  make usb        build/quarry.img for a USB stick, bootable by BIOS and by UEFI (64- and 32-bit)
  make setup      install the Debian packages that all this needs
  make clean      remove build/

Machine (run, debug)
  MEM=$(MEM)  SMP=$(SMP)  MACHINE=pc (or q35)  CPU=pentium3,+nx
  BOOT=$(BOOT)     (iso: GRUB; usb: the stick, by BIOS; uefi64, uefi32: the stick, by our loader;
                  grub-uefi64, grub-uefi32: by GRUB; 32-bit UEFI is on q35, 64-bit on CPU=qemu64)
  SCREEN=$(SCREEN)     QEMU's window on the screen: gtk, sdl, curses, vnc=:1 (run)
  APPEND="..."    the kernel's command line (run, debug, iso, usb); write $$$$ for a $$
  MODULES="f g"   boot modules: files
  DEVICES="d e"   more devices, as QEMU's -device names them: edu
  GARBAGE=SEED    fill RAM with random bytes first
  TIMEOUT=$(TIMEOUT)      seconds of silence that are a hang, when standard input is no terminal
  GDB_ARGS="..."  more for gdb: make debug GDB_ARGS="-batch -ex 'info registers'"

Process (hosted)
  MEM, APPEND, MODULES as above; VARIANT=$(VARIANT) (tools/hosted.mk has the others)
  CPUS=$(CPUS)          CPUs; SCHED=seed: one runs at a time, drawn from a seed; SCHED=threads: at once
  UNDER="..."     a program to run it under: gdb --args, perf record

Tests (test, test-long)
  FILTER=pattern  rows and host suites by name, or else tests inside the kernel
  V=1             print the logs as they come
  LIST=1          only list rows and tests

Fuzzing (fuzz)
  TARGET="a b"    globs of targets; TIME=$(TIME): seconds each; SEED=7; MERGE=1 keeps new inputs

Benchmark (bench)
  FILTER=pattern  rows by name: globs, '|' between them, or a part of the name

Traces (replay)
  TRACE="t u"     names (tests/data/traces) or files; none: all of those
  WHERE=$(WHERE)      kernel: under QEMU; hosted: a process under callgrind; both
  WHAT=...        of: all, objects, pages, check, check pages; commas between them; none: all
  RECORDS=N       only the first N of each

Mutants (mutants)
  N=$(N) SEED=1  how many are drawn, and which; FILTER='mm/slab*' only of these files; FRESH=1 all anew
  ONLY=id         one, as a diff, and who kills it; SHOW=id only the diff

Build
  CC=gcc|clang  CONFIG="SMP=0 SHOW=0"  BUILD=$(BUILD)
endef

.PHONY: help
help:
	$(info $(help-text))
	@:
