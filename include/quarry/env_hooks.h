/*
 * Layer: kernel
 * env_hooks.h - answer mm/'s questions differently for a while: for tests of what it asks.
 */
#ifndef QUARRY_ENV_HOOKS_H
#define QUARRY_ENV_HOOKS_H

#include <quarry/compiler.h>
#include <quarry/types.h>

/* A member that is NULL keeps the kernel's own answer. */
struct env_hooks {
	QAPI bool (*wait_for_memory)(unsigned int ms);
	QAPI void (*wake_reclaim)(void);
	QAPI bool (*out_of_memory)(gfp_t gfp, unsigned int order);
};

/**
 * env_set_hooks - use @hooks until further notice; NULL takes them back.
 *
 * Context: a thread, with nobody else allocating.
 */
QAPI void env_set_hooks(const struct env_hooks *hooks);

#endif
