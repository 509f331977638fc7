/* verdict: what a reviewing model is asked, and what is made of its answer. Pure. */
#ifndef VIV_VERDICT_H
#define VIV_VERDICT_H

#include <stdbool.h>
#include <stddef.h>

#include "buf.h"
#include "critic.h"
#include "err.h"

enum { VERDICT_WORK_MAX = 64 * 1024 };	/* bytes of work that a model is shown */

/* The message about the work: task and work, each line of them quoted, between marks
 * that neither can contain. */
void verdict_ask(struct buf *out, const char *task, const char *work);

/*
 * The verdict in the answer, in *out (critic_free frees): 0; -VIV_NO when there is none
 * that counts, with the reason in *e. work is what was judged: a verdict that it
 * contains itself does not count.
 */
int verdict_parse(const char *answer, const char *work, struct critic *out, struct err *e);

#endif
