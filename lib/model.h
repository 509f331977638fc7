/* model: the program that asks language models, viv-llm or $VIV_LLM, beside this one. */
#ifndef VIV_MODEL_H
#define VIV_MODEL_H

#include <stddef.h>
#include <cjson/cJSON.h>

#include "coproc.h"
#include "err.h"
#include "world.h"

struct model {
	struct coproc co;
	char *argv[5], **env;
};

/* Ready to be talked to; it is started with the first line. w may be NULL. jobs: how many
 * lines it may work on at once. model_close ends it and frees. */
void model_open(struct model *m, const struct world *w, size_t jobs);
void model_close(struct model *m);

/*
 * Send one task line that has a "ref" and wait for it to come back as *out (the caller
 * deletes). -VIV_UNAVAILABLE: it ended, or said nothing for so many seconds;
 * -VIV_REFUSED: the world was halted.
 */
int model_call(struct model *m, const struct world *w, const cJSON *request, int seconds,
    cJSON **out, struct err *e);

#endif
