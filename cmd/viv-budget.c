/*
 * viv-budget: what may be spent, what was, and which file says so.
 *
 * Everything printed is read from the book (lib/ledger.h) and the limits; only `set`
 * writes, to meta/security/budget.json. Calls whose process died are forfeited on the
 * way, so that the table shows them as spent; -n only looks.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "budget.h"
#include "clock.h"
#include "json.h"
#include "opt.h"
#include "price.h"
#include "utf8.h"

#define USAGE \
	"viv-budget [-hJn] [-b day|model|resident|task] [-C WORLD] | " \
	"viv-budget [-ns] [-C WORLD] set SCOPE AMOUNT | viv-budget [-C WORLD] check [RESIDENT]"

enum { NAME_COLS = 30 };

struct show {
	struct world w;
	const struct ledger *book;
	struct budget_limits lim;
	char day[LEDGER_DAY];
	bool json, dry;
};

/* --- the limits --- */

/* What counts against that limit; NULL: each task, or each resident, on its own. */
static const struct sum *
used(const struct show *s, enum budget_scope scope)
{
	static const struct sum none;
	const struct sum *day = sums_find(&s->book->day, s->day);

	if (scope == BUDGET_WORLD)
		return &s->book->total;
	return scope == BUDGET_WORLD_DAY ? (day != NULL ? day : &none) : NULL;
}

/* Nine columns: cents are enough from a thousand dollars on. */
static void
money(char out[PRICE_TEXT], int64_t micro, bool known)
{
	if (!known)
		snprintf(out, PRICE_TEXT, "-");
	else if (micro > -100000000 && micro < 1000000000)
		price_text(micro, out);
	else
		snprintf(out, PRICE_TEXT, "%.2f", (double)micro / 1e6);
}

/* The table has 80 columns. */
static const char *
short_name(const char *file)
{
	const char *slash = strrchr(file, '/');

	return slash != NULL ? slash + 1 : file;
}

static void
print_limit(const struct show *s, enum budget_scope scope)
{
	const struct sum *u = used(s, scope);
	int64_t hard = s->lim.hard[scope], soft = s->lim.soft[scope];
	char limit[PRICE_TEXT], less[PRICE_TEXT], spent[PRICE_TEXT], held[PRICE_TEXT],
	    left[PRICE_TEXT];

	money(limit, hard, hard >= 0);
	money(less, soft, soft >= 0);
	money(spent, u != NULL ? u->spent : 0, u != NULL);
	money(held, u != NULL ? u->reserved : 0, u != NULL);
	money(left, u != NULL ? hard - u->spent - u->reserved : 0, u != NULL && hard >= 0);
	printf("%-12s %10s %9s %9s %9s %9s  %s\n", budget_scope_name(scope),
	    hard < 0 ? "none" : limit, less, spent, held, left, short_name(s->lim.set_by[scope]));
}

static int
print_table(const struct show *s)
{
	const struct ledger *b = s->book;
	size_t open = 0;

	printf("%-12s %10s %9s %9s %9s %9s  %s\n", "US DOLLARS", "LIMIT", "SOFT", "SPENT",
	    "RESERVED", "LEFT", "SET BY");
	for (int i = 0; i < BUDGET_RATE; i++)
		print_limit(s, i);
	for (size_t i = 0; i < b->ncall; i++)
		open += !b->call[i]->forfeited;
	if (s->lim.hard[BUDGET_RATE] >= 0)
		printf("rate: %lld calls a minute (%s), %d left now\n",
		    (long long)s->lim.hard[BUDGET_RATE],
		    short_name(s->lim.set_by[BUDGET_RATE]),
		    (int)budget_rate_left(&s->w, &s->lim));
	else
		printf("rate: no limit (%s)\n", short_name(s->lim.set_by[BUDGET_RATE]));
	printf("calls: %lld, of which %lld at an unknown price, %zu open now\n",
	    (long long)b->total.calls, (long long)b->total.unpriced, open);
	return 0;
}

/* --- as JSON --- */

static void
set_money(cJSON *o, const char *name, int64_t micro, bool known)
{
	if (known)
		json_set_num(o, name, (double)micro / 1e6);
	else
		json_set(o, name, cJSON_CreateNull());
}

static void
add_sum(cJSON *o, const struct sum *u)
{
	json_set_num(o, "calls", (double)u->calls);
	json_set_num(o, "unpriced", (double)u->unpriced);
	json_set_num(o, "input_tokens", (double)u->input);
	json_set_num(o, "output_tokens", (double)u->output);
	json_set_num(o, "spent_microusd", (double)u->spent);
	json_set_num(o, "reserved_microusd", (double)u->reserved);
}

static void
puts_json(cJSON *o)
{
	json_puts(o);
	cJSON_Delete(o);
}

static int
print_json(const struct show *s)
{
	cJSON *all = json_new(), *limits = json_new(), *total = json_new();

	for (int i = 0; i < BUDGET_SCOPES; i++) {
		cJSON *o = json_new();
		const struct sum *u = used(s, i);
		int64_t hard = s->lim.hard[i], soft = s->lim.soft[i];

		if (i == BUDGET_RATE) {
			json_set_num(o, "limit", (double)hard);
			json_set_num(o, "left", budget_rate_left(&s->w, &s->lim));
		} else {
			set_money(o, "limit", hard, hard >= 0);
			set_money(o, "soft", soft, soft >= 0);
		}
		if (u != NULL) {
			set_money(o, "spent", u->spent, true);
			set_money(o, "reserved", u->reserved, true);
			set_money(o, "left", hard - u->spent - u->reserved, hard >= 0);
		}
		json_set_str(o, "set_by", s->lim.set_by[i]);
		json_set(limits, budget_scope_name(i), o);
	}
	add_sum(total, &s->book->total);
	json_set(all, "limits", limits);
	json_set(all, "total", total);
	puts_json(all);
	return 0;
}

/* --- by day, model, resident, task --- */

static int
by_name(const void *a, const void *b)
{
	const struct sum *const *x = a, *const *y = b;

	return strcmp((*x)->name, (*y)->name);
}

static void
print_sum(const struct show *s, const char *by, const struct sum *u)
{
	char name[120] = "", spent[PRICE_TEXT], held[PRICE_TEXT], *end;
	bool priced = u->unpriced < u->calls;

	if (s->json) {
		cJSON *o = json_new();

		json_set_str(o, by, u->name);
		add_sum(o, u);
		puts_json(o);
		return;
	}
	end = utf8_end_cols(u->name, NAME_COLS);
	utf8_printable(name, sizeof(name), end, strlen(end));
	free(end);
	money(spent, u->spent, priced);
	money(held, u->reserved, priced);
	printf("%-30s %6lld %9lld %9lld %10s %10s%s\n", name, (long long)u->calls,
	    (long long)u->input, (long long)u->output, priced ? spent : "unpriced", held,
	    priced && u->unpriced > 0 ? " +unpriced" : "");
}

static int
print_by(const struct show *s, const char *by)
{
	const struct ledger *b = s->book;
	const struct sums *sums = strcmp(by, "day") == 0 ? &b->day :
	    strcmp(by, "model") == 0 ? &b->model :
	    strcmp(by, "resident") == 0 ? &b->resident :
	    strcmp(by, "task") == 0 ? &b->task : NULL;
	struct sum **v;

	if (sums == NULL)
		opt_usage("-b wants day, model, resident or task, not '%s'", by);
	if (!s->json)
		printf("%-30s %6s %9s %9s %10s %10s\n", by, "CALLS", "TOKENS IN", "OUT", "SPENT",
		    "RESERVED");
	v = mem_zero(sums->n + 1, sizeof(struct sum *));
	for (size_t i = 0; i < sums->n; i++)
		v[i] = sums->v[i];
	qsort(v, sums->n, sizeof(struct sum *), by_name);
	for (size_t i = 0; i < sums->n; i++)
		print_sum(s, by, v[i]);
	free(v);
	return 0;
}

/* --- verbs --- */

static int
set(const struct show *s, bool soft, const char *scope, const char *value)
{
	struct err e = {0};
	char *name = mem_dup(scope);
	int i = 0, rc;

	for (char *p = name; *p != '\0'; p++)
		*p = *p == '-' ? '_' : *p;
	while (i < BUDGET_SCOPES && strcmp(budget_scope_name(i), name) != 0)
		i++;
	free(name);
	if (i == BUDGET_SCOPES)
		opt_usage("'%s' is not task, resident-day, world-day, world or rate", scope);
	if (soft && (i == BUDGET_RATE || i == BUDGET_TASK))
		opt_usage("'%s' has no soft limit", scope);
	rc = budget_set(&s->w, i, soft, value, s->dry, &e);
	if (rc == -VIV_USAGE)
		opt_usage("%s", e.msg);
	if (rc != 0)
		err_die(&e);
	return 0;
}

static int
check(const struct show *s, const char *resident)
{
	struct err e = {0};
	char why[512];
	int rc = budget_soft(&s->w, resident, why, sizeof(why), &e);

	if (rc < 0)
		err_die(&e);
	if (rc > 0)
		puts(why);
	return rc > 0 ? VIV_BUDGET : 0;
}

static int
show(struct show *s, const char *by)
{
	char now[CLOCK_TEXT];
	struct err e = {0};

	if (budget_limits(&s->w, &s->lim, &e) != 0 ||
	    budget_book(&s->w, !s->dry, &s->book, &e) != 0)
		err_die(&e);
	clock_utc(clock_wall(), now);
	snprintf(s->day, sizeof(s->day), "%.10s", now);
	return by != NULL ? print_by(s, by) : s->json ? print_json(s) : print_table(s);
}

int
main(int argc, char **argv)
{
	static const struct option longs[] = {{"by", required_argument, NULL, 'b'},
	    {"json", no_argument, NULL, 'J'}, {"dry-run", no_argument, NULL, 'n'},
	    {"soft", no_argument, NULL, 's'}, {NULL, 0, NULL, 0}};
	struct show s = {.json = false};
	struct err e = {0};
	const char *by = NULL, *verb;
	bool soft = false;
	int c, rc, n;

	opt_init(argc, argv, USAGE);
	while ((c = opt_next(argc, argv, "b:Jns", longs)) != -1) {
		if (c == 'b')
			by = optarg;
		s.json |= c == 'J';
		s.dry |= c == 'n';
		soft |= c == 's';
	}
	n = argc - optind;
	verb = n > 0 ? argv[optind] : "";
	if (n > 0 && strcmp(verb, "set") != 0 && strcmp(verb, "check") != 0)
		opt_usage("'%s' is neither set nor check", verb);
	if (*verb == 's' ? n != 3 : *verb == 'c' ? n > 2 : soft)
		opt_usage("%s", *verb == 's' ? "set what to how much?" : *verb == 'c' ?
		    "check knows one resident" : "-s goes with set");
	if (world_open(&s.w, opt_world, &e) != 0)
		err_die(&e);
	rc = *verb == 's' ? set(&s, soft, argv[optind + 1], argv[optind + 2]) :
	    *verb == 'c' ? check(&s, n > 1 ? argv[optind + 1] : NULL) : show(&s, by);
	world_close(&s.w);
	return opt_end(rc);
}
