/*
 * fault.c - faults of the process: fills of the TLB, a few probes, and the kernel's crimes.
 *
 * IDEA.  A fault in the window whose translation the page tables have is no event at all: the entry
 * is fetched and the instruction runs again.  A fault of one of the two probing instructions goes
 * on behind it.  Everything else is what the CPU would call a page fault, reported as on x86.
 *
 * STATE.  reporting; region_hook.
 *
 * CONTEXT.  Inside any instruction.
 */
#include "host_ops.h"
#include "hosted.h"
#include <quarry/errno.h>
#include <quarry/panic.h>
#include <quarry/port.h>
#include <quarry/printk.h>

/* An instruction that may fault, and the one behind it. */
struct probe {
	uintptr_t insn, next;
};

extern const struct probe __start_probe_table[], __stop_probe_table[];

#define PROBE_ENTRY ".pushsection probe_table, \"a\"\n.balign 8\n.dc.a 1b, 2f\n.popsection\n"

static bool reporting;
static QAPI const char *(*region_hook)(uintptr_t va);

QAPI void port_set_region_hook(QAPI const char *(*describe)(uintptr_t va))
{
	region_hook = describe;
}

__noinline QAPI int probe_read(const void *va, unsigned long *val)
{
	int err = -EFAULT;
	unsigned long word;

	__asm__ volatile("1: mov (%[va]), %[word]\n" PROBE_ENTRY "xor %[err], %[err]\n2:\n"
			 : [err] "+r"(err), [word] "=&r"(word)
			 : [va] "r"(va)
			 : "cc", "memory");
	if (!err)
		*val = word;
	return err;
}

__noinline QAPI int probe_write(void *va, unsigned long val)
{
	int err = -EFAULT;

	__asm__ volatile("1: mov %[val], (%[va])\n" PROBE_ENTRY "xor %[err], %[err]\n2:\n"
			 : [err] "+r"(err)
			 : [va] "r"(va), [val] "r"(val)
			 : "cc", "memory");
	return err;
}

static bool probe_fixup(struct host_fault *f)
{
	for (const struct probe *p = __start_probe_table; p < __stop_probe_table; p++) {
		if (f->pc != p->insn)
			continue;
		f->pc = p->next;
		return true;
	}
	return false;
}

static __cold __noreturn void report(const struct host_fault *f, enum tlb_answer why)
{
	smp_freeze();
	console_fresh_line();
	if (reporting) {
		pr_emerg("panic: nested fault in a report: page fault at eip=%08lx\n", f->pc);
		port_stop(EXIT_CODE_PANIC);
	}
	reporting = true;
	pr_emerg("fault: page fault\n");
	pr_emerg("page fault: %s of %08lx, %s\n", f->is_write ? "write" : "read", f->va,
		 f->is_no_frame       ? "the host has no memory" :
		 why == TLB_PROTECTED ? "page is protected" :
					"page is not present");
	if (region_hook)
		pr_emerg("page fault: %08lx lies in %s\n", f->va, region_hook(f->va));
	backtrace_show(&out_console, f->pc, f->fp);
	pr_emerg("panic: page fault at eip=%08lx\n", f->pc);
	port_stop(EXIT_CODE_PANIC);
}

void hosted_fault(struct host_fault *f)
{
	enum tlb_answer answer = tlb_fill(f->va, f->is_write);

	/* What no translation mends would fault for ever. */
	if (answer == TLB_FILLED && (f->is_fetch || f->is_no_frame))
		answer = TLB_PROTECTED;
	if (answer != TLB_FILLED && !probe_fixup(f))
		report(f, answer);
}
