/* stop_test: a signal that arrives while there is something to read is not overlooked. */
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "stop.h"

int
main(void)
{
	struct pollfd p = {.events = POLLIN};
	int fd[2];

	stop_catch();
	if (pipe(fd) != 0 || write(fd[1], "x", 1) != 1 || stop_asked())
		return 1;
	p.fd = fd[0];
	raise(SIGTERM);
	if (stop_poll(&p, 1, -1) != 1 || !stop_asked())
		return 1;
	/* A wait of another kind sees one that came before it; the first one counts. */
	raise(SIGHUP);
	p = (struct pollfd){.fd = stop_fd(), .events = POLLIN};
	if (poll(&p, 1, 1000) != 1 || stop_asked() != SIGTERM)
		return 1;
	puts("ok");
	return 0;
}
