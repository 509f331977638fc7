/*
 * budget: the reservation that every call needs, and what becomes of it.
 *
 * Money: what was spent, what others have reserved, and the worst case of this call
 * must together stay within every limit: the task's own max_budget over all its
 * attempts (or the limit "task"), the resident's day, the world's day, the world. A day
 * is a UTC date, that of the reservation. Amounts are integers.
 *
 * Rate: a token bucket (reference core.md 3.4), as full as the last reservation left it
 * and the time since then has filled it. On the host and boot of that reservation the
 * time is CLOCK_BOOTTIME; elsewhere wall time, never negative. So a clock that is set
 * back stops nobody, and one that is set forward fills the bucket once.
 *
 * A ledger is opened once a process.
 */
#include "budget.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "buf.h"
#include "clock.h"
#include "json.h"
#include "ledger.h"
#include "price.h"
#include "rand.h"

enum { DEADLINE_S = 3600, REAP_S = 60 };

/* --- the book of this process --- */

static struct ledger book;
static bool book_open;

static void
open_book(const struct world *w)
{
	if (!book_open)
		ledger_open(&book, w);
	book_open = true;
}

/* Open the book and take its lock. */
static int
begin(const struct world *w, struct err *e)
{
	open_book(w);
	return ledger_begin(&book, e);
}

static void
today(char out[LEDGER_DAY])
{
	char now[CLOCK_TEXT];

	clock_utc(clock_wall(), now);
	snprintf(out, LEDGER_DAY, "%.10s", now);
}

/* Seconds until the UTC date changes. */
static double
until_tomorrow(void)
{
	return 86400 - fmod(clock_wall(), 86400);
}

/* --- reserving --- */

struct check {
	const struct world *w;
	const struct budget_ask *ask;
	struct budget_limits lim;
	struct budget_refusal no;
	char day[LEDGER_DAY];
	const char *resident;
	double rate_left;
};

/* Is there room for the call below the limit? */
static int
check_sum(struct check *c, enum budget_scope s, const struct sum *sum, int64_t limit,
    const char *set_by, const char *of, struct err *e)
{
	int64_t used = sum != NULL ? sum->spent + sum->reserved : 0;
	int64_t worst = c->ask->worst > 0 ? c->ask->worst : 0;
	char have[PRICE_TEXT], want[PRICE_TEXT], max[PRICE_TEXT];

	if (limit < 0 || (used + worst <= limit && (worst > 0 || used < limit || limit == 0)))
		return 0;
	c->no = (struct budget_refusal){budget_scope_name(s), set_by,
	    s == BUDGET_WORLD_DAY || s == BUDGET_RESIDENT_DAY ? until_tomorrow() : -1};
	price_text(used, have);
	price_text(worst, want);
	price_text(limit, max);
	return err_set(e, VIV_BUDGET,
	    "over the limit %s%s%s: %s used or reserved, at most %s more asked, %s allowed (%s)",
	    budget_scope_name(s), of != NULL ? " of " : "", of != NULL ? of : "", have, want, max,
	    set_by);
}

static int
check_money(struct check *c, struct err *e)
{
	const struct budget_ask *a = c->ask;
	struct budget_limits *l = &c->lim;
	bool own = a->task_max >= 0;
	int rc = 0;

	if (a->task_id != NULL || own)
		rc = check_sum(c, BUDGET_TASK, a->task_id != NULL ?
		    sums_find(&book.task, a->task_id) : NULL, own ? a->task_max :
		    l->hard[BUDGET_TASK], own ? "max_budget" : l->set_by[BUDGET_TASK],
		    a->task_id, e);
	if (rc == 0 && c->resident != NULL) {
		char *name = mem_fmt("%s %s", c->day, c->resident);

		rc = check_sum(c, BUDGET_RESIDENT_DAY, sums_find(&book.resident, name),
		    l->hard[BUDGET_RESIDENT_DAY], l->set_by[BUDGET_RESIDENT_DAY], c->resident, e);
		free(name);
	}
	if (rc == 0)
		rc = check_sum(c, BUDGET_WORLD_DAY, sums_find(&book.day, c->day),
		    l->hard[BUDGET_WORLD_DAY], l->set_by[BUDGET_WORLD_DAY], NULL, e);
	return rc != 0 ? rc : check_sum(c, BUDGET_WORLD, &book.total, l->hard[BUDGET_WORLD],
	    l->set_by[BUDGET_WORLD], NULL, e);
}

static int
check_pause(struct check *c, struct err *e)
{
	for (size_t i = 0; c->ask->provider != NULL && i < book.npause; i++) {
		const struct ledger_pause *p = &book.pause[i];
		double left = p->seconds - ledger_since(c->w, &p->at);

		if (strcmp(p->provider, c->ask->provider) != 0 || left <= 0)
			continue;
		c->no = (struct budget_refusal){"pause", LEDGER_FILE, left};
		return err_set(e, VIV_TEMPFAIL, "provider '%s' asked not to be called for %.1f s",
		    p->provider, left);
	}
	return 0;
}

static double
rate_now(const struct world *w, double per_minute)
{
	double left = per_minute;

	if (book.rate_at.wall > 0)
		left = book.rate_left + ledger_since(w, &book.rate_at) * per_minute / 60;
	return left < per_minute ? left : per_minute;
}

static int
check_rate(struct check *c, struct err *e)
{
	double per_minute = (double)c->lim.hard[BUDGET_RATE];

	c->rate_left = 0;
	if (per_minute < 0)
		return 0;
	c->rate_left = rate_now(c->w, per_minute) - 1;
	if (c->rate_left >= 0)
		return 0;
	c->no = (struct budget_refusal){"rate", c->lim.set_by[BUDGET_RATE],
	    -c->rate_left * 60 / per_minute};
	return err_set(e, VIV_TEMPFAIL,
	    "over the limit rate: %.0f calls a minute (%s), the next one in %.1f s", per_minute,
	    c->lim.set_by[BUDGET_RATE], c->no.retry_after_s);
}

/* Whose calls are over without a word: in the book they become what they are. */
static int
reap(struct err *e)
{
	static double last = -1;
	double now = clock_wall();
	int rc = 0;

	if (last >= 0 && fabs(now - last) < REAP_S)
		return 0;
	last = now;
	for (size_t i = 0; i < book.ncall && rc == 0; i++) {
		const struct ledger_call *c = book.call[i];
		const char *why = ledger_dead(&book, c, now);
		cJSON *ev;

		if (why == NULL)
			continue;
		ev = ledger_event("API_CALL_FORFEITED", NULL);
		json_set_str(ev, "call", c->id);
		json_set_num(ev, "cost_microusd", (double)c->amount);
		json_set_str(ev, "reason", why);
		rc = ledger_append(&book, ev, false, e);
		cJSON_Delete(ev);
	}
	return rc;
}

static void
add_who(cJSON *ev, const struct budget_ask *a)
{
	json_set_str(ev, "model", a->model);
	if (a->provider != NULL)
		json_set_str(ev, "provider", a->provider);
	if (a->task_id != NULL)
		json_set_str(ev, "task_id", a->task_id);
	if (a->resident_id != NULL)
		json_set_str(ev, "resident_id", a->resident_id);
	if (a->identity_id != NULL)
		json_set_str(ev, "identity_id", a->identity_id);
}

/* The refusal, with the reference's names; those of the rate once a minute, since who
 * is refused comes again. */
static void
record_refusal(const struct check *c, int rc, const struct err *why)
{
	static double last_rate = -1;
	bool task = strcmp(c->no.scope, "task") == 0;
	struct err e;
	cJSON *ev;

	if (rc == -VIV_TEMPFAIL && last_rate >= 0 && fabs(clock_wall() - last_rate) < 60)
		return;
	if (rc == -VIV_TEMPFAIL)
		last_rate = clock_wall();
	ev = ledger_event(rc == -VIV_TEMPFAIL ? "RATE_LIMITED" : task ? "TASK_BUDGET_EXCEEDED" :
	    "BUDGET_EXCEEDED", c->ask->who);
	add_who(ev, c->ask);
	if (rc != -VIV_TEMPFAIL)
		json_set_num(ev, task ? "estimated_cost" : "requested",
		    c->ask->worst > 0 ? (double)c->ask->worst / 1e6 : 0);
	if (task)
		json_set_num(ev, "task_max_budget", (double)(c->ask->task_max >= 0 ?
		    c->ask->task_max : c->lim.hard[BUDGET_TASK]) / 1e6);
	json_set_str(ev, "scope", c->no.scope);
	json_set_str(ev, "set_by", c->no.file);
	json_set_str(ev, "reason", why->msg);
	if (ledger_append(&book, ev, false, &e) != 0)
		err_warn("%s", e.msg);
	cJSON_Delete(ev);
}

static int
record_reservation(const struct check *c, char id[BUDGET_ID], struct err *e)
{
	const struct budget_ask *a = c->ask;
	cJSON *ev = ledger_event("API_CALL_RESERVED", a->who);
	int rc;

	rand_hex(id, (BUDGET_ID - 1) / 2);
	add_who(ev, a);
	json_set_str(ev, "call", id);
	json_set_str(ev, "day", c->day);
	if (a->worst >= 0)
		json_set_num(ev, "reserved_microusd", (double)a->worst);
	else
		json_set_bool(ev, "unpriced", true);
	json_set_num(ev, "until", floor(clock_wall() +
	    (a->deadline_s > 0 ? a->deadline_s : DEADLINE_S) + BUDGET_LEASE_S));
	json_set_num(ev, "rate_left", floor(c->rate_left * 1000) / 1000);
	json_set_str(ev, "host", c->w->host);
	json_set_str(ev, "boot_id", c->w->boot_id);
	json_set_num(ev, "boot_ns", (double)clock_boot_ns());
	json_set_num(ev, "pid", (double)getpid());
	json_set_num(ev, "pid_start", (double)slot_pid_start(getpid()));
	json_set_num(ev, "pid_ns", (double)slot_pid_ns());
	rc = ledger_append(&book, ev, !a->later, e);
	cJSON_Delete(ev);
	return rc;
}

int
budget_reserve(const struct world *w, const struct budget_ask *ask, char id_out[BUDGET_ID],
    struct budget_refusal *no_out, struct err *e)
{
	struct check c = {.w = w, .ask = ask, .no = {NULL, NULL, -1},
	    .resident = ask->identity_id != NULL ? ask->identity_id : ask->resident_id};
	int rc = budget_limits(w, &c.lim, e);

	if (rc == 0)
		rc = begin(w, e);
	if (rc == 0) {
		today(c.day);
		rc = reap(e);
		if (rc == 0)
			rc = check_pause(&c, e);
		if (rc == 0)
			rc = check_money(&c, e);
		if (rc == 0)
			rc = check_rate(&c, e);
		if (c.no.scope != NULL)
			record_refusal(&c, rc, e);
		if (rc == 0)
			rc = record_reservation(&c, id_out, e);
		ledger_end(&book);
	}
	if (no_out != NULL)
		*no_out = c.no;
	return rc;
}

int
budget_sync(struct err *e)
{
	return book_open ? ledger_sync(&book, e) : 0;
}

/* --- settling --- */

/* Append what became of an open call. */
static int
finish(const struct world *w, const char *id, cJSON *ev, struct err *e)
{
	int rc = begin(w, e);

	json_set_str(ev, "call", id);
	if (rc == 0) {
		const struct ledger_call *c = ledger_find(&book, id);

		if (c == NULL) {
			rc = err_set(e, VIV_NO, "call '%s' is not open", id);
		} else {
			json_set_str(ev, "model", c->model);
			if (c->task != NULL)
				json_set_str(ev, "task_id", c->task);
			if (json_get(ev, "cost_microusd") == NULL && !c->unpriced)
				json_set_num(ev, "cost_microusd", (double)c->amount);
			rc = ledger_append(&book, ev, false, e);
		}
		ledger_end(&book);
	}
	cJSON_Delete(ev);
	return rc;
}

int
budget_settle(const struct world *w, const char *id, const struct budget_use *use, struct err *e)
{
	cJSON *ev = ledger_event(use->error != NULL ? "API_CALL_FAILURE" : "API_CALL_SUCCESS",
	    NULL);

	if (use->error != NULL)
		json_set_str(ev, "error", use->error);
	if (use->cost >= 0) {
		json_set_num(ev, "cost", (double)use->cost / 1e6);
		json_set_num(ev, "cost_microusd", (double)use->cost);
	} else {
		json_set(ev, "cost", cJSON_CreateNull());
		json_set(ev, "cost_microusd", cJSON_CreateNull());
		json_set_bool(ev, "unpriced", true);
	}
	json_set_num(ev, "input_tokens", (double)use->input_tokens);
	json_set_num(ev, "cached_tokens", (double)use->cached_tokens);
	json_set_num(ev, "output_tokens", (double)use->output_tokens);
	if (use->model != NULL)
		json_set_str(ev, "answered_by", use->model);
	if (use->request_id != NULL)
		json_set_str(ev, "request_id", use->request_id);
	return finish(w, id, ev, e);
}

int
budget_forfeit(const struct world *w, const char *id, const char *why, struct err *e)
{
	cJSON *ev = ledger_event("API_CALL_FAILURE", NULL);

	json_set_str(ev, "error", why);
	json_set_bool(ev, "forfeited", true);
	return finish(w, id, ev, e);
}

int
budget_refund(const struct world *w, const char *id, const char *why, struct err *e)
{
	cJSON *ev = ledger_event("API_CALL_FAILURE", NULL);

	json_set_str(ev, "error", why);
	json_set_num(ev, "cost_microusd", 0);
	return finish(w, id, ev, e);
}

int
budget_pause(const struct world *w, const char *provider, double seconds, struct err *e)
{
	cJSON *ev = ledger_event("PROVIDER_PAUSE", NULL);
	int rc = begin(w, e);

	json_set_str(ev, "provider", provider);
	json_set_num(ev, "seconds", seconds > 0 ? seconds : 0);
	json_set_str(ev, "boot_id", w->boot_id);
	json_set_num(ev, "boot_ns", (double)clock_boot_ns());
	if (rc == 0) {
		rc = ledger_append(&book, ev, false, e);
		ledger_end(&book);
	}
	cJSON_Delete(ev);
	return rc;
}

int
budget_book(const struct world *w, bool settle, const struct ledger **out, struct err *e)
{
	int rc;

	open_book(w);
	if (!settle) {
		rc = ledger_read(&book, e);
	} else if ((rc = ledger_begin(&book, e)) == 0) {
		rc = reap(e);
		ledger_end(&book);
	}
	*out = &book;
	return rc;
}

double
budget_rate_left(const struct world *w, const struct budget_limits *lim)
{
	return lim->hard[BUDGET_RATE] < 0 ? -1 : rate_now(w, (double)lim->hard[BUDGET_RATE]);
}

/* --- soft limits --- */

static bool
used_up(const struct budget_limits *l, enum budget_scope s, const struct sum *sum, char *why,
    size_t size)
{
	bool soft = l->soft[s] >= 0;
	int64_t limit = soft ? l->soft[s] : l->hard[s];
	int64_t used = sum != NULL ? sum->spent + sum->reserved : 0;
	char have[PRICE_TEXT], max[PRICE_TEXT];

	if (limit < 0 || used < limit)
		return false;
	price_text(used, have);
	price_text(limit, max);
	snprintf(why, size, "the %slimit %s is reached: %s of %s (%s)", soft ? "soft " : "",
	    budget_scope_name(s), have, max, soft ? BUDGET_FILE : l->set_by[s]);
	return true;
}

int
budget_soft(const struct world *w, const char *resident, char *why, size_t size, struct err *e)
{
	struct budget_limits lim;
	char day[LEDGER_DAY], *name;
	int rc = budget_limits(w, &lim, e), hit;

	open_book(w);
	if (rc == 0)
		rc = ledger_read(&book, e);
	if (rc != 0)
		return rc;
	today(day);
	name = mem_fmt("%s %s", day, resident != NULL ? resident : "");
	hit = used_up(&lim, BUDGET_WORLD, &book.total, why, size) ||
	    used_up(&lim, BUDGET_WORLD_DAY, sums_find(&book.day, day), why, size) ||
	    (resident != NULL &&
	    used_up(&lim, BUDGET_RESIDENT_DAY, sums_find(&book.resident, name), why, size));
	free(name);
	return hit;
}
