/*
 * parse_va_range.c - ranges of addresses against a model that tries every place.
 *
 * IDEA.  The header makes a space: how large, and where, the very top of all addresses included.
 * An operation reserves, in any window or shape, releases, absorbs or asks; a request that makes no
 * sense must be refused and change nothing.  After each the validator runs, and the range that it
 * was about is found at its addresses and at no others; at intervals every page is compared.
 *
 * STATE.  The space, its ranges and the model, static for their size.
 *
 * INVARIANTS.  A range is placed where the model says, and refused only when the model knows no
 * place.
 *
 * CONTEXT.  The fuzzer's process.
 */
#include "../../mm/va_range.h"
#include "../mm/white/va_model.h"
#include "verdict.h"

#include <quarry/align.h>
#include <quarry/errno.h>
#include <quarry/mm.h>

#define P         PAGE_SIZE
#define NR_RANGES 128u
#define INTERVAL  32u /* steps between two comparisons of every page */

#define HEADER 4u
#define RECORD 8u

struct slot {
	struct va_range r;
	size_t guard;         /* of the wish that made it, or of the one it absorbed last */
	uintptr_t start, end; /* as they have to be */
};

static struct va_space space;
static struct slot slots[NR_RANGES];
static struct va_model model;

/* ---- comparisons ---------------------------------------------------------------------------- */

static uintptr_t grip_end(const struct slot *s)
{
	return s->end + min(s->guard, space.end - s->end);
}

static void expect_slot(const struct slot *s)
{
	FUZZ_EQ(s->start, s->r.start);
	FUZZ_EQ(s->end, s->r.end);
	if (!s->end)
		return;
	FUZZ_EQ(grip_end(s), s->r.grip_end);
	FUZZ_HOLDS(va_range_find(&space, s->start) == &s->r);
	FUZZ_HOLDS(va_range_find(&space, s->end - 1) == &s->r);
	if (grip_end(s) > s->end)
		FUZZ_HOLDS(!va_range_find(&space, s->end));
}

/* The ranges in order are those of the slots, and their pages those of the model. */
static void expect_pages(void)
{
	static struct va_model seen;
	unsigned long nr = 0, nr_slots = 0;
	uintptr_t before = 0;

	va_model_init(&seen, model.start, model.nr);
	for (const struct va_range *r = va_range_first(&space); r; r = va_range_next(r)) {
		FUZZ_HOLDS(r->start >= before);
		va_model_set(&seen, r->start, r->end, r->grip_end - r->end, true);
		before = r->grip_end;
		nr++;
	}
	for (unsigned int i = 0; i < NR_RANGES; i++)
		nr_slots += slots[i].end != 0;
	FUZZ_EQ(nr_slots, nr);
	for (size_t page = 0; page < model.nr; page++)
		FUZZ_EQ(model.taken[page], seen.taken[page]);
}

/* ---- operations ----------------------------------------------------------------------------- */

static void release(struct slot *s)
{
	fuzz_step("\tva_range_release(&space, &ranges[%u]);", (unsigned int)(s - slots));
	va_range_release(&space, &s->r);
	va_model_set(&model, s->start, s->end, s->guard, false);
	*s = (struct slot){ .r = s->r };
}

static void reserve(struct slot *s, const struct va_wish *w, bool anywhere)
{
	struct va_wish wanted = *w;
	uintptr_t place;
	int err;

	wanted.align = max(w->align, (size_t)P);
	place = va_model_place(&model, &wanted);
	fuzz_step("\tEXPECT_EQ(t, %d, va_range_reserve_within(&space, &ranges[%u], %#zx, %#zx,\n"
		  "\t\t\t%#zx, %#lx, %#lx));",
		  place ? 0 : -ENOSPC, (unsigned int)(s - slots), w->size, w->align, w->guard,
		  (unsigned long)w->low, (unsigned long)w->high);
	if (place)
		fuzz_step("\tEXPECT_EQ(t, %#lx, ranges[%u].start);", (unsigned long)place,
			  (unsigned int)(s - slots));
	err = anywhere ? va_range_reserve(&space, &s->r, w->size, w->align, w->guard) :
			 va_range_reserve_within(&space, &s->r, w->size, w->align, w->guard, w->low,
						 w->high);
	FUZZ_EQ(place ? 0 : -ENOSPC, err);
	if (err)
		return;
	s->start = place;
	s->end = place + w->size;
	s->guard = w->guard;
	va_model_set(&model, s->start, s->end, s->guard, true);
}

/* One of the numbers makes no sense. */
static void reserve_nonsense(struct slot *s, struct va_wish *w, unsigned int which)
{
	switch (which % 5) {
	case 0:
		w->size = 0;
		break;
	case 1:
		w->size += 1 + which;
		break;
	case 2:
		w->align = 0;
		break;
	case 3:
		w->align = 3 * P << which % 8;
		break;
	default:
		w->guard += P / 2;
		break;
	}
	FUZZ_EQ(-EINVAL, va_range_reserve(&space, &s->r, w->size, w->align, w->guard));
	FUZZ_EQ(-EINVAL, va_range_reserve_within(&space, &s->r, w->size, w->align, w->guard, w->low,
						 w->high));
}

static void absorb(struct slot *s)
{
	struct va_range *next = va_range_next(&s->r);
	struct slot *eaten;

	if (!next || next->start != s->r.grip_end)
		return;
	eaten = container_of(next, struct slot, r);
	fuzz_step("\tva_range_absorb(&space, &ranges[%u], &ranges[%u]);", (unsigned int)(s - slots),
		  (unsigned int)(eaten - slots));
	va_range_absorb(&space, &s->r, next);
	s->end = eaten->end;
	s->guard = eaten->guard;
	*eaten = (struct slot){ .r = eaten->r };
}

static void ask(uintptr_t addr, size_t guard)
{
	const struct va_range *found = va_range_find(&space, addr);
	const struct slot *wanted = NULL;

	for (unsigned int i = 0; i < NR_RANGES; i++) {
		if (addr >= slots[i].start && addr < slots[i].end)
			wanted = &slots[i];
	}
	FUZZ_HOLDS(found == (wanted ? &wanted->r : NULL));
	FUZZ_EQ(va_model_largest(&model, guard), va_space_largest_hole(&space, guard));
}

/* ---- the input ------------------------------------------------------------------------------ */

/* What an operation asks for: sizes and alignments of all magnitudes. */
static struct va_wish take_wish(struct fuzz_bytes *b)
{
	uint8_t size = fuzz_u8(b), shape = fuzz_u8(b), guard = fuzz_u8(b);
	uint16_t low = fuzz_u16(b);
	struct va_wish w = { .size = P * (1 + (size_t)(size & 31)) << (size >> 5),
			     .align = P << (shape & 15),
			     .guard = guard < 252 ? P * (guard % 8) : P << (guard % 4 * 10) };

	if (shape & 16)
		w.align = P;
	if (shape == 0xFF)
		w.align = 1ul << (low % (8 * sizeof(long)));
	if (guard == 0xFF)
		w.guard = ALIGN_DOWN(SIZE_MAX, P);
	w.low = space.start + low * (P / 2);
	w.high = shape & 32 ? w.low + w.size : shape & 64 ? w.low + low * 3 : UINTPTR_MAX;
	if (shape & 128 && shape != 0xFF)
		w.low = 0;
	return w;
}

static void step(struct fuzz_bytes *b)
{
	unsigned int what = fuzz_u8(b), slot = fuzz_u8(b) % NR_RANGES;
	struct va_wish w = take_wish(b);
	struct slot *s = &slots[slot];

	b->used++;
	if (what % 8 == 7)
		ask(w.low + what * (P / 4), P * (what / 8));
	else if (s->end && what % 8 < 3)
		absorb(s);
	else if (s->end)
		release(s);
	else if (what % 8 == 6)
		reserve_nonsense(s, &w, what / 8);
	else if (what % 2)
		reserve(s, &w, false);
	else
		reserve(s, &(struct va_wish){ w.size, w.align, w.guard, 0, UINTPTR_MAX }, true);
	expect_slot(s);
	fuzz_step("\tEXPECT_EQ(t, 0, va_range_check(&space));");
	FUZZ_EQ(0, va_range_check(&space));
}

/* Header: pages, and where the space lies. */
static void start(struct fuzz_bytes *b)
{
	size_t nr = 1 + fuzz_u16(b) % VA_MODEL_MAX;
	uintptr_t at = fuzz_u8(b) * 1ul * P;
	bool top = fuzz_u8(b) & 1;

	at = top ? 0 - P - nr * P : (uintptr_t)0xe0000000ul + at;
	fuzz_step("#include <quarry/ktest.h>\n\n#include \"../../../mm/va_range.h\"\n\n"
		  "KTEST(va_range, operations_that_failed)\n{");
	fuzz_step("\tstatic struct va_space space;\n"
		  "\tstatic struct va_range ranges[%u] __maybe_unused;\n\n"
		  "\tva_space_init(&space, %#lx, %#lx);",
		  NR_RANGES, (unsigned long)at, (unsigned long)(at + nr * P));
	va_space_init(&space, at, at + nr * P);
	va_model_init(&model, at, nr);
	for (unsigned int i = 0; i < NR_RANGES; i++)
		slots[i] = (struct slot){ .start = 0 };
}

static void run(const unsigned char *data, unsigned long size)
{
	struct fuzz_bytes b = { data, size, 0 };

	start(&b);
	for (unsigned int i = 0; !fuzz_end(&b); i++) {
		step(&b);
		if (i % INTERVAL == 0)
			expect_pages();
	}
	expect_pages();
	for (unsigned int i = 0; i < NR_RANGES; i++) {
		if (slots[i].end)
			release(&slots[i]);
	}
	fuzz_step("\tEXPECT_EQ(t, %#lx, va_space_largest_hole(&space, PAGE_SIZE));",
		  (unsigned long)(space.end - space.start));
	FUZZ_EQ(0, space.nr);
	FUZZ_EQ(space.end - space.start, va_space_largest_hole(&space, P));
}

const struct fuzz_target fuzz_target = {
	.name = "va_range",
	.where = FUZZ_IN_PROCESS,
	.header = HEADER,
	.record = RECORD,
	.size_max = HEADER + 512 * RECORD,
	.run = run,
};
