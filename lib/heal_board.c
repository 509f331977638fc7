/*
 * heal_board: a lost or damaged board is built anew.
 *
 * From three sources, in this order: what can still be read of the damaged file, the
 * tasks that "queued" events in the log carry, and the archive. A task that is
 * finished and archived stays off the board; all others are on it in the order in
 * which they were posted. The damaged file is kept beside the new one, under a name
 * of its own, before it is replaced.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "archive.h"
#include "file.h"
#include "heal.h"
#include "json.h"
#include "trim.h"

enum { KEPT_MAX = 10000 };

struct entry {
	char *id, *text;
	bool archived;
};

struct rebuilt {
	struct entry *v;
	size_t n;
	struct fold index;	/* id: 1 + position in v */
	size_t onboard;
};

static struct entry *
entry_of(struct rebuilt *r, const char *id)
{
	struct fold_task *t = fold_add(&r->index, id);

	if (t->user == NULL) {
		if ((r->n & (r->n - 1)) == 0)
			r->v = mem_grow(r->v, r->n == 0 ? 1 : 2 * r->n, sizeof(*r->v));
		r->v[r->n++] = (struct entry){mem_dup(id), NULL, false};
		t->user = (void *)(uintptr_t)r->n;
	}
	return &r->v[(size_t)(uintptr_t)t->user - 1];
}

static void
set_text(struct entry *en, struct scan task)
{
	struct buf line = {0};

	archive_line(&line, task);
	line.p[--line.len] = '\0';	/* its newline */
	free(en->text);
	en->text = buf_take(&line);
}

/* --- the sources --- */

/* Whole tasks at the front of a text that is damaged somewhere. */
static void
from_damaged(struct rebuilt *r, const struct buf *text)
{
	char *p = text->p != NULL ? strstr(text->p, "\"tasks\"") : NULL;
	struct scan list, item;
	size_t at = 0;

	p = p != NULL ? strchr(p, '[') : NULL;
	if (p == NULL)
		return;
	list = (struct scan){p, text->len - (size_t)(p - text->p), '['};
	while (scan_item(list, &at, &item)) {
		struct task t;

		if (scan_check(item.p, item.len, NULL) != 0 || item.kind != '{' ||
		    task_read(&t, item, NULL) != 0)
			break;
		set_text(entry_of(r, t.id), item);
		task_free(&t);
	}
}

static int
from_log(const struct log_line *line, void *arg)
{
	struct scan obj, task;
	struct rebuilt *r = arg;
	struct entry *en;
	struct task t;

	if (memmem(line->p, line->len, "\"task\":", 7) == NULL ||
	    scan_check(line->p, line->len, NULL) != 0)
		return 0;
	obj = scan_text(line->p, line->len);
	task = scan_get(obj, "task");
	if (task.kind != '{' || !scan_eq(scan_get(obj, "status"), "queued") ||
	    task_read(&t, task, NULL) != 0)
		return 0;
	en = entry_of(r, t.id);
	if (en->text == NULL)	/* the board's own text is newer */
		set_text(en, task);
	task_free(&t);
	return 0;
}

static int
from_archive(const char *id, struct scan task, void *arg)
{
	struct entry *en = entry_of(arg, id);

	if (en->text == NULL)
		set_text(en, task);
	en->archived = true;
	return 0;
}

/* --- the new text --- */

static bool
leaves(const struct heal *h, const struct entry *en)
{
	const struct fold_task *t = fold_get(&h->fold, en->id);

	return en->archived && (fold_done(t) || fold_dead(t));
}

static void
put_finished(const struct heal *h, const struct rebuilt *r, bool done, const char *name,
    struct buf *out)
{
	size_t all = 0, at = 0;
	const char *comma = "";

	for (size_t i = 0; i < r->n; i++)
		all += leaves(h, &r->v[i]) && fold_done(fold_get(&h->fold, r->v[i].id)) == done;
	buf_fmt(out, ",\n  \"%s\": [", name);
	for (size_t i = 0; i < r->n; i++)
		if (leaves(h, &r->v[i]) && fold_done(fold_get(&h->fold, r->v[i].id)) == done &&
		    at++ + TRIM_IDS >= all) {
			const char *text = r->v[i].text;
			struct scan id = scan_get(scan_text(text, strlen(text)), "id");

			buf_str(out, comma);
			buf_add(out, id.p, id.len);
			comma = ",";
		}
	buf_fmt(out, "],\n  \"%s_count\": %zu", name, all);
}

static void
put_board(const struct heal *h, struct rebuilt *r, struct buf *out)
{
	buf_str(out,
	    "{\n  \"version\": \"1.1\",\n  \"api_endpoint\": \"http://127.0.0.1:8420\",\n"
	    "  \"tasks\": [");
	for (size_t i = 0; i < r->n; i++)
		if (!leaves(h, &r->v[i])) {
			buf_str(out, r->onboard++ > 0 ? ",\n    " : "\n    ");
			buf_str(out, r->v[i].text);
		}
	buf_str(out, r->onboard > 0 ? "\n  ]" : "]");
	put_finished(h, r, true, "completed", out);
	put_finished(h, r, false, "failed", out);
	buf_str(out, "\n}\n");
}

/* --- replacing --- */

/* Give the damaged file a second name; *kept_out (caller frees) or NULL: there is none. */
static int
keep_damaged(const struct world *w, char **kept_out, struct err *e)
{
	*kept_out = NULL;
	for (int n = 1; n < KEPT_MAX; n++) {
		char *name = mem_fmt("%s.damaged-%d", WORLD_QUEUE, n);

		if (linkat(w->fd, WORLD_QUEUE, w->fd, name, 0) == 0) {
			*kept_out = name;
			return 0;
		}
		free(name);
		if (errno == ENOENT)
			return 0;
		if (errno != EEXIST)
			break;
	}
	return err_sys(e, VIV_CANTCREAT, "cannot keep the damaged '%s'", WORLD_QUEUE);
}

static mode_t
mode_of_board(const struct world *w)
{
	struct stat st;
	mode_t mask = umask(0);

	umask(mask);
	return fstatat(w->fd, WORLD_QUEUE, &st, AT_SYMLINK_NOFOLLOW) == 0 ? st.st_mode & 0777 :
	    0666 & ~mask;
}

/* Under the board's lock. */
static int
rebuild(struct heal *h, struct rebuilt *r, char **kept_out, struct err *e)
{
	struct buf damaged = {0}, text = {0};
	struct log all;
	int rc = file_read(h->w->fd, WORLD_QUEUE, BOARD_MAX, &damaged, e);

	if (rc != 0 && rc != -VIV_NO) {
		buf_free(&damaged);
		return rc;
	}
	from_damaged(r, &damaged);
	rc = log_open(&all, h->w, e);
	if (rc == 0) {
		rc = log_read(&all, from_log, r, e);
		log_close(&all);
	}
	if (rc == 0)
		rc = archive_each(h->w, from_archive, r, NULL, e);
	if (rc == 0)
		rc = keep_damaged(h->w, kept_out, e);
	if (rc == 0) {
		put_board(h, r, &text);
		rc = file_replace(h->w->fd, WORLD_QUEUE, text.p, text.len, mode_of_board(h->w), e);
	}
	buf_free(&damaged);
	buf_free(&text);
	return rc;
}

static int
rebuild_locked(struct heal *h, char **did_out, struct err *e)
{
	struct rebuilt r = {0};
	struct lock l;
	char *kept = NULL;
	int rc = lock_open(&l, h->w->fd, WORLD_QUEUE_LOCK, e);

	if (rc == 0)
		rc = lock_take(&l, LOCK_WAIT_MS, e);
	if (rc == 0)
		rc = rebuild(h, &r, &kept, e);
	lock_close(&l);
	if (rc == 0 && kept != NULL)
		*did_out = mem_fmt("rebuilt with %zu tasks; what was there is kept as '%s'",
		    r.onboard, kept);
	else if (rc == 0)
		*did_out = mem_fmt("rebuilt with %zu tasks from the log", r.onboard);
	for (size_t i = 0; i < r.n; i++) {
		free(r.v[i].id);
		free(r.v[i].text);
	}
	free(r.v);
	fold_free(&r.index);
	free(kept);
	return rc;
}

/* --- tasks that should be on it --- */

struct missing {
	struct heal *h;
	struct fold seen;
	cJSON **v;
	size_t n;
};

/* Archived, and wanted again since. */
static int
find_revived(const char *id, struct scan task, void *arg)
{
	struct missing *m = arg;
	const struct fold_task *t = fold_get(&m->h->fold, id);
	struct fold_task *seen;

	if (board_find(&m->h->board, id) >= 0 || fold_done(t) || fold_dead(t))
		return 0;
	seen = fold_add(&m->seen, id);
	if (seen->user != NULL)
		return 0;
	seen->user = m;
	m->v = mem_grow(m->v, m->n + 1, sizeof(*m->v));
	m->v[m->n++] = json_parse(task.p, task.len, NULL);
	return 0;
}

static int
put_back(struct heal *h, struct missing *m, struct err *e)
{
	struct lock l;
	int rc = board_begin(&h->board, h->w, &l, e);

	if (rc != 0)
		return rc;
	rc = board_append(&h->board, h->w, m->v, m->n, e);
	if (rc == 0)
		rc = board_load(&h->board, h->w, e);
	board_end(&l);
	return rc < 0 ? rc : 0;
}

static void
check_archive(struct heal *h)
{
	struct missing m = {.h = h};
	struct err e;
	size_t bad = 0;
	char *what;
	int rc = archive_each(h->w, find_revived, &m, &bad, &e), fixed = HEAL_LATER;

	if (rc != 0)
		heal_say(h, HEAL_ERROR, "unreadable archive", WORLD_ARCHIVE, e.msg);
	if (bad > 0)
		heal_say(h, HEAL_NOTE, "lines that are no task", WORLD_ARCHIVE,
		    "readers pass over them");
	if (rc == 0 && m.n > 0) {
		if (h->repair)
			fixed = put_back(h, &m, &e);
		what = mem_fmt("%zu archived tasks are not finished", m.n);
		heal_found(h, fixed, &e, what, WORLD_ARCHIVE,
		    "viv-doctor -r puts them back on the board",
		    "put back on the board");
		free(what);
	}
	for (size_t i = 0; i < m.n; i++)
		cJSON_Delete(m.v[i]);
	free(m.v);
	fold_free(&m.seen);
}

static void
check_absent(struct heal *h)
{
	for (size_t i = 0; h->verbose && i < h->fold.cap; i++) {
		const struct fold_task *t = h->fold.table[i];

		if (t != NULL && t->posted && fold_runnable(t) && board_find(&h->board, t->id) < 0)
			heal_say(h, HEAL_NOTE, "unfinished and not on the board", t->id,
			    "somebody removed it by hand");
	}
}

void
heal_board(struct heal *h)
{
	struct err e;
	char *did = NULL;
	const char *what;
	int rc;

	if (!h->have_log)
		return;
	rc = board_load(&h->board, h->w, &e);
	if (rc < 0) {
		what = faccessat(h->w->fd, WORLD_QUEUE, F_OK, AT_SYMLINK_NOFOLLOW) == 0 ?
		    "damaged board" : "no board";
		if (!h->repair) {
			h->open++;
			h->say(HEAL_REPAIR, what, e.msg[0] == '\'' ? e.msg : WORLD_QUEUE,
			    "correct it, or viv-doctor -r rebuilds it", h->arg);
			return;
		}
		rc = rebuild_locked(h, &did, &e);
		if (rc == 0)
			rc = board_load(&h->board, h->w, &e);
		heal_found(h, rc < 0 ? rc : 0, &e, what, WORLD_QUEUE, "", did);
		free(did);
		if (rc < 0)
			return;
	}
	h->have_board = true;
	check_archive(h);
	check_absent(h);
}
