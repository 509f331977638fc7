/*
 * ledger: reading and appending.
 *
 * Whoever wants to call a provider takes the lock, reads to the end, decides, appends
 * one line in one write, syncs it, and drops the lock: so two processes never both see
 * the last cent as free, and a reservation outlives a power cut before the call that
 * it pays for begins. Settlements are not synced: one that is lost leaves its
 * reservation, which then counts as spent in full.
 *
 * A torn tail (a crash in the middle of a write that was never reported) is set aside
 * in api_audit.torn before the next append. Any other line that cannot be understood
 * stops every call: nobody knows what it said about money.
 *
 * Rotated files are api_audit.1.log, api_audit.2.log ...; they are read in this order,
 * then the open one. A reader knows its place by inode and offset, so that a rotation
 * in between costs it nothing.
 */
#include "ledger.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "buf.h"
#include "clock.h"
#include "file.h"
#include "json.h"

#define LOCK_FILE WORLD_AUDIT "/.api_audit.lock"
#define TORN_FILE WORLD_AUDIT "/api_audit.torn"

enum { PIECE = 1 << 20, LINE_MAX_BYTES = 1 << 20 };

void
ledger_open(struct ledger *l, const struct world *w)
{
	*l = (struct ledger){.w = w, .fd = -1, .lock = {.fd = -1}};
	ledger_cache_load(l);
}

static void
forget_all(struct ledger *l)
{
	for (size_t i = 0; i < l->ncall; i++) {
		free(l->call[i]->task);
		free(l->call[i]->resident);
		free(l->call[i]->model);
		free(l->call[i]->provider);
		free(l->call[i]);
	}
	for (size_t i = 0; i < l->npause; i++)
		free(l->pause[i].provider);
	free(l->call);
	free(l->pause);
	sums_free(&l->day);
	sums_free(&l->resident);
	sums_free(&l->task);
	sums_free(&l->model);
	l->call = NULL;
	l->pause = NULL;
	l->ncall = l->npause = 0;
	l->total = (struct sum){0};
	l->rate_at = (struct ledger_moment){0};
	l->ino = 0;
	l->offset = l->cached = 0;
}

void
ledger_close(struct ledger *l)
{
	ledger_end(l);
	forget_all(l);
	lock_close(&l->lock);
}

/* --- reading --- */

/* The k-th file, from 1; 0 is the open one. */
static const char *
segment_name(char out[LEDGER_NAME], unsigned k)
{
	if (k == 0)
		snprintf(out, LEDGER_NAME, "%s", LEDGER_FILE);
	else
		snprintf(out, LEDGER_NAME, "%s/api_audit.%u.log", WORLD_AUDIT, k);
	return out;
}

static unsigned
count_rotated(const struct world *w)
{
	char name[LEDGER_NAME];
	struct stat st;
	unsigned n = 0;

	while (fstatat(w->fd, segment_name(name, n + 1), &st, AT_SYMLINK_NOFOLLOW) == 0)
		n++;
	return n;
}

/* All complete lines of text; *used is what they take up. */
static int
apply_lines(struct ledger *l, const char *name, const struct buf *text, size_t *used, struct err *e)
{
	const char *p = text->p, *end = text->p + text->len, *nl;

	*used = 0;
	while (p < end && (nl = memchr(p, '\n', (size_t)(end - p))) != NULL) {
		size_t n = (size_t)(nl - p);
		struct err why = {0};

		if (n > 0 && (scan_check(p, n, &why) != 0 ||
		    !ledger_apply(l, scan_text(p, n))))
			return err_set(e, VIV_CONFIG, "'%s' is damaged at byte %lld: %s", name,
			    (long long)l->offset + (long long)(p - text->p),
			    why.code != 0 ? why.msg : "no event");
		p = nl + 1;
		*used = (size_t)(p - text->p);
	}
	if ((size_t)(end - p) > LINE_MAX_BYTES)
		return err_set(
		    e, VIV_CONFIG, "'%s': a line of over %d bytes", name, LINE_MAX_BYTES);
	return 0;
}

/* What fd has behind l->offset. */
static int
read_rest(struct ledger *l, int fd, const char *name, struct err *e)
{
	struct buf text = {0};
	size_t used;
	ssize_t n;
	int rc = 0;

	do {
		buf_reserve(&text, PIECE);
		n = pread(fd, text.p + text.len, PIECE, l->offset + (off_t)text.len);
		if (n < 0) {
			rc = err_sys(e, VIV_IO, "cannot read '%s'", name);
			break;
		}
		text.len += (size_t)n;
		rc = apply_lines(l, name, &text, &used, e);
		l->offset += rc == 0 ? (off_t)used : 0;
		buf_drop(&text, rc == 0 ? used : 0);
	} while (rc == 0 && n > 0);
	buf_free(&text);
	return rc;
}

static int
open_segment(
    const struct ledger *l, unsigned k, char name[LEDGER_NAME], struct stat *st, struct err *e)
{
	int fd = openat(l->w->fd, segment_name(name, k), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

	if (fd < 0)
		return errno == ENOENT ? -VIV_NO : err_sys(e, VIV_IO, "cannot open '%s'", name);
	if (fstat(fd, st) != 0 || !S_ISREG(st->st_mode)) {
		close(fd);
		return err_set(e, VIV_CONFIG, "'%s' is not a regular file", name);
	}
	return fd;
}

long
ledger_place(const struct ledger *l, char name[LEDGER_NAME])
{
	struct stat st;

	if (l->ino == 0)
		return -1;
	for (unsigned k = 0; k == 0 || fstatat(l->w->fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0;) {
		segment_name(name, k);
		if (fstatat(l->w->fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		    st.st_ino == l->ino && st.st_size >= l->offset)
			return k;
		segment_name(name, ++k);
	}
	return -1;
}

/* Rotated files from the one we are in, then the open one. */
static int
read_from(struct ledger *l, unsigned first, unsigned rotated, struct err *e)
{
	unsigned k = first;

	for (;;) {
		char name[LEDGER_NAME];
		struct stat st;
		int fd = open_segment(l, k, name, &st, e), rc;

		if (fd == -VIV_NO && k == 0)
			return 0;
		if (fd < 0)
			return fd == -VIV_NO ? err_set(e, VIV_TEMPFAIL, "'%s' has gone", name) : fd;
		if (st.st_ino != l->ino) {
			l->ino = st.st_ino;
			l->offset = 0;
		}
		rc = read_rest(l, fd, name, e);
		close(fd);
		if (rc != 0 || k == 0)
			return rc;
		k = k < rotated ? k + 1 : 0;
	}
}

int
ledger_read(struct ledger *l, struct err *e)
{
	char name[LEDGER_NAME];
	long at = ledger_place(l, name);
	unsigned rotated = count_rotated(l->w);
	int rc;

	if (at < 0) {
		forget_all(l);
		at = rotated > 0 ? 1 : 0;
	}
	rc = read_from(l, (unsigned)at, rotated, e);
	if (rc == 0)
		ledger_cache_save(l);
	return rc;
}

/* --- appending --- */

/* Cut what a crash left behind the last line; it was never reported as written. */
static int
set_aside(struct ledger *l, off_t size, struct err *e)
{
	struct buf torn = {0};
	int fd, rc = file_read_at(l->w->fd, LEDGER_FILE, l->offset, (size_t)(size - l->offset),
	    &torn, e);

	buf_char(&torn, '\n');
	if (rc == 0) {
		fd = openat(l->w->fd, TORN_FILE,
		    O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
		rc = fd < 0 ? err_sys(e, VIV_IO, "cannot open '%s'", TORN_FILE) :
		    file_write(fd, torn.p, torn.len, TORN_FILE, e);
		if (fd >= 0)
			close(fd);
	}
	if (rc == 0 && ftruncate(l->fd, l->offset) != 0)
		rc = err_sys(e, VIV_IO, "cannot cut '%s'", LEDGER_FILE);
	buf_free(&torn);
	return rc;
}

int
ledger_begin(struct ledger *l, struct err *e)
{
	struct stat st;
	int rc = 0;

	if (l->lock.fd < 0)
		rc = lock_open(&l->lock, l->w->fd, LOCK_FILE, e);
	if (rc == 0)
		rc = lock_take(&l->lock, LOCK_WAIT_MS, e);
	if (rc != 0)
		return rc;
	l->locked = true;
	l->fd = openat(l->w->fd, LEDGER_FILE,
	    O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (l->fd < 0)
		rc = err_sys(e, VIV_IO, "cannot open '%s'", LEDGER_FILE);
	if (rc == 0)
		rc = ledger_read(l, e);
	if (rc == 0 && fstat(l->fd, &st) != 0)
		rc = err_sys(e, VIV_IO, "cannot examine '%s'", LEDGER_FILE);
	if (rc == 0 && st.st_size > l->offset)
		rc = set_aside(l, st.st_size, e);
	if (rc != 0)
		ledger_end(l);
	return rc;
}

void
ledger_end(struct ledger *l)
{
	if (!l->locked)
		return;
	if (l->fd >= 0)
		close(l->fd);
	l->fd = -1;
	l->locked = false;
	lock_drop(&l->lock);
}

int
ledger_append(struct ledger *l, const cJSON *event, bool durable, struct err *e)
{
	struct buf line = {0};
	int rc;

	json_print(&line, event);
	buf_char(&line, '\n');
	rc = file_write(l->fd, line.p, line.len, LEDGER_FILE, e);
	if (rc == 0 && durable && fdatasync(l->fd) != 0)
		rc = err_sys(e, VIV_IO, "cannot sync '%s'", LEDGER_FILE);
	if (rc != 0 && ftruncate(l->fd, l->offset) != 0)
		err_warn("a torn line is left in '%s'", LEDGER_FILE);
	if (rc == 0) {
		ledger_apply(l, scan_text(line.p, line.len - 1));
		l->offset += (off_t)line.len;
		l->dirty = !durable;
	}
	buf_free(&line);
	return rc;
}

/* Who rotates it syncs it first. */
int
ledger_sync(struct ledger *l, struct err *e)
{
	int fd, rc = 0;

	if (!l->dirty)
		return 0;
	fd = openat(l->w->fd, LEDGER_FILE, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0 && errno == ENOENT)
		return 0;
	if (fd < 0 || fdatasync(fd) != 0)
		rc = err_sys(e, VIV_IO, "cannot sync '%s'", LEDGER_FILE);
	if (fd >= 0)
		close(fd);
	l->dirty = rc != 0;
	return rc;
}

cJSON *
ledger_event(const char *event, const char *who)
{
	cJSON *ev = json_new();
	char now[CLOCK_TEXT];

	clock_local(clock_wall(), now);
	json_set_str(ev, "timestamp", now);
	json_set_str(ev, "event", event);
	json_set_str(ev, "user", who != NULL ? who : "vivarium");
	json_set_str(ev, "role", "admin");
	return ev;
}

int
ledger_rotate(struct ledger *l, struct err *e)
{
	char name[LEDGER_NAME];

	segment_name(name, count_rotated(l->w) + 1);
	if (fdatasync(l->fd) != 0 || renameat(l->w->fd, LEDGER_FILE, l->w->fd, name) != 0)
		return err_sys(e, VIV_IO, "cannot rotate '%s'", LEDGER_FILE);
	return file_sync_dir(l->w->fd, name, e);
}

/* --- time, and who is gone --- */

double
ledger_since(const struct world *w, const struct ledger_moment *m)
{
	double s = strcmp(m->boot_id, w->boot_id) == 0 ?
	    (double)(clock_boot_ns() - m->boot_ns) / 1e9 : clock_wall() - m->wall;

	return s > 0 ? s : 0;
}

const char *
ledger_dead(const struct ledger *l, const struct ledger_call *c, double now)
{
	bool here = strcmp(c->host, l->w->host) == 0;
	bool this_boot = here && strcmp(c->boot_id, l->w->boot_id) == 0;

	if (c->forfeited)
		return NULL;
	if (here && !this_boot && !l->w->shared)
		return "its process died with the machine";
	if (this_boot && c->pid_ns == slot_pid_ns() && slot_pid_start(c->pid) != c->pid_start)
		return "its process died";
	return now > c->until ? "nothing was heard of it in time" : NULL;
}
