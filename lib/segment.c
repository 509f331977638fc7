/*
 * segment: the files of the log, and reading them.
 *
 * Reading is by position, only what is new; the open file is read to its end before
 * a rename is looked for, and a rotated one is recognised by its inode, so that no
 * line is missed or seen twice when viv-log -R renames it underneath. On a shared
 * world each host appends to execution_log.<host>.jsonl only, since O_APPEND from two
 * hosts corrupts on network file systems; readers take them one after the other.
 */
#include "segment.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clock.h"
#include "json.h"
#include "jsonl.h"
#include "num.h"
#include "slot.h"

#define PREFIX SEGMENT_PREFIX

/* --- segments --- */

struct name {
	char *name, *host;
	long long number;	/* of a rotated one, INT64_MAX for the open one */
};

/* execution_log[.host][.N].jsonl */
static bool
parse_name(const char *s, struct name *out)
{
	size_t n = strlen(s), pre = strlen(PREFIX);
	char *mid, *dot;

	if (n < pre + 6 || memcmp(s, PREFIX, pre) != 0 || strcmp(s + n - 6, ".jsonl") != 0)
		return false;
	mid = mem_ndup(s + pre, n - pre - 6);
	*out = (struct name){mem_dup(s), mid, INT64_MAX};
	dot = strrchr(mid, '.');
	if (dot != NULL && num_int(dot + 1, 1, INT64_MAX - 1, &out->number))
		*dot = '\0';
	return true;
}

static int
by_age(const void *a, const void *b)
{
	const struct name *x = a, *y = b;
	int c = strcmp(x->host, y->host);

	return c != 0 ? c : x->number < y->number ? -1 : x->number > y->number;
}

int
log_segments(const struct world *w, char ***names_out, size_t *n_out, struct err *e)
{
	int fd = openat(w->fd, WORLD_AUDIT, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
	struct name *v = NULL, one;
	struct dirent *de;
	size_t n = 0;

	*names_out = NULL;
	*n_out = 0;
	if (d == NULL) {
		if (fd >= 0)
			close(fd);
		return err_sys(e, VIV_IO, "cannot list '%s'", WORLD_AUDIT);
	}
	while ((de = readdir(d)) != NULL)
		if (parse_name(de->d_name, &one)) {
			v = mem_grow(v, n + 1, sizeof(*v));
			v[n++] = one;
		}
	closedir(d);
	if (n > 0)
		qsort(v, n, sizeof(*v), by_age);
	*names_out = mem_alloc((n + 1) * sizeof(**names_out));
	for (size_t i = 0; i < n; i++) {
		(*names_out)[i] = v[i].name;
		free(v[i].host);
	}
	*n_out = n;
	free(v);
	return 0;
}

void
segment_names_free(char **names, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(names[i]);
	free(names);
}

void
segment_free(struct log_segment *s)
{
	if (s->fd >= 0)
		close(s->fd);
	free(s->name);
}

/* --- reading --- */

static bool
same_time(struct timespec a, struct timespec b)
{
	return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

/* Have files come, gone or been renamed since the last look? */
static bool
segments_changed(struct log *l, struct timespec *mtime)
{
	struct stat dir, own;
	bool found = false;

	if (fstat(l->dir, &dir) != 0)
		return true;
	*mtime = dir.st_mtim;
	if (l->nseg == 0 || !same_time(dir.st_mtim, l->dir_mtime))
		return true;
	if (fstatat(l->dir, l->own, &own, AT_SYMLINK_NOFOLLOW) != 0)
		return false;
	for (size_t i = 0; i < l->nseg; i++)
		found |= l->seg[i].ino == own.st_ino && strcmp(l->seg[i].name, l->own) == 0;
	return !found;
}

bool
segment_is_rotated(const char *name)
{
	struct name n = {0};
	bool rotated = parse_name(name, &n) && n.number != INT64_MAX;

	free(n.name);
	free(n.host);
	return rotated;
}

/* Bring l->seg in line with the directory; positions already read are kept by inode. */
static int
find_segments(struct log *l, struct err *e)
{
	struct log_segment *old = l->seg, *now;
	size_t nold = l->nseg, n, kept = 0;
	struct timespec mtime = {0, 0};
	char **names;
	int rc;

	if (!segments_changed(l, &mtime))
		return 0;
	rc = log_segments(l->w, &names, &n, e);
	if (rc != 0)
		return rc;
	now = mem_zero(n, sizeof(*now));
	for (size_t i = 0; i < n; i++) {
		struct log_segment *s = &now[kept];
		struct stat st;

		if (fstatat(l->dir, names[i], &st, AT_SYMLINK_NOFOLLOW) != 0)
			continue;
		*s = (struct log_segment){.fd = -1, .ino = st.st_ino};
		for (size_t j = 0; j < nold; j++)
			if (old[j].name != NULL && old[j].ino == st.st_ino &&
			    old[j].offset <= st.st_size) {
				*s = old[j];
				free(old[j].name);
				old[j].name = NULL;
			}
		s->name = mem_dup(names[i]);
		s->rotated = segment_is_rotated(names[i]);
		kept++;
	}
	for (size_t j = 0; j < nold; j++)
		if (old[j].name != NULL)
			segment_free(&old[j]);
	segment_names_free(names, n);
	free(old);
	l->seg = now;
	l->nseg = kept;
	l->dir_mtime = mtime;
	return 0;
}

/* Hand out the complete lines of one segment from its offset on. */
int
segment_read(struct log *l, struct log_segment *s, log_fn *fn, void *arg, struct err *e)
{
	struct buf b = {0};
	size_t at = 0;
	int rc = 0;

	if (s->fd < 0)
		s->fd = openat(l->dir, s->name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (s->fd < 0)
		return errno == ENOENT ?
		    0 :
		    err_sys(e, VIV_IO, "cannot open '%s/%s'", WORLD_AUDIT, s->name);
	for (;;) {
		ssize_t n;
		char *nl;

		buf_drop(&b, at);
		at = 0;
		buf_reserve(&b, 262144);
		n = pread(s->fd, b.p + b.len, 262144, s->offset + (off_t)b.len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			rc = err_sys(e, VIV_IO, "cannot read '%s/%s'", WORLD_AUDIT, s->name);
		if (n <= 0)
			break;
		b.len += (size_t)n;
		b.p[b.len] = '\0';
		while (rc == 0 && (nl = memchr(b.p + at, '\n', b.len - at)) != NULL) {
			struct log_line line = {
			    b.p + at, (size_t)(nl - b.p) - at, s->name, s->offset};

			s->offset += (off_t)line.len + 1;
			at += line.len + 1;
			if (fn != NULL)
				rc = fn(&line, arg);
		}
		if (rc != 0)
			break;
	}
	buf_free(&b);
	if (s->rotated && rc == 0) {
		close(s->fd);
		s->fd = -1;
	}
	return rc;
}

int
log_read(struct log *l, log_fn *fn, void *arg, struct err *e)
{
	int rc = 0;

	/* What was open is read to its end before a rename or a new file is looked for. */
	for (size_t i = 0; i < l->nseg && rc == 0; i++)
		if (!l->seg[i].rotated)
			rc = segment_read(l, &l->seg[i], fn, arg, e);
	if (rc == 0)
		rc = find_segments(l, e);
	for (size_t i = 0; i < l->nseg && rc == 0; i++) {
		struct log_segment *s = &l->seg[i];
		struct stat st;

		if (s->rotated && s->fd < 0 && s->offset > 0 &&
		    (fstatat(l->dir, s->name, &st, AT_SYMLINK_NOFOLLOW) != 0 ||
			st.st_size <= s->offset))
			continue;
		if (s->rotated || s->fd < 0)
			rc = segment_read(l, s, fn, arg, e);
	}
	return rc;
}

int
log_skip(struct log *l, struct err *e)
{
	return log_read(l, NULL, NULL, e);
}

void
log_segments_fresh(struct log *l)
{
	struct err ignored;

	if (find_segments(l, &ignored) != 0)
		l->nseg = 0;
}

uint64_t
log_position(const struct log *l)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < l->nseg; i++)
		sum += (uint64_t)l->seg[i].offset;
	return sum;
}

void
log_rewind(struct log *l)
{
	for (size_t i = 0; i < l->nseg; i++)
		l->seg[i].offset = 0;
}
