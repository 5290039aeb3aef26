/*
 * rbtree.c - red-black trees, with a value kept for each subtree.
 *
 * THEORY.  A binary search tree whose elements are red or black:
 *   T1  the top is black;
 *   T2  a red element has no red child;
 *   T3  every way from the top down to a missing child passes the same number of black elements.
 * So the longest way is at most twice the shortest, and n elements lie at most 2 log2(n + 1) deep.
 * A new leaf is red, which can break T2 above it; an erased black element breaks T3 where it was.
 * Either is mended on the way up, by recolouring, and at last by rotations:
 *
 *		   node                       up
 *		  /    \     rotate RB_LEFT  /  \
 *		 a      up  --------------> node c
 *		       /  \                /  \
 *		      b    c              a    b
 *
 * The cases of the textbook come in pairs of mirror images.  Links are indexed by side, so each
 * pair is one piece of code here.  A missing child counts as black; the place of one is told by its
 * parent and side, and no sentinel is needed.
 *
 * KEPT VALUES.  They are right before and after each operation:
 *   T4  update() of any element would change nothing.
 * An element's change can change the value of those above it only, up to the first value that stays
 * as it was.  A rotation changes the value of the two that turn; the value of the upper one stays
 * that of the place, for the same elements lie below in the same order.  So values are mended on
 * one way up, and rotations after it need no way of their own.
 *
 * STATE.  None but the trees'.  LOCKING.  The owner's.  CONTEXT.  Any; no recursion.
 *
 * NOT HERE.  Keys.  The validator of T1 to T4: tests/lib/rbtree.c.
 *
 * SOURCES.  Guibas and Sedgewick, "A dichromatic framework for balanced trees", FOCS 1978; Cormen,
 * Leiserson, Rivest and Stein, "Introduction to Algorithms", chapters 13 and 14 (augmenting).
 */
#include <quarry/bug.h>
#include <quarry/rbtree.h>

static bool is_red(const struct rb_node *node)
{
	return node && node->red;
}

/* On which side of its parent @node is; it has one. */
static unsigned int side_of(const struct rb_node *node)
{
	return node == node->parent->child[RB_RIGHT] ? RB_RIGHT : RB_LEFT;
}

/* What led down to @old leads to @new, which may be NULL. */
static void replace(struct rb_root *root, const struct rb_node *old, struct rb_node *new)
{
	if (!old->parent)
		root->top = new;
	else
		old->parent->child[side_of(old)] = new;
	if (new)
		new->parent = old->parent;
}

static void set_child(struct rb_node *parent, unsigned int side, struct rb_node *child)
{
	parent->child[side] = child;
	if (child)
		child->parent = parent;
}

/* @node goes down on @side, its other child up into its place. */
static void rotate(struct rb_root *root, struct rb_node *node, unsigned int side)
{
	struct rb_node *up = node->child[!side];

	replace(root, node, up);
	set_child(node, !side, up->child[side]);
	set_child(up, side, node);
	if (root->update) {
		root->update(node);
		root->update(up);
	}
}

/*
 * Update @node and those above, up to the first whose value stays: those above it are right, if
 * they were.  Up to @through, included, nothing is concluded from that; NULL: at once it is.
 */
static void update_upwards(const struct rb_root *root, struct rb_node *node,
			   const struct rb_node *through)
{
	if (!root->update)
		return;
	for (; node; node = node->parent) {
		bool changed = root->update(node);

		if (!changed && !through)
			return;
		if (node == through)
			through = NULL;
	}
}

QAPI void rb_changed(struct rb_root *root, struct rb_node *node)
{
	update_upwards(root, node, NULL);
}

/* ---- inserting -------------------------------------------------------------------------- */

/* @node is red; T2 may be broken between it and its parent, and nowhere else. */
static void mend_red(struct rb_root *root, struct rb_node *node)
{
	struct rb_node *parent;

	while ((parent = node->parent) && parent->red) {
		struct rb_node *above = parent->parent; /* a red element is not the top: T1 */
		unsigned int side = side_of(parent);
		struct rb_node *uncle = above->child[!side];

		if (is_red(uncle)) {
			parent->red = false;
			uncle->red = false;
			above->red = true;
			node = above;
			continue;
		}
		if (side_of(node) != side) { /* between the two: turn it to the outside */
			rotate(root, parent, side);
			parent = node;
		}
		parent->red = false;
		above->red = true;
		rotate(root, above, !side);
		return;
	}
	root->top->red = false;
}

QAPI void rb_insert(struct rb_root *root, struct rb_node *node, struct rb_node *parent,
		    unsigned int side)
{
	BUG_ON(parent ? parent->child[side] != NULL : root->top != NULL);
	*node = (struct rb_node){ .parent = parent, .red = true };
	if (parent)
		parent->child[side] = node;
	else
		root->top = node;
	update_upwards(root, node, node);
	mend_red(root, node);
}

/* ---- erasing ---------------------------------------------------------------------------- */

/*
 * Every way down through @parent's child on @side has one black element less than all others.
 *
 * A red sibling is turned up, so that the sibling is black.  If it has no red child it becomes red:
 * then both sides lack one, which a red parent makes good by turning black, and otherwise the lack
 * is the parent's.  If it has a red child, on the outside or turned there, the sibling takes the
 * parent's place and colour, and parent and red child become black: the lack is gone.
 */
static void mend_black(struct rb_root *root, struct rb_node *parent, unsigned int side)
{
	while (parent) {
		struct rb_node *sibling = parent->child[!side]; /* not NULL: T3 */

		if (sibling->red) {
			sibling->red = false;
			parent->red = true;
			rotate(root, parent, side);
			sibling = parent->child[!side];
		}
		if (is_red(sibling->child[side]) && !is_red(sibling->child[!side])) {
			sibling->child[side]->red = false;
			sibling->red = true;
			rotate(root, sibling, !side);
			sibling = parent->child[!side];
		}
		if (is_red(sibling->child[!side])) {
			sibling->red = parent->red;
			parent->red = false;
			sibling->child[!side]->red = false;
			rotate(root, parent, side);
			return;
		}
		sibling->red = true;
		if (parent->red || !parent->parent) {
			parent->red = false;
			return;
		}
		side = side_of(parent);
		parent = parent->parent;
	}
}

static struct rb_node *outermost(struct rb_node *node, unsigned int side)
{
	while (node && node->child[side])
		node = node->child[side];
	return node;
}

/* @node, which has two children, and @heir, the next one, change places and colours. */
static void exchange(struct rb_root *root, struct rb_node *node, struct rb_node *heir)
{
	struct rb_node was = *node;
	struct rb_node *heir_parent = heir->parent;

	replace(root, node, heir);
	node->red = heir->red;
	set_child(node, RB_LEFT, NULL);
	set_child(node, RB_RIGHT, heir->child[RB_RIGHT]);
	heir->red = was.red;
	set_child(heir, RB_LEFT, was.child[RB_LEFT]);
	if (heir_parent == node) {
		set_child(heir, RB_RIGHT, node);
		return;
	}
	set_child(heir, RB_RIGHT, was.child[RB_RIGHT]);
	set_child(heir_parent, RB_LEFT, node);
}

QAPI void rb_erase(struct rb_root *root, struct rb_node *node)
{
	struct rb_node *heir = NULL, *parent, *child;
	unsigned int side = RB_LEFT;

	if (node->child[RB_LEFT] && node->child[RB_RIGHT]) {
		heir = outermost(node->child[RB_RIGHT], RB_LEFT);
		exchange(root, node, heir);
	}
	parent = node->parent;
	child = node->child[node->child[RB_LEFT] ? RB_LEFT : RB_RIGHT];
	if (parent)
		side = side_of(node);
	replace(root, node, child);
	update_upwards(root, parent, heir);
	if (node->red)
		return;
	if (child) /* an only child is red: T3 */
		child->red = false;
	else
		mend_black(root, parent, side);
}

/* ---- walking ---------------------------------------------------------------------------- */

QAPI struct rb_node *rb_first(const struct rb_root *root)
{
	return outermost(root->top, RB_LEFT);
}

QAPI struct rb_node *rb_last(const struct rb_root *root)
{
	return outermost(root->top, RB_RIGHT);
}

/* The neighbour of @node on @side: outermost below, otherwise the first above on that side. */
static struct rb_node *neighbour(const struct rb_node *node, unsigned int side)
{
	if (node->child[side])
		return outermost(node->child[side], !side);
	while (node->parent && side_of(node) == side)
		node = node->parent;
	return node->parent;
}

QAPI struct rb_node *rb_next(const struct rb_node *node)
{
	return neighbour(node, RB_RIGHT);
}

QAPI struct rb_node *rb_prev(const struct rb_node *node)
{
	return neighbour(node, RB_LEFT);
}
