/*
 * beneath: files below world/mutable, opened without following a link.
 *
 * Directories are opened one by one, each from the one before, and what is written to
 * is a regular file with one name: a link that somebody planted, symbolic or hard, leads
 * nowhere.
 */
#include "beneath.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "file.h"

int
beneath_open(const struct world *w, const char *path, const char **base_out)
{
	int dir = openat(w->fd, WORLD_MUTABLE, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	const char *slash;

	for (; dir >= 0 && (slash = strchr(path, '/')) != NULL; path = slash + 1) {
		char *name = mem_ndup(path, (size_t)(slash - path));
		int next = openat(dir, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
		int why;

		if (next < 0 && errno == ENOENT &&
		    (mkdirat(dir, name, 0777) == 0 || errno == EEXIST))
			next = openat(
			    dir, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
		why = errno;
		close(dir);
		free(name);
		errno = why;
		dir = next;
	}
	*base_out = path;
	return dir;
}

off_t
beneath_size_at(int dir, const char *base)
{
	struct stat st;

	if (fstatat(dir, base, &st, AT_SYMLINK_NOFOLLOW) != 0)
		return errno == ENOENT ? 0 : -1;
	if (S_ISREG(st.st_mode) && st.st_nlink == 1)
		return st.st_size;
	errno = ELOOP;
	return -1;
}

off_t
beneath_size(const struct world *w, const char *path)
{
	const char *base;
	int dir = beneath_open(w, path, &base);
	off_t size = dir >= 0 ? beneath_size_at(dir, base) : -1;
	int why = errno;

	if (dir >= 0)
		close(dir);
	errno = why;
	return size;
}

bool
beneath_refused(void)
{
	return errno == ELOOP || errno == ENOTDIR || errno == ENAMETOOLONG;
}

/* How many bytes of the record stand in the file at that offset: all, a torn part at the
 * very end, or, when something else is there, none. */
static size_t
present(int fd, off_t at, off_t size, const struct buf *record)
{
	size_t n = size <= at ? 0 : (size_t)(size - at);
	char *have;

	if (n > record->len)
		n = record->len;
	have = mem_alloc(n + 1);
	if (pread(fd, have, n, at) != (ssize_t)n || memcmp(have, record->p, n) != 0)
		n = 0;
	free(have);
	return n;
}

int
beneath_append(
    int dir, const char *base, off_t at, const struct buf *record, mode_t mode, struct err *e)
{
	int fd = openat(dir, base, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, mode);
	struct stat st;
	size_t have;
	int rc = 0;

	if (fd < 0)
		return err_sys(e, VIV_CANTCREAT, "cannot open '%s'", base);
	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || st.st_nlink != 1) {
		close(fd);
		return err_set(e, VIV_REFUSED, "'%s' is no file of its own", base);
	}
	have = present(fd, at, st.st_size, record);
	if (have < record->len)
		rc = file_write(fd, record->p + have, record->len - have, base, e);
	if (rc == 0 && fsync(fd) != 0)
		rc = err_sys(e, VIV_IO, "cannot sync '%s'", base);
	close(fd);
	return rc != 0 ? rc : st.st_size == 0 ? file_sync_dir(dir, base, e) : 0;
}
