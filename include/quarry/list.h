/*
 * Layer: base
 * list.h - circular doubly linked lists whose links live in the elements.
 *
 * A list is a struct list_head that is no element; an empty list points to itself.  Every
 * operation is O(1).  Nothing here locks: a list belongs to whoever owns its head.
 */
#ifndef QUARRY_LIST_H
#define QUARRY_LIST_H

#include <quarry/compiler.h>
#include <quarry/types.h>

struct list_head {
	struct list_head *next, *prev;
};

#define LIST_HEAD_INIT(name)     \
	{                        \
		&(name), &(name) \
	}
#define LIST_HEAD(name) struct list_head name = LIST_HEAD_INIT(name)

static inline void list_init(struct list_head *head)
{
	head->next = head;
	head->prev = head;
}

static inline bool list_empty(const struct list_head *head)
{
	return head->next == head;
}

static inline void list_insert(struct list_head *entry, struct list_head *prev,
			       struct list_head *next)
{
	next->prev = entry;
	entry->next = next;
	entry->prev = prev;
	prev->next = entry;
}

/* Make @entry the first of @head: the next one to be taken by list_first(). */
static inline void list_add(struct list_head *entry, struct list_head *head)
{
	list_insert(entry, head, head->next);
}

/* Make @entry the last of @head. */
static inline void list_add_tail(struct list_head *entry, struct list_head *head)
{
	list_insert(entry, head->prev, head);
}

/* Unlink @entry.  Its own links are left dangling: it must be added or initialised next. */
static inline void list_del(struct list_head *entry)
{
	entry->prev->next = entry->next;
	entry->next->prev = entry->prev;
}

/* Unlink @entry and leave it an empty list. */
static inline void list_del_init(struct list_head *entry)
{
	list_del(entry);
	list_init(entry);
}

/* Unlink @entry and make it the first of @head. */
static inline void list_move(struct list_head *entry, struct list_head *head)
{
	list_del(entry);
	list_add(entry, head);
}

/* Move every entry of @from, in its order, behind the last one of @to. */
static inline void list_splice_tail_init(struct list_head *from, struct list_head *to)
{
	struct list_head *first = from->next, *last = from->prev;

	if (list_empty(from))
		return;
	first->prev = to->prev;
	to->prev->next = first;
	last->next = to;
	to->prev = last;
	list_init(from);
}

#define list_entry(ptr, type, member)        container_of(ptr, type, member)
#define list_first_entry(head, type, member) list_entry((head)->next, type, member)
#define list_last_entry(head, type, member)  list_entry((head)->prev, type, member)

#define list_for_each(pos, head) for ((pos) = (head)->next; (pos) != (head); (pos) = (pos)->next)

#define list_for_each_entry(pos, head, member)                                                     \
	for ((pos) = list_first_entry(head, __typeof__(*(pos)), member); &(pos)->member != (head); \
	     (pos) = list_first_entry(&(pos)->member, __typeof__(*(pos)), member))

/* The same, when the body may unlink @pos; @tmp is a second cursor of the same type. */
#define list_for_each_entry_safe(pos, tmp, head, member)                          \
	for ((pos) = list_first_entry(head, __typeof__(*(pos)), member),          \
	    (tmp) = list_first_entry(&(pos)->member, __typeof__(*(pos)), member); \
	     &(pos)->member != (head);                                            \
	     (pos) = (tmp), (tmp) = list_first_entry(&(tmp)->member, __typeof__(*(tmp)), member))

#endif
