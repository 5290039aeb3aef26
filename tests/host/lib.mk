# Tests of lib/ in a process: those that also run in the kernel, and those that need a process.

host-ktest-src := $(lib-src) tests/ktest.c tests/host/env.c tests/host/host_process.c
host-lib-src := $(host-ktest-src) $(sort $(wildcard tests/lib/*.c)) tests/host/ksyms_table.c \
	tests/host/ktest_macros.c tests/host/panic.c tests/host/printk_log.c
host-fixture-src := $(host-ktest-src) tests/host/ktest_fixture.c

# lib-m32 and lib-m64: one program an architecture.
define host-lib-program
host-tests += $(host-out)/lib-$(1)
$(host-out)/lib-$(1): $(host-lib-src:%.c=$(host-out)/$(1)/%.o) $(host-out)/$(1)/ksyms_table.o | \
		$(host-out)/ktest-fixture
	$$(host-compile) -$(1) $$(HOST_LDFLAGS) -o $$@ $$^
endef
$(foreach a,m32 m64,$(eval $(call host-lib-program,$(a))))

# What tests/host/test_ktest.py runs: some of its tests fail on purpose.
$(host-out)/ktest-fixture: $(host-fixture-src:%.c=$(host-out)/m32/%.o)
	$(host-compile) -m32 $(HOST_LDFLAGS) -o $@ $^

# A symbol table over a known list of symbols.
$(host-out)/ksyms_table.asm: tests/host/ksyms_table.nm tools/gen_ksyms.py
	@mkdir -p $(@D)
	$(Q)$(PYTHON) tools/gen_ksyms.py <$< >$@

$(host-out)/m32/ksyms_table.o: $(host-out)/ksyms_table.asm
	@mkdir -p $(@D)
	$(Q)$(NASM) -f elf32 -o $@ $<

$(host-out)/m64/ksyms_table.o: $(host-out)/ksyms_table.asm
	@mkdir -p $(@D)
	$(Q)$(NASM) -f elf64 -o $@ $<

-include $(foreach a,m32 m64,$(patsubst %.c,$(host-out)/$(a)/%.d,$(host-lib-src) $(host-fixture-src)))
