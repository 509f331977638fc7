/*
 * attempt: one attempt at a task line that this process works on: its claim, which is
 * renewed meanwhile, and the evidence it leaves. The same for commands and for prompts.
 */
#ifndef VIV_ATTEMPT_H
#define VIV_ATTEMPT_H

#include <stdbool.h>
#include <cjson/cJSON.h>

#include "err.h"
#include "slot.h"
#include "world.h"

struct attempt {
	const struct world *w;		/* NULL: no world, a bare request */
	cJSON *line;			/* the task line, owned */
	struct slot_hold hold;		/* fd -1: no claim in a world */
	int64_t renew_ns;		/* CLOCK_BOOTTIME of the next renewal */
	bool lost;
	const char *cancelled;		/* reason, NULL: it goes on */
};

/* Take the line over. attempt_end gives it back. */
void attempt_init(struct attempt *a, const struct world *w, cJSON *line);

/* Hold and renew the claim, with the flock of who executes. 0; 1: it is lost, and the
 * line says so. */
int attempt_hold(struct attempt *a);

/* Renew when due. False: lost, now or before. */
bool attempt_tend(struct attempt *a);

/* Lower the loop's timeout (-1: none) to when the next renewal is due. */
void attempt_due(const struct attempt *a, int *timeout_ms);

/* The line becomes "lost": nothing of it is recorded. */
void attempt_lost(struct attempt *a);

/* The attempt ends as failed, for "reason: detail" (detail may be NULL). Returns 1: the
 * line has been answered. */
int attempt_refuse(struct attempt *a, const char *reason, const char *detail);

/* Write task, claim and result to results/<id>.<generation>.json and add that file and
 * its hash to the result; without a claim, nothing. 0 or -VIV_IO. */
int attempt_store(const struct attempt *a, cJSON *res, struct err *e);

/* The text as the events' "result_summary": its beginning, on one line. */
void attempt_summary(cJSON *event, const char *text);

/* Let go of the claim; the line is the caller's again. */
cJSON *attempt_end(struct attempt *a);

#endif
