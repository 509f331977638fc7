/* job: one task line that viv-cycle works on, a command or a prompt. */
#ifndef VIV_JOB_H
#define VIV_JOB_H

#include <poll.h>
#include <stdbool.h>
#include <cjson/cJSON.h>

#include "answer.h"
#include "err.h"
#include "run.h"

struct job_setup {
	struct run_setup run;
	struct answer_setup answer;
};

/* Zero-initialise; must not move while it is worked on. */
struct job {
	enum { JOB_NONE, JOB_COMMAND, JOB_PROMPT } kind;
	cJSON *line;			/* JOB_NONE */
	struct run run;
	struct answer answer;
};

/*
 * Take the line (owned from now on) and start on it; stopping (or NULL) is why nothing
 * new is started. 0: it is worked on. 1: it is not, and the line is as it has to be handed
 * on: at once. Negative: cannot go on.
 */
int job_start(struct job *j, struct job_setup *s, cJSON *line, const char *stopping, struct err *e);

/* Entries for poll(2), at most JOB_POLLFDS; lowers the timeout to what is due. */
enum { JOB_POLLFDS = PROC_POLLFDS };
int job_poll(struct job *j, struct pollfd *fds, int *timeout_ms);

/* After poll(2), and answer_work: true when it has ended. */
bool job_step(struct job *j);

/* End it soon; the line will be requeued for that reason. */
void job_cancel(struct job *j, const char *reason);

/* It has ended: result and evidence. 0, or -VIV_IO: nothing may be passed on. */
int job_finish(struct job *j, struct err *e);

/* Free everything but the line, which is the caller's again. */
cJSON *job_free(struct job *j);

#endif
