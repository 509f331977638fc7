/* watch: waiting for a change of the world: inotify where it tells, else by the clock. */
#ifndef VIV_WATCH_H
#define VIV_WATCH_H

#include <stdbool.h>

#include "world.h"

enum {
	WATCH_TICK_MS = 1000,	/* look at least so often: some file systems tell nothing */
	WATCH_GONE = 1,		/* the reader of stdout has gone */
	WATCH_INPUT = 2		/* stdin has something, or has ended */
};

/* A descriptor for watch_wait, -1 when there is no inotify. Open it before reading
 * what is to be watched, so that no change is missed. */
int watch_open(const struct world *w);

/* Wait for a change of board, log or claims, at most ms (and a tick). */
int watch_wait(int fd, long ms, bool input);

#endif
