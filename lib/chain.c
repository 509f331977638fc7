/*
 * chain: is the log what was written, line for line?
 *
 * Each line carries seq, one more than the line before, and prev, the SHA-256 of the
 * line before with its newline; a rotated segment's successor continues from its last
 * line, and the first line of all has 64 zeros. So a line that was changed no longer
 * fits the next one, and one that was taken out or moved leaves a gap. Each
 * host of a shared world has a chain of its own. Lines of an older world carry neither
 * and can only stand before the first that does.
 *
 * All segments are opened before the first is read, and looked up again afterwards, so
 * that a rotation in between cannot look like a gap.
 */
#include "chain.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "segment.h"

enum { TRIES = 20, ENDED = 1 };

struct walk {
	struct chain_report *out;
	size_t base;			/* bytes of the name that all segments of a host share */
	const char *name;		/* of the segment being read */
	unsigned long number;		/* of its line */
	const char *before;		/* where the line before is, NULL: it is the first */
	unsigned long before_number;
	char hash[FILE_SHA256];		/* of the line before */
	double seq;
	bool chained;
};

static int
bad(struct walk *k, const char *what)
{
	k->out->ok = false;
	snprintf(k->out->segment, sizeof(k->out->segment), "%s", k->name);
	k->out->line = k->number;
	snprintf(k->out->what, sizeof(k->out->what), "%s", what);
	return ENDED;
}

static int
check_link(struct walk *k, struct scan obj)
{
	struct scan prev = scan_get(obj, "prev"), seq = scan_get(obj, "seq");
	double n = scan_number(seq, 0);
	bool numbered = seq.kind == '0' && n == k->seq + 1;

	if (prev.kind == '\0') {
		if (k->chained)
			return bad(k, "it has no 'prev', although the line before has");
		k->out->unchained++;
		k->seq = n;
		return 0;
	}
	if (!scan_eq(prev, k->hash) && numbered && k->before != NULL) {
		k->name = k->before;
		k->number = k->before_number;
		return bad(k,
		    "the line after it continues another one: one of the two was changed");
	}
	if (!scan_eq(prev, k->hash))
		return bad(k, "it does not follow the line before it: lines were removed or moved");
	if (!numbered)
		return bad(k, "its 'seq' is not one more than that of the line before");
	k->chained = true;
	k->seq = n;
	return 0;
}

static int
check_line(const struct log_line *line, void *arg)
{
	struct walk *k = arg;
	char text[200];
	struct scan obj;
	struct err e;

	k->number++;
	k->out->lines++;
	if (scan_check(line->p, line->len, &e) != 0) {
		const char *comma = strstr(e.msg, ", ");

		snprintf(text, sizeof(text), "%.180s", comma != NULL ? comma + 2 : e.msg);
		return bad(k, text);
	}
	obj = scan_text(line->p, line->len);
	if (obj.kind != '{')
		return bad(k, "not a JSON object");
	if (check_link(k, obj) != 0)
		return ENDED;
	/* The newline stands behind the line in the reader's buffer. */
	file_sha256(line->p, line->len + 1, k->hash);
	k->before = k->name;
	k->before_number = k->number;
	return 0;
}

/* Bytes of the name before [.N].jsonl. */
static size_t
base_of(const char *name)
{
	size_t n = strlen(name) - strlen(".jsonl");

	if (segment_is_rotated(name))
		while (name[--n] != '.')
			;
	return n;
}

static bool
torn_fd(int fd)
{
	struct stat st;
	char last = '\n';

	return fstat(fd, &st) == 0 && st.st_size > 0 && pread(fd, &last, 1, st.st_size - 1) == 1 &&
	    last != '\n';
}

bool
chain_torn(int dir, const char *segment)
{
	int fd = openat(dir, segment, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	bool torn = fd >= 0 && torn_fd(fd);

	if (fd >= 0)
		close(fd);
	return torn;
}

static int
verify_segment(struct walk *k, const char *before, const char *name, int fd, struct err *e)
{
	struct log_segment s = {.name = (char *)(uintptr_t)name, .fd = fd};
	size_t base = base_of(name);
	int rc;

	if (before == NULL || base != k->base || strncmp(before, name, base) != 0) {
		k->base = base;
		k->seq = 0;
		k->chained = false;
		k->before = NULL;
		memset(k->hash, '0', FILE_SHA256 - 1);
		k->hash[FILE_SHA256 - 1] = '\0';
	}
	k->name = name;
	k->number = 0;
	k->out->segments++;
	rc = segment_read(NULL, &s, check_line, k, e);
	if (rc == 0 && torn_fd(fd)) {
		k->number++;
		snprintf(k->out->torn, sizeof(k->out->torn), "%s", name);
		if (segment_is_rotated(name))
			rc = bad(k, "it is torn, in a file to which nothing is appended");
	}
	return rc;
}

/* --- the segments, held open --- */

struct held {
	char **name;
	int *fd;
	size_t n;
};

static void
let_go(struct held *h)
{
	for (size_t i = 0; i < h->n; i++)
		if (h->fd[i] >= 0)
			close(h->fd[i]);
	segment_names_free(h->name, h->n);
	free(h->fd);
	*h = (struct held){0};
}

/* Are the names still those of the open files, and all there are? */
static bool
unchanged(const struct world *w, int dir, const struct held *h)
{
	char **again;
	size_t n;
	bool same;

	if (log_segments(w, &again, &n, NULL) != 0)
		return false;
	same = n == h->n;
	for (size_t i = 0; same && i < n; i++) {
		struct stat a, b;

		same = strcmp(again[i], h->name[i]) == 0 && fstat(h->fd[i], &a) == 0 &&
		    fstatat(dir, again[i], &b, AT_SYMLINK_NOFOLLOW) == 0 && a.st_ino == b.st_ino;
	}
	segment_names_free(again, n);
	return same;
}

static int
hold(const struct world *w, int dir, struct held *h, struct err *e)
{
	for (int i = 0; i < TRIES; i++) {
		bool gone = false;
		int rc = log_segments(w, &h->name, &h->n, e);

		if (rc != 0)
			return rc;
		h->fd = mem_zero(h->n + 1, sizeof(*h->fd));
		for (size_t j = 0; j < h->n; j++)
			h->fd[j] = -1;
		for (size_t j = 0; j < h->n && !gone; j++) {
			h->fd[j] = openat(dir, h->name[j],
			    O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
			gone = h->fd[j] < 0;
			if (gone && errno != ENOENT) {
				rc = err_sys(e, VIV_IO, "cannot open '%s/%s'", WORLD_AUDIT,
				    h->name[j]);
				let_go(h);
				return rc;
			}
		}
		if (!gone && unchanged(w, dir, h))
			return 0;
		let_go(h);
	}
	return err_set(e, VIV_TEMPFAIL, "the files in '%s' change all the time", WORLD_AUDIT);
}

int
chain_verify(const struct world *w, struct chain_report *out, struct err *e)
{
	struct walk k = {.out = out};
	struct held h = {0};
	int dir = openat(w->fd, WORLD_AUDIT, O_RDONLY | O_DIRECTORY | O_CLOEXEC), rc;

	*out = (struct chain_report){.ok = true};
	if (dir < 0)
		return err_sys(e, VIV_IO, "cannot open '%s'", WORLD_AUDIT);
	rc = hold(w, dir, &h, e);
	for (size_t i = 0; rc == 0 && i < h.n; i++)
		rc = verify_segment(&k, i > 0 ? h.name[i - 1] : NULL, h.name[i], h.fd[i], e);
	let_go(&h);
	close(dir);
	return rc == ENDED ? 0 : rc;
}
