/* watch: being woken when the log or the board changes: inotify where it tells, else
 * by the clock. */
#ifndef VIV_WATCH_H
#define VIV_WATCH_H

#include <stdbool.h>

#include "world.h"

enum {
	WATCH_TICK_MS = 1000,	/* look at least so often: some file systems tell nothing */
	WATCH_GONE = 1,		/* the reader of stdout has gone */
	WATCH_INPUT = 2		/* stdin has something, or has ended */
};

/* A descriptor that becomes readable when something changes, or -1 (then only the tick
 * is left). Open it before reading what is to be watched, so that no change is missed.
 * watch_drain takes what it has to say. */
int watch_open(const struct world *w);
void watch_drain(int fd);

/* Wait for a change at most ms (and a tick); with input also for stdin. */
int watch_wait(int fd, long ms, bool input);

#endif
