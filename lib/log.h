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
#include <time.h>
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
	struct timespec dir_mtime; /* of meta/audit when seg was made */
	struct log_chain *ended; /* chains to remove after the next sync */
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

/* For the fold's cache: know the segments without reading; bytes read so far; start over. */
void log_segments_fresh(struct log *l);
uint64_t log_position(const struct log *l);
void log_rewind(struct log *l);

/* The segments, oldest first, this host's open one last of its own; the caller frees
 * each name and the array. */
int log_segments(const struct world *w, char ***names_out, size_t *n_out, struct err *e);

/*
 * Append events (complete but for seq and prev, which are set here) in one write
 * under the lock. Not yet durable: log_sync. A torn tail is first set aside in
 * execution_log.torn. -VIV_IO leaves the file as it was.
 */
int log_append(struct log *l, cJSON *const *events, size_t n, struct err *e);

/*
 * The same for events of which the last is the final one of (id, generation), unless
 * the log has it already: 1 then. Looks at what was added after the mark.
 */
struct log_mark {
	ino_t ino;
	off_t offset;
};
int log_mark(struct log *l, struct log_mark *out, struct err *e);	/* the end as it is now */
struct log_mark log_read_mark(
    const struct log *l); /* where log_read stands in this host's segment */
int log_append_once(struct log *l, cJSON *const *events, size_t n, const char *id,
    int64_t generation, struct log_mark since, struct err *e);

/* Did the attempt (id, generation) end with that status, by the whole log? 1, 0, or an error. */
int log_has_final(
    struct log *l, const char *id, int64_t generation, const char *status, struct err *e);

/* Make durable what was appended, then remove the chains of log_ended. */
int log_sync(struct log *l, struct err *e);
void log_ended(struct log *l, const char *id, int64_t slot);

/* Rename the segment this host appends to execution_log.N.jsonl when it has lines. */
int log_rotate(struct log *l, struct err *e);

/* A new event: task_id, resident_id, worker_id, status, timestamp, generation. */
cJSON *log_event(const char *task_id, const char *resident, const char *status, int64_t generation);

#endif
