/*
 * api: what a request of the execution API asks.
 *
 * The members, their bounds and their errors are the reference's (core.md 3.2), whose
 * clients send what its parser forgave: numbers as text, texts as numbers. Those two stay.
 * Not kept: true for 1, the cutting of fractions, "nan" and "inf", duplicate members. The
 * body is read in place (scan), so a number that stands for a text keeps its digits.
 */
#include "api.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "err.h"
#include "json.h"
#include "num.h"
#include "policy.h"
#include "rand.h"
#include "scan.h"
#include "task.h"

enum kind { TEXT, WHOLE, REAL, MONEY };
enum { NUMBER_BYTES = 64, API_ID_HEX = 4, FIELDS = 11 };

struct field {
	const char *name;
	enum kind kind;
	double min, max;
};

static const struct field fields[FIELDS] = {{"prompt", TEXT, 0, 0}, {"task", TEXT, 0, 0},
    {"mode", TEXT, 0, 0}, {"model", TEXT, 0, 0}, {"intensity", TEXT, 0, 0},
    {"task_id", TEXT, 0, 0}, {"max_tokens", WHOLE, 1, 65536}, {"temperature", REAL, 0, 2},
    {"timeout", WHOLE, 1, 3600}, {"min_budget", MONEY, 0, 1e9}, {"max_budget", MONEY, 0, 1e9}};

/* --- errors --- */

static void
complain(cJSON *list, const char *member, const char *type, const char *msg, double limit)
{
	cJSON *one = json_new(), *loc = json_list();

	json_push(loc, cJSON_CreateString("body"));
	if (member != NULL)
		json_push(loc, cJSON_CreateString(member));
	json_set(one, "loc", loc);
	json_set_str(one, "msg", msg);
	json_set_str(one, "type", type);
	if (!isnan(limit)) {
		cJSON *ctx = json_new();

		json_set_num(ctx, "limit_value", limit);
		json_set(one, "ctx", ctx);
	}
	json_push(list, one);
}

static void
bound(cJSON *list, const struct field *f, const char *type, const char *how, double limit)
{
	char *msg = mem_fmt("ensure this value is %s than or equal to %.10g", how, limit);

	complain(list, f->name, type, msg, limit);
	free(msg);
}

cJSON *
api_detail(const char *text)
{
	cJSON *v = json_new();

	json_set_str(v, "detail", text);
	return v;
}

/* --- members --- */

/* The number in the value, or in its text with blanks around it. */
static bool
number(struct scan v, double *out)
{
	char text[NUMBER_BYTES];
	size_t n, from;

	if ((v.kind != '0' && v.kind != '"') || v.len >= sizeof(text))
		return false;
	n = scan_copy(v, text, sizeof(text));
	if (v.kind == '0') {
		memcpy(text, v.p, v.len);
		n = v.len;
	}
	for (; n > 0 && isspace((unsigned char)text[n - 1]); n--)
		;
	text[n] = '\0';
	from = strspn(text, " \t\r\n");
	return num_real(text + from, -HUGE_VAL, HUGE_VAL, out);
}

static void
read_number(const struct field *f, struct scan v, double *at, cJSON *list)
{
	bool whole = f->kind == WHOLE;
	double x;

	if (v.kind == 'n') {
		if (f->kind != MONEY)
			complain(list, f->name, "type_error.none.not_allowed",
			    "none is not an allowed value", NAN);
		return;
	}
	if (!number(v, &x) || (whole && x != floor(x)))
		complain(list, f->name, whole ? "type_error.integer" : "type_error.float",
		    whole ? "value is not a valid integer" : "value is not a valid float", NAN);
	else if (x < f->min)
		bound(list, f, "value_error.number.not_ge", "greater", f->min);
	else if (x > f->max)
		bound(list, f, "value_error.number.not_le", "less", f->max);
	else
		*at = x;
}

static void
read_text(const struct field *f, struct scan v, char **at, cJSON *list)
{
	struct err e;

	if (v.kind == 'n')
		return;
	if (v.kind == '"')
		*at = scan_dup(v);
	else if (v.kind == '0')
		*at = mem_ndup(v.p, v.len);
	else
		complain(list, f->name, "type_error.str", "str type expected", NAN);
	if (*at != NULL && strcmp(f->name, "task_id") == 0 && task_id_check(*at, &e) != 0)
		complain(list, f->name, "value_error", e.msg, NAN);
}

/* Members that the reference ignores: taken when they are usable names. */
static char *
name_of(struct scan body, const char *member)
{
	struct scan v = scan_get(body, member);

	return v.kind == '"' && v.len > 2 && v.len <= TASK_ID_BYTES ? scan_dup(v) : NULL;
}

int
api_parse(struct api_request *r, const char *body, size_t n, cJSON **detail_out)
{
	void *at[FIELDS] = {&r->prompt, &r->task, &r->mode, &r->model, &r->intensity, &r->task_id,
	    &r->max_tokens, &r->temperature, &r->timeout, &r->min_budget, &r->max_budget};
	cJSON *list = json_list();
	struct err e = {0};
	struct scan all;

	*r = (struct api_request){.max_tokens = API_TOKENS, .temperature = 0.2,
	    .timeout = API_TIMEOUT_S, .min_budget = -1, .max_budget = -1};
	if (n == 0)
		complain(list, NULL, "value_error.missing", "field required", NAN);
	else if (scan_check(body, n, &e) != 0)
		complain(list, NULL, "value_error.jsondecode", e.msg, NAN);
	else if ((all = scan_text(body, n)).kind != '{')
		complain(list, NULL, "type_error.dict",
		    "value is not a valid dict: send an object as application/json", NAN);
	else {
		for (size_t i = 0; i < FIELDS; i++) {
			struct scan v = scan_get(all, fields[i].name);

			if (v.kind != '\0' && fields[i].kind == TEXT)
				read_text(&fields[i], v, at[i], list);
			else if (v.kind != '\0')
				read_number(&fields[i], v, at[i], list);
		}
		r->resident_id = name_of(all, "resident_id");
		r->identity_id = name_of(all, "identity_id");
	}
	if (cJSON_GetArraySize(list) == 0) {
		cJSON_Delete(list);
		return 0;
	}
	*detail_out = json_new();
	json_set(*detail_out, "detail", list);
	return 422;
}

void
api_free(struct api_request *r)
{
	char *text[] = {r->prompt, r->task, r->mode, r->model, r->intensity, r->task_id,
	    r->resident_id, r->identity_id};

	for (size_t i = 0; i < sizeof(text) / sizeof(text[0]); i++)
		free(text[i]);
	*r = (struct api_request){0};
}

/* --- what it is --- */

static bool
given(const char *s)
{
	return s != NULL && *s != '\0';
}

int
api_mode_first(struct api_request *r, const char **why_out)
{
	const char *mode = r->mode != NULL ? r->mode + strspn(r->mode, " \t\r\n") : "";
	size_t n = strcspn(mode, " \t\r\n");

	*why_out = "either 'prompt' or 'task' is required";
	if (!given(r->prompt) && !given(r->task))
		return 400;
	*why_out = "'mode' is neither 'llm' nor 'local'";
	if (mode[n + strspn(mode + n, " \t\r\n")] != '\0')
		return 400;
	r->local = (n == 5 && strncasecmp(mode, "local", n) == 0) ||
	    (n == 0 && !given(r->prompt));
	return n == 0 || r->local || (n == 3 && strncasecmp(mode, "llm", n) == 0) ? 0 : 400;
}

int
api_mode_last(const struct api_request *r, const char **why_out)
{
	*why_out = r->local ? "mode 'local' needs a 'task'" : "mode 'llm' needs a 'prompt'";
	return given(r->local ? r->task : r->prompt) ? 0 : 400;
}

/* Has the path the components want ("meta/security") one after the other? */
static bool
has_part(const char *path, const char *want)
{
	size_t n = strlen(want);

	for (const char *p = path; (p = strstr(p, want)) != NULL; p++)
		if ((p == path || p[-1] == '/' || p[-1] == '=') && (p[n] == '\0' || p[n] == '/'))
			return true;
	return false;
}

/* The path without empty and "." components, and ".." resolved as text. */
static char *
flatten(const char *path)
{
	struct buf b = {0};

	while (*path != '\0') {
		size_t n = strcspn(path, "/");

		if (n == 2 && strncmp(path, "..", 2) == 0) {
			while (b.len > 0 && b.p[--b.len] != '/')
				;
		} else if (n > 0 && !(n == 1 && *path == '.')) {
			if (b.len > 0)
				buf_char(&b, '/');
			buf_add(&b, path, n);
		}
		path += n + (path[n] == '/');
	}
	if (b.p != NULL)
		b.p[b.len] = '\0';
	return buf_take(&b);
}

const char *
api_forbidden(const char *command)
{
	static const struct {
		const char *part, *class;
	} kept[] = {{"world/physics", "physics"}, {"vivarium/physics", "physics"},
	    {"meta/security", "security"}, {".swarm/journals", "private journal"},
	    {".swarm/journal_votes.json", "private journal"}};
	const char *class = NULL;
	char **argv;
	int argc;

	if (policy_words(command, &argv, &argc, NULL) != 0)
		return NULL;
	for (int i = 1; i < argc && class == NULL; i++) {
		char *path = flatten(argv[i]);

		for (size_t k = 0; k < sizeof(kept) / sizeof(kept[0]) && class == NULL; k++)
			if (has_part(path, kept[k].part))
				class = kept[k].class;
		free(path);
	}
	policy_words_free(argv);
	return class;
}

/* --- the task line --- */

/* An id of its own for each call of a command, since its scratch directory has that
 * name, but one that shows which task it was. */
static void
set_id(cJSON *line, const struct api_request *r)
{
	char tail[2 * API_ID_HEX + 1], *id;

	if (r->task_id == NULL)
		return;
	rand_hex(tail, API_ID_HEX);
	id = r->local ? mem_fmt("%s.api-%s", r->task_id, tail) : mem_dup(r->task_id);
	if (task_id_check(id, NULL) == 0)
		json_set_str(line, "id", id);
	free(id);
}

cJSON *
api_text_line(const struct api_request *r, const char *text)
{
	cJSON *line = json_new();

	if (r->task_id != NULL)
		json_set_str(line, "id", r->task_id);
	json_set_str(line, "mode", "llm");
	json_set_str(line, "prompt", text);
	return line;
}

cJSON *
api_line(const struct api_request *r, const char *workdir)
{
	cJSON *line = json_new(), *who;

	set_id(line, r);
	json_set_str(line, "mode", r->local ? "local" : "llm");
	if (r->local) {
		json_set_str(line, "command", r->task);
		json_set_num(line, "timeout", r->timeout);
		if (workdir != NULL)
			json_set_str(line, "workdir", workdir);
		return line;
	}
	json_set_str(line, "prompt", r->prompt);
	if (given(r->model))
		json_set_str(line, "model", r->model);
	json_set_num(line, "max_tokens", r->max_tokens);
	json_set_num(line, "temperature", r->temperature);
	if (r->max_budget >= 0)
		json_set_num(line, "max_budget", r->max_budget);
	if (r->resident_id == NULL && r->identity_id == NULL)
		return line;
	who = json_new();
	if (r->resident_id != NULL)
		json_set_str(who, "resident_id", r->resident_id);
	if (r->identity_id != NULL)
		json_set_str(who, "identity_id", r->identity_id);
	json_set(line, "claim", who);
	return line;
}
