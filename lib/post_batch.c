/*
 * post_batch: many tasks that are posted together, checked against the board, the log
 * and each other.
 *
 * For the dependencies a board is put together of what is there (borrowed) and what
 * may come, and asked like any other. A task that is refused takes those with it that
 * depend on it, so with keep_going the question is asked until nothing changes.
 */
#include "post.h"

#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "json.h"

struct batch {
	struct post *p;
	struct post_item *v;
	size_t n;
	bool keep_going;
	post_refuse *refuse;
	void *arg;
};

static void
bad(struct batch *x, struct post_item *it, const char *why)
{
	it->bad = true;
	x->refuse(it, why, x->arg);
}

/* A board of what is there and what may come: borrowed tasks first, then ours. */
static void
join(struct batch *x, char **text, struct board *all)
{
	struct err e;

	*all = (struct board){.n = x->p->board.n};
	all->v = mem_alloc((x->p->board.n + x->n) * sizeof(*all->v));
	if (x->p->board.n > 0)
		memcpy(all->v, x->p->board.v, x->p->board.n * sizeof(*all->v));
	board_index(all);
	for (size_t i = 0; i < x->n; i++) {
		struct task *t = &all->v[all->n];

		text[i] = NULL;
		if (x->v[i].bad)
			continue;
		text[i] = json_text(x->v[i].task);
		if (task_read(t, scan_text(text[i], strlen(text[i])), &e) != 0) {
			bad(x, &x->v[i], e.msg);
		} else if (board_find(all, t->id) >= 0) {
			err_set(&e, VIV_CONFIG, "id '%s' is used twice in this input", t->id);
			task_free(t);
			bad(x, &x->v[i], e.msg);
		} else {
			all->n++;
			board_add(all);
		}
	}
}

static void
part(struct batch *x, char **text, struct board *all)
{
	for (size_t i = x->p->board.n; i < all->n; i++)
		task_free(&all->v[i]);
	all->n = 0;
	board_free(all);
	for (size_t i = 0; i < x->n; i++)
		free(text[i]);
	free(text);
}

/* Dependencies: of a refused task, too, are refused, until nothing changes. */
static void
check_links(struct batch *x)
{
	const cJSON *deps = x->n == 1 ? json_arr(x->v[0].task, "depends_on") : NULL;
	bool again;

	if (deps != NULL && deps->child == NULL)
		return;
	do {
		char **text = mem_zero(x->n, sizeof(*text));
		struct board all;

		again = false;
		join(x, text, &all);
		for (size_t i = 0; i < x->n; i++) {
			const char *id = json_str(x->v[i].task, "id");
			long at = x->v[i].bad ? -1 : board_find(&all, id);
			char *why = at >= 0 ? post_links(x->p, &all, (size_t)at) : NULL;
			char *line = why != NULL ? mem_fmt("task '%s' %s", id, why) : NULL;

			if (line != NULL)
				bad(x, &x->v[i], line);
			again |= line != NULL;
			free(line);
			free(why);
		}
		part(x, text, &all);
	} while (again && x->keep_going);
}

void
post_check_all(
    struct post *p, struct post_item *v, size_t n, bool keep_going, post_refuse *refuse, void *arg)
{
	struct batch x = {p, v, n, keep_going, refuse, arg};
	struct err e;

	for (size_t i = 0; i < n; i++) {
		char id[POST_ID];

		if (v[i].bad)
			continue;
		if (!v[i].named) {
			post_id(p, id);
			json_set_str(v[i].task, "id", id);
		}
		if (post_check(p, v[i].task, &e) != 0)
			bad(&x, &v[i], e.msg);
	}
	check_links(&x);
}
