/*
 * llm: many chat completions at once in one loop, and the result each line gets.
 *
 * The halt is looked at twice a second while anything is under way, and before each try, so
 * that it takes effect within its 2 s. The result has the members of vivarium-task(5), in
 * that order; cost and tries are those of all tries together.
 */
#include "llm.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "budget.h"
#include "clock.h"
#include "file.h"
#include "halt.h"
#include "json.h"
#include "utf8.h"

enum { TICK_MS = 500 };

int
llm_open(struct llm *l, const struct call_setup *setup, size_t jobs, struct err *e)
{
	*l = (struct llm){.setup = *setup, .jobs = jobs};
	l->setup.http = http_open(jobs, e);
	if (l->setup.http == NULL)
		return -VIV_UNAVAILABLE;
	l->call = mem_zero(jobs, sizeof(struct call *));
	return 0;
}

void
llm_close(struct llm *l)
{
	for (size_t i = 0; i < l->n; i++) {
		cJSON *line = l->call[i]->line;

		call_cancel(l->call[i], "interrupted", "interrupted");
		call_free(l->call[i]);
		cJSON_Delete(line);
		free(l->call[i]);
	}
	http_close(l->setup.http);
	free(l->call);
	*l = (struct llm){0};
}

void
llm_add(struct llm *l, cJSON *line)
{
	struct call *c = mem_zero(1, sizeof(*c));

	call_init(c, &l->setup, line);
	l->call[l->n++] = c;
}

static cJSON *
usage_of(const struct chat_answer *a)
{
	cJSON *u = json_new();

	json_set_num(u, "prompt_tokens", (double)a->input);
	json_set_num(u, "completion_tokens", (double)a->output);
	json_set_num(u, "total_tokens", (double)a->total);
	json_set_num(u, "cached_tokens", (double)a->cached);
	return u;
}

static cJSON *
error_of(const struct call *c)
{
	cJSON *v = json_new();

	json_set_str(v, "class", c->class);
	json_set_str(v, "code", c->code);
	json_set_str(v, "message", c->message);
	if (c->retry_after_s >= 0)
		json_set_num(v, "retry_after_s", round(c->retry_after_s * 1000) / 1000);
	return v;
}

static void
set_cost(cJSON *r, const struct purse *p)
{
	json_set(r, "cost_microusd",
	    p->unpriced ? cJSON_CreateNull() : cJSON_CreateNumber((double)p->cost));
	json_set(r, "budget_used",
	    p->unpriced ? cJSON_CreateNull() : cJSON_CreateNumber((double)p->cost / 1e6));
}

static const char *
text_or_null(const char *s)
{
	return s != NULL && *s != '\0' ? s : NULL;
}

static void
add_result(const struct call *c)
{
	const struct chat_answer *a = &c->in.answer;
	size_t n = a->text.len;
	cJSON *r = json_new();
	char *text, hash[FILE_SHA256];

	if (n > CHAT_TEXT_MAX)
		n = utf8_prefix(a->text.p, CHAT_TEXT_MAX, CHAT_TEXT_MAX);
	text = mem_ndup(a->text.p != NULL ? a->text.p : "", n);
	file_sha256(text, n, hash);
	json_set_str(r, "status", c->status);
	json_set_str(r, "text", text);
	json_set_str(r, "finish_reason", text_or_null(a->finish));
	json_set_str(r, "model", text_or_null(a->model));
	json_set_str(r, "requested_model", c->ask.model);
	json_set(r, "usage", a->usage ? usage_of(a) : cJSON_CreateNull());
	set_cost(r, &c->purse);
	json_set_num(r, "latency_ms", (double)((clock_boot_ns() - c->started_ns) / 1000000));
	json_set_str(r, "provider", c->route.provider != NULL ? c->route.provider->name : NULL);
	json_set_str(r, "request_id", text_or_null(c->request_id));
	json_set_num(r, "tries", c->tries);
	json_set_str(r, "sha256", hash);
	if (c->class != NULL)
		json_set(r, "error", error_of(c));
	json_set(c->line, "result", r);
	free(text);
}

void
llm_refuse(const struct llm *l, cJSON *line, const char *class, const char *code)
{
	struct call c = {0};

	call_init(&c, &l->setup, line);
	call_cancel(&c, class, code);
	add_result(&c);
	call_free(&c);
}

/* Twice a second: must everything stop? */
static void
look_at_halt(struct llm *l)
{
	int64_t now = clock_boot_ns();

	if (l->n == 0 || l->setup.w == NULL || now - l->looked_ns < TICK_MS * 1000000LL)
		return;
	l->looked_ns = now;
	if (halt_on(l->setup.w, NULL, 0))
		llm_cancel(l, NULL, "halted", "halted");
}

/* Start what is due. Nothing has been sent when this returns (http_done sends), so one
 * sync serves all that start together. */
static void
start_due(struct llm *l)
{
	int64_t now = clock_boot_ns();
	struct err e;

	for (size_t i = 0; i < l->n; i++)
		if (!l->call[i]->over && l->call[i]->due_ns != 0 && l->call[i]->due_ns <= now)
			call_try(l->call[i]);
	if (budget_sync(&e) != 0) {
		err_warn("%s", e.msg);
		llm_cancel(l, NULL, "transient", "ledger");
	}
}

cJSON *
llm_next(struct llm *l)
{
	struct http_result got;
	struct call *c;

	look_at_halt(l);
	start_due(l);
	while ((c = http_done(l->setup.http, &got)) != NULL)
		call_transferred(c, &got);
	for (size_t i = 0; i < l->n; i++) {
		cJSON *line;

		c = l->call[i];
		if (!c->over)
			continue;
		add_result(c);
		line = c->line;
		call_free(c);
		free(c);
		l->call[i] = l->call[--l->n];
		return line;
	}
	return NULL;
}

void
llm_wait(struct llm *l, const struct pollfd *p, size_t n)
{
	int64_t now = clock_boot_ns(), ms = TICK_MS;

	for (size_t i = 0; i < l->n; i++) {
		int64_t due = l->call[i]->due_ns;

		if (due != 0 && (due - now + 999999) / 1000000 < ms)
			ms = due <= now ? 0 : (due - now + 999999) / 1000000;
	}
	http_wait(l->setup.http, p, n, (long)ms);
}

void
llm_cancel(struct llm *l, const cJSON *ref, const char *class, const char *code)
{
	for (size_t i = 0; i < l->n; i++)
		if (ref == NULL || cJSON_Compare(json_get(l->call[i]->line, "ref"), ref, true))
			call_cancel(l->call[i], class, code);
}
