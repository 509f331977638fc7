/*
 * lot: drawing jurors.
 *
 * A resident that ever claimed as an identity and that identity are one: names that
 * appeared together are joined, and joined again, so that nobody gets a second vote,
 * or a vote on his own work, by another of his names. Each such group of names without
 * a part in the work, and with a name that can be asked, is one candidate: under its
 * first identity by the alphabet, else its first resident.
 *
 * Candidates are ordered by SHA-256 of "seed NUL id NUL generation NUL name" and the
 * first ones are drawn: everybody who knows the same names draws the same jury, and
 * nobody who does not know the seed can tell before it is drawn.
 */
#include "lot.h"

#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "file.h"

#define HUMAN "human:"

struct candidate {
	char rank[FILE_SHA256];
	const char *name;
};

static size_t
hash(const char *s)
{
	uint64_t h = 14695981039346656037u;

	while (*s != '\0')
		h = (h ^ (unsigned char)*s++) * 1099511628211u;
	return (size_t)(h ^ h >> 32);
}

static size_t
find_cell(const struct lot *l, const char *name)
{
	size_t i = hash(name) & (l->cap - 1);

	while (l->index[i] != 0 && strcmp(l->v[l->index[i] - 1].name, name) != 0)
		i = (i + 1) & (l->cap - 1);
	return i;
}

static void
grow(struct lot *l)
{
	l->cap = l->cap == 0 ? 64 : 2 * l->cap;
	free(l->index);
	l->index = mem_zero(l->cap, sizeof(*l->index));
	for (size_t i = 0; i < l->n; i++)
		l->index[find_cell(l, l->v[i].name)] = i + 1;
}

static size_t
place(struct lot *l, const char *name)
{
	size_t cell;

	if (strncmp(name, HUMAN, sizeof(HUMAN) - 1) == 0)
		name += sizeof(HUMAN) - 1;
	if (l->n >= l->cap / 2)
		grow(l);
	cell = find_cell(l, name);
	if (l->index[cell] == 0) {
		l->v = mem_grow(l->v, l->n + 1, sizeof(*l->v));
		l->v[l->n] = (struct lot_name){.name = mem_dup(name), .parent = l->n};
		l->index[cell] = ++l->n;
	}
	return l->index[cell] - 1;
}

/* The name that stands for the group. */
static size_t
root(struct lot *l, size_t i)
{
	while (l->v[i].parent != i)
		i = l->v[i].parent = l->v[l->v[i].parent].parent;
	return i;
}

void
lot_add(struct lot *l, const char *name, unsigned marks)
{
	size_t i = place(l, name);	/* moves l->v */

	l->v[i].marks |= marks;
}

void
lot_link(struct lot *l, const char *a, const char *b)
{
	size_t x = place(l, a), y = place(l, b);

	l->v[root(l, x)].parent = root(l, y);
}

/* Is a rather what the group is called than b? */
static bool
called(const struct lot_name *a, const struct lot_name *b)
{
	unsigned x = a->marks & LOT_IDENTITY, y = b->marks & LOT_IDENTITY;

	return x != y ? x > y : strcmp(a->name, b->name) < 0;
}

static int
by_rank(const void *a, const void *b)
{
	const struct candidate *x = a, *y = b;
	int by = strcmp(x->rank, y->rank);

	return by != 0 ? by : strcmp(x->name, y->name);
}

static void
rank(struct candidate *c, const char *seed, const char *id, int64_t generation, const char *name)
{
	struct buf b = {0};

	buf_fmt(&b, "%s%c%s%c%lld%c%s", seed, 0, id, 0, (long long)generation, 0, name);
	file_sha256(b.p, b.len, c->rank);
	c->name = name;
	buf_free(&b);
}

size_t
lot_draw(struct lot *l, const char *seed, const char *id, int64_t generation, const char **out,
    size_t max)
{
	struct candidate *c = mem_zero(l->n + 1, sizeof(*c));
	size_t *best = mem_zero(l->n + 1, sizeof(*best)), n = 0;	/* 1 + position */
	unsigned *marks = mem_zero(l->n + 1, sizeof(*marks));

	for (size_t i = 0; i < l->n; i++) {
		size_t r = root(l, i);

		marks[r] |= l->v[i].marks;
		if ((l->v[i].marks & LOT_ELIGIBLE) != 0 &&
		    (best[r] == 0 || called(&l->v[i], &l->v[best[r] - 1])))
			best[r] = i + 1;
	}
	for (size_t i = 0; i < l->n; i++)
		if (best[i] != 0 && (marks[i] & LOT_AUTHOR) == 0)
			rank(&c[n++], seed, id, generation, l->v[best[i] - 1].name);
	qsort(c, n, sizeof(*c), by_rank);
	for (size_t i = 0; i < n && i < max; i++)
		out[i] = c[i].name;
	free(marks);
	free(best);
	free(c);
	return n;
}

void
lot_free(struct lot *l)
{
	for (size_t i = 0; i < l->n; i++)
		free(l->v[i].name);
	free(l->v);
	free(l->index);
	*l = (struct lot){0};
}
