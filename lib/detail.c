/*
 * detail: all that is known of one task, and what it produced.
 *
 * The history is read from the whole log, which tells also of tasks that have left the
 * board. Lines are looked at only when they hold the id's bytes, so a long log costs one
 * pass of memmem.
 */
#include "detail.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <fcntl.h>

#include "clock.h"
#include "file.h"
#include "json.h"
#include "table.h"
#include "task.h"
#include "utf8.h"

enum { RESULT_MAX = 64 * 1024 * 1024 };

struct history {
	const char *id;
	cJSON *events;
};

static int
collect(const struct log_line *line, void *arg)
{
	struct history *h = arg;
	struct scan obj = scan_text(line->p, line->len);
	cJSON *ev;

	if (scan_eq(scan_get(obj, "task_id"), h->id) &&
	    (ev = json_parse(line->p, line->len, NULL)) != NULL)
		json_push(h->events, ev);
	return 0;
}

static int
read_history(const struct standing *s, const char *id, cJSON **out, struct err *e)
{
	struct history h = {id, json_list()};
	struct log all;
	int rc = log_open(&all, s->w, e);

	if (rc == 0) {
		rc = log_read(&all, collect, &h, e);
		log_close(&all);
	}
	if (rc != 0) {
		cJSON_Delete(h.events);
		return rc;
	}
	*out = h.events;
	return 0;
}

/* Name of the newest result, NULL when there is none; the caller frees. */
static char *
result_name(const struct standing *s, const char *id)
{
	const struct fold_task *t = fold_get(&s->fold, id);
	struct stat st;

	/* A person's decision is a generation of its own: go down to one with a result. */
	for (int64_t g = t != NULL ? t->generation + 1 : 0; g > 0; g--) {
		char *name = mem_fmt("%s/%s.%lld.json", WORLD_RESULTS, id, (long long)g);

		if (fstatat(s->w->fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
			return name;
		free(name);
	}
	return NULL;
}

/* The task as posted: from the board, else as the log remembers it; or NULL. */
static cJSON *
task_of(const struct standing *s, const char *id, const cJSON *events)
{
	long at = board_find(&s->board, id);
	const cJSON *ev;

	if (at >= 0)
		return board_task(&s->board, (size_t)at);
	cJSON_ArrayForEach(ev, events) {
		if (json_obj(ev, "task") != NULL)
			return cJSON_Duplicate(json_obj(ev, "task"), true);
	}
	return NULL;
}

/* --- JSON --- */

static cJSON *
gone(const struct standing *s, const char *id, enum standing_state st)
{
	const struct fold_task *t = fold_get(&s->fold, id);
	cJSON *o = json_new();

	json_set_str(o, "id", id);
	json_set_str(o, "state", standing_key(st));
	json_set_str(o, "status", task_status_name((enum task_status)t->status));
	json_set_num(o, "generation", (double)t->generation);
	json_set_num(o, "attempts", t->attempts);
	return o;
}

int
detail_json(const struct standing *s, const char *id, cJSON **out, struct err *e)
{
	long at = board_find(&s->board, id);
	enum standing_state st;
	cJSON *events, *task;
	char *reason, *result;
	int rc;

	if (task_id_check(id, NULL) != 0 || !standing_of(s, id, &st))
		return err_set(e, VIV_NO, "'%.200s' is neither on the board nor in the log", id);
	if ((rc = read_history(s, id, &events, e)) != 0)
		return rc;
	task = task_of(s, id, events);
	reason = at >= 0 ? standing_reason(s, (size_t)at) : NULL;
	result = result_name(s, id);
	*out = at >= 0 ? table_task(s, (size_t)at) : gone(s, id, st);
	json_set_str(*out, "reason", reason);
	json_set_str(*out, "result_file", result);
	json_set(*out, "task", task != NULL ? task : cJSON_CreateNull());
	json_set(*out, "history", events);
	free(reason);
	free(result);
	return 0;
}

/* --- for people --- */

static void
item(struct buf *out, const char *name, const char *text)
{
	size_t n = strlen(text);
	char *safe = mem_alloc(3 * n + 1);

	safe[0] = '\0';
	utf8_printable(safe, 3 * n + 1, text, n);
	buf_fmt(out, "%-9s %s\n", name, safe);
	free(safe);
}

static void
event_line(struct buf *out, const cJSON *ev)
{
	const char *when = json_str(ev, "timestamp"), *status = json_str(ev, "status");
	const char *who = json_str(ev, "resident_id"), *why = json_str(ev, "reason");
	char time[24], *text;

	snprintf(time, sizeof(time), "  %.19s", when != NULL ? when : "-");
	text = mem_fmt("%-14s %s%s%s", status != NULL ? status : "-", who != NULL ? who : "-",
	    why != NULL ? ": " : "", why != NULL ? why : "");
	item(out, time, text);
	free(text);
}

static void
print_state(const struct standing *s, const char *id, enum standing_state st, struct buf *out)
{
	long at = board_find(&s->board, id);
	char *reason = at >= 0 ? standing_reason(s, (size_t)at) : NULL;
	const struct slot *holder = at >= 0 ? standing_holder(s, (size_t)at) : NULL;
	char age[CLOCK_TEXT], *text;

	if (holder != NULL) {
		clock_short(clock_wall() - holder->started, age);
		text = mem_fmt("running: by '%s' on %s for %s", holder->resident, holder->host,
		    age);
	} else {
		text = mem_fmt("%s%s%s%s", standing_word(st),
		    at < 0 ? " (no longer on the board)" : "", reason != NULL ? ": " : "",
		    reason != NULL ? reason : "");
	}
	item(out, "state", text);
	free(text);
	free(reason);
}

int
detail_print(const struct standing *s, const char *id, struct buf *out, struct err *e)
{
	const struct fold_task *t = fold_get(&s->fold, id);
	const cJSON *ev, *events;
	enum standing_state st;
	const char *text;
	cJSON *all;
	int rc = detail_json(s, id, &all, e);

	if (rc != 0)
		return rc;
	standing_of(s, id, &st);
	events = json_arr(all, "history");
	item(out, "id", id);
	print_state(s, id, st, out);
	ev = json_obj(all, "task");
	text = ev == NULL ? NULL : task_is_local(ev) ? task_command(ev) : task_prompt(ev);
	if (text != NULL)
		item(out, task_is_local(ev) ? "command" : "prompt", text);
	if (ev != NULL)
		buf_fmt(out, "%-9s %d of %d\n", "attempts", t != NULL ? t->attempts : 0,
		    task_max_attempts(ev));
	if (json_str(all, "result_file") != NULL)
		item(out, "result", json_str(all, "result_file"));
	buf_str(out, "history\n");
	cJSON_ArrayForEach(ev, events) {
		event_line(out, ev);
	}
	cJSON_Delete(all);
	return 0;
}

/* --- its output --- */

/* What a command wrote, or a model answered; what went wrong with the answer, apart. */
static void
print_result(const cJSON *res, struct buf *out, struct buf *err_out)
{
	const char *text = json_str(res, "text"), *both[] = {json_str(res, "stdout"),
	    json_str(res, "stderr")};
	const char *message = json_str(json_obj(res, "error"), "message");

	if (text != NULL) {
		buf_str(out, text);
		if (out->len > 0 && out->p[out->len - 1] != '\n')
			buf_char(out, '\n');
		if (json_bool(res, "truncated", false))
			buf_fmt(err_out, "(cut: the answer had %.0f bytes)\n",
			    json_num(res, "text_bytes", 0));
	} else if (both[0] != NULL) {
		buf_str(out, both[0]);
	}
	if (both[1] != NULL)
		buf_str(err_out, both[1]);
	if (message != NULL)
		buf_fmt(err_out, "(no answer: %s)\n", message);
}

int
detail_result(const struct standing *s, const char *id, struct buf *out, struct buf *err_out,
    struct err *e)
{
	char *name = task_id_check(id, NULL) == 0 ? result_name(s, id) : NULL;
	struct buf text = {0};
	const cJSON *res;
	cJSON *file = NULL;
	int rc;

	if (name == NULL)
		return err_set(e, VIV_NO, "'%.200s' has no result", id);
	rc = file_read(s->w->fd, name, RESULT_MAX, &text, e);
	if (rc == 0 && (file = json_parse(text.p != NULL ? text.p : "", text.len, e)) == NULL)
		rc = err_prefix(e, "'%s'", name);
	res = json_obj(file, "result");
	if (rc == 0 && res == NULL)
		rc = err_set(e, VIV_CONFIG, "'%s': no 'result' in it", name);
	if (rc == 0)
		print_result(res, out, err_out);
	cJSON_Delete(file);
	buf_free(&text);
	free(name);
	return rc;
}
