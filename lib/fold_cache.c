/*
 * fold_cache: world/mutable/.cache/fold, so that a one-shot command reads only what
 * is new in the log.
 *
 * A plain dump in this machine's byte order: header, segments with the position read
 * up to, tasks. It is only believed when every segment is still the same file and
 * still ends, at that position, in the bytes it ended in then (which hold the hash of
 * the line before). Anything else, or no file at all, means folding from the start.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "file.h"
#include "fold.h"

#define CACHE WORLD_CACHE "/fold"

enum {
	MAGIC = 0x31664c76,		/* "vLf1" */
	TAIL = 96,			/* bytes compared before the position */
	WORTH = 256 * 1024,		/* new bytes after which it is written again */
	CACHE_MAX = 1 << 30
};

struct head {
	uint32_t magic, size;		/* of struct row: another build, another layout */
	uint64_t segments, tasks, names;
};

struct place {
	uint64_t ino, offset;
	char tail[TAIL];
	char name[160];
};

struct row {
	int64_t generation, offset;
	double when, started, not_before;
	uint32_t len, segment;
	int32_t attempts;
	uint8_t status, final, posted, idlen;
};

static bool
tail_of(const struct log *l, const struct log_segment *s, char out[TAIL])
{
	int fd = openat(l->dir, s->name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	off_t from = s->offset > TAIL ? s->offset - TAIL : 0;
	ssize_t want = (ssize_t)(s->offset - from), n;

	memset(out, 0, TAIL);
	if (fd < 0)
		return false;
	n = pread(fd, out, (size_t)want, from);
	close(fd);
	return n == want;
}

static bool
take(const char **p, const char *end, void *out, size_t n)
{
	if ((size_t)(end - *p) < n)
		return false;
	memcpy(out, *p, n);
	*p += n;
	return true;
}

static bool
load_segments(struct log *l, const struct head *h, const char **p, const char *end)
{
	char tail[TAIL];
	struct place pl;

	log_segments_fresh(l);
	for (uint64_t i = 0; i < h->segments; i++) {
		struct log_segment *s = NULL;

		if (!take(p, end, &pl, sizeof(pl)))
			return false;
		for (size_t j = 0; j < l->nseg; j++)
			if (l->seg[j].ino == pl.ino)
				s = &l->seg[j];
		if (s == NULL)
			return false;
		s->offset = (off_t)pl.offset;
		if (!tail_of(l, s, tail) || memcmp(tail, pl.tail, TAIL) != 0)
			return false;
	}
	return true;
}

static bool
load_tasks(struct fold *f, const struct head *h, const char **p, const char *end)
{
	char id[TASK_ID_BYTES + 1], name[160];
	struct row r;

	for (uint64_t i = 0; i < h->names; i++) {
		if (!take(p, end, name, sizeof(name)))
			return false;
		name[sizeof(name) - 1] = '\0';
		fold_segment(f, name);
	}
	for (uint64_t i = 0; i < h->tasks; i++) {
		struct fold_task *t;

		if (!take(p, end, &r, sizeof(r)) || r.idlen > TASK_ID_BYTES ||
		    r.segment >= f->nnames || !take(p, end, id, r.idlen))
			return false;
		id[r.idlen] = '\0';
		t = fold_add(f, id);
		t->generation = r.generation;
		t->offset = r.offset;
		t->when = r.when;
		t->started = r.started;
		t->not_before = r.not_before;
		t->len = r.len;
		t->segment = r.segment;
		t->attempts = r.attempts;
		t->status = r.status;
		t->final = r.final;
		t->posted = r.posted;
	}
	return *p == end;
}

void
fold_cache_load(struct fold *f, struct log *l)
{
	struct buf b = {0};
	const char *p, *end;
	struct head h;

	if (file_read(l->w->fd, CACHE, CACHE_MAX, &b, NULL) == 0) {
		p = b.p;
		end = b.p + b.len;
		if (!take(&p, end, &h, sizeof(h)) || h.magic != MAGIC ||
		    h.size != sizeof(struct row) || !load_segments(l, &h, &p, end) ||
		    !load_tasks(f, &h, &p, end)) {
			fold_free(f);
			log_rewind(l);
		}
		f->cached = b.len > 0 && f->n > 0 ? log_position(l) : 0;
	}
	buf_free(&b);
}

static void
put_segments(struct buf *b, const struct log *l)
{
	for (size_t i = 0; i < l->nseg; i++) {
		struct place pl = {
		    .ino = (uint64_t)l->seg[i].ino, .offset = (uint64_t)l->seg[i].offset};

		snprintf(pl.name, sizeof(pl.name), "%s", l->seg[i].name);
		tail_of(l, &l->seg[i], pl.tail);
		buf_add(b, &pl, sizeof(pl));
	}
}

void
fold_cache_save(const struct fold *f, const struct log *l)
{
	struct head h = {MAGIC, sizeof(struct row), l->nseg, f->n, f->nnames};
	struct buf b = {0};
	char *tmp;
	int fd;

	if (log_position(l) < f->cached + WORTH || world_cache_dir(l->w, "", NULL) != 0)
		return;
	buf_add(&b, &h, sizeof(h));
	put_segments(&b, l);
	for (size_t i = 0; i < f->nnames; i++) {
		char name[160] = "";

		snprintf(name, sizeof(name), "%s", f->names[i]);
		buf_add(&b, name, sizeof(name));
	}
	for (size_t i = 0; i < f->cap; i++) {
		const struct fold_task *t = f->table[i];
		struct row r;

		if (t == NULL)
			continue;
		memset(&r, 0, sizeof(r));
		r = (struct row){t->generation, t->offset, t->when, t->started, t->not_before,
		    t->len, t->segment, t->attempts, t->status, t->final, t->posted,
		    (uint8_t)strlen(t->id)};
		buf_add(&b, &r, sizeof(r));
		buf_add(&b, t->id, r.idlen);
	}
	/* Unsynced: what a crash leaves of it is not believed. */
	tmp = file_temp_name(CACHE);
	fd = openat(l->w->fd, tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd >= 0) {
		bool whole = file_write(fd, b.p, b.len, CACHE, NULL) == 0;

		if (close(fd) != 0 || !whole || renameat(l->w->fd, tmp, l->w->fd, CACHE) != 0)
			unlinkat(l->w->fd, tmp, 0);
	}
	free(tmp);
	buf_free(&b);
}
