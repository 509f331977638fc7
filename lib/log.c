/*
 * log: meta/audit/execution_log.jsonl, the truth: appending to it.
 *
 * Under the log's lock, one write(2) of whole lines to the end of this host's
 * segment. A write that fails half-way is cut off again; a tail that somebody else's
 * crash left without a newline is moved to execution_log.torn first, so that a torn
 * line is never joined to a good one. Each line carries the SHA-256 of the line
 * before it, over the segments' borders too: to change a line unnoticed, every later
 * one must be changed as well. The lock is held for microseconds and never over an
 * fdatasync: durability is bought once for a burst by log_sync.
 */
#include "log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clock.h"
#include "json.h"
#include "segment.h"
#include "slot.h"

#define TORN "execution_log.torn"

struct log_chain {
	char *id;
	int64_t slot;
};

int
log_open(struct log *l, const struct world *w, struct err *e)
{
	*l = (struct log){.w = w, .fd = -1, .lock = {.fd = -1}};
	l->dir = openat(w->fd, WORLD_AUDIT, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (l->dir < 0)
		return err_sys(e, VIV_CONFIG, "cannot open '%s'", WORLD_AUDIT);
	snprintf(l->own, sizeof(l->own),
	    w->shared ? SEGMENT_PREFIX ".%s.jsonl" : SEGMENT_PREFIX ".jsonl", w->host);
	return 0;
}

void
log_close(struct log *l)
{
	for (size_t i = 0; i < l->nseg; i++)
		segment_free(&l->seg[i]);
	for (size_t i = 0; i < l->nended; i++)
		free(l->ended[i].id);
	free(l->seg);
	free(l->ended);
	lock_close(&l->lock);
	if (l->fd >= 0)
		close(l->fd);
	if (l->dir >= 0)
		close(l->dir);
	*l = (struct log){.fd = -1, .dir = -1, .lock = {.fd = -1}};
}

/* Read the last line of fd (size bytes long) with its newline into b. A tail without
 * one is not part of it: *whole_out says where the whole lines end. */
static int
last_line(int fd, off_t size, struct buf *b, off_t *whole_out, struct err *e)
{
	off_t from = size;
	char *end, *start;

	buf_clear(b);
	*whole_out = 0;
	for (size_t block = 8192; from > 0; block *= 4) {
		from = size > (off_t)block ? size - (off_t)block : 0;
		buf_clear(b);
		buf_reserve(b, (size_t)(size - from));
		if (pread(fd, b->p, (size_t)(size - from), from) != (ssize_t)(size - from))
			return err_sys(e, VIV_IO, "cannot read the end of the log");
		b->len = (size_t)(size - from);
		end = memrchr(b->p, '\n', b->len);
		if (end == NULL)
			continue;
		start = memrchr(b->p, '\n', (size_t)(end - b->p));
		if (start == NULL && from > 0)
			continue;
		*whole_out = from + (off_t)(end - b->p) + 1;
		b->len = (size_t)(end - b->p) + 1;
		if (start != NULL)
			buf_drop(b, (size_t)(start - b->p) + 1);
		return 0;
	}
	buf_clear(b);
	return 0;
}

/* Move a torn tail to the side file. */
static int
set_aside(struct log *l, off_t from, off_t size, struct err *e)
{
	struct buf b = {0};
	size_t n = (size_t)(size - from);
	int fd, rc = 0;

	buf_reserve(&b, n + 1);
	if (pread(l->fd, b.p, n, from) != (ssize_t)n)
		rc = err_sys(e, VIV_IO, "cannot read the end of the log");
	b.len = n;
	buf_char(&b, '\n');
	fd = rc != 0 ?
	    -1 :
	    openat(l->dir, TORN, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (rc == 0 && fd < 0)
		rc = err_sys(e, VIV_IO, "cannot open '%s/%s'", WORLD_AUDIT, TORN);
	if (rc == 0)
		rc = file_write(fd, b.p, b.len, TORN, e);
	if (rc == 0 && (fsync(fd) != 0 || ftruncate(l->fd, from) != 0))
		rc = err_sys(e, VIV_IO, "cannot set a torn line of the log aside");
	if (fd >= 0)
		close(fd);
	buf_free(&b);
	if (rc == 0)
		err_warn("a torn line of %zu bytes was moved to '%s/%s'", n, WORLD_AUDIT, TORN);
	return rc;
}

static void
learn_line(struct log *l, const struct buf *line)
{
	struct scan obj = scan_text(line->p != NULL ? line->p : "", line->len);

	l->seq = scan_int(scan_get(obj, "seq"), 0);
	if (line->len == 0)
		memset(l->tail_hash, '0', FILE_SHA256 - 1);
	else
		file_sha256(line->p, line->len, l->tail_hash);
	l->tail_hash[FILE_SHA256 - 1] = '\0';
}

/* A new segment continues the chain of the newest rotated one of this host. */
static int
learn_rotated(struct log *l, struct buf *line, struct err *e)
{
	char **names;
	struct stat st;
	off_t whole;
	size_t n;
	int fd = -1, rc = log_segments(l->w, &names, &n, e);

	if (rc != 0)
		return rc;
	for (size_t i = 1; i < n; i++)
		if (strcmp(names[i], l->own) == 0 && segment_is_rotated(names[i - 1]) &&
		    strncmp(names[i - 1], l->own, strlen(l->own) - strlen("jsonl")) == 0)
			fd = openat(l->dir, names[i - 1], O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	segment_names_free(names, n);
	if (fd < 0)
		return 0;
	if (fstat(fd, &st) != 0)
		rc = err_sys(e, VIV_IO, "cannot read the rotated log");
	else
		rc = last_line(fd, st.st_size, line, &whole, e);
	close(fd);
	return rc;
}

/* Under the lock: open the right file, know its tail. */
static int
settle(struct log *l, struct err *e)
{
	struct buf line = {0};
	struct stat st, named;
	off_t whole = 0;
	int rc = 0;

	if (l->fd >= 0 && (fstatat(l->dir, l->own, &named, AT_SYMLINK_NOFOLLOW) != 0 ||
	    named.st_ino != l->ino)) {
		if (l->dirty && fdatasync(l->fd) != 0)
			return err_sys(e, VIV_IO, "cannot sync '%s/%s'", WORLD_AUDIT, l->own);
		close(l->fd);
		l->fd = -1;
	}
	if (l->fd < 0) {
		l->fd = openat(
		    l->dir, l->own, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
		l->tail = -1;
	}
	if (l->fd < 0 || fstat(l->fd, &st) != 0)
		return err_sys(e, VIV_IO, "cannot open '%s/%s'", WORLD_AUDIT, l->own);
	l->ino = st.st_ino;
	if (st.st_size == l->tail)
		return 0;
	rc = last_line(l->fd, st.st_size, &line, &whole, e);
	if (rc == 0 && whole < st.st_size)
		rc = set_aside(l, whole, st.st_size, e);
	if (rc == 0 && whole == 0)
		rc = learn_rotated(l, &line, e);
	if (rc == 0) {
		learn_line(l, &line);
		l->tail = whole;
	}
	buf_free(&line);
	return rc;
}

static int
lock_log(struct log *l, struct err *e)
{
	char name[160];
	int rc;

	if (l->lock.fd < 0) {
		snprintf(name, sizeof(name), "." SEGMENT_PREFIX "%s%s.lock",
		    l->w->shared ? "." : "", l->w->shared ? l->w->host : "");
		rc = lock_open(&l->lock, l->dir, name, e);
		if (rc != 0)
			return rc;
	}
	rc = lock_take(&l->lock, LOCK_WAIT_MS, e);
	if (rc == 0 && (rc = settle(l, e)) != 0)
		lock_drop(&l->lock);
	return rc;
}

/* Under the lock, settled: write the lines, chained. */
static int
write_lines(struct log *l, cJSON *const *events, size_t n, struct err *e)
{
	char hash[FILE_SHA256], before[FILE_SHA256];
	struct buf b = {0};
	int64_t seq = l->seq;
	int rc;

	memcpy(before, l->tail_hash, sizeof(before));
	memcpy(hash, before, sizeof(hash));
	for (size_t i = 0; i < n; i++) {
		size_t start = b.len;

		json_set_num(events[i], "seq", (double)++seq);
		json_set_str(events[i], "prev", hash);
		json_print(&b, events[i]);
		buf_char(&b, '\n');
		file_sha256(b.p + start, b.len - start, hash);
	}
	rc = file_write(l->fd, b.p, b.len, WORLD_LOG, e);
	if (rc != 0) {
		if (ftruncate(l->fd, l->tail) != 0)
			l->tail = -1;	/* the next writer sets the torn line aside */
	} else {
		l->tail += (off_t)b.len;
		l->seq = seq;
		memcpy(l->tail_hash, hash, sizeof(hash));
		l->dirty = true;
	}
	buf_free(&b);
	return rc;
}

int
log_append(struct log *l, cJSON *const *events, size_t n, struct err *e)
{
	int rc = n > 0 ? lock_log(l, e) : 0;

	if (n == 0 || rc != 0)
		return rc;
	rc = write_lines(l, events, n, e);
	lock_drop(&l->lock);
	return rc;
}

struct wanted {
	const char *id, *status;	/* status NULL: any */
	int64_t generation;
	bool found;
};

static int
is_final(const struct log_line *line, void *arg)
{
	struct scan obj = scan_text(line->p, line->len);
	struct wanted *w = arg;

	if (memmem(line->p, line->len, "\"final\":true", 12) != NULL &&
	    scan_number(scan_get(obj, "generation"), -1) == (double)w->generation &&
	    scan_eq(scan_get(obj, "task_id"), w->id) && scan_true(scan_get(obj, "final")) &&
	    (w->status == NULL || scan_eq(scan_get(obj, "status"), w->status)))
		w->found = true;
	return 0;
}

/* Under the lock: is the final event there, after the mark? */
static int
find_final(struct log *l, struct wanted *want, struct log_mark since, struct err *e)
{
	struct log_segment s = {l->own, l->fd, l->ino, 0, false};
	char **names;
	size_t n;
	int rc;

	if (since.ino == l->ino) {
		if (since.offset >= l->tail)
			return 0;
		s.offset = since.offset;
	}
	rc = segment_read(l, &s, is_final, want, e);
	if (rc != 0 || since.ino == l->ino || want->found)
		return rc;
	/* Rotated since the mark: rare, so look everywhere. */
	rc = log_segments(l->w, &names, &n, e);
	if (rc != 0)
		return rc;
	for (size_t i = 0; rc == 0 && i < n; i++) {
		s = (struct log_segment){names[i], -1, 0, 0, false};
		rc = segment_read(l, &s, is_final, want, e);
		if (s.fd >= 0)
			close(s.fd);
	}
	segment_names_free(names, n);
	return rc;
}

int
log_append_once(struct log *l, cJSON *const *events, size_t n, const char *id, int64_t generation,
    struct log_mark since, struct err *e)
{
	struct wanted want = {.id = id, .generation = generation};
	int rc = lock_log(l, e);

	if (rc != 0)
		return rc;
	rc = find_final(l, &want, since, e);
	if (rc == 0 && !want.found)
		rc = write_lines(l, events, n, e);
	lock_drop(&l->lock);
	return rc != 0 ? rc : want.found;
}

int
log_has_final(struct log *l, const char *id, int64_t generation, const char *status, struct err *e)
{
	struct wanted want = {.id = id, .generation = generation, .status = status};
	int rc = lock_log(l, e);

	if (rc != 0)
		return rc;
	rc = find_final(l, &want, (struct log_mark){0, 0}, e);
	lock_drop(&l->lock);
	return rc != 0 ? rc : want.found;
}

int
log_mark(struct log *l, struct log_mark *out, struct err *e)
{
	struct stat st;

	*out = (struct log_mark){0, 0};
	if (fstatat(l->dir, l->own, &st, AT_SYMLINK_NOFOLLOW) == 0)
		*out = (struct log_mark){st.st_ino, st.st_size};
	else if (errno != ENOENT)
		return err_sys(e, VIV_IO, "cannot read '%s/%s'", WORLD_AUDIT, l->own);
	return 0;
}

struct log_mark
log_read_mark(const struct log *l)
{
	for (size_t i = 0; i < l->nseg; i++)
		if (strcmp(l->seg[i].name, l->own) == 0)
			return (struct log_mark){l->seg[i].ino, l->seg[i].offset};
	return (struct log_mark){0, 0};
}

void
log_ended(struct log *l, const char *id, int64_t slot)
{
	if (l->w->shared)
		return;		/* other hosts may still look: viv-tidy removes it */
	l->ended = mem_grow(l->ended, l->nended + 1, sizeof(*l->ended));
	l->ended[l->nended++] = (struct log_chain){mem_dup(id), slot};
}

int
log_sync(struct log *l, struct err *e)
{
	if (l->dirty && fdatasync(l->fd) != 0)
		return err_sys(e, VIV_IO, "cannot sync '%s/%s'", WORLD_AUDIT, l->own);
	l->dirty = false;
	for (size_t i = 0; i < l->nended; i++) {
		slot_remove_chain(l->w, l->ended[i].id, l->ended[i].slot);
		free(l->ended[i].id);
	}
	l->nended = 0;
	return 0;
}

int
log_rotate(struct log *l, struct err *e)
{
	size_t base = strlen(l->own) - strlen(".jsonl");
	char name[192];
	struct stat st;
	int rc = lock_log(l, e);

	if (rc != 0)
		return rc;
	if (l->tail == 0) {
		lock_drop(&l->lock);
		return 0;
	}
	for (long long n = 1;; n++) {
		snprintf(name, sizeof(name), "%.*s.%lld.jsonl", (int)base, l->own, n);
		if (fstatat(l->dir, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
			break;
	}
	if (fdatasync(l->fd) != 0 || renameat(l->dir, l->own, l->dir, name) != 0)
		rc = err_sys(e, VIV_IO, "cannot rotate '%s/%s'", WORLD_AUDIT, l->own);
	if (rc == 0) {
		rc = settle(l, e);	/* creates the new one */
		if (rc == 0 && fsync(l->dir) != 0 && errno != EINVAL)
			rc = err_sys(e, VIV_IO, "cannot sync '%s'", WORLD_AUDIT);
	}
	lock_drop(&l->lock);
	return rc;
}

cJSON *
log_event(const char *task_id, const char *resident, const char *status, int64_t generation)
{
	cJSON *ev = json_new();
	char now[CLOCK_TEXT];

	clock_utc(clock_wall(), now);
	json_set_str(ev, "task_id", task_id);
	if (resident != NULL) {
		json_set_str(ev, "resident_id", resident);
		json_set_str(ev, "worker_id", resident);
	}
	json_set_str(ev, "status", status);
	json_set_str(ev, "timestamp", now);
	json_set_num(ev, "generation", (double)generation);
	return ev;
}
