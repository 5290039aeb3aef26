# What `make check` does, one target a check; CHECKS="layers style" runs only these.

CHECKS ?= layers style format gcc clang tidy contract port exercised repro
CHECK_OUT := $(BUILD)/check
CLANG_FORMAT := clang-format
CLANG_TIDY := clang-tidy

c-files = $(shell find include lib boot arch mm kernel tests -name '*.[ch]' | sort)
# A smaller set for clang-tidy: what runs in the kernel.
tidy-files = $(filter-out $(early-src),$(lib-src) $(boot-src) $(arch-src) $(mm-src) $(kernel-src) \
	$(monitor-src) $(tests-src))

# All tests, those that run as processes too; host_*.c is libc's side of them.
test-sources = $(shell find tests -name '*.c' -not -name 'host_*' -not -path 'tests/port_*' -not -path 'tests/tools/*' -not -path 'tests/arch/hosted/smp/*' | sort)

check-jobs := -j$(shell nproc)

.PHONY: check
check: setup
	+@$(PYTHON) tools/run_checks.py $(foreach c,$(CHECKS),\
		"$(c)=$(MAKE) --no-print-directory $(check-jobs) check-$(c)")

.PHONY: format
format:
	@$(CLANG_FORMAT) -i $(c-files)

.PHONY: check-layers
check-layers:
	@$(PYTHON) tools/check_layers.py

.PHONY: check-style
check-style:
	@$(PYTHON) tools/check_style.py

.PHONY: check-format
check-format:
	@$(CLANG_FORMAT) --dry-run -Werror $(c-files)

# The same kernel and library by two compilers; every warning is an error.  build/libquarry.a stays
# gcc's: there is one, whoever made it last.
.PHONY: check-gcc check-clang
check-gcc check-clang: check-%:
	@$(MAKE) --no-print-directory CC=$* all >/dev/null
	@$(MAKE) --no-print-directory CC=$* BUILD=$(CHECK_OUT)/$* lib >/dev/null
	@$(MAKE) --no-print-directory EFI_CC=$* BUILD=$(CHECK_OUT)/$* efi >/dev/null

# Four files a process: the headers' part is read again for each file anyway.
.PHONY: check-tidy
check-tidy:
	@printf '%s\n' $(sort $(tidy-files)) | xargs -P$(shell nproc) -n4 sh -c \
		'$(CLANG_TIDY) --quiet --warnings-as-errors="*" "$$@" -- $(CFLAGS_KERNEL) \
		-Wno-unknown-warning-option -Xclang -analyzer-config -Xclang max-nodes=40000 2>&1 | grep -v " warnings\? generated\.$$" >&2; \
		test $$? = 1' sh
	@printf '%s\n' $(filter boot/efi/%,$(efi-src)) | xargs -P$(shell nproc) -n4 sh -c \
		'$(CLANG_TIDY) --quiet --warnings-as-errors="*" "$$@" -- $(EFI_CFLAGS) $(x64-cflags) \
		2>&1 | grep -v " warnings\? generated\.$$" >&2; test $$? = 1' sh

# The contract in every configuration that has one option less, in the default and the smallest.
.PHONY: check-contract
check-contract:
	@$(MAKE) --no-print-directory lib >/dev/null
	@$(PYTHON) tools/check_contract.py --build $(CHECK_OUT)/contract --default $(BUILD)/libquarry.a \
		--make "$(MAKE)"

# A foreign kernel, in little: the library against its headers, and nothing left undefined.
.PHONY: check-port
check-port:
	@$(PYTHON) tools/check_port.py --build $(CHECK_OUT)/port --make "$(MAKE)"

.PHONY: check-exercised
check-exercised:
	@$(MAKE) --no-print-directory CC=gcc all efi >/dev/null
	@QUARRY_BUILD="$(abspath $(BUILD))" $(PYTHON) tools/check_exercised.py --build $(CHECK_OUT)/exercised --logs $(BUILD) \
		--kernel $(BUILD)/x86-gcc/quarry.elf --cc "gcc $(CFLAGS_KERNEL) -Itests/host" \
		--sources $(test-sources)

.PHONY: check-repro
check-repro:
	@$(PYTHON) tools/check_repro.py --make "$(MAKE)"

# For check_contract.py: the library's sources in this configuration.
.PHONY: print-lib-src
print-lib-src:
	@echo $(lib-src) $(mm-src)
