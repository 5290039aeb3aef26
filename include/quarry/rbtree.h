/*
 * Layer: base
 * rbtree.h - red-black trees whose links live in the elements, with a value kept for each subtree.
 *
 * The tree knows no keys: who inserts descends by its own keys and says where the element goes, and
 * who looks something up does the same.  Nothing here locks or allocates: a tree belongs to whoever
 * owns its root, an element to whoever inserted it.
 *
 * A tree may keep in each element a value of the subtree below it, itself included: the largest
 * gap, say, so that a search can pass by whole subtrees.  Its callback computes an element's value
 * from that element and its children's values; the tree calls it wherever a subtree changes.
 */
#ifndef QUARRY_RBTREE_H
#define QUARRY_RBTREE_H

#include <quarry/compiler.h>
#include <quarry/types.h>

/* The sides of an element: index of child[]; !side is the other one. */
#define RB_LEFT  0u
#define RB_RIGHT 1u

struct rb_node {
	struct rb_node *parent; /* NULL: the top */
	struct rb_node *child[2];
	bool red;
};

/*
 * Recompute the value kept in @node from @node and the values of its children; true when it is not
 * what it was.  The value must follow from the elements of the subtree in their order, never from
 * the subtree's shape: a maximum, a sum, a count.
 */
typedef QAPI bool (*rb_update_t)(struct rb_node *node);

struct rb_root {
	struct rb_node *top; /* NULL: empty */
	rb_update_t update;  /* NULL: nothing is kept */
};

#define rb_entry(ptr, type, member) container_of(ptr, type, member)

/**
 * rb_init - make @root an empty tree.
 * @update: keeps the value of each subtree; NULL: there is none.
 */
static inline void rb_init(struct rb_root *root, rb_update_t update)
{
	root->top = NULL;
	root->update = update;
}

/**
 * rb_insert - make @node a leaf below @parent.
 * @node:   in no tree; whatever its links hold is overwritten.
 * @parent: an element of the tree without a child on @side; NULL: the tree is empty.
 * @side:   RB_LEFT or RB_RIGHT.
 *
 * What the callback reads in @node, but for its links, is set before.
 * Context: as the owner's.  Cost: O(log n), at most two rotations.
 */
QAPI void rb_insert(struct rb_root *root, struct rb_node *node, struct rb_node *parent,
		    unsigned int side);

/**
 * rb_erase - take @node, an element of the tree, out of it.  Its links are left dangling.
 *
 * Context: as the owner's.  Cost: O(log n), at most three rotations.
 */
QAPI void rb_erase(struct rb_root *root, struct rb_node *node);

/**
 * rb_changed - what the callback reads in @node is another one now: update @node and those above.
 *
 * One element at a time: call it before the next one is changed, or inserted, or erased.
 * Context: as the owner's.  Cost: O(log n); it ends at the first value that stays as it was.
 */
QAPI void rb_changed(struct rb_root *root, struct rb_node *node);

/**
 * rb_first, rb_last - the leftmost and the rightmost element.
 *
 * Return: NULL when the tree is empty.  Cost: O(log n).
 */
QAPI struct rb_node *rb_first(const struct rb_root *root);
QAPI struct rb_node *rb_last(const struct rb_root *root);

/**
 * rb_next, rb_prev - the element to the right and to the left of @node.
 *
 * Return: NULL when @node is the last, or the first.  Cost: O(log n), O(1) on average over a walk.
 */
QAPI struct rb_node *rb_next(const struct rb_node *node);
QAPI struct rb_node *rb_prev(const struct rb_node *node);

#endif
