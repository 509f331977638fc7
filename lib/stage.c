/*
 * stage: the loop that every pipeline stage has in common, and the task line.
 *
 * poll(2) watches stdin for work and stdout for a reader that has gone, so that the
 * death of any stage travels up the pipeline to viv-claim, which then gives back
 * what it holds. Lines are written as soon as they are ready; with a flush they are
 * ready when the burst that arrived together has been flushed.
 */
#include "stage.h"

#include <poll.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "json.h"
#include "jsonl.h"

enum { BURST = 512 };

struct burst {
	stage_fn *fn;
	stage_flush *flush;
	void *arg;
	cJSON *line[BURST];
	size_t n;
};

/* Flush what was worked on and pass it on, unless rc says that it failed. */
static int
pass_on(struct burst *b, int rc, struct err *e)
{
	if (rc == 0 && b->flush != NULL && b->n > 0)
		rc = b->flush(b->arg, e);
	for (size_t i = 0; i < b->n; i++) {
		if (rc == 0)
			rc = jsonl_write(STDOUT_FILENO, b->line[i], e);
		cJSON_Delete(b->line[i]);
	}
	b->n = 0;
	return rc;
}

static int
drain(struct jsonl *in, struct burst *b, struct err *e)
{
	size_t most = b->flush != NULL ? BURST : 1;
	cJSON *line;
	int rc = 0;

	while (rc == 0 && (line = jsonl_next(in)) != NULL) {
		rc = b->fn(line, b->arg, e);
		b->line[b->n++] = line;
		if (rc != 0 || b->n == most)
			rc = pass_on(b, rc, e);
	}
	return pass_on(b, rc, e);
}

int
stage_run_bursts(stage_fn *fn, stage_flush *flush, void *arg)
{
	struct jsonl in = {.fd = STDIN_FILENO};
	struct pollfd p[2] = {{.fd = STDIN_FILENO, .events = POLLIN}, {.fd = STDOUT_FILENO}};
	struct burst b = {.fn = fn, .flush = flush, .arg = arg};
	struct err e = {0};
	int rc = 0;

	if (!isatty(STDIN_FILENO)) {
		signal(SIGINT, SIG_IGN);
		signal(SIGTERM, SIG_IGN);
	}
	while (rc == 0 && !in.eof) {
		if (poll(p, 2, -1) < 0)
			continue;
		if (p[1].revents & (POLLERR | POLLNVAL))
			break;
		if (p[0].revents != 0 && (rc = jsonl_fill(&in, &e)) >= 0)
			rc = drain(&in, &b, &e);
	}
	if (rc < 0)
		err_warn("%s", e.msg);
	rc = rc < 0 ? -rc : in.bad > 0 ? VIV_NO : 0;
	jsonl_free(&in);
	return rc;
}

int
stage_run(stage_fn *fn, void *arg)
{
	return stage_run_bursts(fn, NULL, arg);
}

const char *
stage_status(const cJSON *line)
{
	const char *s = json_str(line, "status");

	return s != NULL ? s : "";
}

bool
stage_open(const cJSON *line)
{
	const char *s = stage_status(line);

	return *s == '\0' || strcmp(s, "in_progress") == 0 || strcmp(s, "pending") == 0;
}

cJSON *
stage_event(cJSON *line, const char *status)
{
	cJSON *events = json_arr(line, "events"), *event = json_new();

	if (events == NULL) {
		json_set(line, "events", json_list());
		events = json_arr(line, "events");
	}
	json_set_str(event, "status", status);
	json_push(events, event);
	json_set_str(line, "status", status);
	json_del(line, "committed");
	return event;
}

cJSON *
stage_final(cJSON *line, const char *status, const char *reason)
{
	cJSON *event = stage_event(line, status);

	if (reason != NULL) {
		json_set_str(event, "reason", reason);
		json_set_str(line, "reason", reason);
	}
	json_set_bool(event, "final", true);
	return event;
}

cJSON *
stage_requeue(cJSON *line, const char *reason)
{
	cJSON *event = stage_final(line, "requeue", reason);

	json_set_bool(event, "counted", false);
	return event;
}
