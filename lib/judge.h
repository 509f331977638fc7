/* judge: a second model reviews work that waits for one. lib/judge.c opens with the rules. */
#ifndef VIV_JUDGE_H
#define VIV_JUDGE_H

#include <stdbool.h>
#include <cjson/cJSON.h>

#include "decide.h"
#include "err.h"
#include "lock.h"
#include "model.h"
#include "world.h"

/* Zero-initialise, then judge_open; judge_close ends the program and frees. */
struct judge {
	const struct world *w;
	struct lock lock;
	char *system;		/* what the model is told */
	struct model model;
};

/* -VIV_TEMPFAIL: another process judges in this world; -VIV_CONFIG: no prompt. */
int judge_open(struct judge *j, const struct world *w, struct err *e);
void judge_close(struct judge *j);

/*
 * Judge a task if it is a model's turn: 1 when it was decided (*line_out is the line of
 * an approval, the caller deletes), 0 when there is nothing to do. named: ask once more
 * even if a person is waited for by now.
 * -VIV_NO: the model gave no verdict and a person has to (recorded); -VIV_UNAVAILABLE,
 * -VIV_REFUSED (halted): nothing has changed, ask again later; others as decide_task.
 */
int judge_task(struct judge *j, const struct decide *d, const char *id, bool named,
    cJSON **line_out, struct err *e);

#endif
