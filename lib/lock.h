/* lock: fcntl record lock on a permanent sibling file, with a deadline. */
#ifndef VIV_LOCK_H
#define VIV_LOCK_H

#include "err.h"

enum { LOCK_WAIT_MS = 10000 };

struct lock {
	int fd;			/* -1: not open */
	char name[96];		/* for messages */
};

/* Open (create, 0600) the lock file; does not take it. One struct a process and
 * file: closing any descriptor of it drops the lock (fcntl(2)). */
int lock_open(struct lock *l, int dir, const char *name, struct err *e);

/* Wait at most wait_ms; then -VIV_TEMPFAIL naming the process that holds it. */
int lock_take(struct lock *l, long wait_ms, struct err *e);
void lock_drop(struct lock *l);
void lock_close(struct lock *l);

#endif
