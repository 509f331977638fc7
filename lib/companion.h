/* companion: viv-llm as a program beside this one, a line in, the same line out. */
#ifndef VIV_COMPANION_H
#define VIV_COMPANION_H

#include <sys/types.h>
#include <cjson/cJSON.h>

#include "err.h"
#include "jsonl.h"
#include "world.h"

/* companion_init first; companion_stop ends it and frees. */
struct companion {
	pid_t pid;		/* 0: not started */
	int to;
	struct jsonl from;
};

void companion_init(struct companion *c);

/*
 * Send a task line that has a "ref", to $VIV_LLM or viv-llm, and get it back in *out
 * (the caller deletes). -VIV_UNAVAILABLE: it ended, or said nothing for so many seconds;
 * -VIV_REFUSED: the world was halted.
 */
int companion_call(struct companion *c, const struct world *w, const cJSON *request, int seconds,
    cJSON **out, struct err *e);
void companion_stop(struct companion *c);

#endif
