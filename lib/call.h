/*
 * call: one chat completion from the task line to its result: which server, with whose
 * money, how often. lib/llm.c runs many of them.
 */
#ifndef VIV_CALL_H
#define VIV_CALL_H

#include <stdbool.h>
#include <stdint.h>
#include <cjson/cJSON.h>

#include "ask.h"
#include "cassette.h"
#include "err.h"
#include "http.h"
#include "purse.h"
#include "receive.h"
#include "route.h"
#include "world.h"

/* What all calls of a process share. Strings are borrowed; NULL: none. */
struct call_setup {
	const struct world *w;		/* NULL: no ledger, no halt */
	const char *provider;		/* ask only this one */
	const char *cassette;		/* VIV_CASSETTE: before what the list says */
	struct ask_defaults defaults;
	int64_t cap;			/* micro-dollars a call may cost, -1: no bound */
	bool stream;
	receive_text_fn *text;		/* text as it comes (a single call), or NULL */
	void *arg;
	struct http *http;
};

/* One call. Zero-initialise; must not move; call_free. */
struct call {
	const struct call_setup *setup;
	cJSON *line;			/* owned */
	struct ask ask;
	struct purse purse;
	struct route route;
	int tries, paid;
	bool fallen;			/* in this round another provider was asked before */
	double after_s;			/* shortest wait that a server asked for, -1: none */
	int64_t started_ns, deadline_ns; /* CLOCK_BOOTTIME; */
	int64_t due_ns;			/* when the next try is due, 0: one is under way */

	/* the try under way */
	char *key;
	struct http_call *transfer;
	struct receive in;
	char request_id[128];
	enum cassette_mode tape;
	const char *tape_dir;

	/* how it ended */
	bool over;
	const char *status;		/* "completed", "failed", "cancelled" */
	const char *class, *code;	/* of the failure */
	char code_text[64];
	char message[1024];
	double retry_after_s;		/* -1: absent */
};

/* Take the line (owned from now on) and check it. c->over when it is nothing to ask. */
void call_init(struct call *c, const struct call_setup *setup, cJSON *line);

/* Its time has come (due_ns): start the next try; or it is over. */
void call_try(struct call *c);

/* Its transfer has ended. Afterwards it is over, or due again. */
void call_transferred(struct call *c, const struct http_result *got);

/* End it now: "cancelled" with that class and code. Partial text stays. */
void call_cancel(struct call *c, const char *class, const char *code);

/* Everything but the line, which is the caller's from then on. */
void call_free(struct call *c);

#endif
