/*
 * jury: three residents by lot, of which two decide. lib/jury.c opens with the rules.
 */
#ifndef VIV_JURY_H
#define VIV_JURY_H

#include <stddef.h>
#include <cjson/cJSON.h>

#include "decide.h"
#include "err.h"
#include "world.h"

/* Draw the jury of a completed line: the array of its names, or NULL when only
 * *found_out could be asked. Negative: an error. */
int jury_summon(const struct world *w, const cJSON *line, cJSON **jury_out, size_t *found_out,
    struct err *e);

/*
 * d->who votes ("approve" or "reject") for d->reason: 0 when the vote is recorded; when
 * it decided, so is the decision, and an approval's line is in *line_out (the caller
 * deletes). -VIV_NO: unknown or not waiting for a jury; -VIV_REFUSED: not a juror, has
 * voted, or too late; -VIV_USAGE: the reason is too short.
 */
int jury_vote(const struct decide *d, const char *id, const char *vote, cJSON **line_out,
    struct err *e);

/* Record a decision that a majority has voted for and a crash has kept out of the log:
 * 1 when there was one, 0, or an error. */
int jury_settle(const struct decide *d, const char *id, cJSON **line_out, struct err *e);

/* Who has to vote and who did: an object with task_id, generation, since, until, jurors
 * (juror, vote, reason); the caller deletes. -VIV_NO when no jury was asked. */
int jury_look(const struct decide *d, const char *id, cJSON **out, struct err *e);

#endif
