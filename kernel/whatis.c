/*
 * whatis.c - what the kernel knows of addresses: its image, the symbols in it, its stacks.
 *
 * IDEA.  mm/ knows pages but not what was linked into them.  The port names the parts of the image,
 * the linker's table the symbols in it, and a stack is what lies between a guard page and a symbol.
 * Exceptions and interrupts run on the stack that they interrupt; only a double fault has its own.
 *
 * A part that only boot needed is not the image's any more once its pages were freed.
 *
 * STATE.  The source.
 *
 * CONTEXT.  Any, a panic included.
 */
#include <quarry/ksyms.h>
#include <quarry/mm.h>
#include <quarry/out.h>
#include <quarry/port.h>
#include <quarry/whatis.h>

#include "boot.h"

extern const char boot_stack_guard[], boot_stack_top[];
extern const char df_stack_guard[], df_stack_top[];

struct stack {
	const char *name;
	const char *guard; /* the page below it, not mapped */
	const char *end;
};

static const struct stack kernel_stacks[] = {
	{ "boot", boot_stack_guard, boot_stack_top },
	{ "double_fault", df_stack_guard, df_stack_top },
};

/* The part of the image that @va lies in; NULL: in none that still is one. */
static const struct port_image_part *image_part(uintptr_t va)
{
	unsigned int nr;
	const struct port_image_part *parts = port_image(&nr);

	for (unsigned int i = 0; i < nr; i++) {
		if (va < (uintptr_t)parts[i].start || va >= (uintptr_t)parts[i].end)
			continue;
		if (parts[i].boot_only && !(virt_to_page((const void *)va)->flags & PG_reserved))
			return NULL;
		return &parts[i];
	}
	return NULL;
}

/* Below the stack pointer of whoever asks is nothing that is in use. */
static const char *stack_use(uintptr_t va, uintptr_t start, uintptr_t end)
{
	uintptr_t here = (uintptr_t)__builtin_frame_address(0);

	if (here < start || here >= end)
		return "idle";
	return va >= here ? "live" : "unused";
}

static void show_stack(struct out *o, uintptr_t va, const struct stack *s)
{
	uintptr_t start = (uintptr_t)s->guard + PAGE_SIZE, end = (uintptr_t)s->end;

	out_printf(o, "stack name=%s start=0x%08lx end=0x%08lx ", s->name, (unsigned long)start,
		   (unsigned long)end);
	if (va < start)
		out_printf(o, "use=guard below_start=%lu\n", (unsigned long)(start - va));
	else
		out_printf(o, "use=%s below_top=%lu\n", stack_use(va, start, end),
			   (unsigned long)(end - va));
}

static void show_stacks(struct out *o, uintptr_t va)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(kernel_stacks); i++) {
		if (va >= (uintptr_t)kernel_stacks[i].guard && va < (uintptr_t)kernel_stacks[i].end)
			show_stack(o, va, &kernel_stacks[i]);
	}
}

static QAPI bool describe(struct out *o, uintptr_t va)
{
	const struct port_image_part *part = image_part(va);
	unsigned long offset, size;
	const char *name;

	if (!part)
		return false;
	show_stacks(o, va);
	name = ksym_lookup(va, &offset, &size);
	if (name)
		out_printf(o, "symbol name=%s offset=0x%lx size=0x%lx\n", name, offset, size);
	out_printf(o, "image start=0x%08lx end=0x%08lx name=%s\n",
		   (unsigned long)(uintptr_t)part->start, (unsigned long)(uintptr_t)part->end,
		   part->name);
	return true;
}

__init QAPI void whatis_image_init(void)
{
	static struct whatis_source source = { .describe = describe };

	whatis_register(&source);
}
