/*
 * trim: finished tasks leave the board for the archive.
 *
 * Under the board's lock: read board and log, append the leaving tasks to the archive
 * and sync it, replace the board. A crash before the last step leaves them in both,
 * and the next run archives them again. Somebody may revive a task (viv-add -k) at the
 * very moment: the log is read once more afterwards, and what it wants back is put
 * back, from the copy still in memory.
 *
 * The log knows for ever what was finished, so tasks that depend on an archived one
 * run all the same.
 */
#include "trim.h"

#include <stdlib.h>
#include <string.h>

#include "archive.h"
#include "clock.h"
#include "json.h"

enum { STAYS, DONE, DEAD };

/* --- the text --- */

/* The list without its leaving items: each item keeps what stands around it. */
static void
put_tasks(struct buf *out, const struct board *b, const unsigned char *leave, struct scan list)
{
	const char *from = list.p + 1, *end = list.p + list.len - 1, *tail = from;
	struct scan item;
	size_t at = 0, next = 0;
	bool first = true;

	buf_char(out, '[');
	while (scan_item(list, &at, &item)) {
		bool known = next < b->n && b->v[next].text.p == item.p;
		const char *comma = memchr(item.p + item.len, ',',
		    (size_t)(end - item.p) - item.len);

		tail = item.p + item.len;	/* what is behind the last item ends the list */
		if (!known || leave[next] == STAYS) {
			if (!first)
				buf_char(out, ',');
			buf_add(out, from, (size_t)((comma != NULL ? comma : tail) - from));
			first = false;
		}
		next += known;
		from = comma != NULL ? comma + 1 : end;
	}
	if (!first)
		buf_add(out, tail, (size_t)(end - tail));
	buf_char(out, ']');
}

static size_t
count_items(struct scan list)
{
	struct scan item;
	size_t at = 0, n = 0;

	while (list.kind == '[' && scan_item(list, &at, &item))
		n++;
	return n;
}

static size_t
count_leaving(const struct board *b, const unsigned char *leave, unsigned char how)
{
	size_t n = 0;

	for (size_t i = 0; i < b->n; i++)
		n += leave[i] == how;
	return n;
}

/* The last TRIM_IDS of what the list held and the leaving ids. */
static void
put_ids(struct buf *out, const struct board *b, const unsigned char *leave, unsigned char how,
    struct scan list)
{
	size_t all = count_items(list) + count_leaving(b, leave, how), at = 0;
	size_t skip = all > TRIM_IDS ? all - TRIM_IDS : 0;
	const char *comma = "";
	struct scan item;

	buf_char(out, '[');
	while (list.kind == '[' && scan_item(list, &at, &item)) {
		if (skip > 0) {
			skip--;
			continue;
		}
		buf_str(out, comma);
		buf_add(out, item.p, item.len);
		comma = ",";
	}
	for (size_t i = 0; i < b->n; i++) {
		struct scan id = scan_get(b->v[i].text, "id");

		if (leave[i] != how || (skip > 0 && skip-- > 0))
			continue;
		buf_str(out, comma);
		buf_add(out, id.p, id.len);
		comma = ",";
	}
	buf_char(out, ']');
}

static const struct {
	const char *list, *count;
	unsigned char how;
} kept[] = {{"completed", "completed_count", DONE}, {"failed", "failed_count", DEAD}};

/* The new value of a member, or false when it stays. */
static bool
put_value(struct buf *out, const struct board *b, const unsigned char *leave, struct scan top,
    const char *name)
{
	if (strcmp(name, "tasks") == 0) {
		put_tasks(out, b, leave, scan_get(top, name));
		return true;
	}
	for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++) {
		struct scan list = scan_get(top, kept[i].list);

		if (strcmp(name, kept[i].list) == 0) {
			put_ids(out, b, leave, kept[i].how, list);
			return true;
		}
		if (strcmp(name, kept[i].count) == 0) {
			double before = scan_number(scan_get(top, name), (double)count_items(list));

			buf_fmt(out, "%.0f", before + (double)count_leaving(b, leave, kept[i].how));
			return true;
		}
	}
	return false;
}

void
trim_text(const struct board *b, const unsigned char *leave, struct buf *out)
{
	static const char *const changed[] = {"tasks", "completed", "failed", "completed_count",
	    "failed_count"};
	struct scan top = scan_text(b->text.p, b->text.len), key, val;
	const char *done = b->text.p, *end = b->text.p + b->text.len;
	bool seen[sizeof(changed) / sizeof(changed[0])] = {false};
	size_t at = 0;

	while (scan_member(top, &at, &key, &val)) {
		for (size_t i = 0; i < sizeof(changed) / sizeof(changed[0]); i++) {
			if (seen[i] || !scan_eq(key, changed[i]))
				continue;
			seen[i] = true;
			buf_add(out, done, (size_t)(val.p - done));
			done = val.p;
			if (put_value(out, b, leave, top, changed[i]))
				done += val.len;
		}
		if (done < val.p + val.len) {
			buf_add(out, done, (size_t)(val.p + val.len - done));
			done = val.p + val.len;
		}
	}
	for (size_t i = 1; i < sizeof(changed) / sizeof(changed[0]); i++)
		if (!seen[i]) {
			buf_fmt(out, ",\n  \"%s\": ", changed[i]);
			put_value(out, b, leave, top, changed[i]);
		}
	buf_add(out, done, (size_t)(end - done));
}

/* --- which --- */

struct finished {
	size_t at;
	double when;
};

static int
latest_first(const void *a, const void *b)
{
	const struct finished *x = a, *y = b;

	if (x->when != y->when)
		return x->when < y->when ? 1 : -1;
	return x->at < y->at ? 1 : -1;
}

/* How each task leaves (the caller frees), and how many do. */
static unsigned char *
choose(const struct board *b, const struct fold *f, const struct slots *s,
    const struct trim_want *want, size_t *n_out)
{
	unsigned char *leave = mem_zero(b->n, 1);
	struct finished *v = mem_zero(b->n, sizeof(*v));
	double now = clock_wall();
	size_t n = 0;

	*n_out = 0;
	for (size_t i = 0; i < b->n; i++) {
		const struct fold_task *t = fold_get(f, b->v[i].id);

		if ((fold_done(t) || fold_dead(t)) && !slots_has(s, b->v[i].id))
			v[n++] = (struct finished){i, t->when};
	}
	if (n > 0)
		qsort(v, n, sizeof(*v), latest_first);
	for (size_t i = want->keep; i < n; i++)
		if (now - v[i].when >= want->older_s) {
			leave[v[i].at] = fold_done(fold_get(f, b->v[v[i].at].id)) ? DONE : DEAD;
			++*n_out;
		}
	free(v);
	return leave;
}

/* Under the lock, the board just replaced: put back what was revived meanwhile. */
static int
put_back(struct board *b, const unsigned char *leave, const struct world *w, struct log *l,
    struct fold *f, struct err *e)
{
	struct board now = {0};
	cJSON **v = NULL;
	size_t n = 0;
	int rc = fold_read(f, l, false, e);

	for (size_t i = 0; rc == 0 && i < b->n; i++) {
		const struct fold_task *t = fold_get(f, b->v[i].id);

		if (leave[i] != STAYS && !fold_done(t) && !fold_dead(t)) {
			v = mem_grow(v, n + 1, sizeof(*v));
			v[n++] = board_task(b, i);
		}
	}
	if (rc == 0 && n > 0) {
		rc = board_load(&now, w, e);
		if (rc >= 0)
			rc = board_append(&now, w, v, n, e);
		board_free(&now);
	}
	while (n > 0)
		cJSON_Delete(v[--n]);
	free(v);
	return rc;
}

static int
move(struct board *b, const unsigned char *leave, const struct world *w, struct log *l,
    struct fold *f,
    struct err *e)
{
	struct buf lines = {0}, text = {0};
	int rc;

	for (size_t i = 0; i < b->n; i++)
		if (leave[i] != STAYS)
			archive_line(&lines, b->v[i].text);
	rc = archive_append(w, &lines, e);
	if (rc == 0) {
		trim_text(b, leave, &text);
		rc = board_replace(b, w, text.p, text.len, e);
	}
	if (rc == 0)
		rc = put_back(b, leave, w, l, f, e);
	buf_free(&lines);
	buf_free(&text);
	return rc;
}

int
trim_board(const struct world *w, struct log *l, struct fold *f, const struct slots *s,
    const struct trim_want *want, void (*say)(const char *, bool, void *), void *arg, struct err *e)
{
	struct lock lock = {.fd = -1};
	unsigned char *leave = NULL;
	struct board b = {0};
	size_t n = 0;
	int rc = want->dry ? board_load(&b, w, e) : board_begin(&b, w, &lock, e);

	if (rc < 0)
		return rc;
	rc = fold_read(f, l, false, e);
	if (rc == 0) {
		leave = choose(&b, f, s, want, &n);
		if (n > 0 && !want->dry)
			rc = move(&b, leave, w, l, f, e);
		for (size_t i = 0; rc == 0 && i < b.n; i++)
			if (leave[i] != STAYS)
				say(b.v[i].id, leave[i] == DONE, arg);
	}
	if (!want->dry)
		board_end(&lock);
	free(leave);
	board_free(&b);
	return rc != 0 ? rc : (int)n;
}
