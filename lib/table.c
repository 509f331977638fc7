/*
 * table: where the tasks stand, as rows for people or as JSON.
 *
 * A row is id, state, who, for how long, and then what helps most: the reason where
 * there is one, else what is to be done. Text of others never reaches the terminal
 * unfiltered, and is cut by columns, not bytes. Only rows that are shown are read whole,
 * so a large board costs what its states cost.
 */
#include "table.h"

#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "halt.h"
#include "json.h"
#include "task.h"
#include "utf8.h"

enum {
	ID_COLS = 25,			/* an id that viv-add makes up */
	STATE_COLS = 9,
	WHO_COLS = 12,
	AGE_COLS = 4,
	FEW_OPEN = 20,			/* rows of a state, without -a; running: all */
	FEW_FINISHED = 10
};

static const char *const color[] = {
    [STANDING_RUNNING] = "\033[36m",
    [STANDING_READY] = "",
    [STANDING_HELD_BACK] = "\033[33m",
    [STANDING_WAITING] = "",
    [STANDING_BLOCKED] = "\033[33m",
    [STANDING_IN_REVIEW] = "\033[35m",
    [STANDING_APPROVED] = "\033[32m",
    [STANDING_FAILED] = "\033[31m",
};

/* Append text as one line of at most cols columns; pad: to exactly so many. */
static void
cell(struct buf *out, const char *text, size_t cols, bool pad)
{
	size_t n = strlen(text), used = 0, all = 0, len;
	char *flat = mem_dup(text), *safe = mem_alloc(3 * n + 1);

	for (char *p = flat; *p != '\0'; p++)
		if (*p == '\n' || *p == '\t' || *p == '\r')
			*p = ' ';
	safe[0] = '\0';
	n = utf8_printable(safe, 3 * n + 1, flat, n);
	utf8_prefix_cols(safe, n, SIZE_MAX, &all);
	len = utf8_prefix_cols(safe, n, all > cols && cols > 0 ? cols - 1 : cols, &used);
	buf_add(out, safe, len);
	if (all > cols && cols > 0) {
		buf_char(out, '~');
		used++;
	}
	for (; pad && used < cols; used++)
		buf_char(out, ' ');
	free(flat);
	free(safe);
}

static const char *
what(const cJSON *task)
{
	const char *title = json_str(task, "title"), *text = task_command(task);

	if (title != NULL && *title != '\0')
		return title;
	if (text == NULL || !task_is_local(task))
		text = task_prompt(task);
	return text != NULL ? text : "";
}

/* Who runs it, or made it what it is; the caller frees. */
static char *
who(const struct standing *s, size_t i)
{
	const struct slot *holder = standing_holder(s, i);
	const struct fold_task *t = fold_get(&s->fold, s->board.v[i].id);
	const char *name;
	char *out = NULL;
	cJSON *ev;

	if (holder != NULL)
		return mem_dup(holder->resident);
	if (t == NULL || s->state[i] < STANDING_IN_REVIEW)
		return mem_dup("-");
	ev = fold_event(&s->fold, &s->log, t);
	name = json_str(ev, "resident_id");
	out = mem_dup(name != NULL ? name : "-");
	cJSON_Delete(ev);
	return out;
}

static void
row(const struct standing *s, size_t i, const struct table_look *look, size_t id_cols,
    struct buf *out)
{
	enum standing_state st = (enum standing_state)s->state[i];
	size_t left = id_cols + STATE_COLS + WHO_COLS + AGE_COLS + 4;
	double since = standing_since(s, i);
	char *name = who(s, i), *reason = standing_reason(s, i), age[CLOCK_TEXT] = "-";
	char *id = utf8_end_cols(s->board.v[i].id, id_cols);
	cJSON *task = board_task(&s->board, i);
	bool colored = look->color && color[st][0] != '\0';

	if (since > 0)
		clock_short(clock_wall() - since, age);
	cell(out, id, id_cols, true);
	buf_fmt(out, " %s%-*s%s ", colored ? color[st] : "", STATE_COLS, standing_word(st),
	    colored ? "\033[0m" : "");
	cell(out, name, WHO_COLS, true);
	buf_fmt(out, " %*s ", AGE_COLS, age);
	cell(out, reason != NULL && st != STANDING_APPROVED ? reason : what(task),
	    look->cols > left + 10 ? look->cols - left : 10, false);
	while (out->len > 0 && out->p[out->len - 1] == ' ')
		out->len--;
	buf_char(out, '\n');
	cJSON_Delete(task);
	free(id);
	free(name);
	free(reason);
}

static void
counts(const struct standing *s, struct buf *out)
{
	const char *sep = ": ";
	char reason[256], safe[256] = "";

	buf_fmt(out, "%zu task%s", s->board.n, s->board.n == 1 ? "" : "s");
	for (int st = 0; st < STANDING_STATES; st++)
		if (s->count[st] > 0) {
			buf_fmt(out, "%s%zu %s", sep, s->count[st],
			    standing_word((enum standing_state)st));
			sep = ", ";
		}
	buf_char(out, '\n');
	if (halt_on(s->w, reason, sizeof(reason))) {
		utf8_printable(safe, sizeof(safe), reason, strlen(reason));
		buf_fmt(out, "halted: %s\n", safe);
	}
	if (halt_paused(s->w))
		buf_str(out, "paused: nothing new is claimed\n");
}

/* The finished ones of both kinds, latest first. */
static size_t *
finished(const struct standing *s, size_t *n_out)
{
	size_t na, nf, a = 0, f = 0, n = 0;
	size_t *good = standing_list(s, STANDING_APPROVED, &na);
	size_t *bad = standing_list(s, STANDING_FAILED, &nf);
	size_t *v = mem_alloc((na + nf + 1) * sizeof(*v));

	while (a < na || f < nf)
		if (f == nf || (a < na && standing_since(s, good[a]) >= standing_since(s, bad[f])))
			v[n++] = good[a++];
		else
			v[n++] = bad[f++];
	free(good);
	free(bad);
	*n_out = n;
	return v;
}

/* The rows that are shown; *hidden_out: how many are not. */
static size_t *
choose_rows(const struct standing *s, bool all, size_t *n_out, size_t *hidden_out)
{
	size_t *v = mem_alloc((s->board.n + 1) * sizeof(*v)), n = 0;

	*hidden_out = 0;
	for (int st = 0; st <= STANDING_APPROVED; st++) {
		size_t some, few = st == STANDING_APPROVED ? FEW_FINISHED : FEW_OPEN, take;
		size_t *list = st == STANDING_APPROVED ? finished(s, &some) :
		    standing_list(s, (enum standing_state)st, &some);

		take = all || st == STANDING_RUNNING || some < few ? some : few;
		memcpy(v + n, list, take * sizeof(*v));
		n += take;
		*hidden_out += some - take;
		free(list);
	}
	*n_out = n;
	return v;
}

void
table_print(const struct standing *s, const struct table_look *look, struct buf *out)
{
	size_t n, hidden, id_cols = 2;
	size_t *v = choose_rows(s, look->all, &n, &hidden);

	counts(s, out);
	for (size_t i = 0; i < n; i++) {
		const char *id = s->board.v[v[i]].id;
		size_t cols = 0;

		utf8_prefix_cols(id, strlen(id), ID_COLS, &cols);
		id_cols = cols > id_cols ? cols : id_cols;
	}
	for (size_t i = 0; i < n; i++)
		row(s, v[i], look, id_cols, out);
	if (hidden > 0)
		buf_fmt(out, "and %zu more (-a shows all)\n", hidden);
	free(v);
}

/* --- JSON --- */

cJSON *
table_task(const struct standing *s, size_t i)
{
	const struct task *t = &s->board.v[i];
	const struct fold_task *f = fold_get(&s->fold, t->id);
	const struct slot *holder = standing_holder(s, i);
	double since = standing_since(s, i);
	cJSON *o = json_new(), *task = board_task(&s->board, i);
	char when[CLOCK_TEXT];

	json_set_str(o, "id", t->id);
	json_set_str(o, "state", standing_key((enum standing_state)s->state[i]));
	json_set_str(o, "status", f != NULL ? task_status_name((enum task_status)f->status) : NULL);
	json_set_str(o, "mode", t->local ? "local" : "llm");
	json_set_str(o, "what", what(task));
	json_set_num(o, "priority", t->priority);
	json_set_num(o, "generation", f != NULL ? (double)f->generation : 0);
	json_set_num(o, "attempts", f != NULL ? f->attempts : 0);
	json_set_num(o, "max_attempts", t->max_attempts);
	if (since > 0)
		clock_utc(since, when);
	json_set_str(o, "since", since > 0 ? when : NULL);
	if (holder != NULL) {
		json_set_str(o, "resident_id", holder->resident);
		if (holder->identity[0] != '\0')
			json_set_str(o, "identity_id", holder->identity);
	}
	cJSON_Delete(task);
	return o;
}

cJSON *
table_counts(const struct standing *s)
{
	cJSON *o = json_new();

	json_set_num(o, "tasks", (double)s->board.n);
	json_set_num(o, "completed", (double)s->count[STANDING_APPROVED]);
	for (int st = 0; st < STANDING_STATES; st++)
		json_set_num(o, standing_key((enum standing_state)st), (double)s->count[st]);
	json_set_bool(o, "halted", halt_on(s->w, NULL, 0));
	json_set_bool(o, "paused", halt_paused(s->w));
	return o;
}

cJSON *
table_json(const struct standing *s)
{
	cJSON *o = table_counts(s), *list = json_list();

	for (size_t i = 0; i < s->board.n; i++)
		json_push(list, table_task(s, i));
	json_set(o, "list", list);
	return o;
}
