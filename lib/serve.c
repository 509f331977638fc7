/*
 * serve: what POST /cycle and POST /plan do, once it is known who asks.
 *
 * A request becomes one task line, which goes through the same programs as that of a
 * resident; what comes back decides the answer. Every text that the client sent is
 * screened, also the one that is not executed: the reference looked at one of them and
 * ran the other.
 */
#include "serve.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api.h"
#include "docs.h"
#include "env.h"
#include "err.h"
#include "json.h"
#include "jsonl.h"
#include "pipeline.h"
#include "policy.h"
#include "stop.h"

enum { LOCAL_EXTRA_S = 60, LLM_LIMIT_S = 900, GOAL_BYTES = 4000 };

#define GOAL "Find what most needs to be improved here, and plan the next steps."

int
serve_say(struct serve_answer *a, int status, const char *text)
{
	a->status = status;
	cJSON_Delete(a->body);
	a->body = api_detail(text);
	return status;
}

/* Run first | second (NULL: first alone) with that input; arg is first's, or NULL. */
static int
run(const struct world *w, const char *first, const char *arg, const char *second,
    const char *in, double limit_s, struct pipeline *p, struct buf *out, struct err *e)
{
	const char *name[] = {first, second};
	char *path[2] = {NULL, NULL}, dashes[] = "--", *argv[2][4] = {{NULL}, {NULL}};
	char *goal = arg != NULL ? mem_dup(arg) : NULL, **env[2] = {NULL, NULL};
	int rc;

	*p = (struct pipeline){.n = second != NULL ? 2 : 1, .limit_s = limit_s,
	    .max_output = JSONL_MAX * 4};
	for (size_t i = 0; i < p->n; i++) {
		path[i] = pipeline_program(name[i]);
		argv[i][0] = path[i];
		/* Only what asks a model needs its keys. */
		env[i] = pipeline_env(w->root, strcmp(name[i], "viv-cycle") == 0 || goal != NULL);
		p->argv[i] = argv[i];
		p->env[i] = env[i];
	}
	if (goal != NULL) {
		argv[0][1] = dashes;
		argv[0][2] = goal;
	}
	stop_catch();
	rc = pipeline_run(p, in, strlen(in), out, e);
	for (size_t i = 0; i < p->n; i++) {
		free(path[i]);
		env_free(env[i]);
	}
	free(goal);
	return rc;
}

/* Give the line (taken over) to the programs; *out is the line that came back, or NULL. */
static int
through(const struct world *w, const char *first, const char *second, cJSON *line, double limit_s,
    cJSON **out, struct serve_answer *a)
{
	char *text = json_text(line), *in = mem_fmt("%s\n", text);
	struct pipeline p;
	struct buf got = {0};
	struct err e = {0};
	int rc = run(w, first, NULL, second, in, limit_s, &p, &got, &e);

	*out = rc == 0 && got.len > 0 ? json_parse(got.p, got.len, &e) : NULL;
	buf_free(&got);
	cJSON_Delete(line);
	free(text);
	free(in);
	if (rc == 0)
		return 0;
	return serve_say(a, rc == -VIV_TEMPFAIL ? 503 : 500, e.msg);
}

/* The directory of the reference's commands is its checkout: here, the first read root. */
static char *
workdir(const struct world *w)
{
	struct policy *p;
	struct err e = {0};
	char *dir = NULL;

	if (policy_load(&p, w, &e) != 0)
		return NULL;
	for (const char *const *r = policy_read_roots(p); r != NULL && *r != NULL; r++)
		if (dir == NULL && policy_workdir(p, w, *r, &dir, &e) != 0)
			dir = NULL;
	policy_free(p);
	return dir;
}

/* The guard's word on a text that is not executed, but would have slipped through. */
static int
screen(const struct world *w, const struct api_request *r, const char *text, struct serve_answer *a)
{
	cJSON *line;
	int status = through(w, "viv-guard", NULL, api_text_line(r, text), LOCAL_EXTRA_S, &line, a);

	if (status != 0)
		return status;
	/* Halted: the pipeline will say so. */
	if (json_obj(line, "safety") != NULL && (status = api_screened(line, &a->body)) != 0)
		a->status = status;
	cJSON_Delete(line);
	return status;
}

static int
check_texts(const struct world *w, struct api_request *r, struct serve_answer *a)
{
	const char *why, *main = r->local ? r->task : r->prompt;
	const char *other = r->local ? r->prompt : r->task;
	int status;

	if (other != NULL && *other != '\0' && (status = screen(w, r, other, a)) != 0)
		return status;
	if (api_mode_last(r, &why) != 0)
		return serve_say(a, 400, why);
	if (main[strspn(main, " \t\r\n\f\v")] == '\0')
		return serve_say(a, 403, "Safety check failed: the text is blank");
	if (r->local && (why = api_forbidden(main)) != NULL) {
		char text[128];

		snprintf(text, sizeof(text), "Command blocked: no task may read %s files", why);
		return serve_say(a, 403, text);
	}
	return 0;
}

int
serve_cycle(const struct world *w, const char *body, size_t n, struct serve_answer *a)
{
	struct api_request r = {0};
	const char *why;
	char *dir = NULL;
	cJSON *line = NULL;
	int status = a->status = api_parse(&r, body, n, &a->body);

	if (status == 0 && api_mode_first(&r, &why) != 0)
		status = serve_say(a, 400, why);
	if (status == 0)
		status = check_texts(w, &r, a);
	if (status == 0) {
		dir = r.local ? workdir(w) : NULL;
		status = through(w, "viv-guard", "viv-cycle", api_line(&r, dir),
		    r.local ? r.timeout + LOCAL_EXTRA_S : LLM_LIMIT_S, &line, a);
	}
	if (status == 0)
		a->status = api_outcome(&r, line, &a->body, &a->retry_s);
	cJSON_Delete(line);
	free(dir);
	api_free(&r);
	return a->status;
}

/* What viv-plan or viv-add ended with, as the API says it. */
static int
plan_failed(int code, struct serve_answer *a)
{
	if (code == VIV_BUDGET)
		return serve_say(a, 403, "Budget exceeded: nothing was planned");
	if (code == VIV_TEMPFAIL)
		return serve_say(a, 429, "Rate limit exceeded: nothing was planned");
	if (code == VIV_REFUSED)
		return serve_say(a, 403, "Planning is blocked: refused");
	if (code == VIV_NOTFOUND)
		return serve_say(a, 500, "viv-plan is not installed");
	return serve_say(a, 500, "nothing was planned: the model gave no usable plan");
}

/* Number of tasks posted, or -1 with the answer set. */
static int
plan_for(const struct world *w, const char *goal, struct serve_answer *a)
{
	struct buf ids = {0};
	struct pipeline p;
	struct err e = {0};
	int rc = run(w, "viv-plan", goal, "viv-add", "", LLM_LIMIT_S, &p, &ids, &e), n = 0;

	for (size_t i = 0; i < ids.len; i++)
		n += ids.p[i] == '\n';
	buf_free(&ids);
	if (rc != 0)
		serve_say(a, rc == -VIV_TEMPFAIL ? 503 : 500, e.msg);
	else if (p.code[0] != 0 || p.code[1] != 0 || n == 0)
		plan_failed(p.code[0] != 0 ? p.code[0] : p.code[1], a);
	else
		return n;
	return -1;
}

int
serve_plan(const struct world *w, const char *body, size_t n, struct serve_answer *a)
{
	struct err e = {0};
	const char *goal;
	cJSON *asked = NULL;
	int made;

	if (docs_only())
		return serve_say(a, 410, "/plan is disabled in MVP docs-only mode");
	if (n > 0 && (asked = json_parse(body, n, &e)) == NULL)
		return serve_say(a, 400, e.msg);
	if (n > 0 && !cJSON_IsObject(asked)) {
		cJSON_Delete(asked);
		return serve_say(a, 400, "the request body is no JSON object");
	}
	goal = json_str(asked, "goal");
	if (goal == NULL || *goal == '\0')
		goal = GOAL;
	made = strlen(goal) <= GOAL_BYTES ? plan_for(w, goal, a) : -1;
	if (strlen(goal) > GOAL_BYTES)
		serve_say(a, 400, "'goal' is too long");
	if (made >= 0) {
		a->status = 200;
		a->body = json_new();
		json_set_str(a->body, "status", "planned");
		json_set_num(a->body, "files_scanned", 0);
		json_set_num(a->body, "total_lines", 0);
		json_set_num(a->body, "tasks_created", made);
	}
	cJSON_Delete(asked);
	return a->status;
}

