/*
 * answer: one prompt of a task line, answered by a co-process.
 *
 * The text is screened here too, so that leaving viv-guard out gains nothing. Then the
 * line goes to the one co-process with a "ref" of our own, which its answer must bring
 * back; nothing else of what it writes is believed. Meanwhile the claim is renewed, and
 * its flock lasts until the co-process is dead, should this process be killed.
 * Cancelled (halted, interrupted, claim lost, no answer when the task's time and GRACE_S
 * are over), the co-process is told so and has CANCEL_MS to answer, with the money
 * settled and what text there is; then it is killed, and the others that it worked on go
 * back uncounted, since that was not their fault. When it dies by itself, what it had
 * taken is requeued as a transient failure, and what it had not is given to the next one.
 */
#include "answer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "buf.h"
#include "clock.h"
#include "json.h"
#include "reaper.h"
#include "reply.h"
#include "screen.h"
#include "task.h"

#define CANCEL_NS	INT64_C(2000000000)
#define SAY_NS		INT64_C(60000000000)

enum { GRACE_S = 5, NO_WORLD_CHARS = 64000 };

/* --- the co-process --- */

int
answer_open(struct answer_setup *s, const struct world *w, size_t jobs, struct err *e)
{
	struct world_limits lim = {.max_result_chars = NO_WORLD_CHARS};
	int rc = w != NULL ? world_limits(w, &lim, e) : 0;

	*s = (struct answer_setup){.w = w, .max_chars = (size_t)lim.max_result_chars};
	model_open(&s->model, w, jobs);
	return rc;
}

void
answer_close(struct answer_setup *s)
{
	model_close(&s->model);
}

static void
send_line(struct answer *a)
{
	cJSON *req = reply_request(a->at.line, a->ref);

	a->sent = coproc_send(&a->setup->model.co, req);
	cJSON_Delete(req);
}

static void
fail(struct answer *a, const char *class, const char *code, const char *message)
{
	if (a->done)
		return;
	a->given = reply_failure(class, code, message);
	a->done = true;
}

/* --- answers --- */

static struct answer *
find(const struct answer_setup *s, const char *ref)
{
	struct answer *a = s->first;

	while (a != NULL && strcmp(a->ref, ref) != 0)
		a = a->next;
	return a;
}

static void
take(cJSON *line, void *arg)
{
	struct answer_setup *s = arg;
	const char *ref = json_str(line, "ref");
	struct answer *a = ref != NULL ? find(s, ref) : NULL;

	if (ref == NULL) {
		coproc_bad(&s->model.co, "wrote a line without a 'ref'");
	} else if (a == NULL) {
		coproc_bad(&s->model.co, "answered '%.40s', which nobody asked", ref);
	} else if (a->done) {
		coproc_bad(&s->model.co, "answered '%.40s' twice", ref);
	} else if (json_obj(line, "result") == NULL) {
		coproc_bad(&s->model.co, "answered '%.40s' without a 'result'", ref);
		fail(a, "transient", "malformed", "the answer has no result");
	} else {
		a->given = cJSON_DetachItemFromObjectCaseSensitive(line, "result");
		a->done = true;
		coproc_good(&s->model.co);
	}
	cJSON_Delete(line);
}

/* None runs: the next one gets all that still waits. */
static void
send_again(struct answer_setup *s)
{
	coproc_forget(&s->model.co);
	for (struct answer *a = s->first; a != NULL; a = a->next)
		if (!a->done)
			send_line(a);
}

/* It has died: what it had taken is over, what it had not goes to the next one. */
static void
share_out(struct answer_setup *s, const char *how)
{
	int code = s->model.co.exit_code;
	bool config = !s->model.co.killed && (code == VIV_CONFIG || code == VIV_USAGE ||
	    code == VIV_NOEXEC || code == VIV_NOTFOUND);
	uint64_t written = s->model.co.written;
	int64_t now = clock_boot_ns();

	if (s->first != NULL || code != 0)
		err_warn("%s", how);
	for (struct answer *a = s->first; a != NULL; a = a->next) {
		if (a->done)
			continue;
		if (a->kill_ns != 0 || config)
			fail(a, config ? "config" : "transient", config ? "config" : "died", how);
		else if (a->sent <= written || now >= a->deadline_ns)
			fail(a, s->model.co.killed ? "interrupted" : "transient", "died", how);
	}
	send_again(s);
}

int
answer_poll(struct answer_setup *s, struct pollfd *fds, int *timeout_ms)
{
	return coproc_poll(&s->model.co, fds, timeout_ms);
}

int
answer_work(struct answer_setup *s, struct err *e)
{
	int rc = coproc_step(&s->model.co, take, s, e);

	if (rc == 1)
		share_out(s, e->msg);
	if (rc == -VIV_CONFIG) {
		coproc_forget(&s->model.co);
		for (struct answer *a = s->first; a != NULL; a = a->next)
			fail(a, "config", "config", e->msg);
	}
	return rc == 1 || rc == -VIV_CONFIG ? 0 : rc;
}

/* --- one answer --- */

/* The same checks as viv-guard's, of all text that the task's author wrote. */
static int
check_text(struct answer *a)
{
	const char *text[] = {task_prompt(a->at.line), json_str(a->at.line, "system")};
	struct screen s;

	if (text[0] == NULL)
		return attempt_refuse(&a->at, "neither a command nor a prompt", NULL);
	for (int i = 0; i < 2; i++) {
		char *reason;
		int rc;

		if (text[i] == NULL)
			continue;
		screen_text(text[i], strlen(text[i]), &s);
		if (s.passed)
			continue;
		reason = mem_fmt("refused by the %s check", s.check[s.run - 1].name);
		rc = attempt_refuse(&a->at, reason, s.check[s.run - 1].reason);
		free(reason);
		return rc;
	}
	return 0;
}

int
answer_start(struct answer *a, struct answer_setup *s, cJSON *line)
{
	int rc;

	*a = (struct answer){.setup = s, .timeout_s = task_timeout(line)};
	attempt_init(&a->at, s->w, line);
	if ((rc = check_text(a)) != 0 || (rc = attempt_hold(&a->at)) != 0)
		return rc;
	reaper_hold(a->at.hold.fd);
	snprintf(a->ref, sizeof(a->ref), "r%llu", ++s->refs);
	a->deadline_ns = clock_boot_ns() + (int64_t)((a->timeout_s + GRACE_S) * 1e9);
	a->next = s->first;
	s->first = a;
	send_line(a);
	return 0;
}

static void
take_back(struct answer *a)
{
	struct coproc *co = &a->setup->model.co;
	cJSON *cancel;

	if (a->kill_ns != 0 || a->done)
		return;
	a->kill_ns = clock_boot_ns() + CANCEL_NS;
	if (co->pid == 0) {	/* none runs that could answer, and the next shall not hear of it */
		fail(a, "interrupted", "cancelled", "it was cancelled");
		send_again(a->setup);
		return;
	}
	cancel = json_new();
	json_set_str(cancel, "cancel", a->ref);
	coproc_send(co, cancel);
	cJSON_Delete(cancel);
}

void
answer_cancel(struct answer *a, const char *reason)
{
	if (a->at.cancelled != NULL)
		return;
	a->at.cancelled = reason;
	take_back(a);
}

void
answer_due(const struct answer *a, int *timeout_ms)
{
	int64_t due = a->kill_ns != 0 ? a->kill_ns : a->deadline_ns;
	int64_t ms = (due - clock_boot_ns()) / 1000000 + 1;

	ms = a->done || ms < 0 ? 0 : ms;
	attempt_due(&a->at, timeout_ms);
	if (*timeout_ms < 0 || ms < *timeout_ms)
		*timeout_ms = (int)ms;
}

bool
answer_step(struct answer *a)
{
	int64_t now = clock_boot_ns();

	if (!attempt_tend(&a->at))
		take_back(a);
	if (now >= a->deadline_ns && a->kill_ns == 0 && !a->done) {
		a->late = true;
		take_back(a);
	}
	if (a->kill_ns != 0 && now >= a->kill_ns && !a->done) {
		coproc_kill(&a->setup->model.co);
		a->kill_ns = now + CANCEL_NS;
	}
	return a->done;
}

/* A complaint for whoever runs this, once a minute while it is the same. */
static void
say(struct answer_setup *s, const char *message)
{
	int64_t now = clock_boot_ns();

	if (now - s->said_ns < SAY_NS && s->said_ns != 0 &&
	    strncmp(s->said, message, sizeof(s->said) - 1) == 0)
		return;
	err_warn("%s", message);
	snprintf(s->said, sizeof(s->said), "%s", message);
	s->said_ns = now;
}

int
answer_finish(struct answer *a, struct err *e)
{
	cJSON *res, *line = a->at.line;
	int rc = 0;

	if (a->at.lost) {
		attempt_lost(&a->at);
		return 0;
	}
	if (a->late && !reply_completed(a->given)) {
		char *text = mem_fmt("nothing came within %.0f s", a->timeout_s + GRACE_S);
		cJSON *error = reply_failure("transient", "timeout", text);

		json_set(a->given, "status", cJSON_CreateString("failed"));
		json_set(a->given, "error", cJSON_Duplicate(json_obj(error, "error"), true));
		cJSON_Delete(error);
		free(text);
	}
	res = reply_result(a->given, a->setup->max_chars);
	if (reply_worth_keeping(res))
		rc = attempt_store(&a->at, res, e);
	if (rc != 0) {
		cJSON_Delete(res);
		return rc;
	}
	if (strcmp(reply_class(res), "config") == 0)
		say(a->setup, json_str(json_obj(res, "error"), "message"));
	if (a->at.cancelled != NULL && !reply_completed(res))
		reply_cancelled(line, res, a->at.cancelled);
	else
		reply_record(line, res);
	return 0;
}

cJSON *
answer_free(struct answer *a)
{
	struct answer **at = &a->setup->first;

	while (*at != NULL && *at != a)
		at = &(*at)->next;
	if (*at != NULL)
		*at = a->next;
	cJSON_Delete(a->given);
	reaper_let_go(a->at.hold.fd);
	return attempt_end(&a->at);
}
