/*
 * ask: what a task line asks of a model, with the defaults of whoever runs it.
 */
#ifndef VIV_ASK_H
#define VIV_ASK_H

#include <stdint.h>
#include <cjson/cJSON.h>

#include "chat.h"
#include "err.h"

enum { ASK_TIMEOUT_S = 120, ASK_TIMEOUT_MAX_S = 3600 };

struct ask_defaults {
	const char *base;	/* first text of the system message, "" for none */
	const char *model;
	int max_tokens;
	double temperature, timeout_s;
};

struct ask {
	struct chat_ask chat;
	const char *model;	/* as named; the line's or the defaults' string */
	double timeout_s;	/* for the whole call, tries and waiting included */
	int64_t max_budget;	/* micro-dollars for the task, -1: none given */
};

/* 0, or -VIV_CONFIG naming the member, or -VIV_NO: no prompt. ask_free in either case. */
int ask_read(struct ask *a, const cJSON *line, const struct ask_defaults *d, struct err *e);
void ask_free(struct ask *a);

#endif
