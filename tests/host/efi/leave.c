/*
 * leave.c - tests of the end of boot services, of the multiboot2 header and of device paths.
 */
#include <quarry/errno.h>
#include <quarry/ktest.h>
#include <quarry/string.h>

#include "../../../boot/efi/devpath.h"
#include "../../../boot/efi/leave.h"
#include "../../../boot/efi/mb2head.h"
#include "../../boot/blob.h"

/* Firmware whose keys are stale for a while. */
struct firmware {
	struct leave_ops ops;
	unsigned int nr_stale;     /* exits that will find their key stale */
	int exit_err, prepare_err; /* after those */
	unsigned int nr_prepares, nr_exits;
};

static QAPI int prepare(struct leave_ops *ops)
{
	struct firmware *f = container_of(ops, struct firmware, ops);

	f->nr_prepares++;
	return f->prepare_err;
}

static QAPI int leave(struct leave_ops *ops)
{
	struct firmware *f = container_of(ops, struct firmware, ops);

	return f->nr_exits++ < f->nr_stale ? -EAGAIN : f->exit_err;
}

static int run(struct firmware *f, unsigned int *nr)
{
	f->ops = (struct leave_ops){ prepare, leave };
	return leave_boot_services(&f->ops, nr);
}

KTEST(efi_leave, each_stale_key_is_followed_by_a_new_map)
{
	for (unsigned int stale = 0; stale < LEAVE_TRIES; stale++) {
		struct firmware f = { .nr_stale = stale };
		unsigned int nr;

		EXPECT_EQ(t, 0, run(&f, &nr));
		EXPECT_EQ(t, stale + 1, nr);
		EXPECT_EQ(t, stale + 1, f.nr_prepares);
		EXPECT_EQ(t, stale + 1, f.nr_exits);
	}
}

KTEST(efi_leave, keys_that_stay_stale_end_the_tries)
{
	struct firmware f = { .nr_stale = UINT32_MAX };
	unsigned int nr;

	EXPECT_EQ(t, -EAGAIN, run(&f, &nr));
	EXPECT_EQ(t, LEAVE_TRIES, nr);
	EXPECT_EQ(t, LEAVE_TRIES, f.nr_exits);
}

KTEST(efi_leave, other_errors_end_it_at_once)
{
	struct firmware f = { .exit_err = -EINVAL, .nr_stale = 1 };
	struct firmware g = { .prepare_err = -ENOSPC };
	unsigned int nr;

	EXPECT_EQ(t, -EINVAL, run(&f, &nr));
	EXPECT_EQ(t, 2, nr);
	EXPECT_EQ(t, -ENOSPC, run(&g, &nr));
	EXPECT_EQ(t, 0, nr);
	EXPECT_EQ(t, 0, g.nr_exits);
}

/* ---- the multiboot2 header -------------------------------------------------------------- */

#define HEADER_AT 0x40u

static uint8_t file[0x60];

/* A header of @length bytes with one tag before the end tag. */
static int check(uint32_t arch, uint32_t length, uint32_t type_and_flags, uint32_t tag_size)
{
	uint8_t *at = file + HEADER_AT;

	memset(file, 0x11, sizeof(file));
	put32(at, 0xE85250D6);
	put32(at + 4, arch);
	put32(at + 8, length);
	put32(at + 12, 0u - 0xE85250D6 - arch - length);
	put32(at + 16, type_and_flags);
	put32(at + 20, tag_size);
	put32(at + 24, 0);
	put32(at + 28, 8);
	return mb2_check_header(file, sizeof(file));
}

KTEST(efi_mb2head, a_header_with_obeyed_or_optional_tags_is_accepted)
{
	EXPECT_EQ(t, 0, check(0, 32, 6, 8));
	EXPECT_EQ(t, 0, check(0, 32, 1, 8));
	EXPECT_EQ(t, 0, check(0, 32, 5 | 1u << 16, 8));
}

KTEST(efi_mb2head, a_tag_that_insists_on_the_unknown_is_refused)
{
	EXPECT_EQ(t, -EINVAL, check(0, 32, 2, 8));
	EXPECT_EQ(t, -EINVAL, check(0, 32, 5, 8));
}

KTEST(efi_mb2head, a_header_that_contradicts_itself_is_refused)
{
	EXPECT_EQ(t, -EILSEQ, check(0, 33, 6, 8));
	EXPECT_EQ(t, -EILSEQ, check(0, 24, 6, 8));
	EXPECT_EQ(t, -EILSEQ, check(0, 8, 6, 8));
	EXPECT_EQ(t, -EILSEQ, check(0, 32, 6, 7));
	EXPECT_EQ(t, -EILSEQ, check(0, 32, 6, 17));
	EXPECT_EQ(t, -EILSEQ, check(0, 32, 6, 0xFFFFFFF8));
	EXPECT_EQ(t, -EILSEQ, check(0, 0xFFFFFFF0, 6, 0xFFFFFFF8));
}

KTEST(efi_mb2head, a_file_without_a_header_for_i386_is_refused)
{
	EXPECT_EQ(t, -ENOENT, check(4, 32, 6, 8));
	EXPECT_EQ(t, 0, check(0, 32, 6, 8));
	file[HEADER_AT + 12]++;
	EXPECT_EQ(t, -ENOENT, mb2_check_header(file, sizeof(file)));
	EXPECT_EQ(t, -ENOENT, mb2_check_header(file, 0));
	EXPECT_EQ(t, -ENOENT, mb2_check_header(file, 15));
}

/* ---- device paths ----------------------------------------------------------------------- */

KTEST(efi_devpath, a_uart_is_found_in_the_second_of_two_paths)
{
	static const uint8_t screen[] = { 2, 1, 6, 0, 9, 9, 0x7F, 1, 4, 0 };
	static const uint8_t both[] = { 2, 1,  6, 0, 9, 9,    0x7F, 1, 4, 0,
					3, 14, 5, 0, 9, 0x7F, 0xFF, 4, 0 };

	EXPECT_FALSE(t, devpath_has_uart(screen, sizeof(screen)));
	EXPECT_TRUE(t, devpath_has_uart(both, sizeof(both)));
}

KTEST(efi_devpath, a_node_too_short_or_too_long_ends_the_walk)
{
	static const uint8_t none[] = { 2, 1, 0, 0, 3, 14, 4, 0 };
	static const uint8_t beyond[] = { 2, 1, 4, 0, 3, 14, 5, 0 };

	EXPECT_FALSE(t, devpath_has_uart(none, sizeof(none)));
	EXPECT_FALSE(t, devpath_has_uart(beyond, sizeof(beyond)));
	EXPECT_FALSE(t, devpath_has_uart(beyond, 0));
}
