/*
 * board_cycle: which tasks wait for a cycle of dependencies.
 *
 * One depth-first walk with the usual three colours, and its results kept on the
 * board: asking for every task costs one look at every dependency. A task that waits
 * for a cycle always has a dependency that does, so following those ends in the
 * cycle; tortoise and hare find where it begins.
 */
#include "board.h"

#include <stdlib.h>

/* Colours of the depth-first walk; a task that waits for a cycle is WAITS. */
enum { WHITE, OPEN = 1, CLEAN = 2, WAITS = 4 };

struct step {
	size_t task, dep;	/* dep: next one to look at */
};

static long
next_dep(const struct board *b, struct step *s)
{
	char **deps = b->v[s->task].deps;

	while (deps != NULL && deps[s->dep] != NULL) {
		long i = board_find(b, deps[s->dep++]);

		if (i >= 0)
			return i;
	}
	return -1;
}

static void
walk(const struct board *b, size_t from)
{
	struct step *stack = NULL;
	size_t n = 0, cap = 0;
	long next = (long)from;

	for (;;) {
		if (next >= 0 && b->mark[next] == WHITE) {
			if (n == cap) {
				cap = cap == 0 ? 64 : 2 * cap;
				stack = mem_grow(stack, cap, sizeof(*stack));
			}
			b->mark[next] = OPEN;
			stack[n++] = (struct step){(size_t)next, 0};
		} else if (next >= 0 && b->mark[next] != CLEAN) {
			b->mark[stack[n - 1].task] |=
			    WAITS; /* open: a cycle; WAITS: leads to one */
		}
		next = next_dep(b, &stack[n - 1]);
		if (next >= 0)
			continue;
		do {
			unsigned char *m = &b->mark[stack[--n].task];

			*m = *m & WAITS ? WAITS : CLEAN;
			if (n > 0 && *m == WAITS)
				b->mark[stack[n - 1].task] |= WAITS;
			next = n > 0 ? next_dep(b, &stack[n - 1]) : -1;
		} while (n > 0 && next < 0);
		if (n == 0)
			break;
	}
	free(stack);
}

/* The dependency of i that waits for a cycle too. */
static size_t
worse(const struct board *b, size_t i)
{
	struct step s = {i, 0};
	long next;

	while ((next = next_dep(b, &s)) >= 0)
		if (b->mark[next] == WAITS)
			return (size_t)next;
	return i;
}

char *
board_cycle(const struct board *b, size_t i)
{
	struct buf text = {0};
	size_t slow = i, fast = i, shown = 0;

	if (b->mark[i] == WHITE)
		walk(b, i);
	if (b->mark[i] != WAITS)
		return NULL;
	do {
		slow = worse(b, slow);
		fast = worse(b, worse(b, fast));
	} while (slow != fast);
	for (slow = i; slow != fast; slow = worse(b, slow))
		fast = worse(b, fast);
	if (fast != i)
		buf_fmt(&text, "waits for '%s', which ", b->v[fast].id);
	buf_fmt(&text, "is part of a cycle: %s", b->v[fast].id);
	do {
		slow = worse(b, slow);
		if (++shown <= 20 || slow == fast)
			buf_fmt(&text, " -> %s", b->v[slow].id);
		else if (shown == 21)
			buf_str(&text, " -> ...");
	} while (slow != fast);
	return buf_take(&text);
}
