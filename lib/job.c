/*
 * job: one task line that viv-cycle works on, a command or a prompt.
 *
 * What both have in common before anything is done (is the line open, is the world
 * halted), and one set of names for the poll loop afterwards.
 */
#include "job.h"

#include "halt.h"
#include "stage.h"
#include "task.h"

int
job_start(struct job *j, struct job_setup *s, cJSON *line, const char *stopping, struct err *e)
{
	const struct world *w = s->run.w;

	*j = (struct job){.line = line};
	if (!stage_open(line))
		return 1;
	if (stopping == NULL && w != NULL && halt_on(w, NULL, 0))
		stopping = "halted";
	if (stopping != NULL) {
		stage_requeue(line, stopping);
		return 1;
	}
	j->line = NULL;
	j->kind = task_is_local(line) ? JOB_COMMAND : JOB_PROMPT;
	return j->kind == JOB_COMMAND ? run_start(&j->run, &s->run, line, e) :
					answer_start(&j->answer, &s->answer, line);
}

int
job_poll(struct job *j, struct pollfd *fds, int *timeout_ms)
{
	if (j->kind == JOB_COMMAND)
		return run_poll(&j->run, fds, timeout_ms);
	answer_due(&j->answer, timeout_ms);
	return 0;
}

bool
job_step(struct job *j)
{
	return j->kind == JOB_COMMAND ? run_step(&j->run) : answer_step(&j->answer);
}

void
job_cancel(struct job *j, const char *reason)
{
	if (j->kind == JOB_COMMAND)
		run_cancel(&j->run, reason);
	else
		answer_cancel(&j->answer, reason);
}

int
job_finish(struct job *j, struct err *e)
{
	return j->kind == JOB_COMMAND ? run_finish(&j->run, e) : answer_finish(&j->answer, e);
}

cJSON *
job_free(struct job *j)
{
	return j->kind == JOB_NONE ? j->line :
	    j->kind == JOB_COMMAND ? run_free(&j->run) : answer_free(&j->answer);
}
