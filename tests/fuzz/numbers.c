/*
 * numbers.c - the model of parse_u64() and parse_size().
 *
 * IDEA.  First the shape of the number, by sets of characters; then its value, digit by digit with
 * the compiler's own detection of overflow.
 *
 * CONTEXT.  A fuzz target.
 */
#include "numbers.h"

#include <quarry/compiler.h>
#include <quarry/errno.h>
#include <quarry/string.h>

static size_t place_in(const char *set, char c)
{
	const char *at = c ? strchr(set, c) : NULL;

	return at ? (size_t)(at - set) : SIZE_MAX;
}

static bool times(uint64_t *value, uint64_t factor)
{
	return !__builtin_mul_overflow(*value, factor, value);
}

static void apply_suffix(struct model_number *n, char c)
{
	size_t place = place_in("KkMmGgTt", c);

	if (place == SIZE_MAX)
		return;
	n->len++;
	for (size_t i = 0; i <= place / 2; i++) {
		if (!times(&n->value, 1024))
			n->err = -ERANGE;
	}
}

struct model_number model_number(const char *text, bool suffix)
{
	static const char lower[] = "0123456789abcdef", upper[] = "0123456789ABCDEF";
	bool hex = text[0] == '0' && (text[1] == 'x' || text[1] == 'X');
	size_t base = hex ? 16 : text[0] == '0' ? 8 : 10;
	struct model_number n = { .len = hex ? 2 : 0 };
	size_t first = n.len;

	for (;; n.len++) {
		size_t digit = place_in(lower, text[n.len]);

		if (digit == SIZE_MAX)
			digit = place_in(upper, text[n.len]);
		if (digit >= base)
			break;
		if (!times(&n.value, base) || __builtin_add_overflow(n.value, digit, &n.value))
			n.err = -ERANGE;
	}
	if (n.len == first)
		n.err = -EINVAL;
	else if (suffix && !n.err)
		apply_suffix(&n, text[n.len]);
	return n;
}
