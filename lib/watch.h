/* watch: being woken when the log or the board changes. */
#ifndef VIV_WATCH_H
#define VIV_WATCH_H

#include "world.h"

enum { WATCH_POLL_MS = 1000 };	/* look anyway: a network file system may tell nothing */

/* A descriptor that becomes readable when something changes, or -1 (then only polling
 * is left). watch_drain takes what it has to say. */
int watch_open(const struct world *w);
void watch_drain(int fd);

#endif
