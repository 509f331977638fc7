/*
 * task: what a task object means.
 *
 * Two readers with different manners. task_read serves choosing: people write
 * queue.json by hand and older programs wrote it before, so a member of a wrong type
 * counts as absent and only what makes a task impossible to run (no id that can name
 * a file, a date nobody understands) is an error. A dependency that is not even a
 * string stays in the list as its own text: it can never be satisfied, so a slip of
 * the pen blocks a task and never sets it free. Posting is strict: lib/task_check.c.
 */
#include "task.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "buf.h"
#include "clock.h"
#include "json.h"
#include "utf8.h"

/* --- statuses --- */

static const char *const status_name[] = {
	[TASK_UNKNOWN] = "unknown", [TASK_QUEUED] = "queued", [TASK_IN_PROGRESS] = "in_progress",
	[TASK_COMPLETED] = "completed", [TASK_FAILED] = "failed",
	[TASK_PENDING_REVIEW] = "pending_review", [TASK_APPROVED] = "approved",
	[TASK_REQUEUE] = "requeue", [TASK_NEEDS_QA] = "needs_qa",
	[TASK_NEEDS_INTEGRATION] = "needs_integration", [TASK_NEEDS_E2E] = "needs_e2e",
	[TASK_READY_FOR_MERGE] = "ready_for_merge", [TASK_SUBTASK_STARTED] = "subtask_started",
	[TASK_SUBTASK_COMPLETED] = "subtask_completed", [TASK_SUBTASK_FAILED] = "subtask_failed",
	[TASK_SAFETY_BLOCKED] = "safety_blocked", [TASK_LOST] = "lost",
};
enum { STATUSES = sizeof(status_name) / sizeof(status_name[0]) };

const char *
task_status_name(enum task_status s)
{
	return (unsigned)s < STATUSES ? status_name[s] : status_name[TASK_UNKNOWN];
}

enum task_status
task_status_parse(const char *name)
{
	for (int i = TASK_UNKNOWN + 1; name != NULL && i < STATUSES; i++)
		if (strcmp(name, status_name[i]) == 0)
			return (enum task_status)i;
	return TASK_UNKNOWN;
}

bool
task_status_done(enum task_status s)
{
	return s == TASK_APPROVED || s == TASK_READY_FOR_MERGE;
}

/* --- ids --- */

/* Controls, and what reorders or hides text on a screen. */
static bool
bad_in_id(uint32_t cp)
{
	return cp < 0x20 || (cp >= 0x7f && cp < 0xa0) || (cp >= 0x200b && cp <= 0x200f) ||
	    (cp >= 0x2028 && cp <= 0x202e) || (cp >= 0x2060 && cp <= 0x206f) || cp == 0xfeff;
}

int
task_id_check(const char *id, struct err *e)
{
	size_t n = strlen(id);

	if (n == 0)
		return err_set(e, VIV_CONFIG, "an id must not be empty");
	if (n > TASK_ID_BYTES)
		return err_set(
		    e, VIV_CONFIG, "id '%.40s...' is longer than %d bytes", id, TASK_ID_BYTES);
	if (utf8_invalid(id, n) != n)
		return err_set(e, VIV_CONFIG, "an id must be UTF-8");
	if (id[0] == '.')
		return err_set(e, VIV_CONFIG, "id '%s' begins with a dot", id);
	if (id[0] == '_')
		return err_set(e, VIV_CONFIG, "id '%s' begins with '_', which is reserved", id);
	if (strchr(id, '/') != NULL)
		return err_set(e, VIV_CONFIG, "id '%s' contains '/'", id);
	for (const char *p = id; *p != '\0';) {
		uint32_t cp;

		p += utf8_decode(p, n - (size_t)(p - id), &cp);
		if (bad_in_id(cp))
			return err_set(e, VIV_CONFIG, "id '%s' contains a control character", id);
	}
	return 0;
}

/* --- lenient reading --- */

/* A string, or a number as it is written; NULL otherwise. */
static char *
name_dup(struct scan v)
{
	return v.kind == '"' ? scan_dup(v) : v.kind == '0' ? mem_ndup(v.p, v.len) : NULL;
}

static void
names_free(char **v)
{
	for (size_t i = 0; v != NULL && v[i] != NULL; i++)
		free(v[i]);
	free(v);
}

/* A list of names, or one name alone. damaged: keep other values as their text. */
static char **
names_read(struct scan v, bool damaged)
{
	struct scan item;
	size_t at = 0, n = 0;
	char **out, *one;

	if (v.kind != '[') {
		one = v.kind == '"' && v.len > 2 ? scan_dup(v) :
		    damaged && v.kind == '0' ? mem_ndup(v.p, v.len) :
		    damaged && (v.kind == '{' || v.kind == 't') ? mem_ndup(v.p, v.len) : NULL;
		if (one == NULL)
			return NULL;
		out = mem_zero(2, sizeof(*out));
		out[0] = one;
		return out;
	}
	while (scan_item(v, &at, &item))
		n++;
	if (n == 0)
		return NULL;
	out = mem_zero(n + 1, sizeof(*out));
	at = n = 0;
	while (scan_item(v, &at, &item)) {
		one = name_dup(item);
		if (one == NULL && damaged)
			one = mem_ndup(item.p, item.len);
		if (one != NULL)
			out[n++] = one;
	}
	return out;
}

static int
date_read(struct scan v, const char *name, double *out, struct err *e)
{
	char text[64];

	if (v.kind == 'n')
		return 0;
	if (v.kind == '0') {
		*out = scan_number(v, 0);
		return 0;
	}
	if (v.kind == '"' && scan_copy(v, text, sizeof(text)) > 0 && clock_parse(text, out))
		return 0;
	return err_set(e, VIV_CONFIG, "'%s' is not a date", name);
}

static int
clamp(double v, int min, int max)
{
	return v < min ? min : v > max ? max : (int)v;
}

/* Trimmed, lower case: is it that mode? */
static bool
mode_is(const char *s, const char *mode)
{
	size_t n = strlen(mode);

	s += strspn(s, " \t\r\n");
	return strncasecmp(s, mode, n) == 0 && s[n + strspn(s + n, " \t\r\n")] == '\0';
}

static bool
scan_truthy(struct scan v)
{
	struct scan a, b;
	size_t at = 0;

	switch (v.kind) {
	case '"':
		return v.len > 2;
	case '0':
		return scan_number(v, 1) != 0;
	case '[':
		return scan_item(v, &at, &a);
	case '{':
		return scan_member(v, &at, &a, &b);
	default:
		return v.kind == 't';
	}
}

/* What task_read must remember until all members were seen. */
struct reading {
	char mode[16];
	bool command;
	double attempts;
	bool resident;		/* identity came from resident_identity */
};

static void
read_identity(struct task *t, struct reading *r, struct scan val, bool resident)
{
	char *s;

	if (val.kind != '"' || val.len <= 2 || (t->identity != NULL && (resident || !r->resident)))
		return;
	s = scan_dup(val);
	free(t->identity);
	t->identity = s;
	r->resident = resident;
}

static int
read_member(struct task *t, struct reading *r, struct scan key, struct scan val, struct err *e)
{
	if (scan_eq(key, "id")) {
		t->id = name_dup(val);
	} else if (scan_eq(key, "depends_on")) {
		t->deps = names_read(val, true);
	} else if (scan_eq(key, "tags")) {
		t->tags = names_read(val, false);
	} else if (scan_eq(key, "mode")) {
		scan_copy(val, r->mode, sizeof(r->mode));
	} else if (scan_eq(key, "command") || scan_eq(key, "shell")) {
		r->command = r->command || scan_truthy(val);
	} else if (scan_eq(key, "identity_id")) {
		read_identity(t, r, val, false);
	} else if (scan_eq(key, "resident_identity")) {
		read_identity(t, r, val, true);
	} else if (scan_eq(key, "not_before")) {
		return date_read(val, "not_before", &t->not_before, e);
	} else if (scan_eq(key, "deadline")) {
		return date_read(val, "deadline", &t->deadline, e);
	} else if (scan_eq(key, "priority")) {
		t->priority = clamp(scan_number(val, 0), -1000000, 1000000);
	} else if (scan_eq(key, "max_attempts")) {
		r->attempts = scan_number(val, 0);
	} else if (scan_eq(key, "parallel_safe")) {
		t->serial = val.kind == 'f';
	} else if (scan_eq(key, "on_dependency_failure")) {
		t->fail_on_dependency = scan_eq(val, "fail");
	}
	return 0;
}

static int
attempts(double given, bool local)
{
	return given >= 1 ? clamp(given, 1, 1000000) : local ? TASK_ATTEMPTS_LOCAL : TASK_ATTEMPTS;
}

int
task_read(struct task *t, struct scan obj, struct err *e)
{
	struct reading r = {{0}, false, 0, false};
	struct scan key, val;
	size_t at = 0;
	int rc = 0;

	*t = (struct task){.text = obj};
	while (rc == 0 && scan_member(obj, &at, &key, &val))
		rc = read_member(t, &r, key, val, e);
	if (t->id == NULL || t->id[0] == '\0' || (rc == 0 && task_id_check(t->id, e) != 0))
		rc = t->id == NULL || t->id[0] == '\0' ?
		    err_set(e, VIV_CONFIG, "a task has no id") :
		    -VIV_CONFIG;
	else if (rc != 0)
		err_prefix(e, "task '%s'", t->id);
	if (rc != 0) {
		task_free(t);
		return rc;
	}
	t->local = mode_is(r.mode, "local") || (r.command && !mode_is(r.mode, "llm"));
	t->max_attempts = attempts(r.attempts, t->local);
	return 0;
}

void
task_free(struct task *t)
{
	free(t->id);
	free(t->identity);
	names_free(t->deps);
	names_free(t->tags);
	*t = (struct task){0};
}

/* --- the tree --- */

static bool
truthy(const cJSON *v)
{
	return cJSON_IsTrue(v) || (cJSON_IsNumber(v) && v->valuedouble != 0) ||
	    (cJSON_IsString(v) && v->valuestring[0] != '\0') ||
	    ((cJSON_IsArray(v) || cJSON_IsObject(v)) && v->child != NULL);
}

/* The first truthy member of the names, NULL when that one is no string. */
static const char *
first_text(const cJSON *t, const char *const *names)
{
	for (; *names != NULL; names++) {
		const cJSON *v = json_get(t, *names);

		if (truthy(v))
			return cJSON_GetStringValue(v);
	}
	return NULL;
}

const char *
task_prompt(const cJSON *t)
{
	static const char *const names[] = {
	    "prompt", "instruction", "description", "atomic_instruction", "task", NULL};

	return first_text(t, names);
}

static bool
has_mode(const cJSON *t, const char *mode)
{
	const char *s = json_str(t, "mode");

	return s != NULL && mode_is(s, mode);
}

const char *
task_command(const cJSON *t)
{
	static const char *const names[] = {"command", "shell", "task", NULL};
	static const char *const plain[] = {"command", "shell", NULL};

	return first_text(t, has_mode(t, "local") ? names : plain);
}

bool
task_is_local(const cJSON *t)
{
	return has_mode(t, "local") || (!has_mode(t, "llm") &&
	    (truthy(json_get(t, "command")) || truthy(json_get(t, "shell"))));
}

int
task_max_attempts(const cJSON *t)
{
	return attempts(json_num(t, "max_attempts", 0), task_is_local(t));
}

double
task_timeout(const cJSON *t)
{
	double s = json_num(t, "timeout", task_is_local(t) ? TASK_TIMEOUT_S : TASK_TIMEOUT_LLM_S);

	return s < 1 ? 1 : s > TASK_TIMEOUT_MAX_S ? TASK_TIMEOUT_MAX_S : s;
}

bool
task_exit_ok(const cJSON *t, double code)
{
	const cJSON *list = json_arr(t, "ok_exit"), *v;

	if (list == NULL)
		return code == 0;
	cJSON_ArrayForEach(v, list) {
		if (cJSON_IsNumber(v) && v->valuedouble == code)
			return true;
	}
	return false;
}
