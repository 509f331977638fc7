/*
 * api_outcome: what became of a request, in the words and codes of the reference.
 *
 *	403	a text that the guard refused ("Safety check failed: ..."), a command that the
 *		policy refused ("Command blocked by the allowlist: ..."), the budget
 *	429	the rate limit, with the seconds to wait
 *	500	a command that timed out or could not be started; no key, no such model, no
 *		answer of the provider, or one that was cut off or empty
 *	503	halted, or interrupted: nothing is wrong with the request
 *	200	else; a command that failed is an answer too, with "status":"failed"
 */
#include "api.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "json.h"
#include "utf8.h"

enum { RETRY_S = 60 };

static int
fail(int status, cJSON **out, const char *what, const char *why)
{
	char *text = why != NULL ? mem_fmt("%s: %s", what, why) : mem_dup(what);

	*out = api_detail(text);
	free(text);
	return status;
}

static bool
begins(const char *s, const char *with)
{
	return s != NULL && strncmp(s, with, strlen(with)) == 0;
}

static bool
is(const char *a, const char *b)
{
	return a != NULL && strcmp(a, b) == 0;
}

int
api_screened(const cJSON *line, cJSON **out)
{
	const cJSON *safety = json_obj(line, "safety"), *check;

	if (safety == NULL)
		return fail(500, out, "the safety check did not answer", NULL);
	if (json_bool(safety, "passed", false))
		return 0;
	cJSON_ArrayForEach(check, json_obj(safety, "checks")) {
		if (json_bool(check, "passed", false))
			continue;
		return fail(403, out, is(check->string, "policy") ?
			"Command blocked by the allowlist" : "Safety check failed",
		    json_str(check, "reason"));
	}
	return fail(403, out, "Safety check failed", json_str(line, "reason"));
}

/* --- 200 --- */

static cJSON *
report(const struct api_request *r, const cJSON *line)
{
	cJSON *v = json_new();

	json_set_bool(v, "passed", true);
	json_set(v, "checks", cJSON_Duplicate(json_obj(json_obj(line, "safety"), "checks"), true));
	json_set_str(v, "blocked_reason", NULL);
	json_set_str(v, "task_id", r->task_id);
	return v;
}

/* The nine members, in the reference's order. */
static cJSON *
response(const struct api_request *r, const cJSON *line, const char *status, const char *text,
    const char *model)
{
	cJSON *v = json_new();

	json_set_str(v, "status", status);
	json_set_str(v, "result", text);
	json_set_str(v, "model", model);
	json_set_str(v, "task_id", r->task_id);
	json_set(v, "usage", cJSON_CreateNull());
	json_set(v, "output", cJSON_CreateNull());
	json_set(v, "budget_used", cJSON_CreateNull());
	json_set(v, "exit_code", cJSON_CreateNull());
	json_set(v, "safety_report", report(r, line));
	return v;
}

/* What the seconds of a command cost (reference core.md 3.3), or null. */
static cJSON *
seconds_cost(const struct api_request *r, double s)
{
	const char *how = r->intensity != NULL ? r->intensity : "";
	double factor = strcasecmp(how, "low") == 0 ? 0.5 : strcasecmp(how, "high") == 0 ? 1.5 : 1;

	if (r->min_budget < 0 || r->max_budget < 0)
		return cJSON_CreateNull();
	s = fmax(r->min_budget, fmin(r->max_budget, s * 0.01 * factor));
	return cJSON_CreateNumber(round(s * 1e4) / 1e4);
}

static cJSON *
local_response(const struct api_request *r, const cJSON *line, const cJSON *res)
{
	const char *out = json_str(res, "stdout"), *errors = json_str(res, "stderr");
	double code = json_num(res, "exit_code", -json_num(res, "signal", 0));
	double wall = json_num(res, "wall_s", 0);
	char said[128];
	char *all, *cut;
	cJSON *v;

	if (json_num(res, "exit_code", -1) < 0 && json_num(res, "signal", 0) == 0)
		snprintf(said, sizeof(said), "Command ended after %.2f s: %.40s", wall,
		    json_str(res, "why") != NULL ? json_str(res, "why") : "unknown");
	else
		snprintf(said, sizeof(said), "Command finished in %.2f s with exit code %.0f", wall,
		    code);
	all = mem_fmt("%s%s", out != NULL ? out : "", errors != NULL ? errors : "");
	cut = mem_ndup(all, utf8_prefix(all, strlen(all), API_OUTPUT_CHARS));
	v = response(r, line, is(json_str(res, "status"), "completed") ? "completed" : "failed",
	    said, "local");
	json_set_str(v, "output", cut);
	json_set(v, "budget_used", seconds_cost(r, wall));
	if (code != 0 || json_num(res, "exit_code", -1) == 0)
		json_set_num(v, "exit_code", code);
	free(all);
	free(cut);
	return v;
}

static cJSON *
llm_response(const struct api_request *r, const cJSON *line, const cJSON *res)
{
	const cJSON *usage = json_obj(res, "usage");
	const char *model = json_str(res, "model");
	cJSON *v = response(r, line, "completed", json_str(res, "text"),
	    model != NULL ? model : r->model);
	cJSON *use;

	if (json_get(res, "budget_used") != NULL)
		json_set(v, "budget_used", cJSON_Duplicate(json_get(res, "budget_used"), true));
	if (usage == NULL)
		return v;
	use = json_new();
	json_set_num(use, "prompt_tokens", json_num(usage, "prompt_tokens", 0));
	json_set_num(use, "completion_tokens", json_num(usage, "completion_tokens", 0));
	json_set(v, "usage", use);
	return v;
}

/* --- failures --- */

static int
llm_failure(const cJSON *error, cJSON **out, double *retry_out)
{
	const char *class = json_str(error, "class"), *code = json_str(error, "code");
	const char *why = json_str(error, "message");

	if (is(class, "budget"))
		return fail(403, out, "Budget exceeded", why);
	if (is(class, "rate")) {
		*retry_out = json_num(error, "retry_after_s", RETRY_S);
		return fail(429, out, "Rate limit exceeded", why);
	}
	if (is(class, "halted") || is(class, "interrupted"))
		return fail(503, out, is(class, "halted") ? "Halted" : "Interrupted", why);
	if (is(code, "no_key"))
		return fail(500, out, "No API key is set", why);
	if (is(code, "unknown_model"))
		return fail(500, out, "Model is not available", why);
	return fail(500, out, "The model gave no answer", why);
}

/* A line without a result: refused before it began. */
static int
refused(const cJSON *line, cJSON **out)
{
	const char *why = json_str(line, "reason");
	const cJSON *events = json_arr(line, "events");
	const cJSON *last = cJSON_GetArrayItem(events, cJSON_GetArraySize(events) - 1);

	if (why == NULL)
		why = json_str(last, "reason");
	if (is(why, "halted") || is(why, "interrupted"))
		return fail(503, out, *why == 'h' ? "Halted" : "Interrupted", NULL);
	if (begins(why, "refused by policy"))
		return fail(403, out, "Command blocked by the allowlist", why);
	if (begins(why, "refused by"))
		return fail(403, out, "Safety check failed", why);
	return fail(500, out, "Not executed", why);
}

int
api_outcome(const struct api_request *r, const cJSON *line, cJSON **out, double *retry_out)
{
	const cJSON *res = json_obj(line, "result");
	int status;

	*retry_out = -1;
	if (line == NULL)
		return fail(500, out, "Not executed", "no answer of viv-cycle");
	/* A halt stops the guard too: such a line carries no verdict. */
	if (json_obj(line, "safety") != NULL && (status = api_screened(line, out)) != 0)
		return status;
	if (res == NULL || json_obj(line, "safety") == NULL)
		return refused(line, out);
	if (json_obj(res, "error") != NULL)
		return llm_failure(json_obj(res, "error"), out, retry_out);
	if (json_bool(res, "timed_out", false)) {
		char why[64];

		snprintf(why, sizeof(why), "the limit was %.0f s", r->timeout);
		return fail(500, out, "Command timed out", why);
	}
	if (r->local) {
		*out = local_response(r, line, res);
		return 200;
	}
	if (!is(json_str(res, "status"), "completed") || json_str(res, "text") == NULL)
		return fail(500, out, "The model gave no answer", NULL);
	*out = llm_response(r, line, res);
	return 200;
}
