/*
 * archive: finished tasks that left the board, one a line, as they were posted.
 *
 * Append-only, and synced before the board loses a task, so that a crash in between
 * leaves the task in both places, never in none. What a crash left half-written at
 * its end is closed with a newline and passed over by readers: that task is still on
 * the board.
 */
#include "archive.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "board.h"
#include "file.h"

void
archive_line(struct buf *lines, struct scan task)
{
	const char *p = task.p, *end = task.p + task.len;

	/* A line break in checked JSON text can only stand between two tokens. */
	while (p < end) {
		const char *nl = memchr(p, '\n', (size_t)(end - p));
		size_t n = (size_t)((nl != NULL ? nl : end) - p);

		buf_add(lines, p, n);
		p += n;
		while (p < end && (*p == '\n' || *p == '\r' || *p == '\t' || *p == ' '))
			p++;
	}
	for (size_t i = lines->len; i-- > 0 && lines->p[i] != '\n';)
		if (lines->p[i] == '\r')
			lines->p[i] = ' ';
	buf_char(lines, '\n');
}

/* Append to fd; what was there must end with a newline. */
static int
append(int fd, const struct buf *lines, struct err *e)
{
	struct stat st;
	char last = '\n';
	int rc = 0;

	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
		return err_set(e, VIV_CONFIG, "'%s' is not a regular file", WORLD_ARCHIVE);
	if (st.st_size > 0 && pread(fd, &last, 1, st.st_size - 1) != 1)
		return err_sys(e, VIV_IO, "cannot read '%s'", WORLD_ARCHIVE);
	if (last != '\n')
		rc = file_write(fd, "\n", 1, WORLD_ARCHIVE, e);
	if (rc == 0)
		rc = file_write(fd, lines->p, lines->len, WORLD_ARCHIVE, e);
	if (rc == 0 && fsync(fd) != 0)
		rc = err_sys(e, VIV_IO, "cannot sync '%s'", WORLD_ARCHIVE);
	if (rc != 0 && ftruncate(fd, st.st_size) != 0)
		err_warn("a torn line is left in '%s'", WORLD_ARCHIVE);
	return rc;
}

int
archive_append(const struct world *w, const struct buf *lines, struct err *e)
{
	int fd = openat(w->fd, WORLD_ARCHIVE, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW,
	    0666);
	int rc;

	if (fd < 0)
		return err_sys(e, VIV_CANTCREAT, "cannot open '%s'", WORLD_ARCHIVE);
	rc = append(fd, lines, e);
	if (close(fd) != 0 && rc == 0)
		rc = err_sys(e, VIV_IO, "cannot write '%s'", WORLD_ARCHIVE);
	if (rc == 0)
		rc = file_sync_dir(w->fd, WORLD_ARCHIVE, e);
	return rc;
}

int
archive_each(const struct world *w, archive_fn *fn, void *arg, size_t *bad_out, struct err *e)
{
	struct buf text = {0};
	size_t bad = 0;
	int rc = file_read(w->fd, WORLD_ARCHIVE, BOARD_MAX, &text, e);
	char *p = text.p, *nl;

	for (; rc == 0 && p != NULL && (nl = strchr(p, '\n')) != NULL; p = nl + 1) {
		struct scan task = scan_text(p, (size_t)(nl - p));
		char *id;

		if (scan_check(p, (size_t)(nl - p), NULL) != 0 || task.kind != '{' ||
		    (id = scan_dup(scan_get(task, "id"))) == NULL) {
			bad++;
			continue;
		}
		rc = fn(id, task, arg);
		free(id);
	}
	bad += rc == 0 && p != NULL && *p != '\0';
	buf_free(&text);
	if (bad_out != NULL)
		*bad_out = bad;
	return rc == -VIV_NO ? 0 : rc;
}
