/*
 * reply: what a model's answer, or its failure, means for the task line.
 *
 *	completed	goes to review
 *	transient	tried again after a back-off, until max_attempts
 *	permanent	failed
 *	budget		over the task's own limit: failed; over another: later, uncounted
 *	rate, config	later, uncounted
 *	halted, interrupted	at once, uncounted
 *
 * The program that answers can be anybody's ($VIV_LLM), so its result is looked at member
 * by member, and whatever it calls completed without text is a failure.
 */
#include "reply.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "attempt.h"
#include "backoff.h"
#include "clock.h"
#include "file.h"
#include "json.h"
#include "stage.h"
#include "task.h"
#include "utf8.h"

enum {
	CONFIG_S = 120,	/* beyond what -e waits for */
	BUDGET_S = 300,
	RATE_S = 10,
	WAIT_MAX_S = 7 * 86400,
	DAY_S = 86400,
	TOKENS = 2048,			/* max_tokens by default, */
	TOKENS_MAX = 65536,		/* and at most */
	MESSAGE_BYTES = 300
};

static const char *const classes[] = {"transient", "permanent", "budget", "rate", "halted",
	"config", "interrupted"};
enum { CLASSES = sizeof(classes) / sizeof(classes[0]) };

static bool
is(const char *a, const char *b)
{
	return a != NULL && strcmp(a, b) == 0;
}

/* --- the result --- */

static void
set_error(cJSON *res, const char *class, const char *code, const char *message)
{
	cJSON *error = json_new();

	json_set_str(error, "class", class);
	json_set_str(error, "code", code);
	json_set_str(error, "message", message);
	json_set_str(res, "status", "failed");
	json_set(res, "error", error);
}

cJSON *
reply_failure(const char *class, const char *code, const char *message)
{
	cJSON *res = json_new();

	set_error(res, class, code, message);
	return res;
}

/* Members of a wrong type, and those that are not its to say. */
static void
clean(cJSON *res)
{
	static const struct {
		const char *name;
		int types;
	} known[] = {{"status", cJSON_String}, {"text", cJSON_String},
	    {"finish_reason", cJSON_String}, {"model", cJSON_String},
	    {"requested_model", cJSON_String}, {"usage", cJSON_Object},
	    {"cost_microusd", cJSON_Number | cJSON_NULL},
	    {"budget_used", cJSON_Number | cJSON_NULL}, {"latency_ms", cJSON_Number},
	    {"provider", cJSON_String}, {"request_id", cJSON_String}, {"tries", cJSON_Number},
	    {"error", cJSON_Object}};
	static const char *const ours[] = {"file", "text_sha256", "text_bytes", "truncated",
	    "exit_code", "signal", "stdout", "stderr", "argv", "workdir", "success"};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		const cJSON *v = json_get(res, known[i].name);

		if (v != NULL && (v->type & 0xff & known[i].types) == 0)
			json_del(res, known[i].name);
	}
	for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++)
		json_del(res, ours[i]);
}

/* The error that it names, with a class that we know. */
static void
check_error(cJSON *res)
{
	cJSON *error = json_obj(res, "error");
	const char *class = json_str(error, "class");
	int i;

	for (i = 0; class != NULL && i < CLASSES && strcmp(class, classes[i]) != 0; i++)
		;
	if (class == NULL || i == CLASSES)
		json_set_str(error, "class", classes[0]);
	if (json_str(error, "code") == NULL)
		json_set_str(error, "code", "malformed");
	if (json_str(error, "message") == NULL)
		json_set_str(error, "message", "the model failed without a reason");
	if (is(json_str(res, "status"), "completed") || json_str(res, "status") == NULL)
		json_set_str(res, "status", "failed");
}

/* Is an answer without an error one? */
static void
check_answer(cJSON *res, const char *text, bool altered)
{
	const char *status = json_str(res, "status"), *finish = json_str(res, "finish_reason");

	if (is(status, "cancelled"))
		set_error(res, "interrupted", "cancelled", "it was cancelled");
	else if (!is(status, "completed"))
		set_error(res, "transient", "malformed", "the model failed without a reason");
	else if (text == NULL || text[strspn(text, " \t\r\n")] == '\0')
		set_error(res, "transient", "empty", "the answer is empty");
	else if (is(finish, "length"))
		set_error(res, "transient", "truncated", "the answer was cut off");
	else if (altered)
		set_error(res, "transient", "malformed", "the answer does not have its hash");
}

cJSON *
reply_result(const cJSON *given, size_t max_chars)
{
	cJSON *res = cJSON_IsObject(given) ? cJSON_Duplicate(given, true) : json_new();
	const char *text, *sum;
	char hash[FILE_SHA256];
	bool altered = false;
	size_t n = 0, keep = 0;

	clean(res);
	text = json_str(res, "text");
	sum = json_str(res, "sha256");
	if (text != NULL) {
		n = strlen(text);
		file_sha256(text, n, hash);
		altered = sum != NULL && strcasecmp(sum, hash) != 0;
		json_set_str(res, "text_sha256", hash);
		json_set_num(res, "text_bytes", (double)n);
		keep = utf8_prefix(text, n, max_chars);
		json_set_bool(res, "truncated", keep < n);
	}
	json_del(res, "sha256");	/* from here on that of the stored result */
	if (json_obj(res, "error") != NULL)
		check_error(res);
	else
		check_answer(res, text, altered);
	if (keep < n) {
		char *cut = mem_ndup(text, keep);

		json_set_str(res, "text", cut);
		free(cut);
	}
	return res;
}

bool
reply_completed(const cJSON *res)
{
	return is(json_str(res, "status"), "completed");
}

const char *
reply_class(const cJSON *res)
{
	const char *class = json_str(json_obj(res, "error"), "class");

	return class != NULL ? class : "";
}

bool
reply_worth_keeping(const cJSON *res)
{
	const char *text = json_str(res, "text");

	return (text != NULL && *text != '\0') || json_num(res, "cost_microusd", 0) > 0 ||
	    json_num(res, "budget_used", 0) > 0;
}

/* --- events --- */

/* What every event about an answer says of it. */
static void
add_answer(cJSON *ev, const cJSON *res)
{
	static const char *const same[] = {"model", "budget_used", "usage", "latency_ms",
	    "provider", "request_id"};

	for (size_t i = 0; i < sizeof(same) / sizeof(same[0]); i++)
		if (json_get(res, same[i]) != NULL)
			json_set(ev, same[i], cJSON_Duplicate(json_get(res, same[i]), true));
	if (json_str(res, "sha256") != NULL)
		json_set_str(ev, "result_sha256", json_str(res, "sha256"));
}

static void
record_completed(cJSON *line, const cJSON *res)
{
	cJSON *ev = stage_event(line, "completed");
	char now[CLOCK_TEXT];

	clock_utc(clock_wall(), now);
	json_set_str(ev, "completed_at", now);
	attempt_summary(ev, json_str(res, "text"));
	json_set_bool(ev, "safety_passed", true);
	add_answer(ev, res);
}

/* What it said to wait, in seconds; dflt when it did not. */
static double
retry_after(const cJSON *error, double dflt)
{
	double s = json_num(error, "retry_after_s", -1);

	return !(s >= 0) ? dflt : s > WAIT_MAX_S ? WAIT_MAX_S : s;
}

/* A budget of the day is whole again at midnight (UTC), others when somebody acts. */
static double
budget_wait(const cJSON *error)
{
	const char *code = json_str(error, "code");
	double now = clock_wall();

	return code != NULL && strstr(code, "day") != NULL ? DAY_S - fmod(now, DAY_S) : BUDGET_S;
}

/* Seconds until it is tried again, -1: never. *counted_out: was this an attempt? */
static double
fate(const cJSON *line, const cJSON *error, bool *counted_out)
{
	const char *class = json_str(error, "class");
	int attempt = (int)json_int(json_obj(line, "claim"), "attempt", 1);
	double least;

	*counted_out = false;
	if (is(class, "halted") || is(class, "interrupted"))
		return 0;
	if (is(class, "config"))
		return CONFIG_S;
	if (is(class, "rate"))
		return fmax(1, retry_after(error, RATE_S));
	if (is(class, "budget") && !is(json_str(error, "code"), "budget_task"))
		return retry_after(error, budget_wait(error));
	*counted_out = true;
	if (!is(class, "transient") || attempt >= task_max_attempts(line))
		return -1;
	least = retry_after(error, 0);
	return fmax(least, backoff_s(attempt));
}

/* The next attempt may be longer than the one that was cut off. */
static void
allow_more(cJSON *ev, const cJSON *line)
{
	double n = json_num(json_obj(line, "previous"), "max_tokens",
	    json_num(line, "max_tokens", TOKENS));

	json_set_num(ev, "max_tokens", fmin(TOKENS_MAX, 2 * n));
}

/* An attempt that does not count says nothing: what the one before it left for the next
 * is handed on. */
static void
hand_on(cJSON *ev, const cJSON *line)
{
	static const char *const member[] = {"errors", "review_verdict", "review_issues",
	    "review_suggestions", "max_tokens"};
	const cJSON *prev = json_obj(line, "previous");

	for (size_t i = 0; i < sizeof(member) / sizeof(member[0]); i++)
		if (json_get(ev, member[i]) == NULL && json_get(prev, member[i]) != NULL)
			json_set(ev, member[i], cJSON_Duplicate(json_get(prev, member[i]), true));
}

static void
record_failed(cJSON *line, const cJSON *res)
{
	const cJSON *error = json_obj(res, "error");
	const char *message = json_str(error, "message");
	char text[MESSAGE_BYTES], *reason;
	bool counted;
	double wait = fate(line, error, &counted);
	cJSON *ev;

	utf8_printable(text, sizeof(text), message, strlen(message));
	reason = mem_fmt("no answer: %s", text);
	ev = wait < 0 ? stage_final(line, "failed", reason) :
	    counted ? stage_final(line, "requeue", reason) : stage_requeue(line, reason);
	free(reason);
	if (wait > 0)
		backoff_set(ev, wait);
	if (counted)
		json_set_str(ev, "errors", text);
	json_set_str(ev, "error_class", json_str(error, "class"));
	json_set_str(ev, "error_code", json_str(error, "code"));
	if (wait >= 0 && is(json_str(error, "code"), "truncated"))
		allow_more(ev, line);
	if (!counted)
		hand_on(ev, line);
	add_answer(ev, res);
}

void
reply_record(cJSON *line, cJSON *res)
{
	if (reply_completed(res))
		record_completed(line, res);
	else
		record_failed(line, res);
	json_set(line, "result", res);
}

void
reply_cancelled(cJSON *line, cJSON *res, const char *reason)
{
	cJSON *ev = stage_requeue(line, reason);

	hand_on(ev, line);
	add_answer(ev, res);
	json_set(line, "result", res);
}

/* --- the request --- */

cJSON *
reply_request(const cJSON *line, const char *ref)
{
	static const char *const notes[] = {"status", "safety", "result", "events", "committed",
	    "reason"};
	cJSON *req = cJSON_Duplicate(line, true);
	double more = json_num(json_obj(line, "previous"), "max_tokens", 0);

	for (size_t i = 0; i < sizeof(notes) / sizeof(notes[0]); i++)
		json_del(req, notes[i]);
	json_del(json_obj(req, "claim"), "token");
	if (more > json_num(line, "max_tokens", TOKENS))
		json_set_num(req, "max_tokens", more);
	json_set_str(req, "ref", ref);
	return req;
}
