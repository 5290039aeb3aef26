/*
 * env.c - what mm/ asks of its kernel, answered by a kernel without threads of its own.
 *
 * IDEA.  There is nobody to wake and nobody to end, and nobody to wait for but what a port runs
 * (<quarry/asm/smp.h>): a request that finds nothing after reclaim is told so at once.  Tests put
 * their own answers in front.
 *
 * STATE.  The thread that booted; hooks.
 *
 * CONTEXT.  As <quarry/env.h> says.
 */
#include <quarry/asm/smp.h>
#include <quarry/env.h>
#include <quarry/env_hooks.h>
#include <quarry/out.h>
#include <quarry/port.h>

static struct env_task main_task = { .name = "main" };
static const struct env_hooks no_hooks;
static const struct env_hooks *hooks = &no_hooks;

QAPI void env_set_hooks(const struct env_hooks *new_hooks)
{
	hooks = new_hooks ? new_hooks : &no_hooks;
}

QAPI struct env_task *env_current(void)
{
	return smp_task(&main_task);
}

QAPI unsigned int env_nr_cpus(void)
{
	return smp_nr_cpus();
}

QAPI void env_for_each_cpu(QAPI void (*fn)(void *arg), void *arg)
{
	smp_call_each(fn, arg);
}

QAPI bool env_wait_for_memory(unsigned int ms)
{
	return hooks->wait_for_memory ? hooks->wait_for_memory(ms) : smp_wait();
}

QAPI void env_wake_reclaim(void)
{
	if (hooks->wake_reclaim)
		hooks->wake_reclaim();
}

QAPI bool env_out_of_memory(gfp_t gfp, unsigned int order)
{
	return hooks->out_of_memory ? hooks->out_of_memory(gfp, order) : false;
}

QAPI void env_dump_stack(void)
{
	backtrace_here(&out_console);
}
