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
	unsigned char *mark;	/* what board_cycle has learned of each task */
	char *trouble;		/* what was reported at the last load, or NULL */
	struct stat seen;	/* the file as read: dev, ino, size, mtime, ctime */
};

/*
 * Read it when it changed: 1 when it was read, 0 when it is as it was. A parse
 * failure is tried again for a moment (an older system's writer truncates in place),
 * then -VIV_CONFIG with line and column, and *b stays as it was. A task without a
 * usable id, or whose id an earlier one has, is reported on stderr once and skipped;
 * so b->n may be less than the file holds.
 */
int board_load(struct board *b, const struct world *w, struct err *e);
void board_free(struct board *b);

/* The pure part: index text that b takes over. -VIV_CONFIG when it is damaged; what is
 * wrong with single tasks is in b->trouble, one line each. */
int board_parse(struct board *b, struct buf *text, struct err *e);

/* Filling v by hand: rebuild the table, or add the last of v to it (v is the caller's). */
void board_index(struct board *b);
void board_add(struct board *b);

/* Position by id, -1 when it is not on the board. */
long board_find(const struct board *b, const char *id);

/* The task as a tree; the caller deletes. Never NULL. */
cJSON *board_task(const struct board *b, size_t i);

/*
 * Change the file: board_begin takes the lock and loads; then one of the changes;
 * board_end drops the lock. The change writes nothing when the file was edited
 * underneath by somebody who takes no lock (-VIV_TEMPFAIL). Afterwards *b still holds
 * what was there before: board_load reads the change. board_append keeps every byte
 * that was there; it looks at no id (post_check does). board_replace takes the text
 * of the whole file and refuses what board_load could not read. board_splice is
 * board_append's pure part: the new text in *out, from text that passed board_load.
 */
int board_begin(struct board *b, const struct world *w, struct lock *l, struct err *e);
int board_append(
    struct board *b, const struct world *w, cJSON *const *tasks, size_t n, struct err *e);
int board_replace(
    struct board *b, const struct world *w, const char *text, size_t n, struct err *e);
void board_end(struct lock *l);
void board_splice(const char *text, size_t len, cJSON *const *tasks, size_t n, struct buf *out);

/*
 * Does task i wait for a cycle? NULL when not, else a text for people ("is part of a
 * cycle: a -> b -> a", "waits for 'a', which is part of a cycle: ..."); the caller
 * frees. Ids that are not on the board end a path. Asked for every task of a board it
 * costs one walk over all dependencies.
 */
char *board_cycle(const struct board *b, size_t i);

/*
 * Three-way merge of whole boards (each as board_parse or board_load made it): the
 * text in *out, or -VIV_NO naming what both sides changed differently.
 */
int board_merge(const struct board *base, const struct board *mine, const struct board *theirs,
    struct buf *out, struct err *e);

/* Equal as JSON values, whatever the spelling; absent equals absent. */
bool board_same(struct scan a, struct scan b);

#endif
