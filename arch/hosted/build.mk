# Our half of the hosted port, and libc's.  Two files are the x86 port's: they know no machine.
hosted-src := $(addprefix arch/hosted/,start.c loader.c boot_tables.c tlb.c fault.c cpu.c image.c \
	console.c backtrace.c) arch/x86/e820.c arch/x86/early_ioremap.c
hosted-host-src := $(addprefix arch/hosted/,host_main.c host_mem.c host_thread.c)
# With one CPU; with several; and what stands in for a thread sanitizer's own functions.
hosted-one-src := arch/hosted/step.c
hosted-smp-src := $(addprefix arch/hosted/smp/,cpus.c schedule.c parallel.c stack.c)
hosted-steps-src := arch/hosted/smp/steps.c
hosted-tsan-src := arch/hosted/smp/tsan.c
