/*
 * fold: the state of every task, folded from the log. A task's state is the final
 * event of its highest generation, else its last line; timestamps never order.
 */
#ifndef VIV_FOLD_H
#define VIV_FOLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "err.h"
#include "log.h"
#include "task.h"

struct fold_task {
	char *id;
	int64_t generation;	/* highest in the log, 0 */
	double when;		/* wall time of the event that made the state */
	double started;		/* of the last in_progress */
	double not_before;	/* from a requeue, 0 none */
	off_t offset;		/* of that event's line, in segment */
	uint32_t len, segment;	/* segment: index into struct fold's names */
	int32_t attempts;	/* counted since the last queued */
	uint8_t status;		/* enum task_status */
	bool final;
	bool posted;		/* a queued event carries the task */
	void *user;		/* the chooser's */
};

struct fold {
	struct fold_task **table; /* open addressing, by id */
	size_t cap, n;
	char **names;		/* segment names */
	size_t nnames;
	uint64_t cached;	/* log bytes that the cache file stands for */
	void (*changed)(struct fold_task *t, void *arg); /* or NULL: called after each line */
	void *arg;
};

/*
 * Fold everything new in the log; cache: start from .cache/fold and write it back
 * when much was new (one-shot commands). 0 or an error of log_read.
 */
int fold_read(struct fold *f, struct log *l, bool cache, struct err *e);
struct fold_task *fold_get(const struct fold *f, const char *id);	/* or NULL */
void fold_free(struct fold *f);

/* For fold_cache.c: find or make a task's record; index of a segment's name; the file. */
struct fold_task *fold_add(struct fold *f, const char *id);
uint32_t fold_segment(struct fold *f, const char *name);
void fold_cache_load(struct fold *f, struct log *l);
void fold_cache_save(const struct fold *f, const struct log *l);

/* The line that made the state (caller deletes), or NULL. */
cJSON *fold_event(const struct fold *f, const struct log *l, const struct fold_task *t);

/* The highest slot number that the log tells of: its end took one above the generation.
 * No later slot has it or a lower one, so a file of that name can be removed by
 * whoever is late without asking whose it is now. */
int64_t fold_base(const struct fold_task *t);

/* Runnable as far as the log says: not done, not dead, nobody thinking about it.
 * NULL t: never logged, runnable. */
bool fold_runnable(const struct fold_task *t);
bool fold_done(const struct fold_task *t);
bool fold_dead(const struct fold_task *t);

#endif
