/*
 * rbtree.c - tests of red-black trees and of the value kept for each subtree.
 *
 * THEORY.  A tree of items with keys and weights keeps the greatest weight of each subtree.
 * rb_check() verifies all that makes it a tree of ours, from every element's own view:
 *   T1  the top is black;  T2  a red element has no red child;
 *   T3  every missing child lies below the same number of black elements;
 *   T4  the kept value is what it would be if it were computed now;
 *   T5  keys ascend, forwards and backwards; each child's parent is the one whose child it is.
 * It runs after every step.  What must be in the tree is told by an array.
 */
#include <quarry/ktest.h>
#include <quarry/rbtree.h>
#include <quarry/string.h>

#define NR_ITEMS 256u
#define NR_STEPS 3000u
#define DEPTH    16u /* 2 log2(NR_ITEMS + 1), at most */

struct item {
	struct rb_node node;
	unsigned int key;
	unsigned int weight;
	unsigned int heaviest; /* kept: of the subtree */
	bool present;          /* the model */
};

static struct item items[NR_ITEMS];
static unsigned long nr_updates;

static struct item *item_of(const struct rb_node *node)
{
	return rb_entry(node, struct item, node);
}

static unsigned int heaviest_of(const struct item *it)
{
	unsigned int heaviest = it->weight;

	for (unsigned int side = RB_LEFT; side <= RB_RIGHT; side++) {
		const struct rb_node *child = it->node.child[side];

		if (child && item_of(child)->heaviest > heaviest)
			heaviest = item_of(child)->heaviest;
	}
	return heaviest;
}

static QAPI bool update(struct rb_node *node)
{
	struct item *it = item_of(node);
	unsigned int was = it->heaviest;

	nr_updates++;
	it->heaviest = heaviest_of(it);
	return it->heaviest != was;
}

/* ---- the validator ------------------------------------------------------------------------ */

/* Elements from @node up to the top; *nr_black of them are black. */
static unsigned int depth_of(const struct rb_node *node, unsigned int *nr_black)
{
	unsigned int depth = 0;

	*nr_black = 0;
	for (; node; node = node->parent) {
		*nr_black += !node->red;
		depth++;
	}
	return depth;
}

/* T2 to T5 as @node sees them; *height is 0 until the first missing child. */
static unsigned int check_node(const struct rb_root *root, const struct rb_node *node,
			       unsigned int *height)
{
	unsigned int nr_bad = 0, nr_black;

	depth_of(node, &nr_black);
	for (unsigned int side = RB_LEFT; side <= RB_RIGHT; side++) {
		const struct rb_node *child = node->child[side];

		if (child) {
			nr_bad += child->parent != node || (node->red && child->red);
			continue;
		}
		*height = *height ? *height : nr_black;
		nr_bad += *height != nr_black;
	}
	return nr_bad + (root->update && heaviest_of(item_of(node)) != item_of(node)->heaviest);
}

/* The number of violations; *nr is that of the elements, no more than NR_ITEMS. */
static unsigned int rb_check(const struct rb_root *root, unsigned int *nr)
{
	const struct rb_node *last = NULL;
	unsigned int nr_bad = 0, height = 0;

	*nr = 0;
	nr_bad += root->top && (root->top->red || root->top->parent);
	for (const struct rb_node *node = rb_first(root); node && *nr < NR_ITEMS;
	     node = rb_next(node)) {
		nr_bad += check_node(root, node, &height);
		nr_bad += last && item_of(last)->key >= item_of(node)->key;
		nr_bad += rb_prev(node) != last;
		last = node;
		(*nr)++;
	}
	return nr_bad + (rb_last(root) != last);
}

/* Exactly the items that are present are in the tree, and it is sound. */
static void expect_tree(struct ktest *t, const struct rb_root *root)
{
	unsigned int nr = 0, nr_present = 0, heaviest = 0;
	struct rb_node *node = rb_first(root);

	EXPECT_EQ(t, 0, rb_check(root, &nr));
	for (unsigned int i = 0; i < NR_ITEMS; i++) {
		if (!items[i].present)
			continue;
		nr_present++;
		heaviest = items[i].weight > heaviest ? items[i].weight : heaviest;
		ASSERT_EQ(t, &items[i].node, node);
		node = rb_next(node);
	}
	EXPECT_EQ(t, nr_present, nr);
	if (root->top && root->update)
		EXPECT_EQ(t, heaviest, item_of(root->top)->heaviest);
}

/* ---- what the user of a tree writes ------------------------------------------------------- */

static void setup(struct rb_root *root, rb_update_t callback)
{
	memset(items, 0, sizeof(items));
	for (unsigned int i = 0; i < NR_ITEMS; i++)
		items[i].key = i;
	rb_init(root, callback);
}

static void insert(struct rb_root *root, struct item *it)
{
	struct rb_node *parent = NULL, *node = root->top;
	unsigned int side = RB_LEFT;

	while (node) {
		parent = node;
		side = it->key < item_of(node)->key ? RB_LEFT : RB_RIGHT;
		node = node->child[side];
	}
	rb_insert(root, &it->node, parent, side);
	it->present = true;
}

static void erase(struct rb_root *root, struct item *it)
{
	rb_erase(root, &it->node);
	it->present = false;
}

/* ---- tests ---------------------------------------------------------------------------------- */

KTEST(rbtree, an_empty_tree_has_no_first_and_no_last)
{
	struct rb_root root;

	setup(&root, update);
	EXPECT_EQ(t, NULL, rb_first(&root));
	EXPECT_EQ(t, NULL, rb_last(&root));
	insert(&root, &items[3]);
	EXPECT_EQ(t, &items[3].node, rb_first(&root));
	EXPECT_EQ(t, &items[3].node, rb_last(&root));
	EXPECT_EQ(t, NULL, rb_next(&items[3].node));
	EXPECT_EQ(t, NULL, rb_prev(&items[3].node));
	erase(&root, &items[3]);
	EXPECT_EQ(t, NULL, rb_first(&root));
	EXPECT_EQ(t, NULL, root.top);
}

#define NR_SMALL     6u
#define NR_FACTORIAL 720u /* of NR_SMALL */

/* The @nr-th order of NR_SMALL numbers. */
static void permutation(unsigned int nr, unsigned int order[NR_SMALL])
{
	unsigned int left[NR_SMALL];

	for (unsigned int i = 0; i < NR_SMALL; i++)
		left[i] = i;
	for (unsigned int i = 0; i < NR_SMALL; i++) {
		unsigned int nr_left = NR_SMALL - i, pick = nr % nr_left;

		nr /= nr_left;
		order[i] = left[pick];
		left[pick] = left[nr_left - 1];
	}
}

KTEST(rbtree, every_order_of_inserting_and_erasing_few_elements_keeps_the_tree_sound)
{
	unsigned int order[NR_SMALL], erasing[NR_SMALL];
	struct rb_root root;

	for (unsigned int nr = 0; nr < NR_FACTORIAL && !t->nr_failed; nr++) {
		setup(&root, update);
		permutation(nr, order);
		permutation(nr * 7 + 5, erasing); /* 7 and 720 have no common divisor */
		for (unsigned int i = 0; i < NR_SMALL; i++) {
			items[order[i]].weight = erasing[i];
			insert(&root, &items[order[i]]);
			expect_tree(t, &root);
		}
		for (unsigned int i = 0; i < NR_SMALL; i++) {
			erase(&root, &items[erasing[i]]);
			expect_tree(t, &root);
		}
	}
}

KTEST(rbtree, no_element_is_deeper_than_twice_the_logarithm)
{
	struct rb_root root;
	unsigned int nr_black, deepest = 0;

	setup(&root, update);
	for (unsigned int i = 0; i < NR_ITEMS; i++) /* the worst case of a tree without balance */
		insert(&root, &items[i]);
	expect_tree(t, &root);
	for (unsigned int i = 0; i < NR_ITEMS; i++)
		if (depth_of(&items[i].node, &nr_black) > deepest)
			deepest = depth_of(&items[i].node, &nr_black);
	EXPECT_LE(t, DEPTH, deepest);
}

/* The weights repeat, so that most changes end below the top, and some of them at once. */
static void random_step(struct ktest *t, struct rb_root *root)
{
	struct item *it = &items[ktest_random_below(t, NR_ITEMS)];

	if (!it->present) {
		it->weight = ktest_random_below(t, 20);
		insert(root, it);
	} else if (ktest_random(t) & 1) {
		erase(root, it);
	} else {
		it->weight = ktest_random_below(t, 20);
		rb_changed(root, &it->node);
	}
}

KTEST(rbtree, random_steps_agree_with_an_array)
{
	struct rb_root root;

	setup(&root, update);
	for (unsigned int i = 0; i < NR_STEPS && !t->nr_failed; i++) {
		random_step(t, &root);
		expect_tree(t, &root);
	}
	for (unsigned int i = 0; i < NR_ITEMS && !t->nr_failed; i++) {
		if (items[i].present)
			erase(&root, &items[i]);
		expect_tree(t, &root);
	}
	EXPECT_EQ(t, NULL, root.top);
}

KTEST(rbtree, a_tree_that_keeps_no_value_works_without_a_callback)
{
	struct rb_root root;

	setup(&root, NULL);
	for (unsigned int i = 0; i < NR_ITEMS; i++)
		insert(&root, &items[i * 37 % NR_ITEMS]);
	rb_changed(&root, &items[0].node);
	expect_tree(t, &root);
	for (unsigned int i = 0; i < NR_ITEMS - 5; i++) {
		erase(&root, &items[i * 11 % NR_ITEMS]);
		expect_tree(t, &root);
	}
}

KTEST(rbtree, a_changed_value_is_known_at_the_top_and_one_that_stays_ends_the_way_up)
{
	struct rb_root root;

	setup(&root, update);
	for (unsigned int i = 0; i < NR_ITEMS; i++) {
		items[i].weight = 1;
		insert(&root, &items[i]);
	}
	items[0].weight = 9;
	rb_changed(&root, &items[0].node);
	EXPECT_EQ(t, 9, item_of(root.top)->heaviest);
	items[0].weight = 2;
	rb_changed(&root, &items[0].node);
	EXPECT_EQ(t, 2, item_of(root.top)->heaviest);
	expect_tree(t, &root);
	nr_updates = 0;
	rb_changed(&root, &items[NR_ITEMS - 1].node);
	EXPECT_EQ(t, 1, nr_updates);
}

/* Inserting and erasing: a way up, and two or three rotations of two updates each. */
KTEST(rbtree, an_operation_updates_no_more_than_a_way_up_and_the_rotations)
{
	struct rb_root root;
	unsigned long most = 0;

	setup(&root, update);
	for (unsigned int i = 0; i < 4000; i++) {
		struct item *it = &items[ktest_random_below(t, NR_ITEMS)];

		it->weight = it->present ? it->weight : i; /* changes every value above */
		nr_updates = 0;
		if (it->present)
			erase(&root, it);
		else
			insert(&root, it);
		most = nr_updates > most ? nr_updates : most;
	}
	expect_tree(t, &root);
	EXPECT_LE(t, DEPTH + 3 * 2, most);
}

/* Otherwise the tests above would prove nothing. */
KTEST(rbtree, the_validator_finds_wrong_colours_heights_links_values_and_order)
{
	struct rb_root root;
	struct rb_node *left;
	unsigned int nr, key;

	setup(&root, update);
	for (unsigned int i = 0; i < 7; i++)
		insert(&root, &items[i]);
	EXPECT_EQ(t, 0, rb_check(&root, &nr));
	left = root.top->child[RB_LEFT];
	key = item_of(left)->key;

	root.top->red = true;
	EXPECT_NE(t, 0, rb_check(&root, &nr));
	root.top->red = false;
	left->red = !left->red;
	EXPECT_NE(t, 0, rb_check(&root, &nr));
	left->red = !left->red;
	item_of(left)->heaviest++;
	EXPECT_NE(t, 0, rb_check(&root, &nr));
	item_of(left)->heaviest--;
	item_of(left)->key = 100;
	EXPECT_NE(t, 0, rb_check(&root, &nr));
	item_of(left)->key = key;
	EXPECT_EQ(t, 0, rb_check(&root, &nr));
}
