/*
 * watch: being woken when the log or the board changes.
 *
 * Directories are watched, not files: files are replaced and rotated by rename. What
 * changed is not asked; whoever is woken reads what is new by position.
 */
#include "watch.h"

#include <stdlib.h>
#include <sys/inotify.h>
#include <unistd.h>

int
watch_open(const struct world *w)
{
	int fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	char *audit, *board;

	if (fd < 0)
		return -1;
	audit = mem_fmt("%s/%s", w->root, WORLD_AUDIT);
	board = mem_fmt("%s/%s", w->root, WORLD_MUTABLE);
	inotify_add_watch(fd, audit, IN_MODIFY | IN_CREATE | IN_MOVED_TO);
	inotify_add_watch(fd, board, IN_CLOSE_WRITE | IN_MOVED_TO | IN_CREATE | IN_DELETE);
	free(audit);
	free(board);
	return fd;
}

void
watch_drain(int fd)
{
	char drop[4096];

	while (fd >= 0 && read(fd, drop, sizeof(drop)) > 0)
		;
}
