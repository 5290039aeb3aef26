/*
 * list.c - tests of linked lists.
 *
 * A list is compared with the numbers that it should hold, in order, and each link with the one
 * that leads back.
 */
#include <quarry/ktest.h>
#include <quarry/list.h>

struct node {
	int value;
	struct list_head link;
};

/* The list holds @want[0..@nr - 1], forwards and backwards. */
static void expect_list(struct ktest *t, const struct list_head *head, const int *want,
			unsigned int nr)
{
	const struct list_head *pos;
	unsigned int i = 0;

	list_for_each(pos, head) {
		ASSERT_TRUE(t, i < nr);
		EXPECT_EQ(t, want[i], list_entry(pos, struct node, link)->value);
		EXPECT_EQ(t, pos, pos->next->prev);
		i++;
	}
	EXPECT_EQ(t, nr, i);
	EXPECT_EQ(t, nr == 0, list_empty(head));
}

KTEST(list, entries_stand_where_they_were_added)
{
	struct node a = { .value = 1 }, b = { .value = 2 }, c = { .value = 3 };
	LIST_HEAD(head);

	expect_list(t, &head, NULL, 0);
	list_add(&a.link, &head);
	list_add(&b.link, &head);
	list_add_tail(&c.link, &head);
	expect_list(t, &head, (const int[]){ 2, 1, 3 }, 3);
	EXPECT_EQ(t, &b, list_first_entry(&head, struct node, link));
	EXPECT_EQ(t, &c, list_last_entry(&head, struct node, link));
}

KTEST(list, a_deleted_entry_leaves_the_others_linked)
{
	struct node n[3] = { { .value = 0 }, { .value = 1 }, { .value = 2 } };
	struct list_head head;

	list_init(&head);
	for (unsigned int i = 0; i < 3; i++)
		list_add_tail(&n[i].link, &head);
	list_del(&n[1].link);
	expect_list(t, &head, (const int[]){ 0, 2 }, 2);
	list_del_init(&n[0].link);
	EXPECT_TRUE(t, list_empty(&n[0].link));
	expect_list(t, &head, (const int[]){ 2 }, 1);
	list_del(&n[2].link);
	expect_list(t, &head, NULL, 0);
}

KTEST(list, a_moved_entry_is_the_first_of_its_new_list_only)
{
	struct node n[3] = { { .value = 0 }, { .value = 1 }, { .value = 2 } };
	LIST_HEAD(from);
	LIST_HEAD(to);

	list_add_tail(&n[0].link, &from);
	list_add_tail(&n[1].link, &from);
	list_add_tail(&n[2].link, &to);
	list_move(&n[1].link, &to);
	expect_list(t, &from, (const int[]){ 0 }, 1);
	expect_list(t, &to, (const int[]){ 1, 2 }, 2);
}

KTEST(list, the_safe_loop_allows_every_entry_to_be_deleted)
{
	struct node n[5], *pos, *tmp;
	unsigned int nr = 0;
	int sum = 0;
	LIST_HEAD(head);

	for (int i = 0; i < 5; i++) {
		n[i].value = i;
		list_add_tail(&n[i].link, &head);
	}
	list_for_each_entry(pos, &head, link)
		sum += pos->value;
	EXPECT_EQ(t, 10, sum);
	list_for_each_entry_safe(pos, tmp, &head, link) {
		list_del_init(&pos->link);
		nr++;
	}
	EXPECT_EQ(t, 5, nr);
	EXPECT_TRUE(t, list_empty(&head));
}

KTEST(list, a_list_that_is_spliced_stands_behind_the_other_in_its_order_and_is_empty)
{
	LIST_HEAD(from);
	LIST_HEAD(to);
	struct list_head a, b, c;

	list_splice_tail_init(&from, &to);
	EXPECT_TRUE(t, list_empty(&to) && list_empty(&from));
	list_add_tail(&a, &to);
	list_splice_tail_init(&from, &to);
	EXPECT_TRUE(t, to.next == &a && to.prev == &a);
	list_add_tail(&b, &from);
	list_add_tail(&c, &from);
	list_splice_tail_init(&from, &to);
	EXPECT_TRUE(t, list_empty(&from));
	EXPECT_TRUE(t, to.next == &a && a.next == &b && b.next == &c && c.next == &to);
	EXPECT_TRUE(t, to.prev == &c && c.prev == &b && b.prev == &a && a.prev == &to);
}
