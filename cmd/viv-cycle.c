/*
 * viv-cycle: executes task lines, up to -j of them at once: commands in the sandbox,
 * prompts through viv-llm.
 *
 * One poll loop over stdin, stdout's reader, the commands that run, and the one viv-llm
 * that answers all prompts. A line is read only when there is room to run it, so the
 * claims wait upstream where they are renewed. Results are written as they come. A signal
 * or the kill switch ends what runs and requeues it; a vanished reader ends it and this
 * process.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "halt.h"
#include "job.h"
#include "jsonl.h"
#include "num.h"
#include "opt.h"
#include "stop.h"
#include "task.h"

#define USAGE "viv-cycle [-hv] [-j JOBS] [-D DIR] [-t TIMEOUT] [-o BYTES] [-C WORLD]"

enum { TICK_MS = 1000, JOBS_MAX = 1024 };

struct cycle {
	struct world world;
	struct job_setup setup;
	struct jsonl in;
	struct job **job;
	size_t n, jobs;
	bool reader_gone;
	const char *stopping;
};

/* Write the line of a job that is over, and forget it. */
static int
emit(struct cycle *c, struct job *j, struct err *e)
{
	cJSON *line = job_free(j);
	int rc = c->reader_gone ? 0 : jsonl_write(STDOUT_FILENO, line, e);

	if (rc != 0 && errno == EPIPE) {
		c->reader_gone = true;
		rc = 0;
	}
	cJSON_Delete(line);
	free(j);
	return rc;
}

static void
discard(struct job *j)
{
	cJSON_Delete(job_free(j));
	free(j);
}

/* Start lines while there is room. */
static int
start_some(struct cycle *c, struct err *e)
{
	cJSON *line;

	while (c->n < c->jobs && !c->reader_gone && (line = jsonl_next(&c->in)) != NULL) {
		struct job *j = mem_zero(1, sizeof(*j));
		int rc = job_start(j, &c->setup, line, c->stopping, e);

		if (rc == 0) {
			c->job[c->n++] = j;
			continue;
		}
		if (rc < 0)
			discard(j);
		else
			rc = emit(c, j, e);
		if (rc != 0)
			return rc;
	}
	return 0;
}

static int
step_all(struct cycle *c, struct err *e)
{
	bool end = c->reader_gone || stop_asked();
	const char *why = end ? "interrupted" :
	    c->world.root != NULL && c->n > 0 && halt_on(&c->world, NULL, 0) ? "halted" : NULL;
	int rc = answer_work(&c->setup.answer, e);

	if (stop_asked() && c->stopping == NULL)
		c->stopping = "interrupted";
	for (size_t i = c->n; i-- > 0 && rc == 0;) {
		struct job *j = c->job[i];

		if (why != NULL)
			job_cancel(j, why);
		if (!job_step(j))
			continue;
		c->job[i] = c->job[--c->n];
		rc = job_finish(j, e);
		if (rc == 0)
			rc = emit(c, j, e);
		else
			discard(j);
	}
	return rc;
}

static void
wait_for_event(struct cycle *c, struct pollfd *p)
{
	bool room = c->n < c->jobs && !c->in.eof;
	int timeout = c->n > 0 ? TICK_MS : -1;
	nfds_t n = 2;

	if (c->n == 0)
		run_idle(&c->setup.run);
	p[0] = (struct pollfd){.fd = room ? STDIN_FILENO : -1, .events = POLLIN};
	p[1] = (struct pollfd){.fd = c->reader_gone ? -1 : STDOUT_FILENO};
	n += (nfds_t)answer_poll(&c->setup.answer, p + n, &timeout);
	for (size_t i = 0; i < c->n; i++)
		n += (nfds_t)job_poll(c->job[i], p + n, &timeout);
	stop_poll(p, n, timeout);
	if (p[1].revents & (POLLERR | POLLNVAL))
		c->reader_gone = true;
}

static int
loop(struct cycle *c, struct err *e)
{
	struct pollfd *p = mem_zero(2 + ANSWER_POLLFDS + JOB_POLLFDS * c->jobs, sizeof(*p));
	int rc = 0;

	while (rc == 0) {
		wait_for_event(c, p);
		if (p[0].revents != 0 && (rc = jsonl_fill(&c->in, e)) < 0)
			break;
		rc = step_all(c, e);
		if (rc == 0)
			rc = start_some(c, e);
		if (c->n == 0 && (c->reader_gone || (c->in.eof && c->in.at >= c->in.buf.len)))
			break;
	}
	free(p);
	return rc;
}

int
main(int argc, char **argv)
{
	static const struct option longs[] = {{"jobs", required_argument, NULL, 'j'},
	    {"workdir", required_argument, NULL, 'D'}, {"timeout", required_argument, NULL, 't'},
	    {"max-output", required_argument, NULL, 'o'}, {"verbose", no_argument, NULL, 'v'},
	    {NULL, 0, NULL, 0}};
	struct cycle c = {
	    .in = {.fd = STDIN_FILENO}, .jobs = 1, .setup.run.timeout_s = TASK_TIMEOUT_S};
	struct err e = {0};
	long long v, max_output = -1;
	int opt, found, rc;

	opt_init(argc, argv, USAGE);
	while ((opt = opt_next(argc, argv, "j:D:t:o:v", longs)) != -1) {
		if (opt == 'j' && (!num_int(optarg, 1, JOBS_MAX, &v) || (c.jobs = (size_t)v) == 0))
			opt_usage("-j wants a number from 1 to %d, not '%s'", JOBS_MAX, optarg);
		if (opt == 'D')
			c.setup.run.workdir = optarg;
		if (opt == 't' &&
		    !num_seconds(optarg, 1, TASK_TIMEOUT_MAX_S, &c.setup.run.timeout_s))
			opt_usage(
			    "-t wants seconds from 1 to %d, not '%s'", TASK_TIMEOUT_MAX_S, optarg);
		if (opt == 'o' && !num_size(optarg, 0, 1 << 30, &max_output))
			opt_usage("-o wants bytes (64k), not '%s'", optarg);
	}
	if (optind < argc)
		opt_usage("unexpected argument '%s'", argv[optind]);
	/* A world is optional: a bare request runs under the shipped policy. */
	if ((found = world_find(&c.world, opt_world, &e)) < 0)
		err_die(&e);
	c.setup.run.w = found > 0 ? &c.world : NULL;
	if (policy_load(&c.setup.run.policy, c.setup.run.w, &e) != 0 ||
	    answer_open(&c.setup.answer, c.setup.run.w, c.jobs, &e) != 0 ||
	    proc_reaper_start(&e) != 0)
		err_die(&e);
	if (max_output < 0)
		max_output = policy_max_output(c.setup.run.policy);
	c.setup.run.max_output = (size_t)max_output;
	c.job = mem_zero(c.jobs, sizeof(struct job *));
	stop_catch();
	rc = loop(&c, &e);
	if (rc < 0)
		err_warn("%s", e.msg);
	while (c.n > 0)
		discard(c.job[--c.n]);
	run_idle(&c.setup.run);
	answer_close(&c.setup.answer);
	free(c.job);
	jsonl_free(&c.in);
	policy_free(c.setup.run.policy);
	if (c.setup.run.w != NULL)
		world_close(&c.world);
	return opt_end(rc < 0 ? -rc : c.in.bad > 0 ? VIV_NO : 0);
}
