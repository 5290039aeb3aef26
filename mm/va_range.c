/*
 * va_range.c - who has which part of a space of addresses: first fit, from the lowest address.
 *
 * THEORY.  The ranges of a space stand in a red-black tree, by address.  The holes between them are
 * not stored: each range has the one below it, and the space the one above the last.
 *
 *	start       hole   r->start   r->end   r->grip_end            tail        end
 *	  |  ranges   |  hole  |  range  |  guard  |  hole  | ranges    |   hole   |
 *
 * The lowest hole with enough room is found by what each range keeps of its subtree: the most room
 * that one of its holes has.  What the room of a hole is depends on the alignment asked for: it
 * counts from the first aligned address in the hole.  With one number a subtree, for pages, every
 * hole that is large enough and happens to lie badly would have to be looked at, O(nr); with a
 * number for each alignment, room >= size + guard holds if and only if the request fits.  So a
 * search never turns back: up from a range, to the first subtree on the right that has the room,
 * then down, left whenever the left side has it.  It ends at the lowest place, in O(log nr).
 *
 * Two things are not in the numbers.  A window's lower end cuts one hole at most, the one that
 * holds it: that one is looked at by itself, and the search begins above it.  (The upper end cuts
 * nothing: if the lowest place above @low ends above @high, every other one does.)  And alignments
 * above the largest one of the numbers: what they find must be looked at, and the search goes on
 * when it does not fit.  Each such hole holds a multiple of 4 MiB, so in 32 bits there are fewer
 * than 1024 of them, however many ranges there are.
 *
 * Most spaces are never asked for more than pages.  So a space keeps the first of the numbers only,
 * until the first request with a larger alignment, which makes the others for all ranges, once,
 * and has them kept from then on.  They decrease with the alignment, and the first 0 ends the work.
 *
 * Two neighbours with nothing between them can become one: va_range_absorb().  No hole changes
 * then, and a tree of what was released but must still be kept need not grow.
 *
 * The guard is the range's own: [end, grip_end) is nobody else's, whatever they ask for.  The last
 * hole has no range above it to be guarded against, so there the size alone must fit, and what is
 * left of the guard at the end of the space is kept.
 *
 * STATE.  Each struct va_space; the ranges are their owners'.
 *
 * INVARIANTS, checked by va_range_check():
 *   V1  a range is not empty, made of whole pages, and start < end <= grip_end <= the space's end;
 *   V2  hole is the grip_end of the range before, or the space's start; hole <= start;
 *   V3  tail is the grip_end of the last range, or the space's start;
 *   V4  room[i] is the largest one of the range's hole and of its children, for i below nr_rooms;
 *   V5  nr ranges are in the tree, and each child's parent is the one whose child it is.
 *
 * LOCKING.  None: the owner of a space holds its own lock around every call.
 *
 * CONTEXT.  Any.
 *
 * SOURCES.  Knuth, TAOCP 1, sec. 2.5 (first fit); Cormen et al., "Introduction to Algorithms",
 * chapter 14 (augmented trees).
 */
#include "va_range.h"

#include <quarry/align.h>
#include <quarry/bits.h>
#include <quarry/bug.h>
#include <quarry/errno.h>
#include <quarry/mm.h>
#include <quarry/printk.h>

/* What is asked for, every number checked. */
struct request {
	size_t size, align;
	uintptr_t need;      /* bytes: the guard included */
	uintptr_t low, high; /* the window */
	unsigned int index;  /* of room[]: the largest kept alignment that is no larger */
};

static struct va_range *range_of(struct rb_node *node)
{
	return node ? rb_entry(node, struct va_range, node) : NULL;
}

static struct va_range *child_of(const struct va_range *r, unsigned int side)
{
	return range_of(r->node.child[side]);
}

/* ---- room ------------------------------------------------------------------------------- */

/* Bytes from @va to the next multiple of @align; no overflow at the end of the address space. */
static uintptr_t gap_to(uintptr_t va, uintptr_t align)
{
	return (0 - va) & (align - 1);
}

/* Bytes of the hole below @r, counted from the first aligned address in it. */
static uintptr_t own_room(const struct va_range *r, unsigned int index)
{
	uintptr_t gap = gap_to(r->hole, PAGE_SIZE << index), size = r->start - r->hole;

	return size > gap ? size - gap : 0;
}

static uintptr_t subtree_room(const struct va_range *r, unsigned int index)
{
	return r ? r->room[index] : 0;
}

static uintptr_t largest_room(const struct va_range *r, unsigned int index)
{
	uintptr_t below = max(subtree_room(child_of(r, RB_LEFT), index),
			      subtree_room(child_of(r, RB_RIGHT), index));

	return max(own_room(r, index), below);
}

/* Keeps V4 of a space that has one number a range. */
static QAPI bool update_page_room(struct rb_node *node)
{
	struct va_range *r = range_of(node);
	const struct va_range *left = child_of(r, RB_LEFT), *right = child_of(r, RB_RIGHT);
	uintptr_t room = r->start - r->hole;

	if (left)
		room = max(room, left->room[0]);
	if (right)
		room = max(room, right->room[0]);
	if (room == r->room[0])
		return false;
	r->room[0] = room;
	return true;
}

/*
 * Keeps V4 of one that has them all.  Room decreases with the index: where old and new are 0, all
 * that follows is.
 */
static QAPI bool update_rooms(struct rb_node *node)
{
	struct va_range *r = range_of(node);
	bool changed = false;

	for (unsigned int i = 0; i < VA_NR_ALIGNS; i++) {
		uintptr_t room = largest_room(r, i);

		if (!room && !r->room[i])
			break;
		changed |= room != r->room[i];
		r->room[i] = room;
	}
	return changed;
}

/* The range after which its parent comes when children come first: the deepest one, leftmost. */
static struct va_range *first_below(struct va_range *r)
{
	for (;;) {
		struct va_range *child = child_of(r, RB_LEFT);

		if (!child)
			child = child_of(r, RB_RIGHT);
		if (!child)
			return r;
		r = child;
	}
}

/* Children first; NULL behind the top. */
static struct va_range *next_upwards(struct va_range *r)
{
	struct va_range *parent = range_of(r->node.parent);

	if (parent && r != child_of(parent, RB_RIGHT) && child_of(parent, RB_RIGHT))
		return first_below(child_of(parent, RB_RIGHT));
	return parent;
}

/* From now on every alignment has its number. */
static __cold void keep_all_rooms(struct va_space *s)
{
	struct va_range *r = range_of(s->root.top);

	for (r = r ? first_below(r) : NULL; r; r = next_upwards(r))
		for (unsigned int i = 0; i < VA_NR_ALIGNS; i++)
			r->room[i] = largest_room(r, i);
	s->nr_rooms = VA_NR_ALIGNS;
	s->root.update = update_rooms;
}

/* ---- finding a place -------------------------------------------------------------------- */

static int request_init(struct request *q, size_t size, size_t align, size_t guard)
{
	if (!size || !IS_ALIGNED(size, PAGE_SIZE) || !IS_ALIGNED(guard, PAGE_SIZE))
		return -EINVAL;
	if (!is_power_of_2(align))
		return -EINVAL;
	q->size = size;
	q->align = max(align, (size_t)PAGE_SIZE);
	q->need = guard > UINTPTR_MAX - size ? UINTPTR_MAX : size + guard;
	q->index = 0;
	while (q->index < VA_NR_ALIGNS - 1 && PAGE_SIZE << (q->index + 1) <= q->align)
		q->index++;
	return 0;
}

/* Does the hole [@start, @end) have @need bytes for @q?  Then *place is the lowest address. */
static bool fits(const struct request *q, uintptr_t start, uintptr_t end, uintptr_t need,
		 uintptr_t *place)
{
	uintptr_t gap;

	start = max(start, q->low);
	gap = gap_to(start, q->align);
	if (start > end || gap > end - start || need > end - start - gap)
		return false;
	*place = start + gap;
	return true;
}

/* The lowest range that starts above @va: its hole is the first that has an address above @va. */
static struct va_range *first_above(const struct va_space *s, uintptr_t va)
{
	struct va_range *r = range_of(s->root.top), *found = NULL;

	while (r) {
		if (r->start > va)
			found = r;
		r = child_of(r, r->start > va ? RB_LEFT : RB_RIGHT);
	}
	return found;
}

/* The lowest range of @r's subtree whose hole has the room; there is one. */
static inline struct va_range *lowest_with_room(struct va_range *r, unsigned int index,
						uintptr_t need)
{
	for (;;) {
		struct va_range *left = child_of(r, RB_LEFT);

		if (subtree_room(left, index) >= need)
			r = left;
		else if (own_room(r, index) >= need)
			return r;
		else
			r = child_of(r, RB_RIGHT);
	}
}

/* The lowest range above @r whose hole has the room; NULL: none. */
static struct va_range *next_with_room(struct va_range *r, const struct request *q)
{
	for (;;) {
		struct va_range *right = child_of(r, RB_RIGHT);
		const struct rb_node *from;

		if (subtree_room(right, q->index) >= q->need)
			return lowest_with_room(right, q->index, q->need);
		do {
			from = &r->node;
			r = range_of(from->parent);
		} while (r && from == r->node.child[RB_RIGHT]);
		if (!r || own_room(r, q->index) >= q->need)
			return r;
	}
}

/* The lowest range whose hole may be the place; NULL: only the last hole can. */
static struct va_range *first_candidate(const struct va_space *s, const struct request *q)
{
	struct va_range *top = range_of(s->root.top);

	if (q->low > s->start)
		return first_above(s, q->low);
	return subtree_room(top, q->index) >= q->need ? lowest_with_room(top, q->index, q->need) :
							NULL;
}

/* The lowest place for @q; the range above it is *next, NULL in the last hole. */
static int find_place(const struct va_space *s, const struct request *q, uintptr_t *place,
		      struct va_range **next)
{
	struct va_range *r = first_candidate(s, q);

	while (r && !fits(q, r->hole, r->start, q->need, place))
		r = next_with_room(r, q);
	if (!r && !fits(q, s->tail, s->end, q->size, place))
		return -ENOSPC;
	if (*place > q->high || q->size > q->high - *place)
		return -ENOSPC;
	*next = r;
	return 0;
}

/* ---- reserving and releasing ------------------------------------------------------------ */

QAPI void va_space_init(struct va_space *s, uintptr_t start, uintptr_t end)
{
	BUG_ON(start >= end || !IS_ALIGNED(start, PAGE_SIZE) || !IS_ALIGNED(end, PAGE_SIZE));
	*s = (struct va_space){ .start = start, .end = end, .tail = start, .nr_rooms = 1 };
	rb_init(&s->root, update_page_room);
}

/* The hole below @next, or the last one, begins at @hole from now on. */
static void move_hole(struct va_space *s, struct va_range *next, uintptr_t hole)
{
	if (!next) {
		s->tail = hole;
		return;
	}
	next->hole = hole;
	rb_changed(&s->root, &next->node);
}

/* Link @r directly below @next; NULL: above all others. */
static void link_below(struct va_space *s, struct va_range *r, struct va_range *next)
{
	struct rb_node *parent = next ? &next->node : rb_last(&s->root);
	unsigned int side = next ? RB_LEFT : RB_RIGHT;

	if (next && next->node.child[RB_LEFT]) {
		parent = rb_prev(&next->node);
		side = RB_RIGHT;
	}
	rb_insert(&s->root, &r->node, parent, side);
	s->nr++;
}

/* @r gets @size bytes from @start on, in the hole below @next. */
static void put(struct va_space *s, struct va_range *r, uintptr_t start, size_t size, size_t guard,
		struct va_range *next)
{
	for (unsigned int i = 0; i < s->nr_rooms; i++)
		r->room[i] = 0;
	r->start = start;
	r->end = start + size;
	r->grip_end = r->end + min(guard, s->end - r->end);
	r->hole = next ? next->hole : s->tail;
	move_hole(s, next, r->grip_end);
	link_below(s, r, next);
}

QAPI int va_range_reserve_within(struct va_space *s, struct va_range *r, size_t size, size_t align,
				 size_t guard, uintptr_t low, uintptr_t high)
{
	struct request q = { .low = low, .high = high };
	struct va_range *next;
	uintptr_t start;
	int err;

	err = request_init(&q, size, align, guard);
	if (err)
		return err;
	if (unlikely(q.index >= s->nr_rooms))
		keep_all_rooms(s);
	err = find_place(s, &q, &start, &next);
	if (err)
		return err;
	put(s, r, start, size, guard, next);
	return 0;
}

/* Pages anywhere, the common case: the place is the start of the lowest hole with room. */
static int reserve_pages(struct va_space *s, struct va_range *r, size_t size, size_t guard)
{
	struct va_range *next = range_of(s->root.top);
	uintptr_t need = size + guard;

	if (next && next->room[0] >= need)
		next = lowest_with_room(next, 0, need);
	else if (s->end - s->tail >= size)
		next = NULL;
	else
		return -ENOSPC;
	put(s, r, next ? next->hole : s->tail, size, guard, next);
	return 0;
}

QAPI int va_range_reserve(struct va_space *s, struct va_range *r, size_t size, size_t align,
			  size_t guard)
{
	if (likely(align == PAGE_SIZE && size && size + guard >= size &&
		   IS_ALIGNED(size | guard, PAGE_SIZE)))
		return reserve_pages(s, r, size, guard);
	return va_range_reserve_within(s, r, size, align, guard, s->start, s->end);
}

QAPI void va_range_release(struct va_space *s, struct va_range *r)
{
	struct va_range *next;

	BUG_ON(va_range_find(s, r->start) != r);
	next = va_range_next(r);
	rb_erase(&s->root, &r->node);
	s->nr--;
	move_hole(s, next, r->hole);
	r->start = 0;
	r->end = 0;
}

QAPI void va_range_absorb(struct va_space *s, struct va_range *r, struct va_range *next)
{
	/* The hole below @next begins where the range before it ends, and ranges are not empty. */
	BUG_ON(next->hole != r->grip_end || next->start != r->grip_end);
	r->end = next->end;
	r->grip_end = next->grip_end;
	rb_erase(&s->root, &next->node);
	s->nr--;
	next->start = 0;
	next->end = 0;
}

/* ---- asking ----------------------------------------------------------------------------- */

QAPI struct va_range *va_range_find(const struct va_space *s, uintptr_t addr)
{
	struct va_range *r = range_of(s->root.top);

	while (r && (addr < r->start || addr >= r->end))
		r = child_of(r, addr < r->start ? RB_LEFT : RB_RIGHT);
	return r;
}

QAPI struct va_range *va_range_first(const struct va_space *s)
{
	return range_of(rb_first(&s->root));
}

QAPI struct va_range *va_range_next(const struct va_range *r)
{
	return range_of(rb_next(&r->node));
}

QAPI struct va_range *va_range_prev(const struct va_range *r)
{
	return range_of(rb_prev(&r->node));
}

QAPI uintptr_t va_space_largest_hole(const struct va_space *s, size_t guard)
{
	uintptr_t hole = subtree_room(range_of(s->root.top), 0);

	hole = hole > guard ? hole - guard : 0;
	return max(hole, s->end - s->tail);
}

/* ---- checking --------------------------------------------------------------------------- */

static unsigned int check_links(const struct va_range *r)
{
	unsigned int nr_bad = 0;

	for (unsigned int side = RB_LEFT; side <= RB_RIGHT; side++) {
		const struct rb_node *child = r->node.child[side];

		if (child && child->parent != &r->node) {
			pr_err("va_range_check: V5 broken: child %u of %#lx\n", side,
			       (unsigned long)r->start);
			nr_bad++;
		}
	}
	return nr_bad;
}

/* @hole is where the hole below @r has to begin. */
static unsigned int check_range(const struct va_space *s, const struct va_range *r, uintptr_t hole)
{
	unsigned long start = r->start, end = r->end;
	unsigned int nr_bad = check_links(r);

	if (start >= end || end > r->grip_end || r->grip_end > s->end ||
	    !IS_ALIGNED(start | end | r->grip_end, PAGE_SIZE)) {
		pr_err("va_range_check: V1 broken: %#lx-%#lx, grip to %#lx\n", start, end,
		       (unsigned long)r->grip_end);
		nr_bad++;
	}
	if (r->hole != hole || hole > start) {
		pr_err("va_range_check: V2 broken: %#lx-%#lx, hole from %#lx, not %#lx\n", start,
		       end, (unsigned long)r->hole, (unsigned long)hole);
		nr_bad++;
	}
	for (unsigned int i = 0; i < s->nr_rooms; i++) {
		if (r->room[i] == largest_room(r, i))
			continue;
		pr_err("va_range_check: V4 broken: %#lx-%#lx, room[%u] %#lx, not %#lx\n", start,
		       end, i, (unsigned long)r->room[i], (unsigned long)largest_room(r, i));
		nr_bad++;
	}
	return nr_bad;
}

QAPI unsigned int va_range_check(const struct va_space *s)
{
	const struct va_range *r = va_range_first(s);
	uintptr_t hole = s->start;
	unsigned long nr = 0;
	unsigned int nr_bad = 0;

	for (; r && nr <= s->nr; r = va_range_next(r)) { /* broken links may form a circle */
		nr_bad += check_range(s, r, hole);
		hole = r->grip_end;
		nr++;
	}
	if (s->tail != hole) {
		pr_err("va_range_check: V3 broken: tail %#lx, not %#lx\n", (unsigned long)s->tail,
		       (unsigned long)hole);
		nr_bad++;
	}
	if (nr != s->nr) {
		pr_err("va_range_check: V5 broken: nr says %lu, counted %lu\n", s->nr, nr);
		nr_bad++;
	}
	return nr_bad;
}
