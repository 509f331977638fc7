/*
 * task_check: the strict reader, for tasks that are being posted.
 *
 * One table lists every documented member with its type and range; the first member
 * that does not fit is named. Members that the table does not know travel with the
 * task, as many and as large as the world's limits allow. Members that a stage of the
 * pipeline sets are refused: who posts a task must not bring its own verdict along.
 */
#include "task.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "json.h"
#include "utf8.h"

enum {
	NAME_CHARS = 200,	/* of models, identities, tags ... */
	PATH_CHARS = 4096,
	LIST_ITEMS = 4096	/* dependencies, files, tags of one task */
};

enum kind {
	TEXT,
	NAME,
	PATH,
	ABSOLUTE,
	ID,
	NUMBER,
	INTEGER,
	FLAG,
	FLAG_OR_NAME,
	ONE_OF,
	DATE,
	NAMES,
	PATHS,
	IDS,
	CODES,
	OBJECT,
	INTENT,
	STAGE
};

/* Every documented member (vivarium-task(5)); null always counts as absent. */
static const struct member {
	const char *name;
	enum kind kind;
	double min, max;	/* numbers */
	const char *words;	/* ONE_OF, separated by blanks */
} member[] = {
	{"id", ID, 0, 0, NULL},
	{"type", NAME, 0, 0, NULL},
	{"prompt", TEXT, 0, 0, NULL},
	{"instruction", TEXT, 0, 0, NULL},
	{"description", TEXT, 0, 0, NULL},
	{"atomic_instruction", TEXT, 0, 0, NULL},
	{"task", TEXT, 0, 0, NULL},
	{"command", TEXT, 0, 0, NULL},
	{"shell", TEXT, 0, 0, NULL},
	{"mode", ONE_OF, 0, 0, "local llm"},
	{"model", NAME, 0, 0, NULL},
	{"min_budget", NUMBER, 0, 1e6, NULL},
	{"max_budget", NUMBER, 0, 1e6, NULL},
	{"max_tokens", INTEGER, 1, 65536, NULL},
	{"temperature", NUMBER, 0, 2, NULL},
	{"intensity", ONE_OF, 0, 0, "low medium high"},
	{"depends_on", IDS, 0, 0, NULL},
	{"on_dependency_failure", ONE_OF, 0, 0, "wait fail"},
	{"parallel_safe", FLAG, 0, 0, NULL},
	{"status", ONE_OF, 0, 0, "pending"},
	{"priority", INTEGER, -1000000, 1000000, NULL},
	{"not_before", DATE, 0, 0, NULL},
	{"deadline", DATE, 0, 0, NULL},
	{"timeout", NUMBER, 0.001, TASK_TIMEOUT_MAX_S, NULL},
	{"max_attempts", INTEGER, 1, 1000, NULL},
	{"ok_exit", CODES, 0, 255, NULL},
	{"workdir", ABSOLUTE, 0, 0, NULL},
	{"tags", NAMES, 0, 0, NULL},
	{"review", ONE_OF, 0, 0, "critic human model jury"},
	{"decompose", FLAG_OR_NAME, 0, 0, NULL},
	{"split", FLAG, 0, 0, NULL},
	{"plan", FLAG, 0, 0, NULL},
	{"facet", FLAG, 0, 0, NULL},
	{"delegate", FLAG, 0, 0, NULL},
	{"atomic", FLAG, 0, 0, NULL},
	{"max_subtasks", INTEGER, 1, 1000, NULL},
	{"subtask_parallelism", INTEGER, 1, 1000, NULL},
	{"phase4_plan_request", FLAG, 0, 0, NULL},
	{"phase4_skip", FLAG, 0, 0, NULL},
	{"phase4_planned", FLAG, 0, 0, NULL},
	{"phase4_generated", FLAG, 0, 0, NULL},
	{"phase4_parent_task", ID, 0, 0, NULL},
	{"phase4_intent", INTENT, 0, 0, NULL},
	{"intent", INTENT, 0, 0, NULL},
	{"phase4_plan", OBJECT, 0, 0, NULL},
	{"identity_id", NAME, 0, 0, NULL},
	{"resident_identity", NAME, 0, 0, NULL},
	{"author_id", NAME, 0, 0, NULL},
	{"title", TEXT, 0, 0, NULL},
	{"reward", NUMBER, 0, 1e9, NULL},
	{"discussion_room", NAME, 0, 0, NULL},
	{"doc_path", PATH, 0, 0, NULL},
	{"artifact_path", PATH, 0, 0, NULL},
	{"output_path", PATH, 0, 0, NULL},
	{"doc_edit_mode", ONE_OF, 0, 0, "overwrite append"},
	{"files_created", PATHS, 0, 0, NULL},
	{"files_modified", PATHS, 0, 0, NULL},
	{"artifacts", PATHS, 0, 0, NULL},
	{"claim", STAGE, 0, 0, NULL},
	{"safety", STAGE, 0, 0, NULL},
	{"context", STAGE, 0, 0, NULL},
	{"result", STAGE, 0, 0, NULL},
	{"events", STAGE, 0, 0, NULL},
	{"committed", STAGE, 0, 0, NULL},
};
enum { MEMBERS = sizeof(member) / sizeof(member[0]) };

static const struct member *
member_find(const char *name)
{
	for (int i = 0; i < MEMBERS; i++)
		if (strcmp(member[i].name, name) == 0)
			return &member[i];
	return NULL;
}

/* NULL, or what the value must be. */
static const char *
check_text(const cJSON *v, long long max)
{
	const char *s = cJSON_GetStringValue(v);

	if (s == NULL)
		return "a string";
	return utf8_count(s, strlen(s)) > (size_t)max ? "shorter" : NULL;
}

static const char *
check_ids(const cJSON *v)
{
	const cJSON *item;
	struct err e;

	if (!cJSON_IsArray(v) || cJSON_GetArraySize(v) > LIST_ITEMS)
		return "a list of ids";
	cJSON_ArrayForEach(item, v)
		if (!cJSON_IsString(item) || task_id_check(item->valuestring, &e) != 0)
			return "a list of ids";
	return NULL;
}

static const char *
check_list(const cJSON *v, long long max, bool one, const char *what)
{
	const cJSON *item;

	if (one && cJSON_IsString(v))
		return check_text(v, max) != NULL ? what : NULL;
	if (!cJSON_IsArray(v) || cJSON_GetArraySize(v) > LIST_ITEMS)
		return what;
	cJSON_ArrayForEach(item, v)
		if (check_text(item, max) != NULL || item->valuestring[0] == '\0')
			return what;
	return NULL;
}

static bool
in_range(const cJSON *v, double min, double max, bool integer)
{
	return cJSON_IsNumber(v) && v->valuedouble >= min && v->valuedouble <= max &&
	    (!integer || floor(v->valuedouble) == v->valuedouble);
}

static const char *
check_codes(const cJSON *v, const struct member *m)
{
	static const char what[] = "a list of exit codes from 0 to 255";
	const cJSON *item;

	if (!cJSON_IsArray(v) || v->child == NULL || cJSON_GetArraySize(v) > 256)
		return what;
	cJSON_ArrayForEach(item, v)
		if (!in_range(item, m->min, m->max, true))
			return what;
	return NULL;
}

static bool
one_of(const char *s, const char *words)
{
	size_t n = s != NULL ? strlen(s) : 0;

	for (const char *p = words; n > 0 && (p = strstr(p, s)) != NULL; p++)
		if ((p == words || p[-1] == ' ') && (p[n] == ' ' || p[n] == '\0'))
			return true;
	return false;
}

static const char *
check_value(const cJSON *v, const struct member *m, const struct world_limits *lim)
{
	const char *s = cJSON_GetStringValue(v);
	struct err e;
	double when;

	switch (m->kind) {
	case TEXT:
		return check_text(v, lim->max_instruction_chars);
	case NAME:
		return check_text(v, NAME_CHARS);
	case PATH:
		return check_text(v, PATH_CHARS);
	case ABSOLUTE:
		return s != NULL && s[0] == '/' && strlen(s) <= PATH_CHARS ? NULL :
									     "an absolute path";
	case ID:
		return s != NULL && task_id_check(s, &e) == 0 ? NULL : "a task id";
	case NUMBER:
	case INTEGER:
		return in_range(v, m->min, m->max, m->kind == INTEGER) ? NULL : "";
	case FLAG:
		return cJSON_IsBool(v) ? NULL : "true or false";
	case FLAG_OR_NAME:
		return cJSON_IsBool(v) || check_text(v, NAME_CHARS) == NULL ?
		    NULL :
		    "true, false or a string";
	case ONE_OF:
		return one_of(s, m->words) ? NULL : "";
	case DATE:
		return s != NULL && clock_parse(s, &when) ?
		    NULL :
		    "a date such as 2030-01-31T08:00:00+00:00";
	case NAMES:
		return check_list(v, NAME_CHARS, false, "a list of short strings");
	case PATHS:
		return check_list(v, PATH_CHARS, true, "a path or a list of paths");
	case IDS:
		return check_ids(v);
	case CODES:
		return check_codes(v, m);
	case OBJECT:
		return cJSON_IsObject(v) ? NULL : "an object";
	case INTENT:
		return cJSON_IsObject(v) || check_text(v, lim->max_instruction_chars) == NULL ?
		    NULL :
		    "an object or a string";
	case STAGE:
		break;
	}
	return NULL;
}

static int
check_member(const cJSON *v, const struct member *m, const struct world_limits *lim, struct err *e)
{
	const char *what;

	if (m->kind == STAGE)
		return err_set(e, VIV_CONFIG, "'%s' is set by a stage, not by who posts", m->name);
	if (cJSON_IsNull(v) && m->kind != ID)
		return 0;
	what = check_value(v, m, lim);
	if (what == NULL)
		return 0;
	if (strcmp(what, "shorter") == 0)
		return err_set(e, VIV_CONFIG, "'%s' is longer than %lld characters", m->name,
		    m->kind == TEXT || m->kind == INTENT ? lim->max_instruction_chars :
		    m->kind == PATH ? (long long)PATH_CHARS : (long long)NAME_CHARS);
	if (m->kind == ONE_OF)
		return err_set(e, VIV_CONFIG, "'%s' must be one of: %s", m->name, m->words);
	if (m->kind == NUMBER || m->kind == INTEGER)
		return err_set(e, VIV_CONFIG, "'%s' must be %s from %g to %g", m->name,
		    m->kind == INTEGER ? "an integer" : "a number", m->min, m->max);
	return err_set(e, VIV_CONFIG, "'%s' must be %s", m->name, what);
}

/* Members nobody documents travel with the task, in bounded number and size. */
static int
check_extra(const cJSON *t, const struct world_limits *lim, struct err *e)
{
	long long keys = 0, bytes = 0;
	const cJSON *v;

	cJSON_ArrayForEach(v, t) {
		char *text;

		if (member_find(v->string) != NULL)
			continue;
		text = json_text(v);
		keys++;
		bytes += (long long)(strlen(v->string) + strlen(text)) + 4;
		free(text);
	}
	if (keys > lim->max_metadata_keys)
		return err_set(e, VIV_CONFIG, "%lld members beyond the documented ones: the limit "
		    "max_metadata_keys is %lld", keys, lim->max_metadata_keys);
	if (bytes > lim->max_metadata_bytes)
		return err_set(e, VIV_CONFIG,
		    "%lld bytes in members beyond the documented ones: the limit "
		    "max_metadata_bytes is %lld",
		    bytes, lim->max_metadata_bytes);
	return 0;
}

static int
check_together(const cJSON *t, struct err *e)
{
	const char *text = task_is_local(t) ? task_command(t) : task_prompt(t);
	double lo = json_num(t, "min_budget", 0), hi = json_num(t, "max_budget", 1e300), from, to;
	const char *a = json_str(t, "not_before"), *b = json_str(t, "deadline");

	if (text == NULL || text[strspn(text, " \t\r\n")] == '\0')
		return err_set(e, VIV_CONFIG, "nothing to do: '%s' is missing or empty",
		    task_is_local(t) ? "command" : "prompt");
	if (lo > hi)
		return err_set(e, VIV_CONFIG, "'min_budget' is larger than 'max_budget'");
	if (a != NULL && b != NULL && clock_parse(a, &from) && clock_parse(b, &to) && to <= from)
		return err_set(e, VIV_CONFIG, "'deadline' is not after 'not_before'");
	return 0;
}

/* Old boards may have such ids; new ones would only be a nuisance in a shell. */
static int
check_new_id(const char *id, struct err *e)
{
	int rc = task_id_check(id, e);

	if (rc == 0 && id[0] == '-')
		rc = err_set(e, VIV_CONFIG, "id '%s' begins with '-'", id);
	if (rc == 0 && strpbrk(id, " ,") != NULL)
		rc = err_set(e, VIV_CONFIG, "id '%s' contains a blank or a comma", id);
	return rc;
}

int
task_check(const cJSON *t, const struct world_limits *lim, struct err *e)
{
	const char *id = json_str(t, "id");
	const cJSON *v;
	int rc;

	if (!cJSON_IsObject(t))
		return err_set(e, VIV_CONFIG, "a task must be an object");
	if (id == NULL)
		return err_set(e, VIV_CONFIG, json_get(t, "id") == NULL ? "a task has no id" :
		    "'id' must be a string");
	rc = check_new_id(id, e);
	cJSON_ArrayForEach(v, t) {
		const struct member *m = rc == 0 ? member_find(v->string) : NULL;

		if (m != NULL)
			rc = check_member(v, m, lim, e);
	}
	if (rc == 0)
		rc = check_extra(t, lim, e);
	return rc == 0 ? check_together(t, e) : rc;
}
