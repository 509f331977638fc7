/*
 * file: whole files, and nothing half-written.
 *
 * A file is replaced by writing a temporary file beside it, syncing it, renaming it
 * over the old one and syncing the directory: a reader sees the old or the new file,
 * and a crash leaves at most ".name.tmp.<hex>", which viv-doctor removes. A file that
 * must not exist yet is published by link(2), which one process wins.
 */
#include "file.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sha256.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "rand.h"

enum { TEMP_RANDOM = 8 };	/* bytes */

int
file_read(int dir, const char *name, size_t max, struct buf *out, struct err *e)
{
	struct stat st;
	size_t start = out->len;
	int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);

	if (fd < 0)
		return err_sys(e, errno == ENOENT ? VIV_NO : VIV_IO, "cannot open '%s'", name);
	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
		close(fd);
		return err_set(e, VIV_CONFIG, "'%s' is not a regular file", name);
	}
	for (;;) {
		ssize_t n;

		buf_reserve(out, out->len - start < (size_t)st.st_size ?
		    (size_t)st.st_size - (out->len - start) + 1 : 4096);
		n = read(fd, out->p + out->len, out->cap - out->len - 1);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			err_sys(e, VIV_IO, "cannot read '%s'", name);
			close(fd);
			return -VIV_IO;
		}
		out->len += (size_t)n;
		out->p[out->len] = '\0';
		if (out->len - start > max) {
			close(fd);
			return err_set(e, VIV_CONFIG, "'%s' is larger than %zu bytes", name, max);
		}
		if (n == 0)
			break;
	}
	close(fd);
	return 0;
}

int
file_read_at(int dir, const char *name, off_t offset, size_t n, struct buf *out, struct err *e)
{
	int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
	ssize_t got;

	if (fd < 0)
		return err_sys(e, VIV_IO, "cannot open '%s'", name);
	buf_reserve(out, n);
	got = pread(fd, out->p + out->len, n, offset);
	close(fd);
	if (got != (ssize_t)n)
		return err_set(e, VIV_IO, "'%s' is shorter than it was", name);
	out->len += n;
	out->p[out->len] = '\0';
	return 0;
}

int
file_write(int fd, const void *p, size_t n, const char *name, struct err *e)
{
	const char *s = p;

	while (n > 0) {
		ssize_t done = write(fd, s, n);

		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return err_sys(e, VIV_IO, "cannot write '%s'", name);
		s += done;
		n -= (size_t)done;
	}
	return 0;
}

char *
file_temp_name(const char *name)
{
	const char *slash = strrchr(name, '/');
	int dirlen = slash != NULL ? (int)(slash - name) + 1 : 0;
	char hex[2 * TEMP_RANDOM + 1];

	rand_hex(hex, TEMP_RANDOM);
	return mem_fmt("%.*s.%.180s.tmp.%s", dirlen, name, name + dirlen, hex);
}

bool
file_is_temp(const char *base)
{
	size_t n = strlen(base), tail = strlen(".tmp.") + 2 * TEMP_RANDOM;

	if (base[0] != '.' || n <= tail || memcmp(base + n - tail, ".tmp.", 5) != 0)
		return false;
	for (const char *p = base + n - 2 * TEMP_RANDOM; *p != '\0'; p++)
		if (!isxdigit((unsigned char)*p))
			return false;
	return true;
}

/* A complete temporary file beside name; its name (caller frees) or NULL. */
static char *
file_temp(int dir, const char *name, const void *p, size_t n, mode_t mode, bool sync, struct err *e)
{
	char *tmp = file_temp_name(name);
	int fd = openat(dir, tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);

	if (fd < 0) {
		err_sys(e, VIV_CANTCREAT, "cannot create a file beside '%s'", name);
		free(tmp);
		return NULL;
	}
	if (file_write(fd, p, n, name, e) == 0) {
		if ((mode & 0077) != 0 && fchmod(fd, mode) != 0)
			err_sys(e, VIV_IO, "cannot set the mode of '%s'", name);
		else if (sync && fsync(fd) != 0)
			err_sys(e, VIV_IO, "cannot sync '%s'", name);
		else if (close(fd) != 0)
			err_sys(e, VIV_IO, "cannot write '%s'", name);
		else
			return tmp;
	} else {
		close(fd);
	}
	unlinkat(dir, tmp, 0);
	free(tmp);
	return NULL;
}

int
file_sync_dir(int dir, const char *name, struct err *e)
{
	const char *slash = strrchr(name, '/');
	char *parent = slash == NULL ? mem_dup(".") :
	    slash == name ? mem_dup("/") : mem_ndup(name, (size_t)(slash - name));
	int fd = openat(dir, parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int rc = 0;

	if (fd < 0 || (fsync(fd) != 0 && errno != EINVAL))
		rc = err_sys(e, VIV_IO, "cannot sync the directory of '%s'", name);
	if (fd >= 0)
		close(fd);
	free(parent);
	return rc;
}

int
file_replace(int dir, const char *name, const void *p, size_t n, mode_t mode, struct err *e)
{
	char *tmp = file_temp(dir, name, p, n, mode, true, e);
	int rc = 0;

	if (tmp == NULL)
		return -(e != NULL ? e->code : VIV_IO);
	if (renameat(dir, tmp, dir, name) != 0) {
		rc = err_sys(e, VIV_IO, "cannot replace '%s'", name);
		unlinkat(dir, tmp, 0);
	} else {
		rc = file_sync_dir(dir, name, e);
	}
	free(tmp);
	return rc;
}

int
file_create(int dir, const char *name, const void *p, size_t n, mode_t mode, struct err *e)
{
	char *tmp = file_temp(dir, name, p, n, mode, false, e);
	int rc = 0;

	if (tmp == NULL)
		return -(e != NULL ? e->code : VIV_IO);
	if (linkat(dir, tmp, dir, name, 0) != 0)
		rc = err_sys(
		    e, errno == EEXIST ? VIV_NO : VIV_CANTCREAT, "cannot create '%s'", name);
	unlinkat(dir, tmp, 0);
	free(tmp);
	return rc;
}

int
file_mkdirs(int dir, const char *path, mode_t mode, struct err *e)
{
	char *part = mem_dup(path);
	int rc = 0;

	for (char *p = part + (*part == '/');; p++) {
		char c = *p;

		if (c != '/' && c != '\0')
			continue;
		*p = '\0';
		if (*part != '\0' && mkdirat(dir, part, mode) != 0 && errno != EEXIST) {
			rc = err_sys(e, VIV_CANTCREAT, "cannot create directory '%s'", part);
			break;
		}
		*p = c;
		if (c == '\0')
			break;
	}
	free(part);
	return rc;
}

static int
remove_children(int fd, const char *name, struct err *e)
{
	DIR *d = fdopendir(fd);
	struct dirent *de;
	int rc = 0;

	if (d == NULL) {
		close(fd);
		return err_sys(e, VIV_IO, "cannot list '%s'", name);
	}
	while (rc == 0 && (de = readdir(d)) != NULL)
		if (strcmp(de->d_name, ".") != 0 && strcmp(de->d_name, "..") != 0)
			rc = file_remove_tree(dirfd(d), de->d_name, e);
	closedir(d);
	return rc;
}

int
file_remove_tree(int dir, const char *name, struct err *e)
{
	int fd, rc;

	if (unlinkat(dir, name, 0) == 0 || errno == ENOENT)
		return 0;
	if (errno != EISDIR && errno != EPERM)
		return err_sys(e, VIV_IO, "cannot remove '%s'", name);
	if (unlinkat(dir, name, AT_REMOVEDIR) == 0)
		return 0;
	fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 && errno == EACCES && fchmodat(dir, name, 0700, 0) == 0)
		fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return err_sys(e, VIV_IO, "cannot remove '%s'", name);
	rc = remove_children(fd, name, e);
	if (rc == 0 && unlinkat(dir, name, AT_REMOVEDIR) != 0 && errno != ENOENT)
		rc = err_sys(e, VIV_IO, "cannot remove '%s'", name);
	return rc;
}

void
file_sha256(const void *p, size_t n, char out[FILE_SHA256])
{
	SHA256Data(p, n, out);
}
