/* sums: a hash table with open addressing, at most half full; names are few words. */
#include "sums.h"

#include <stdlib.h>
#include <string.h>

#include "buf.h"

static size_t
hash(const char *s)
{
	uint64_t h = 14695981039346656037ULL;	/* FNV-1a */

	for (; *s != '\0'; s++)
		h = (h ^ (unsigned char)*s) * 1099511628211ULL;
	return (size_t)h;
}

/* Where name is in the index, or where it belongs. */
static size_t
place(const struct sums *s, const char *name)
{
	size_t at = hash(name) & (s->cap - 1);

	while (s->index[at] != 0 && strcmp(s->v[s->index[at] - 1]->name, name) != 0)
		at = (at + 1) & (s->cap - 1);
	return at;
}

static void
grow(struct sums *s)
{
	s->cap = s->cap > 0 ? s->cap * 2 : 64;
	free(s->index);
	s->index = mem_zero(s->cap, sizeof(*s->index));
	for (size_t i = 0; i < s->n; i++)
		s->index[place(s, s->v[i]->name)] = i + 1;
}

struct sum *
sums_get(struct sums *s, const char *name)
{
	size_t at;

	if (s->cap < 2 * (s->n + 1))
		grow(s);
	at = place(s, name);
	if (s->index[at] == 0) {
		if ((s->n & (s->n - 1)) == 0)
			s->v = mem_grow(s->v, s->n > 0 ? 2 * s->n : 1, sizeof(*s->v));
		s->v[s->n] = mem_zero(1, sizeof(**s->v));
		s->v[s->n]->name = mem_dup(name);
		s->index[at] = ++s->n;
	}
	return s->v[s->index[at] - 1];
}

const struct sum *
sums_find(const struct sums *s, const char *name)
{
	size_t at = s->cap > 0 ? s->index[place(s, name)] : 0;

	return at > 0 ? s->v[at - 1] : NULL;
}

void
sums_free(struct sums *s)
{
	for (size_t i = 0; i < s->n; i++) {
		free(s->v[i]->name);
		free(s->v[i]);
	}
	free(s->v);
	free(s->index);
	*s = (struct sums){0};
}
