/* serve: what POST /cycle and POST /plan of the execution API do. */
#ifndef VIV_SERVE_H
#define VIV_SERVE_H

#include <stddef.h>
#include <cjson/cJSON.h>

#include "world.h"

/* Zero-initialise but for retry_s; the caller deletes the body. */
struct serve_answer {
	int status;		/* HTTP */
	cJSON *body;
	double retry_s;		/* -1: none */
};

/* {"detail":text} with that status, which is returned. */
int serve_say(struct serve_answer *a, int status, const char *text);

/* Answer the request with that body; a->status is returned. The programs lie beside this
 * one. Signals that ask to end are caught from here on: 503. */
int serve_cycle(const struct world *w, const char *body, size_t n, struct serve_answer *a);
int serve_plan(const struct world *w, const char *body, size_t n, struct serve_answer *a);

#endif
