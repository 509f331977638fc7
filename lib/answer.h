/*
 * answer: one prompt of a task line, from the guard's checks to the evidence, answered by
 * a co-process that many share: viv-llm, or $VIV_LLM.
 */
#ifndef VIV_ANSWER_H
#define VIV_ANSWER_H

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <cjson/cJSON.h>

#include "attempt.h"
#include "err.h"
#include "model.h"
#include "world.h"

enum { ANSWER_POLLFDS = COPROC_POLLFDS };

/* What all answers of a viv-cycle share: answer_open, answer_close. */
struct answer_setup {
	const struct world *w;		/* NULL: no world */
	struct model model;
	struct answer *first;		/* those that wait */
	unsigned long long refs;
	size_t max_chars;		/* code points kept of an answer */
	char said[256];			/* the last complaint about the configuration, */
	int64_t said_ns;		/* and when, CLOCK_BOOTTIME */
};

/* One answer. Zero-initialise; must not move while it waits. */
struct answer {
	struct answer_setup *setup;
	struct answer *next;
	struct attempt at;		/* the line, its claim */
	char ref[24];
	double timeout_s;
	uint64_t sent;			/* the co-process has it when co.written is this far */
	int64_t deadline_ns;		/* CLOCK_BOOTTIME: then it is cancelled; */
	int64_t kill_ns;		/* 0, or it was: then its co-process is killed */
	bool late, done;
	cJSON *given;			/* the result, NULL until done */
};

/* jobs: how many it may work on at once. 0, or -VIV_CONFIG: the world's limits. */
int answer_open(struct answer_setup *s, const struct world *w, size_t jobs, struct err *e);
void answer_close(struct answer_setup *s);

/* Ask for the answer to the line (owned from now on; open, not local, not halted). 0: it
 * waits. 1: it will not, and the line says why: hand it on at once. */
int answer_start(struct answer *a, struct answer_setup *s, cJSON *line);

/* The co-process, once a turn of the poll loop: at most ANSWER_POLLFDS entries; after
 * poll(2), take what it has answered. 0, or -VIV_IO: cannot go on. */
int answer_poll(struct answer_setup *s, struct pollfd *fds, int *timeout_ms);
int answer_work(struct answer_setup *s, struct err *e);

/* Lower the loop's timeout (-1: none) to what is due for this one. */
void answer_due(const struct answer *a, int *timeout_ms);

/* Renew the claim, watch the time; true when there is a result, or never will be. */
bool answer_step(struct answer *a);

/* Take it back; the line will be requeued for that reason. */
void answer_cancel(struct answer *a, const char *reason);

/* It is done: write the result and its evidence into the line and into results/. 0, or
 * -VIV_IO: nothing may be passed on. */
int answer_finish(struct answer *a, struct err *e);

/* Free everything but the line, which is the caller's again. */
cJSON *answer_free(struct answer *a);

#endif
