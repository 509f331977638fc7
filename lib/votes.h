/*
 * votes: world/mutable/review_votes.jsonl, what jurors and models have said of work
 * that waits for them; and whose turn it is. lib/votes.c opens with the record.
 */
#ifndef VIV_VOTES_H
#define VIV_VOTES_H

#include <stdint.h>
#include <cjson/cJSON.h>

#include "buf.h"
#include "err.h"
#include "lock.h"
#include "world.h"

#define VOTES_FILE WORLD_MUTABLE "/review_votes.jsonl"
#define VOTES_LOCK WORLD_MUTABLE "/.review_votes.lock"

enum {
	VOTES_JURY = 3,
	VOTES_MAJORITY = 2,
	VOTES_REASON_CHARS = 10,	/* code points of a juror's reason, blanks around it not
					 * counted */
	VOTES_WAIT_S = 24 * 3600	/* then it is a person's turn */
};

enum votes_turn { VOTES_HUMAN, VOTES_BY_MODEL, VOTES_BY_JURY };

/* Take the lock (votes_drop gives it back): whoever holds it may read, append, decide. */
int votes_take(struct lock *l, const struct world *w, struct err *e);
void votes_drop(struct lock *l);

/* The records of one attempt, in their order, as an array that the caller deletes. */
int votes_read(
    const struct world *w, const char *id, int64_t generation, cJSON **out, struct err *e);

/* Append a record durably, with the lock held. */
int votes_append(const struct world *w, const cJSON *record, struct err *e);

/* A new record: task_id, generation, kind, voter, timestamp. */
cJSON *votes_record(const char *id, int64_t generation, const char *kind, const char *voter);

/*
 * Whose turn is it, by the event that waits and what was recorded about it? Pure. why
 * (may be NULL) gets a line for people.
 */
enum votes_turn votes_turn(const cJSON *waiting, const cJSON *records, double now, struct buf *why);

/* The name of the juror's vote among the records ("approve", "reject"), or NULL. */
const cJSON *votes_of(const cJSON *records, const char *juror);

/* "approve" or "reject" when that many jurors of the event agree, else NULL. */
const char *votes_majority(const cJSON *waiting, const cJSON *records, int *count_out);

/* The model's verdict that was recorded and not yet followed, or NULL. */
const cJSON *votes_verdict(const cJSON *records);

#endif
