/*
 * slots: every chain of a world at once, and what the log says of each.
 *
 * For those who clean up. The order is what makes it safe beside running residents:
 * first the slots are listed, then the log is read. A chain whose end the log tells of
 * can then only have grown, and whoever has put a slot on top of it needs nothing
 * below (lib/claim.c step 5: had the lower slot gone before he looked, he would have
 * given up his own).
 */
#include "slots.h"

#include <stdlib.h>
#include <string.h>

#include "json.h"

static int
add(const char *id, int64_t number, void *arg)
{
	struct slots *s = arg;

	if ((s->n & (s->n - 1)) == 0)
		s->v = mem_grow(s->v, s->n == 0 ? 1 : 2 * s->n, sizeof(*s->v));
	s->v[s->n++] = (struct slots_one){mem_dup(id), number, false};
	return 0;
}

static int
order(const void *a, const void *b)
{
	const struct slots_one *x = a, *y = b;
	int c = strcmp(x->id, y->id);

	return c != 0 ? c : (x->number > y->number) - (x->number < y->number);
}

int
slots_read(const struct world *w, struct slots *out, struct err *e)
{
	int rc;

	*out = (struct slots){NULL, 0};
	rc = slot_each(w, add, out, e);
	if (out->n > 0)
		qsort(out->v, out->n, sizeof(*out->v), order);
	return rc;
}

void
slots_free(struct slots *s)
{
	for (size_t i = 0; i < s->n; i++)
		free(s->v[i].id);
	free(s->v);
	*s = (struct slots){NULL, 0};
}

bool
slots_has(const struct slots *s, const char *id)
{
	size_t low = 0, high = s->n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (strcmp(s->v[mid].id, id) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	for (; low < s->n && strcmp(s->v[low].id, id) == 0; low++)
		if (!s->v[low].gone)
			return true;
	return false;
}

char *
slots_path(const struct slots_one *s)
{
	return s->number == 1 ? mem_fmt("%s/%s.lock", WORLD_LOCKS, s->id) :
	    mem_fmt("%s/%s.lock.%lld", WORLD_LOCKS, s->id, (long long)s->number);
}

size_t
slots_end(const struct slots *s, size_t i)
{
	size_t end = i;

	while (end < s->n && strcmp(s->v[end].id, s->v[i].id) == 0)
		end++;
	return end;
}

bool
slots_ended(const struct fold *f, const char *id, int64_t generation)
{
	const struct fold_task *t = fold_get(f, id);

	return t != NULL && (t->generation > generation || (t->generation == generation &&
	    t->final));
}

enum slots_state
slots_judge(const struct world *w, const struct fold *f, const char *id, int64_t number,
    struct slot *highest_out)
{
	struct slot s;
	cJSON *event;
	int64_t generation;

	if (slot_read(w, id, number, &s, NULL) != 0)
		return SLOTS_NONE;
	if (highest_out != NULL)
		*highest_out = s;
	if (s.kind == SLOT_CLAIM)
		return slots_ended(f, id, number) ? SLOTS_OVER : SLOTS_LIVE;
	event = slot_event(w, id, number);
	if (event == NULL)
		return slot_read(w, id, number, &s, NULL) != 0 ? SLOTS_NONE : SLOTS_BROKEN;
	generation = json_int(event, "generation", number);
	cJSON_Delete(event);
	return slots_ended(f, id, generation) ? SLOTS_OVER : SLOTS_UNLOGGED;
}

void
slots_remove(const struct world *w, struct slots *s, size_t i, size_t end, bool dry)
{
	for (; i < end; i++) {
		if (!dry)
			slot_remove(w, s->v[i].id, s->v[i].number);
		s->v[i].gone = true;
	}
}
