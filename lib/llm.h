/*
 * llm: many chat completions at once in one loop.
 */
#ifndef VIV_LLM_H
#define VIV_LLM_H

#include <stdbool.h>
#include <stddef.h>
#include <cjson/cJSON.h>

#include "call.h"
#include "err.h"

struct llm {
	struct call_setup setup;
	struct call **call;
	size_t n, jobs;
	int64_t looked_ns;	/* when the halt was last looked at */
};

/* setup's strings and world are borrowed; its http is made here. */
int llm_open(struct llm *l, const struct call_setup *setup, size_t jobs, struct err *e);
void llm_close(struct llm *l);

/* Start a line (owned from now on); there is room while l->n < l->jobs. */
void llm_add(struct llm *l, cJSON *line);

/* Let everything go on. A line that is over, with its "result" (the caller's), or NULL:
 * ask until NULL, then llm_wait. */
cJSON *llm_next(struct llm *l);

/* Wait for the network, for n descriptors, or until something is due. */
void llm_wait(struct llm *l, const int *fds, size_t n);

/* End the call whose member "ref" is that (NULL: all) as cancelled. */
void llm_cancel(struct llm *l, const cJSON *ref, const char *class, const char *code);

/* The result of a line that was never started (the line stays the caller's). */
void llm_refuse(const struct llm *l, cJSON *line, const char *class, const char *code);

#endif
