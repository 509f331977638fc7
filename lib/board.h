/*
 * board: world/mutable/queue.json, what was posted. Read in place: each task keeps
 * its own text, byte for byte; tasks are added by splicing text, so what people
 * wrote by hand stays as they wrote it.
 */
#ifndef VIV_BOARD_H
#define VIV_BOARD_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

#include "buf.h"
#include "err.h"
#include "lock.h"
#include "task.h"
#include "world.h"

enum { BOARD_MAX = 1 << 30 };	/* bytes */

struct board {
	struct buf text;
	struct task *v;		/* in posted order */
	size_t n;
	size_t *index;		/* hash table of 1 + position in v */
	size_t cap;
	struct stat seen;	/* the file as read: dev, ino, size, mtime */
};

/*
 * Read it when it changed: 1 when it was read, 0 when it is as it was. A parse
 * failure is tried again for a moment (an older system's writer truncates in place),
 * then -VIV_CONFIG with line and column. A task without a usable id is reported on
 * stderr once and skipped.
 */
int board_load(struct board *b, const struct world *w, struct err *e);
void board_free(struct board *b);

/* Position by id, -1 when it is not on the board. */
long board_find(const struct board *b, const char *id);

/* The task as a tree; the caller deletes. Never NULL. */
cJSON *board_task(const struct board *b, size_t i);

/*
 * Change the file: board_begin takes the lock and loads; then one of the changes;
 * board_end drops the lock. The change writes nothing when the file was edited
 * underneath by somebody who takes no lock (-VIV_TEMPFAIL).
 */
int board_begin(struct board *b, const struct world *w, struct lock *l, struct err *e);
int board_append(struct board *b, const struct world *w, cJSON *const *tasks, size_t n, struct err *e);
int board_replace(struct board *b, const struct world *w, const char *text, size_t n, struct err *e);
void board_end(struct lock *l);

/*
 * First dependency trouble of task i: NULL when none, else a text for people
 * ("depends on 'x', which is unknown", "... is part of a cycle: a -> b -> a"); the
 * caller frees. Only what the board itself can tell; known(id, arg) says whether an
 * id that is not on the board exists elsewhere (the archive).
 */
char *board_cycle(const struct board *b, size_t i);

#endif
