/*
 * Layer: mm
 * whatis.h - what is this pointer?  Everybody who knows some addresses answers for them.
 */
#ifndef QUARRY_WHATIS_H
#define QUARRY_WHATIS_H

#include <quarry/compiler.h>
#include <quarry/list.h>
#include <quarry/types.h>

struct out;

/*
 * One who knows some addresses.  @describe prints what it knows of @va, in lines of key=value whose
 * first word is the kind of thing, and returns true; false, and prints nothing, if @va is none of
 * its.  Context: any, a panic included: it takes no lock that its own subsystem may hold then.
 */
struct whatis_source {
	QAPI bool (*describe)(struct out *o, uintptr_t va);
	struct list_head link; /* whatis.c's */
};

/**
 * whatis_register - ask @s, too, from now on: before those registered earlier.
 * @s: must stay.
 *
 * Context: thread, boot.
 */
QAPI void whatis_register(struct whatis_source *s);

/**
 * whatis_show - print all that is known of an address.
 *
 * A slab object: cache, index, offset, state, and with SLAB_STORE_USER who allocated and freed it.
 * A page: zone, order, owner.  A symbol of the kernel, a stack, a slot of the fixmap.  Always the
 * part of the address space it lies in.
 * Context: any.
 */
QAPI void whatis_show(struct out *o, uintptr_t va);

/**
 * kmem_dump_obj - whatis_show() of a pointer, to the log.
 *
 * Context: any.
 */
QAPI void kmem_dump_obj(const void *p);

#endif
