/*
 * fold: the state of every task, folded from the log.
 *
 * One small record a task in a hash table. Generations order events, nothing else
 * does: a line of an older generation than the record's changes nothing, the final
 * event of a generation ends it, and a second final event of the same generation is
 * dropped. Lines of an older world have no generation; they are generation 0, where
 * the last line counts.
 */
#include "fold.h"

#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "json.h"

static uint64_t
hash(const char *s)
{
	uint64_t h = 14695981039346656037u;

	while (*s != '\0')
		h = (h ^ (unsigned char)*s++) * 1099511628211u;
	return h ^ h >> 32;
}

static size_t
find(const struct fold *f, const char *id)
{
	size_t i = hash(id) & (f->cap - 1);

	while (f->table[i] != NULL && strcmp(f->table[i]->id, id) != 0)
		i = (i + 1) & (f->cap - 1);
	return i;
}

static void
grow(struct fold *f)
{
	struct fold_task **old = f->table;
	size_t n = f->cap;

	f->cap = n == 0 ? 256 : 2 * n;
	f->table = mem_zero(f->cap, sizeof(struct fold_task *));
	for (size_t i = 0; i < n; i++)
		if (old[i] != NULL)
			f->table[find(f, old[i]->id)] = old[i];
	free(old);
}

struct fold_task *
fold_get(const struct fold *f, const char *id)
{
	return f->cap == 0 ? NULL : f->table[find(f, id)];
}

struct fold_task *
fold_add(struct fold *f, const char *id)
{
	struct fold_task *t = fold_get(f, id);
	size_t i;

	if (t != NULL)
		return t;
	if (f->n >= f->cap / 2)
		grow(f);
	i = find(f, id);
	t = mem_zero(1, sizeof(*t));
	t->id = mem_dup(id);
	f->table[i] = t;
	f->n++;
	return t;
}

uint32_t
fold_segment(struct fold *f, const char *name)
{
	for (size_t i = f->nnames; i-- > 0;)
		if (strcmp(f->names[i], name) == 0)
			return (uint32_t)i;
	f->names = mem_grow(f->names, f->nnames + 1, sizeof(*f->names));
	f->names[f->nnames] = mem_dup(name);
	return (uint32_t)f->nnames++;
}

/* The members of an event that make state. */
struct seen {
	char id[TASK_ID_BYTES + 1];
	enum task_status status;
	int64_t generation;
	double when, not_before;
	int attempt;
	bool final, counted, task;
};

static double
time_of(struct scan v)
{
	char text[CLOCK_TEXT];
	double t;

	if (v.kind == '0')
		return scan_number(v, 0);
	return scan_copy(v, text, sizeof(text)) > 0 && clock_parse(text, &t) ? t : 0;
}

static bool
read_event(const struct log_line *line, struct seen *s)
{
	struct scan obj = scan_text(line->p, line->len), key, val;
	char status[32] = "";
	size_t at = 0;

	*s = (struct seen){.counted = true};
	if (obj.kind != '{' || line->p[line->len - 1] != '}')
		return false;
	while (scan_member(obj, &at, &key, &val)) {
		if (scan_eq(key, "task_id"))
			scan_copy(val, s->id, sizeof(s->id));
		else if (scan_eq(key, "status"))
			scan_copy(val, status, sizeof(status));
		else if (scan_eq(key, "generation"))
			s->generation = scan_int(val, 0);
		else if (scan_eq(key, "timestamp"))
			s->when = time_of(val);
		else if (scan_eq(key, "not_before"))
			s->not_before = time_of(val);
		else if (scan_eq(key, "attempt"))
			s->attempt = (int)scan_int(val, 0);
		else if (scan_eq(key, "final"))
			s->final = scan_true(val);
		else if (scan_eq(key, "counted"))
			s->counted = val.kind != 'f';
		else if (scan_eq(key, "task"))
			s->task = val.kind == '{';
	}
	s->status = task_status_parse(status);
	return s->id[0] != '\0' && s->id[0] != '_' && s->status != TASK_UNKNOWN;
}

static bool
is_subtask(enum task_status s)
{
	return s == TASK_SUBTASK_STARTED || s == TASK_SUBTASK_COMPLETED || s == TASK_SUBTASK_FAILED;
}

/* Apply one event: does it make the task's state? */
static bool
apply(struct fold_task *t, const struct seen *s)
{
	if (s->task)
		t->posted = true;
	if (is_subtask(s->status) || s->generation < t->generation)
		return false;
	if (s->generation == t->generation && t->final)
		return false;
	if (s->status == TASK_QUEUED && s->generation == 0 && t->status != TASK_UNKNOWN && s->task)
		return false;		/* the record of a hand edit, beside its first claim */
	if (s->status == TASK_QUEUED && s->generation > 0)
		t->attempts = 0;	/* kicked */
	if (s->status == TASK_IN_PROGRESS) {
		t->attempts = s->attempt > 0 ? s->attempt : t->attempts + 1;
		t->started = s->when;
	}
	if (s->final && s->attempt > 0)
		t->attempts = s->attempt;
	if (s->status == TASK_REQUEUE && !s->counted && t->attempts > 0)
		t->attempts--;
	t->generation = s->generation;
	t->status = (uint8_t)s->status;
	t->final = s->final && s->generation > 0;
	t->when = s->when;
	t->not_before = s->not_before;
	return true;
}

static int
fold_line(const struct log_line *line, void *arg)
{
	struct fold *f = arg;
	struct fold_task *t;
	struct seen s;

	if (line->len < 2 || !read_event(line, &s))
		return 0;
	t = fold_add(f, s.id);
	if (!apply(t, &s))
		return 0;
	t->offset = line->offset;
	t->len = (uint32_t)line->len;
	t->segment = fold_segment(f, line->segment);
	if (f->changed != NULL)
		f->changed(t, f->arg);
	return 0;
}

int
fold_read(struct fold *f, struct log *l, bool cache, struct err *e)
{
	bool fresh = cache && f->n == 0 && l->nseg == 0;
	int rc;

	if (fresh)
		fold_cache_load(f, l);
	rc = log_read(l, fold_line, f, e);
	if (rc == 0 && fresh)
		fold_cache_save(f, l);
	return rc;
}

void
fold_free(struct fold *f)
{
	for (size_t i = 0; i < f->cap; i++)
		if (f->table[i] != NULL) {
			free(f->table[i]->id);
			free(f->table[i]);
		}
	for (size_t i = 0; i < f->nnames; i++)
		free(f->names[i]);
	free(f->names);
	free(f->table);
	*f = (struct fold){0};
}

struct lookup {
	const char *id;
	const struct fold_task *t;
	cJSON *found;
};

static int
match_event(const struct log_line *line, void *arg)
{
	struct lookup *k = arg;
	struct seen s;

	if (line->len < 2 || !read_event(line, &s) || strcmp(s.id, k->id) != 0 ||
	    s.generation != k->t->generation || s.status != (enum task_status)k->t->status)
		return 0;
	if (k->found == NULL || !k->t->final) {
		cJSON_Delete(k->found);
		k->found = json_parse(line->p, line->len, NULL);
	}
	return 0;
}

/* The bytes where the line was when it was folded. */
static cJSON *
event_at(const struct fold *f, const struct log *l, const struct fold_task *t)
{
	struct buf b = {0};
	char *path = mem_fmt("%s/%s", WORLD_AUDIT, f->names[t->segment]);
	cJSON *ev = file_read_at(l->w->fd, path, t->offset, t->len, &b, NULL) == 0 ?
	    json_parse(b.p, b.len, NULL) : NULL;
	const char *id = json_str(ev, "task_id");

	buf_free(&b);
	free(path);
	if (ev == NULL || (id != NULL && strcmp(id, t->id) == 0))
		return ev;
	cJSON_Delete(ev);
	return NULL;
}

cJSON *
fold_event(const struct fold *f, const struct log *l, const struct fold_task *t)
{
	struct lookup k = {t->id, t, NULL};
	struct log all;
	cJSON *ev;

	if (t->len == 0)
		return NULL;
	ev = event_at(f, l, t);
	if (ev != NULL)
		return ev;
	/* Rotated away since: look everywhere. */
	if (log_open(&all, l->w, NULL) != 0)
		return NULL;
	log_read(&all, match_event, &k, NULL);
	log_close(&all);
	return k.found;
}

int64_t
fold_base(const struct fold_task *t)
{
	return t == NULL ? 0 : t->generation + (t->final ? 1 : 0);
}

bool
fold_done(const struct fold_task *t)
{
	return t != NULL && task_status_done((enum task_status)t->status);
}

bool
fold_dead(const struct fold_task *t)
{
	return t != NULL && (t->status == TASK_FAILED || t->status == TASK_SAFETY_BLOCKED);
}

bool
fold_runnable(const struct fold_task *t)
{
	if (t == NULL)
		return true;
	switch ((enum task_status)t->status) {
	case TASK_UNKNOWN:
	case TASK_QUEUED:
	case TASK_IN_PROGRESS:
	case TASK_COMPLETED:
	case TASK_REQUEUE:
		return true;
	case TASK_PENDING_REVIEW:
		return !t->final;
	default:
		return false;
	}
}
