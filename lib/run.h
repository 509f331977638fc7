/*
 * run: one local command of a task line, from policy to evidence.
 */
#ifndef VIV_RUN_H
#define VIV_RUN_H

#include <stdbool.h>
#include <cjson/cJSON.h>

#include "attempt.h"
#include "err.h"
#include "policy.h"
#include "proc.h"
#include "world.h"

/* What all runs of a viv-cycle share. Strings are borrowed. */
struct run_setup {
	const struct world *w;		/* NULL: no world, a bare request */
	struct policy *policy;
	const char *workdir;		/* -D, or NULL */
	double timeout_s;		/* for tasks without "timeout" */
	size_t max_output;		/* bytes kept of each stream */
	char *idle;			/* private: an empty scratch directory for the next run */
};

/* Nothing runs for now: remove what was kept for the next run. */
void run_idle(struct run_setup *setup);

/* One run. Zero-initialise; must not move while it runs. */
struct run {
	struct run_setup *setup;
	struct attempt at;		/* the line, its claim */
	struct policy_argv argv;
	char *workdir, *scratch;	/* absolute; workdir NULL: the scratch directory */
	char *scratch_name;		/* below world/mutable/work, or NULL */
	struct sandbox *box;
	struct proc proc;
	bool started;
};

/*
 * Start the command of the line (owned from now on; open, local, not halted). 0: it
 * runs. 1: it will not, and the line says why (status, events): hand it on at once.
 * Negative: cannot go on.
 */
int run_start(struct run *r, struct run_setup *setup, cJSON *line, struct err *e);

/* What the poll loop has to wait for, as proc_poll: at most PROC_POLLFDS entries. */
int run_poll(struct run *r, struct pollfd *fds, int *timeout_ms);

/* After poll(2): true when it has ended. A lost claim kills the command. */
bool run_step(struct run *r);

/* Kill it; the line will be requeued for that reason. */
void run_cancel(struct run *r, const char *reason);

/* It has ended: write the result and its evidence into the line and into results/.
 * 0, or -VIV_IO: nothing may be passed on. */
int run_finish(struct run *r, struct err *e);

/* Free everything but the line, which is the caller's again. */
cJSON *run_free(struct run *r);

#endif
