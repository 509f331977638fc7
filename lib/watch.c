/* watch: waiting for a change of the world; what has changed is for the caller to read. */
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
	add(fd, w, WORLD_LOCKS, IN_CREATE | IN_DELETE);
	return fd;
}

int
watch_wait(int fd, long ms, bool input)
{
	struct pollfd p[3] = {{.fd = fd, .events = POLLIN}, {.fd = STDOUT_FILENO},
	    {.fd = input ? STDIN_FILENO : -1, .events = POLLIN}};
	char drop[4096];

	if (poll(p, 3, ms < WATCH_TICK_MS ? (int)ms : WATCH_TICK_MS) <= 0)
		return 0;
	while (fd >= 0 && read(fd, drop, sizeof(drop)) > 0)
		;
	return (p[1].revents & (POLLERR | POLLNVAL) ? WATCH_GONE : 0) |
	    (p[2].revents != 0 ? WATCH_INPUT : 0);
}
