/*
 * board: world/mutable/queue.json, what was posted.
 *
 * The whole file is checked once by scan_check and then read in place: a task is a
 * slice of the text, the few members that choosing needs, and an entry in a hash
 * table by id. No tree is built for the file, so 100,000 tasks cost their own bytes
 * and a few hundred more each.
 *
 * Readers take no lock: our own writers replace the file by rename. An older system
 * truncates and rewrites it in place, so text that does not parse, a file that is
 * not there and a file that changed while it was read are tried again for a moment
 * before they count. Whoever edits by hand takes no lock either: before every
 * replacement the file on disk must still be the one that was read.
 *
 * Adding is splicing: the new tasks, one a line, go in behind the last item of
 * "tasks", and every byte that was there stays. What an empty board looks like is in
 * lib/board_splice.c. Falsy JSON (null, [], {}, 0, "") is an empty board, an item of
 * "tasks" that is no object is passed over; anything else that is not the documented
 * shape stops with 78 and is never replaced (reference core.md 1.2).
 */
#include "board.h"

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "file.h"
#include "json.h"

enum {
	TRIES = 16,
	PAUSE_MS = 20,
	TROUBLE_LINES = 10
};

/* --- the index --- */

static uint64_t
hash(const char *s)
{
	uint64_t h = 14695981039346656037u;

	for (; *s != '\0'; s++)
		h = (h ^ (unsigned char)*s) * 1099511628211u;
	return h ^ h >> 32;
}

/* Where id is, or would be. */
static size_t
place(const struct board *b, const char *id)
{
	size_t i = (size_t)hash(id) & (b->cap - 1);

	while (b->index[i] != 0 && strcmp(b->v[b->index[i] - 1].id, id) != 0)
		i = (i + 1) & (b->cap - 1);
	return i;
}

long
board_find(const struct board *b, const char *id)
{
	return b->cap == 0 ? -1 : (long)b->index[place(b, id)] - 1;
}

void
board_index(struct board *b)
{
	for (b->cap = 64; b->cap < 2 * b->n;)
		b->cap *= 2;
	free(b->index);
	b->index = mem_zero(b->cap, sizeof(*b->index));
	for (size_t i = 0; i < b->n; i++)
		b->index[place(b, b->v[i].id)] = i + 1;
	free(b->mark);
	b->mark = mem_zero(b->cap, 1);
}

void
board_add(struct board *b)
{
	if (b->n * 2 > b->cap)
		board_index(b);
	else
		b->index[place(b, b->v[b->n - 1].id)] = b->n;
}

/* --- reading --- */

static bool
falsy(struct scan v)
{
	struct scan a, c;
	size_t at = 0;

	return v.kind == 'n' || v.kind == 'f' || (v.kind == '"' && v.len == 2) ||
	    (v.kind == '0' && scan_number(v, 1) == 0) ||
	    (v.kind == '[' && !scan_item(v, &at, &a)) ||
	    (v.kind == '{' && !scan_member(v, &at, &a, &c));
}

/* The value of "tasks" (kind NUL when absent): 0, or what is wrong with the shape. */
static int
tasks_of(const char *text, size_t n, struct scan *out, struct err *e)
{
	struct scan top = scan_text(text, n);

	*out = (struct scan){top.p, 0, '\0'};
	if (falsy(top))
		return 0;
	if (top.kind != '{')
		return err_set(e, VIV_CONFIG, "the queue must be a JSON object");
	*out = scan_get(top, "tasks");
	if (out->kind != '\0' && out->kind != '[' && !falsy(*out))
		return err_set(e, VIV_CONFIG, "'tasks' must be a list");
	return 0;
}

/* What was wrong with single tasks: the first few lines, and how many there were. */
struct trouble {
	struct buf text;
	size_t n;
};

static void
trouble_add(struct trouble *t, size_t number, const char *what)
{
	if (t->n++ < TROUBLE_LINES)
		buf_fmt(&t->text, "'%s': task %zu is passed over: %s\n", WORLD_QUEUE, number, what);
}

/* Say it, unless that is what the last load said. */
static void
trouble_say(const char *now, const char *before)
{
	const char *end;

	if (now == NULL || (before != NULL && strcmp(now, before) == 0))
		return;
	for (; (end = strchr(now, '\n')) != NULL; now = end + 1)
		err_warn("%.*s", (int)(end - now), now);
}

static void
read_tasks(struct board *b, struct scan tasks)
{
	size_t at = 0, number = 0, cap = 0;
	struct trouble t = {0};
	struct scan item;
	struct err e;

	while (scan_item(tasks, &at, &item)) {
		number++;
		if (item.kind != '{')
			continue;
		if (b->n == cap) {
			cap = cap == 0 ? 64 : 2 * cap;
			b->v = mem_grow(b->v, cap, sizeof(*b->v));
		}
		if (task_read(&b->v[b->n], item, &e) != 0) {
			trouble_add(&t, number, e.msg);
		} else if (board_find(b, b->v[b->n].id) >= 0) {
			err_set(&e, VIV_CONFIG, "id '%s' is on the board already", b->v[b->n].id);
			trouble_add(&t, number, e.msg);
			task_free(&b->v[b->n]);
		} else {
			b->n++;
			board_add(b);
		}
	}
	if (b->n < cap)
		b->v = mem_grow(b->v, b->n, sizeof(*b->v));
	board_index(b);
	if (t.n > TROUBLE_LINES)
		buf_fmt(&t.text, "'%s': %zu tasks are passed over\n", WORLD_QUEUE, t.n);
	if (t.n > 0)
		b->trouble = buf_take(&t.text);
}

int
board_parse(struct board *b, struct buf *text, struct err *e)
{
	struct scan tasks;
	int rc = scan_check(text->p != NULL ? text->p : "", text->len, e);

	if (rc == 0)
		rc = tasks_of(text->p, text->len, &tasks, e);
	if (rc != 0)
		return rc;
	*b = (struct board){.text = *text};
	*text = (struct buf){0};
	read_tasks(b, tasks);
	return 0;
}

static bool
same_file(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
	    a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec &&
	    a->st_ctim.tv_sec == b->st_ctim.tv_sec && a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

static int
look(const struct world *w, struct stat *st, struct err *e)
{
	if (fstatat(w->fd, WORLD_QUEUE, st, AT_SYMLINK_NOFOLLOW) != 0)
		return err_sys(e, VIV_CONFIG, "cannot open '%s'", WORLD_QUEUE);
	return 0;
}

/* The file as one consistent, well-formed text, or an error. */
static int
read_once(const struct world *w, struct board *b, struct err *e)
{
	struct stat before = {0}, after;
	struct buf text = {0};
	int rc = look(w, &before, e);

	if (rc == 0)
		rc = file_read(w->fd, WORLD_QUEUE, BOARD_MAX, &text, e);
	if (rc == -VIV_NO)
		rc = -VIV_CONFIG;
	if (rc == 0)
		rc = look(w, &after, e);
	if (rc == 0 && !same_file(&before, &after))
		rc = err_set(e, VIV_TEMPFAIL, "'%s' changes all the time", WORLD_QUEUE);
	if (rc == 0 && (rc = board_parse(b, &text, e)) != 0)
		err_prefix(e, "'%s'", WORLD_QUEUE);
	b->seen = before;
	buf_free(&text);
	return rc;
}

int
board_load(struct board *b, const struct world *w, struct err *e)
{
	struct board new = {0};
	struct stat st;
	int rc;

	if (b->text.p != NULL && look(w, &st, e) == 0 && same_file(&st, &b->seen))
		return 0;
	for (int i = 0; (rc = read_once(w, &new, e)) != 0; i++) {
		if (i == TRIES || rc == -VIV_IO)
			return rc;
		clock_sleep_ms(PAUSE_MS);
	}
	trouble_say(new.trouble, b->trouble);
	board_free(b);
	*b = new;
	return 1;
}

void
board_free(struct board *b)
{
	for (size_t i = 0; i < b->n; i++)
		task_free(&b->v[i]);
	free(b->v);
	free(b->index);
	free(b->mark);
	free(b->trouble);
	buf_free(&b->text);
	*b = (struct board){0};
}

cJSON *
board_task(const struct board *b, size_t i)
{
	struct err e;
	cJSON *t = json_parse(b->v[i].text.p, b->v[i].text.len, &e);

	if (t == NULL)
		err_exit(VIV_CONFIG, "'%s': task '%s': %s", WORLD_QUEUE, b->v[i].id, e.msg);
	return t;
}

/* --- changing --- */

int
board_begin(struct board *b, const struct world *w, struct lock *l, struct err *e)
{
	int rc = lock_open(l, w->fd, WORLD_QUEUE_LOCK, e);

	if (rc != 0)
		return rc;
	rc = lock_take(l, LOCK_WAIT_MS, e);
	if (rc == 0)
		rc = board_load(b, w, e);
	if (rc < 0) {
		lock_close(l);
		return rc;
	}
	return 0;
}

void
board_end(struct lock *l)
{
	lock_close(l);
}

/* The new file beside the old one, on the disk: its name (caller frees) or NULL. */
static char *
write_beside(const struct board *b, const struct world *w, const struct buf *text, struct err *e)
{
	char *tmp = file_temp_name(WORLD_QUEUE);
	int fd = openat(w->fd, tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	int rc = 0;

	if (fd < 0) {
		err_sys(e, VIV_CANTCREAT, "cannot create a file beside '%s'", WORLD_QUEUE);
		free(tmp);
		return NULL;
	}
	if (file_write(fd, text->p, text->len, WORLD_QUEUE, e) != 0)
		rc = -1;
	else if (fchmod(fd, b->seen.st_mode & 0777) != 0 || fsync(fd) != 0)
		rc = err_sys(e, VIV_IO, "cannot write '%s'", WORLD_QUEUE);
	if (close(fd) != 0 && rc == 0)
		rc = err_sys(e, VIV_IO, "cannot write '%s'", WORLD_QUEUE);
	if (rc == 0)
		return tmp;
	unlinkat(w->fd, tmp, 0);
	free(tmp);
	return NULL;
}

/* Not file_replace: the last look at the old file comes right before the rename, so
 * that the moment in which an editor's save could be lost is one system call long. */
static int
replace(struct board *b, const struct world *w, const struct buf *text, struct err *e)
{
	struct stat now;
	char *tmp;
	int rc;

	if (text->len > BOARD_MAX)
		return err_set(
		    e, VIV_CONFIG, "'%s' would be larger than %d bytes", WORLD_QUEUE, BOARD_MAX);
	tmp = write_beside(b, w, text, e);
	if (tmp == NULL)
		return -e->code;
	rc = look(w, &now, e);
	if (rc == 0 && !same_file(&now, &b->seen))
		rc = err_set(
		    e, VIV_TEMPFAIL, "'%s' was changed by another program, try again", WORLD_QUEUE);
	if (rc == 0 && renameat(w->fd, tmp, w->fd, WORLD_QUEUE) != 0)
		rc = err_sys(e, VIV_IO, "cannot replace '%s'", WORLD_QUEUE);
	if (rc != 0)
		unlinkat(w->fd, tmp, 0);
	free(tmp);
	return rc == 0 ? file_sync_dir(w->fd, WORLD_QUEUE, e) : rc;
}

int
board_append(struct board *b, const struct world *w, cJSON *const *tasks, size_t n, struct err *e)
{
	struct buf text = {0};
	int rc;

	buf_reserve(&text, b->text.len + n * 256);
	board_splice(b->text.p, b->text.len, tasks, n, &text);
	rc = replace(b, w, &text, e);
	buf_free(&text);
	return rc;
}

int
board_replace(struct board *b, const struct world *w, const char *text, size_t n, struct err *e)
{
	struct buf copy = {0};
	struct scan tasks;
	int rc = scan_check(text, n, e);

	if (rc == 0)
		rc = tasks_of(text, n, &tasks, e);
	if (rc == 0) {
		buf_add(&copy, text, n);
		rc = replace(b, w, &copy, e);
		buf_free(&copy);
	}
	return rc;
}
