/*
 * rotate: by size, and by the age that the first line tells; a file's own times say
 * when it was last written, which is no age.
 */
#include "rotate.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "buf.h"
#include "clock.h"
#include "jsonl.h"
#include "scan.h"

enum { FIRST_LINE_MAX = JSONL_MAX + 65536 };

/* Wall time of the first line; 0 when it has none. */
static double
first_time(int dir, const char *path)
{
	int fd = openat(dir, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	char when[CLOCK_TEXT], *nl;
	struct buf b = {0};
	double wall = 0;
	ssize_t n;

	if (fd < 0)
		return 0;
	buf_reserve(&b, FIRST_LINE_MAX);
	n = pread(fd, b.p, FIRST_LINE_MAX, 0);
	close(fd);
	nl = n > 0 ? memchr(b.p, '\n', (size_t)n) : NULL;
	if (nl != NULL && scan_check(b.p, (size_t)(nl - b.p), NULL) == 0 &&
	    scan_copy(scan_get(scan_text(b.p, (size_t)(nl - b.p)), "timestamp"), when,
	    sizeof(when)) > 0 && !clock_parse(when, &wall))
		wall = 0;
	buf_free(&b);
	return wall;
}

bool
rotate_due(int dir, const char *path, long long size, double age_s)
{
	struct stat st;
	double first;

	if (fstatat(dir, path, &st, AT_SYMLINK_NOFOLLOW) != 0 || st.st_size == 0)
		return false;
	if (size < 0 && age_s < 0)
		return true;
	if (size >= 0 && st.st_size >= size)
		return true;
	if (age_s < 0)
		return false;
	first = first_time(dir, path);
	return first > 0 && clock_wall() - first >= age_s;
}

int
rotate_plain(int dir, const char *path, struct err *e)
{
	size_t base = strlen(path) - strlen(".log");
	char to[128];

	for (int n = 1;; n++) {
		snprintf(to, sizeof(to), "%.*s.%d.log", (int)base, path, n);
		if (linkat(dir, path, dir, to, 0) == 0)
			break;
		if (errno != EEXIST)
			return err_sys(e, VIV_IO, "cannot rotate '%s'", path);
	}
	return unlinkat(dir, path, 0) == 0 || errno == ENOENT ? 0 :
	    err_sys(e, VIV_IO, "cannot rotate '%s'", path);
}
