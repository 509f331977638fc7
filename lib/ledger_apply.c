/*
 * ledger_apply: what each line means for the sums.
 *
 * A reservation adds its worst case to "reserved" of the world, its day, its resident
 * and its task. What ends it moves that amount: API_CALL_SUCCESS and API_CALL_FAILURE
 * put the real cost into "spent", API_CALL_FORFEITED the worst case, and a settlement
 * that comes after a forfeit replaces it. A line about a call that is not open changes
 * nothing, so that none is counted twice; a line of an older system, which names no
 * call, is counted by its "cost".
 */
#include "ledger.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "clock.h"

#define MICRO 1e6

enum { PLACES = 5 };

struct seen {
	struct scan event, call, day, task, resident, identity, model, provider, host, boot_id,
	    reserved, cost, usd, input, output, until, pid, pid_start, pid_ns, boot_ns, rate_left,
	    seconds, unpriced, timestamp;
};

static void
look(struct scan line, struct seen *s)
{
	const struct {
		const char *name;
		struct scan *to;
	} member[] = {{"event", &s->event}, {"call", &s->call}, {"day", &s->day},
	    {"task_id", &s->task}, {"resident_id", &s->resident}, {"identity_id", &s->identity},
	    {"model", &s->model}, {"provider", &s->provider}, {"host", &s->host},
	    {"boot_id", &s->boot_id}, {"reserved_microusd", &s->reserved},
	    {"cost_microusd", &s->cost}, {"cost", &s->usd}, {"input_tokens", &s->input},
	    {"output_tokens", &s->output}, {"until", &s->until}, {"pid", &s->pid},
	    {"pid_start", &s->pid_start}, {"pid_ns", &s->pid_ns}, {"boot_ns", &s->boot_ns},
	    {"rate_left", &s->rate_left}, {"seconds", &s->seconds}, {"unpriced", &s->unpriced},
	    {"timestamp", &s->timestamp}};
	struct scan key, val;
	size_t at = 0;

	*s = (struct seen){.event = {.kind = '\0'}};
	while (scan_member(line, &at, &key, &val))
		for (size_t i = 0; i < sizeof(member) / sizeof(member[0]); i++)
			if (scan_eq(key, member[i].name))
				*member[i].to = val;
}

static int64_t
whole(struct scan v)
{
	double d = scan_number(v, 0);

	return d > -9e15 && d < 9e15 ? llround(d) : 0;
}

static struct ledger_moment
moment(const struct seen *s)
{
	struct ledger_moment m = {.boot_ns = whole(s->boot_ns)};
	char text[CLOCK_TEXT];

	scan_copy(s->boot_id, m.boot_id, sizeof(m.boot_id));
	if (scan_copy(s->timestamp, text, sizeof(text)) == 0 || !clock_parse(text, &m.wall))
		m.wall = 0;
	return m;
}

/* The sums that a call counts in. */
static size_t
places(struct ledger *l, const struct ledger_call *c, struct sum *out[PLACES])
{
	size_t n = 0;

	out[n++] = &l->total;
	out[n++] = sums_get(&l->day, c->day);
	if (c->resident != NULL) {
		char *name = mem_fmt("%s %s", c->day, c->resident);

		out[n++] = sums_get(&l->resident, name);
		free(name);
	}
	if (c->task != NULL)
		out[n++] = sums_get(&l->task, c->task);
	if (c->model != NULL)
		out[n++] = sums_get(&l->model, c->model);
	return n;
}

static void
reserve(struct ledger *l, const struct seen *s)
{
	struct ledger_call *c = mem_zero(1, sizeof(*c));
	struct sum *sum[PLACES];

	scan_copy(s->call, c->id, sizeof(c->id));
	scan_copy(s->day, c->day, sizeof(c->day));
	scan_copy(s->host, c->host, sizeof(c->host));
	scan_copy(s->boot_id, c->boot_id, sizeof(c->boot_id));
	c->task = scan_dup(s->task);
	c->resident = scan_dup(s->identity);
	if (c->resident == NULL)
		c->resident = scan_dup(s->resident);
	c->model = scan_dup(s->model);
	c->provider = scan_dup(s->provider);
	c->amount = whole(s->reserved);
	c->unpriced = scan_true(s->unpriced);
	c->until = scan_number(s->until, 0);
	c->pid = whole(s->pid);
	c->pid_start = whole(s->pid_start);
	c->pid_ns = whole(s->pid_ns);
	for (size_t i = 0, n = places(l, c, sum); i < n; i++) {
		sum[i]->reserved += c->amount;
		sum[i]->calls++;
		sum[i]->unpriced += c->unpriced;
	}
	l->call = mem_grow(l->call, l->ncall + 1, sizeof(struct ledger_call *));
	l->call[l->ncall++] = c;
	l->rate_left = scan_number(s->rate_left, 0);
	l->rate_at = moment(s);
}

static void
call_free(struct ledger_call *c)
{
	free(c->task);
	free(c->resident);
	free(c->model);
	free(c->provider);
	free(c);
}

static void
forget(struct ledger *l, struct ledger_call *c)
{
	for (size_t i = 0; i < l->ncall; i++)
		if (l->call[i] == c)
			l->call[i] = l->call[--l->ncall];
	call_free(c);
}

/* The end of a call: what it cost instead of what was reserved, or forfeited. */
static void
settle(struct ledger *l, struct ledger_call *c, const struct seen *s)
{
	bool forfeit = scan_eq(s->event, "API_CALL_FORFEITED");
	struct sum *sum[PLACES];

	for (size_t i = 0, n = places(l, c, sum); i < n; i++) {
		*(c->forfeited ? &sum[i]->spent : &sum[i]->reserved) -= c->amount;
		sum[i]->spent += forfeit ? c->amount : whole(s->cost);
		sum[i]->input += whole(s->input);
		sum[i]->output += whole(s->output);
	}
	if (forfeit)
		c->forfeited = true;
	else
		forget(l, c);
}

/* A success that an older system wrote. */
static void
count_old(struct ledger *l, const struct seen *s)
{
	double usd = scan_number(s->usd, 0);
	int64_t micro = usd > 0 && usd < 1e9 ? llround(usd * MICRO) : 0;
	char day[LEDGER_DAY];
	struct sum *sum[2] = {&l->total, NULL};

	if (scan_copy(s->timestamp, day, sizeof(day)) == LEDGER_DAY - 1)
		sum[1] = sums_get(&l->day, day);
	for (size_t i = 0; i < 2 && sum[i] != NULL; i++) {
		sum[i]->spent += micro;
		sum[i]->calls++;
		sum[i]->input += whole(s->input);
		sum[i]->output += whole(s->output);
	}
}

static void
pause_provider(struct ledger *l, const struct seen *s)
{
	char *name = scan_dup(s->provider);
	size_t i = 0;

	if (name == NULL)
		return;
	while (i < l->npause && strcmp(l->pause[i].provider, name) != 0)
		i++;
	if (i == l->npause) {
		l->pause = mem_grow(l->pause, l->npause + 1, sizeof(*l->pause));
		l->pause[l->npause++] = (struct ledger_pause){.provider = name};
	} else {
		free(name);
	}
	l->pause[i].seconds = scan_number(s->seconds, 0);
	l->pause[i].at = moment(s);
}

struct ledger_call *
ledger_find(const struct ledger *l, const char *id)
{
	for (size_t i = 0; i < l->ncall; i++)
		if (strcmp(l->call[i]->id, id) == 0)
			return l->call[i];
	return NULL;
}

bool
ledger_apply(struct ledger *l, struct scan line)
{
	struct ledger_call *c;
	char id[LEDGER_CALL] = "";
	struct seen s;

	if (line.kind != '{')
		return false;
	look(line, &s);
	if (s.event.kind != '"')
		return false;
	if (scan_copy(s.call, id, sizeof(id)) == 0) {
		if (scan_eq(s.event, "API_CALL_SUCCESS"))
			count_old(l, &s);
		else if (scan_eq(s.event, "PROVIDER_PAUSE"))
			pause_provider(l, &s);
		return true;
	}
	c = ledger_find(l, id);
	if (scan_eq(s.event, "API_CALL_RESERVED") && c == NULL)
		reserve(l, &s);
	else if (c != NULL && (scan_eq(s.event, "API_CALL_SUCCESS") ||
	    scan_eq(s.event, "API_CALL_FAILURE") ||
	    (scan_eq(s.event, "API_CALL_FORFEITED") && !c->forfeited)))
		settle(l, c, &s);
	return true;
}
