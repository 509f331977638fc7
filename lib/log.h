/*
 * log: meta/audit/execution_log.jsonl, the truth: append, read, commit.
 * Every line carries seq (1 + the line before) and prev (SHA-256 of the bytes of the
 * line before, with its newline); a segment's first line continues the one before.
 */
#ifndef VIV_LOG_H
#define VIV_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <cjson/cJSON.h>

#include "buf.h"
#include "err.h"
#include "file.h"
#include "lock.h"
#include "scan.h"
#include "world.h"

/* One line, without its newline; valid while the callback runs. */
struct log_line {
	const char *p;
	size_t len;
	const char *segment;	/* file name, borrowed */
	off_t offset;		/* of its first byte */
};
typedef int log_fn(const struct log_line *line, void *arg);

/* One file of the log. */
struct log_segment {
	char *name;		/* below meta/audit */
	int fd;			/* -1 once it is read and rotated away */
	ino_t ino;
	off_t offset;		/* read up to here */
	bool rotated;		/* no line will be added */
};

struct log {
	const struct world *w;
	int dir;		/* meta/audit */
	struct lock lock;
	char own[128];		/* name of the segment this host appends to */
	int fd;			/* that segment, for appending; -1 until needed */
	ino_t ino;
	off_t tail;		/* its size when tail_hash and seq were learned */
	char tail_hash[FILE_SHA256];
	int64_t seq;
	bool dirty;		/* appended and not yet synced */
	struct log_segment *seg;
	size_t nseg;
	struct log_end *ended;	/* chains to remove after the next sync */
	size_t nended;
};

int log_open(struct log *l, const struct world *w, struct err *e);
void log_close(struct log *l);

/*
 * Call fn for every complete line added since the last call (all lines the first
 * time), segment by segment, oldest first. A torn tail is left for later. Nonzero
 * from fn ends it and is returned. log_skip goes to the end instead.
 */
int log_read(struct log *l, log_fn *fn, void *arg, struct err *e);
int log_skip(struct log *l, struct err *e);

/* The segments, oldest first; the caller frees each name and the array. */
int log_segments(const struct world *w, char ***names_out, size_t *n_out, struct err *e);

/*
 * Append events (complete but for seq and prev, which are set here) in one write
 * under the lock. Not yet durable: log_sync. A torn tail is first set aside in
 * execution_log.torn. -VIV_IO leaves the file as it was.
 */
int log_append(struct log *l, cJSON **events, size_t n, struct err *e);

/* Make durable what was appended, then remove the chains of ended attempts. */
int log_sync(struct log *l, struct err *e);

/* A new event: task_id, resident_id, worker_id, status, timestamp, generation. */
cJSON *log_event(const char *task_id, const char *resident, const char *status, int64_t generation);

/*
 * Commit a task line's events: fenced by its claim's slot, appended, line marked
 * "committed" and its "events" removed; a lost claim sets "status" to "lost".
 * 0: committed or nothing to commit; -VIV_REFUSED: no claim, or lost (the line says so);
 * -VIV_IO, -VIV_TEMPFAIL: nothing was recorded, stop. Durable after log_sync.
 */
int log_commit(struct log *l, cJSON *line, struct err *e);

/*
 * A decision from outside an attempt (kick, withdraw, approve): takes the next slot
 * after the task's chain, logs event as its generation, syncs, removes the chain.
 * event: status and more, no task_id needed. base: last generation in the log.
 * -VIV_REFUSED when the task is held.
 */
int log_decide(struct log *l, const char *id, const char *who, int64_t base, cJSON *event,
    struct err *e);

/* A free or done slot whose event a crash kept out of the log: append it (once), then
 * remove the chain. 1 when it was missing. */
int log_repair(struct log *l, const char *id, int64_t number, struct err *e);

#endif
