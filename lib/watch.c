/*
 * watch: being woken when the log or the board changes.
 *
 * Directories are watched, not files: files are replaced and rotated by rename. What
 * changed is not asked; whoever is woken reads what is new by position.
 */
#include "watch.h"

#include <poll.h>
#include <stdlib.h>
#include <sys/inotify.h>
#include <unistd.h>

static void
add(int fd, const struct world *w, const char *dir, uint32_t mask)
{
	char *path = mem_fmt("%s/%s", w->root, dir);

	inotify_add_watch(fd, path, mask);
	free(path);
}

int
watch_open(const struct world *w)
{
	int fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);

	if (fd < 0)
		return -1;
	add(fd, w, WORLD_AUDIT, IN_MODIFY | IN_CREATE | IN_MOVED_TO);
	add(fd, w, WORLD_MUTABLE, IN_CLOSE_WRITE | IN_MOVED_TO | IN_CREATE | IN_DELETE);
	return fd;
}

void
watch_drain(int fd)
{
	char drop[4096];

	while (fd >= 0 && read(fd, drop, sizeof(drop)) > 0)
		;
}

int
watch_wait(int fd, long ms, bool input)
{
	struct pollfd p[3] = {{.fd = fd, .events = POLLIN}, {.fd = STDOUT_FILENO},
	    {.fd = input ? STDIN_FILENO : -1, .events = POLLIN}};

	if (poll(p, 3, ms < WATCH_TICK_MS ? (int)ms : WATCH_TICK_MS) <= 0)
		return 0;
	watch_drain(fd);
	return (p[1].revents & (POLLERR | POLLNVAL) ? WATCH_GONE : 0) |
	    (p[2].revents != 0 ? WATCH_INPUT : 0);
}
