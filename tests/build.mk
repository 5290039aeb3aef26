# The tests that run inside the kernel.  They register themselves in a linker table, so the order
# of the objects is the order of the tests.

tests-src := $(sort $(wildcard tests/*.c tests/lib/*.c tests/arch/*.c tests/boot/*.c tests/kernel/*.c \
	tests/mm/*.c tests/mm/white/*.c tests/death/*.c))

# What a smaller kernel does not have is not tested there.
tests-src := $(if $(filter SHOW=0,$(CONFIG)),$(filter-out %/show.c,$(tests-src)),$(tests-src))
tests-src := $(if $(filter CHECK=0,$(CONFIG)),$(filter-out tests/mm/account.c tests/mm/exhaustion.c \
	tests/mm/walk.c,$(tests-src)),$(tests-src))
