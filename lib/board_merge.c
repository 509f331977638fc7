/*
 * board_merge: two edits of one board, made one.
 *
 * Units are the members of the queue and, inside "tasks", the tasks by id: a unit that
 * one side changed is taken from there, one that both changed alike is taken, one
 * that both changed differently is a conflict. Removing is a change. When nobody else
 * touched the board the edited text is taken as it is, layout and all; else tasks and
 * members keep their own text and only what stands between them is laid out anew, in
 * the order of the edited text with what others added behind.
 */
#include "board.h"

#include <stdlib.h>
#include <string.h>

#include "json.h"

static const struct scan absent = {"", 0, '\0'};

bool
board_same(struct scan a, struct scan b)
{
	cJSON *x, *y;
	struct err e;
	bool same;

	if (a.kind != b.kind || a.kind == '\0')
		return a.kind == b.kind;
	if (a.len == b.len && memcmp(a.p, b.p, a.len) == 0)
		return true;
	x = json_parse(a.p, a.len, &e);
	y = json_parse(b.p, b.len, &e);
	same = x != NULL && y != NULL && cJSON_Compare(x, y, true);
	cJSON_Delete(x);
	cJSON_Delete(y);
	return same;
}

/* The value that wins, or false: both changed it, differently. */
static bool
choose(struct scan base, struct scan mine, struct scan theirs, struct scan *out)
{
	*out = board_same(base, mine) ? theirs : mine;
	return board_same(base, mine) || board_same(base, theirs) || board_same(mine, theirs);
}

static struct scan
task_of(const struct board *b, const char *id)
{
	long i = board_find(b, id);

	return i < 0 ? absent : b->v[i].text;
}

static void
put(struct buf *out, bool *first, const char *indent, struct scan v)
{
	buf_str(out, *first ? "\n" : ",\n");
	buf_str(out, indent);
	buf_add(out, v.p, v.len);
	*first = false;
}

static int
merge_tasks(const struct board *base, const struct board *mine, const struct board *theirs,
    struct buf *out, struct err *e)
{
	const struct board *side[] = {mine, theirs};
	bool first = true;

	buf_char(out, '[');
	for (int s = 0; s < 2; s++)
		for (size_t i = 0; i < side[s]->n; i++) {
			const char *id = side[s]->v[i].id;
			struct scan v;

			if (s == 1 && board_find(mine, id) >= 0)
				continue;
			if (!choose(task_of(base, id), task_of(mine, id), task_of(theirs, id), &v))
				return err_set(
				    e, VIV_NO, "task '%s' was changed by somebody else too", id);
			if (v.kind != '\0')
				put(out, &first, "    ", v);
		}
	buf_str(out, first ? "]" : "\n  ]");
	return 0;
}

static struct scan
top_of(const struct board *b)
{
	struct scan top = scan_text(b->text.p, b->text.len);

	return top.kind == '{' ? top : scan_text("{}", 2);
}

/* One member of the queue that is not "tasks". */
static int
merge_member(
    const struct board *const b[3], struct scan key, struct buf *out, bool *first, struct err *e)
{
	char *name = scan_dup(key);
	struct scan v;
	int rc = 0;

	if (!choose(scan_get(top_of(b[0]), name), scan_get(top_of(b[1]), name),
		scan_get(top_of(b[2]), name), &v))
		rc = err_set(e, VIV_NO, "member '%s' was changed by somebody else too", name);
	else if (v.kind != '\0') {
		put(out, first, "  ", key);
		buf_str(out, ": ");
		buf_add(out, v.p, v.len);
	}
	free(name);
	return rc;
}

int
board_merge(const struct board *base, const struct board *mine, const struct board *theirs,
    struct buf *out, struct err *e)
{
	const struct board *const b[3] = {base, mine, theirs};
	struct scan key, val;
	bool first = true, tasks = false;
	int rc = 0;

	if (base->text.len == theirs->text.len &&
	    memcmp(base->text.p, theirs->text.p, base->text.len) == 0) {
		buf_add(out, mine->text.p, mine->text.len);
		return 0;
	}
	buf_char(out, '{');
	for (int s = 1; s < 3; s++)
		for (size_t at = 0; rc == 0 && scan_member(top_of(b[s]), &at, &key, &val);) {
			char *name = scan_dup(key);

			if (strcmp(name, "tasks") == 0) {
				if (!tasks) {
					put(out, &first, "  ", key);
					buf_str(out, ": ");
					rc = merge_tasks(base, mine, theirs, out, e);
				}
				tasks = true;
			} else if (s == 1 || scan_get(top_of(mine), name).kind == '\0') {
				rc = merge_member(b, key, out, &first, e);
			}
			free(name);
		}
	buf_str(out, "\n}\n");
	return rc;
}
