/*
 * host_thread.c - threads of the host, which play CPUs.
 *
 * IDEA.  What CPUs are made of on a host: threads, semaphores that say whose turn it is, and memory
 * for their data.
 *
 * STATE.  started: the threads of the present run.
 *
 * CONTEXT.  Outside the handler of faults.
 */
#define _GNU_SOURCE
#include "host_ops.h"
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define THREADS_MAX  64
#define RELAX_MICROS 50

struct start {
	pthread_t thread;
	void (*fn)(void *arg);
	void *arg;
};

static struct start started[THREADS_MAX];
static unsigned int nr_started;

static void die(const char *what)
{
	perror(what);
	exit(2);
}

void *host_alloc(unsigned long size)
{
	void *p = calloc(1, size);

	if (!p)
		die("hosted: per-CPU data");
	return p;
}

static void *run(void *start)
{
	struct start *s = start;

	s->fn(s->arg);
	return NULL;
}

void host_thread_start(void (*fn)(void *arg), void *arg)
{
	struct start *s = &started[nr_started];

	if (nr_started == THREADS_MAX)
		abort();
	nr_started++;
	s->fn = fn;
	s->arg = arg;
	errno = pthread_create(&s->thread, NULL, run, s);
	if (errno)
		die("hosted: thread");
}

void host_threads_join(void)
{
	while (nr_started)
		pthread_join(started[--nr_started].thread, NULL);
}

void *host_turn_new(void)
{
	sem_t *turn = host_alloc(sizeof(*turn));

	if (sem_init(turn, 0, 0))
		die("hosted: semaphore");
	return turn;
}

void host_turn_give(void *turn)
{
	sem_post(turn);
}

void host_turn_wait(void *turn)
{
	while (sem_wait(turn) && errno == EINTR)
		;
}

void host_relax(int sleep)
{
	if (sleep)
		usleep(RELAX_MICROS);
	else
		sched_yield();
}
