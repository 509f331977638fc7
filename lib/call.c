/*
 * call: one chat completion from the task line to its result.
 *
 * A call is a series of tries: choose a provider, find its key, reserve the worst case, send,
 * read, settle. Everything that can change meanwhile (providers, prices, keys, limits,
 * halt) is read anew for each try. After a try that another server may answer, the next
 * provider that serves the model is tried at once; when there is none, the round is over and
 * the next one waits as retry.h says, within the deadline.
 *
 * The key is in memory from just before the request until the try ends, and what the server
 * has sent passes key_hide before it is kept.
 */
#include "call.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "file.h"
#include "halt.h"
#include "json.h"
#include "rand.h"
#include "task.h"
#include "utf8.h"

static void
end(struct call *c, const char *class, const char *code, const char *message)
{
	c->over = true;
	c->status = class == NULL ? "completed" : "failed";
	c->class = class;
	c->code = code;
	snprintf(c->message, sizeof(c->message), "%s", message);
}

void
call_init(struct call *c, const struct call_setup *setup, cJSON *line)
{
	struct err e = {0};
	int rc = ask_read(&c->ask, line, &setup->defaults, &e);

	c->setup = setup;
	c->line = line;
	c->route = (struct route){.asked = c->ask.model, .only = setup->provider};
	c->after_s = c->retry_after_s = -1;
	c->started_ns = c->due_ns = clock_boot_ns();
	c->deadline_ns = c->started_ns + (int64_t)(c->ask.timeout_s * 1e9);
	c->purse = (struct purse){
	    .w = setup->w, .cap = setup->cap, .task_max = c->ask.max_budget};
	if (rc != 0)
		end(c, "permanent", rc == -VIV_NO ? "no_prompt" : "bad_task", e.msg);
}

static void
settle(struct call *c, bool paid, const char *fault)
{
	purse_settle(&c->purse, paid, &c->in.answer, c->request_id, fault);
}

/* Nothing of the try is under way any more; its answer stays. */
static void
put_down(struct call *c)
{
	http_end(c->transfer);
	c->transfer = NULL;
	if (c->in.answer.text.p != NULL)
		key_hide(c->in.answer.text.p, c->key);
	key_hide(c->in.answer.model, c->key);
	key_hide(c->request_id, c->key);
	key_hide(c->message, c->key);
	if (c->in.body.p != NULL)
		key_hide(c->in.body.p, c->key);
	key_wipe(c->key);
	c->key = NULL;
}

static long
left_ms(const struct call *c)
{
	return (long)((c->deadline_ns - clock_boot_ns()) / 1000000);
}

/* All providers have been asked: another round when it may help and fits, else the end,
 * as the last try left it. */
static void
round_over(struct call *c)
{
	double chance = (double)rand_below(1 << 20) / (1 << 20);
	long ms = retry_wait_ms(c->tries + 1, c->after_s, chance, left_ms(c));

	c->over = ms < 0 || c->tries >= RETRY_TRIES;
	if (c->over)
		return;
	c->route.at = 0;
	c->fallen = false;
	c->after_s = -1;
	c->due_ns = clock_boot_ns() + ms * 1000000;
}

/* The try has failed: the next provider, another round, or the end. */
static void
fail(struct call *c, const struct retry_verdict *v, double after_s, const char *message)
{
	if (after_s >= 0 && (c->after_s < 0 || after_s < c->after_s))
		c->after_s = after_s;
	c->paid += v->paid;
	/* One asked instead of another has no account for us: that is the other's trouble. */
	if (c->fallen && strncmp(v->code, "http_40", 7) == 0 && !v->again) {
		round_over(c);
		return;
	}
	end(c, v->class, v->code, message);
	if (c->message[0] == '\0')
		snprintf(c->message, sizeof(c->message), "'%.100s' answered %s",
		    c->route.provider->name, v->code);
	c->retry_after_s = after_s;
	if (!v->again || c->in.shown || c->tries >= RETRY_TRIES || c->paid >= RETRY_PAID)
		return;
	if (v->fallback && route_next(&c->route)) {
		c->fallen = true;
		c->due_ns = clock_boot_ns();
		c->over = false;
		return;
	}
	round_over(c);
}

/* The limits said no: for money that is the end; for the rate, wait or ask another. */
static void
refused(struct call *c, int rc, const struct budget_refusal *no, const struct err *e)
{
	struct retry_verdict v = {.class = "rate", .code = "rate", .again = true, .fallback = true};
	const char *scope = no->scope != NULL ? no->scope : "ledger";

	if (rc == -VIV_TEMPFAIL) {
		fail(c, &v, no->retry_after_s >= 0 ? no->retry_after_s : 1, e->msg);
		return;
	}
	if (strcmp(scope, "resident_day") == 0 || strcmp(scope, "world_day") == 0)
		scope = "day";
	snprintf(c->code_text, sizeof(c->code_text), "budget_%s", scope);
	end(c, rc == -VIV_BUDGET ? "budget" : rc == -VIV_IO ? "transient" : "config",
	    c->code_text, e->msg);
	c->retry_after_s = no->retry_after_s;
}

static int
on_data(const char *p, size_t n, void *arg)
{
	struct call *c = arg;
	struct http_result got;

	http_so_far(c->transfer, &got);
	return receive_data(&c->in, got.status, got.type, p, n);
}

static void
replay(struct call *c)
{
	char *essence = chat_essence(&c->ask.chat, route_model(&c->route));
	struct http_result got;
	struct buf body = {0};
	struct err e;

	if (cassette_get(c->setup->w, c->tape_dir, essence, &got, &body, &e) != 0) {
		settle(c, false, "no recording");
		end(c, "permanent", "no_recording", e.msg);
	} else {
		if (body.len > 0 &&
		    receive_data(&c->in, got.status, got.type, body.p, body.len) != 0)
			got.net = RETRY_ABORTED;
		call_transferred(c, &got);
	}
	buf_free(&body);
	free(essence);
}

static void
record(struct call *c, const struct http_result *got)
{
	char *essence = chat_essence(&c->ask.chat, route_model(&c->route));
	struct err e;

	if (cassette_put(c->setup->w, c->tape_dir, essence, got, &c->in.body, &e) != 0)
		err_warn("not recorded: %s", e.msg);
	free(essence);
}

static void
send(struct call *c, const char *body)
{
	const struct provider *p = c->route.provider;
	struct http_spec spec = {.url = p->url, .body = body, .key = c->key,
	    .ca_file = p->ca_file, .stream = c->setup->stream && p->stream,
	    .loopback = provider_loopback(p->url), .timeout_ms = left_ms(c),
	    .connect_ms = (long)(p->connect_s * 1000), .stall_ms = (long)(p->stall_s * 1000),
	    .data = on_data, .arg = c};
	struct err e = {0};

	c->transfer = http_start(c->setup->http, &spec, &e);
	if (c->transfer == NULL) {
		settle(c, false, "not sent");
		end(c, "transient", "connect", e.msg);
	}
}

/* Model and provider for this try; false: the call is over. */
static bool
look_up(struct call *c, struct err *e)
{
	const char *code;
	const struct price_model *m;

	if (route_find(&c->route, c->setup->w, &code, e) != 0) {
		c->purse.price = NULL;
		end(c, "config", code, e->msg);
		return false;
	}
	m = c->purse.price = c->route.price;
	c->purse.free = c->route.provider->free;
	if (m != NULL && m->max_tokens > 0 && c->ask.chat.max_tokens > m->max_tokens)
		c->ask.chat.max_tokens = m->max_tokens;
	return true;
}

/* This one has no account: the next may. Nobody has: say so, or what went wrong before. */
static void
no_key(struct call *c)
{
	const struct provider *p = c->route.provider;

	if (c->tries == 0 && c->message[0] == '\0')
		snprintf(c->message, sizeof(c->message),
		    "no key for '%.100s': store it with 'viv-key set'%s%.100s", p->name,
		    p->key.env != NULL ? " or in " : "", p->key.env != NULL ? p->key.env : "");
	if (route_next(&c->route)) {
		c->due_ns = clock_boot_ns();
	} else if (c->tries > 0) {
		round_over(c);
	} else {
		c->over = true;
		c->status = "failed";
		c->class = "config";
		c->code = "no_key";
	}
}

/* Tape and key; false: the call is over, or the next provider is to be tried. */
static bool
get_key(struct call *c, struct err *e)
{
	const char *spec =
	    c->setup->cassette != NULL ? c->setup->cassette : c->route.provider->cassette;

	if (cassette_spec(spec, &c->tape, &c->tape_dir, e) != 0) {
		end(c, "config", "config", e->msg);
		return false;
	}
	if (c->tape == CASSETTE_REPLAY)
		return true;
	if (key_read(&c->route.provider->key, c->setup->w, &c->key, e) != 0) {
		end(c, "config", "no_key", e->msg);
		return false;
	}
	if (c->key != NULL || c->route.provider->key.optional)
		return true;
	no_key(c);
	return false;
}

/* May a try begin at all? */
static bool
permitted(struct call *c)
{
	char reason[256] = "";

	if (c->setup->w != NULL && halt_on(c->setup->w, reason, sizeof(reason)))
		end(c, "halted", "halted", reason);
	else if (left_ms(c) <= 0)
		end(c, "transient", "timeout", "no time was left");
	return !c->over;
}

void
call_try(struct call *c)
{
	struct budget_refusal no;
	struct err e = {0};
	const struct provider *p;
	const char *model;
	char *text;
	int rc;

	if (!permitted(c) || !look_up(c, &e) || !get_key(c, &e))
		return;
	receive_free(&c->in);
	c->request_id[0] = '\0';
	c->in.text = c->setup->text;
	c->in.arg = c->setup->arg;
	c->in.keep = c->tape == CASSETTE_RECORD;
	p = c->route.provider;
	model = route_model(&c->route);
	text = chat_body(&c->ask.chat, p->model != NULL ? p->model : model, p->tokens_member,
	    c->setup->stream && p->stream);
	rc = purse_reserve(&c->purse, c->line, model, p->name, strlen(text),
	    c->ask.chat.max_tokens, (double)left_ms(c) / 1000, &no, &e);
	if (rc != 0) {
		put_down(c);
		refused(c, rc, &no, &e);
	} else {
		c->tries++;
		c->due_ns = 0;
		if (c->tape == CASSETTE_REPLAY)
			replay(c);
		else
			send(c, text);
	}
	free(text);
}

/* What the server says about when to come back; shared with everybody in the world. */
static double
pause_of(struct call *c, const struct http_result *got)
{
	double after = retry_after(got->retry_after[0] != '\0' ? got->retry_after : NULL,
	    clock_wall());
	double used = retry_exhausted(got->left_requests, got->reset_requests, got->left_tokens,
	    got->reset_tokens);
	double pause = fmax(after, used);
	struct err e;

	if (pause > 0 && c->setup->w != NULL && c->tape != CASSETTE_REPLAY &&
	    budget_pause(c->setup->w, c->route.provider->name, pause, &e) != 0)
		err_warn("%s", e.msg);
	return got->status == 200 ? -1 : after >= 0 ? after : used > 0 ? used : -1;
}

/* Could the model write more than it was allowed to? */
static bool
can_grow(const struct call *c)
{
	const struct price_model *m = c->purse.price;
	int most = m != NULL && m->max_tokens > 0 ? m->max_tokens : CHAT_MAX_TOKENS_MAX;

	return c->ask.chat.max_tokens < most;
}

void
call_transferred(struct call *c, const struct http_result *got)
{
	struct retry_verdict v;
	double after = pause_of(c, got);
	char message[512];

	snprintf(c->request_id, sizeof(c->request_id), "%s",
	    got->request_id[0] != '\0' ? got->request_id : c->in.answer.id);
	v = receive_end(&c->in, got->net, got->status, message, sizeof(message));
	if (message[0] == '\0' && got->net != RETRY_ANSWERED)
		snprintf(message, sizeof(message), "%s", got->message);
	key_hide(message, c->key);
	put_down(c);
	if (c->tape == CASSETTE_RECORD && got->net == RETRY_ANSWERED && !v.fallback)
		record(c, got);
	settle(c, v.class == NULL || v.paid, v.code);
	if (v.class == NULL) {
		end(c, NULL, NULL, "");
	} else if (strcmp(v.code, "length") == 0) {
		end(c, can_grow(c) ? "transient" : "permanent", "truncated",
		    "the answer was cut at max_tokens");
	} else {
		fail(c, &v, after, message);
	}
}

void
call_cancel(struct call *c, const char *class, const char *code)
{
	struct http_result got = {0};

	if (c->over)
		return;
	if (c->transfer != NULL)
		http_so_far(c->transfer, &got);
	put_down(c);
	if (c->due_ns == 0)
		settle(c, got.sent, "cancelled");
	end(c, class, code, "cancelled");
	c->status = "cancelled";
}

void
call_free(struct call *c)
{
	put_down(c);
	receive_free(&c->in);
	route_free(&c->route);
	ask_free(&c->ask);
}
