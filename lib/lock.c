/*
 * lock: fcntl record lock on a permanent sibling file, with a deadline.
 *
 * Record locks rather than flock, because F_GETLK names the holder and because they
 * also hold on NFS. The lock file is never removed: a lock on a name that somebody
 * unlinked excludes nobody. The kernel drops it when the holder dies.
 */
#include "lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <time.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"

int
lock_open(struct lock *l, int dir, const char *name, struct err *e)
{
	snprintf(l->name, sizeof(l->name), "%s", name);
	l->fd = openat(dir, name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (l->fd < 0)
		return err_sys(e, VIV_IO, "cannot open lock file '%s'", name);
	return 0;
}

static void
holder(const struct lock *l, char *out, size_t size)
{
	struct flock fl = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

	if (fcntl(l->fd, F_GETLK, &fl) == 0 && fl.l_type != F_UNLCK && fl.l_pid > 0)
		snprintf(out, size, "process %ld", (long)fl.l_pid);
	else
		snprintf(out, size, "another process");
}

int
lock_take(struct lock *l, long wait_ms, struct err *e)
{
	struct flock fl = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	int64_t until = clock_boot_ns() + wait_ms * 1000000;
	struct timespec pause = {0, 20000};
	char who[64];

	while (fcntl(l->fd, F_SETLK, &fl) != 0) {
		if (errno != EAGAIN && errno != EACCES && errno != EINTR)
			return err_sys(e, VIV_IO, "cannot lock '%s'", l->name);
		if (clock_boot_ns() > until) {
			holder(l, who, sizeof(who));
			return err_set(e, VIV_TEMPFAIL, "'%s' is locked by %s", l->name, who);
		}
		nanosleep(&pause, NULL);
		if (pause.tv_nsec < 2000000)
			pause.tv_nsec += pause.tv_nsec / 2;
	}
	return 0;
}

void
lock_drop(struct lock *l)
{
	struct flock fl = {.l_type = F_UNLCK, .l_whence = SEEK_SET};

	if (fcntl(l->fd, F_SETLK, &fl) != 0)
		lock_close(l);	/* closing drops it for certain */
}

void
lock_close(struct lock *l)
{
	if (l->fd >= 0)
		close(l->fd);
	l->fd = -1;
}
