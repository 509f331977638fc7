/*
 * rulefile: rules from JSON, and rules for people to read.
 *
 * A member that is not known is an error, because a mistyped "positionl" would
 * otherwise silently allow what it was meant to forbid.
 */
#include "rule.h"

#include <stdlib.h>
#include <string.h>

#include "json.h"

int
rule_members(const cJSON *obj, const char *const *known, const char *what, struct err *e)
{
	const cJSON *m;

	cJSON_ArrayForEach(m, obj) {
		const char *const *k = known;

		while (*k != NULL && strcmp(*k, m->string) != 0)
			k++;
		if (*k == NULL)
			return err_set(
			    e, VIV_CONFIG, "'%s' has an unknown member '%s'", what, m->string);
	}
	return 0;
}

int
rule_strings(char ***out, const cJSON *obj, const char *name, struct err *e)
{
	const cJSON *list = json_get(obj, name);
	const cJSON *item;
	size_t n = 0;

	*out = NULL;
	if (list == NULL)
		return 0;
	if (!cJSON_IsArray(list))
		return err_set(e, VIV_CONFIG, "'%s' is no list", name);
	*out = mem_zero((size_t)cJSON_GetArraySize(list) + 1, sizeof(**out));
	cJSON_ArrayForEach(item, list) {
		if (!cJSON_IsString(item)) {
			rule_strings_free(*out);
			*out = NULL;
			return err_set(
			    e, VIV_CONFIG, "'%s' holds something that is no string", name);
		}
		(*out)[n++] = mem_dup(item->valuestring);
	}
	return 0;
}

void
rule_strings_free(char **list)
{
	for (char **s = list; s != NULL && *s != NULL; s++)
		free(*s);
	free(list);
}

/* "-A=", "--color=?auto|never", "--arg==": name, number of values, what they match. */
static int
read_flag(struct rule_flag *f, const struct rule *r, const char *spec, struct err *e)
{
	size_t len = strcspn(spec, "=");
	const char *v = spec + len;
	bool ok = spec[0] == '-' && len >= 2 && strcmp(spec, "--") != 0 &&
	    (spec[1] == '-' || len == 2 || r->style == RULE_FIND);

	f->name = mem_ndup(spec, len);
	if (strncmp(v, "==", 2) == 0) {
		f->values = 2;
		v += 2;
	} else if (strncmp(v, "=?", 2) == 0) {
		f->optional = true;
		v += 2;
	} else if (*v == '=') {
		f->values = 1;
		v++;
	}
	if (*v != '\0')
		f->match = mem_dup(v);
	return ok ?
	    0 :
	    err_set(e, VIV_CONFIG, "rule '%s': '%s' does not describe a flag", r->name, spec);
}

static int
read_flags(struct rule *r, const cJSON *obj, struct err *e)
{
	char **list = NULL;
	size_t n = 0;
	int rc = rule_strings(&list, obj, "flags", e);

	while (list != NULL && list[n] != NULL)
		n++;
	r->flags = n > 0 ? mem_zero(n, sizeof(*r->flags)) : NULL;
	for (size_t i = 0; rc == 0 && i < n; i++) {
		rc = read_flag(&r->flags[i], r, list[i], e);
		if (rc == 0 &&
		    rule_flag_find(r, r->flags[i].name, strlen(r->flags[i].name)) != NULL)
			rc = err_set(e, VIV_CONFIG, "rule '%s': flag '%s' stands there twice",
			    r->name, r->flags[i].name);
		r->nflags = i + 1;
	}
	rule_strings_free(list);
	return rc;
}

static int
read_positional(struct rule *r, const cJSON *obj, struct err *e)
{
	static const char *const known[] = {"min", "max", "match", NULL};
	const cJSON *p = json_get(obj, "positional");
	const cJSON *match = json_get(p, "match");

	r->max = -1;
	if (p == NULL)
		return 0;
	if (!cJSON_IsObject(p) || (match != NULL && !cJSON_IsString(match)))
		return err_set(e, VIV_CONFIG, "rule '%s': 'positional' is not understood", r->name);
	r->min = (int)json_int(p, "min", 0);
	r->max = (int)json_int(p, "max", -1);
	if (match != NULL)
		r->match = mem_dup(match->valuestring);
	return rule_members(p, known, r->name, e);
}

static int
read_style(struct rule *r, const cJSON *obj, struct err *e)
{
	static const char *const names[] = {"gnu", "find", "free"};
	const cJSON *style = json_get(obj, "style");

	for (int i = 0; i < 3 && style != NULL; i++) {
		if (cJSON_IsString(style) && strcmp(style->valuestring, names[i]) == 0) {
			r->style = (enum rule_style)i;
			return 0;
		}
	}
	return style == NULL ? 0 : err_set(e, VIV_CONFIG, "rule '%s': unknown style", r->name);
}

static int
read_examples(struct rule *r, const cJSON *obj, struct err *e)
{
	static const char *const known[] = {"pass", "refuse", NULL};
	const cJSON *x = json_get(obj, "examples");
	int rc = 0;

	if (x != NULL && !cJSON_IsObject(x))
		return err_set(e, VIV_CONFIG, "rule '%s': 'examples' is no object", r->name);
	if (x != NULL)
		rc = rule_members(x, known, r->name, e);
	if (rc == 0)
		rc = rule_strings(&r->pass, x, "pass", e);
	if (rc == 0)
		rc = rule_strings(&r->refuse, x, "refuse", e);
	return rc;
}

/* A name that is one plain word: it is looked up in directories and printed. */
static bool
name_ok(const char *s)
{
	return s != NULL && *s != '\0' && *s != '-' && *s != '.' &&
	    s[strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._+-")] ==
	    '\0';
}

static int read_rule(struct rule *r, const cJSON *obj, bool sub, struct err *e);

static int
read_subcommands(struct rule *r, const cJSON *obj, struct err *e)
{
	const cJSON *list = json_get(obj, "subcommands");
	const cJSON *item;
	int rc = 0;

	if (list == NULL)
		return 0;
	if (!cJSON_IsArray(list) || cJSON_GetArraySize(list) == 0 || r->style != RULE_GNU)
		return err_set(
		    e, VIV_CONFIG, "rule '%s': 'subcommands' is not understood", r->name);
	r->sub = mem_zero((size_t)cJSON_GetArraySize(list), sizeof(*r->sub));
	cJSON_ArrayForEach(item, list) {
		rc = read_rule(&r->sub[r->nsub++], item, true, e);
		if (rc != 0)
			return err_prefix(e, "rule '%s'", r->name);
	}
	return rc;
}

static int
read_rule(struct rule *r, const cJSON *obj, bool sub, struct err *e)
{
	static const char *const known[] = {"name", "flags", "insert", "positional", "style",
	    "fork", "subcommands", "examples", NULL};
	static const char *const known_sub[] = {"name", "flags", "insert", "positional", NULL};
	const char *name = json_str(obj, "name");
	const cJSON *may_fork = json_get(obj, "fork");
	int rc;

	if (!name_ok(name))
		return err_set(e, VIV_CONFIG, "a rule has no usable 'name'");
	r->name = mem_dup(name);
	if (may_fork != NULL && !cJSON_IsBool(may_fork))
		return err_set(e, VIV_CONFIG, "rule '%s': 'fork' is neither true nor false", name);
	r->fork = cJSON_IsTrue(may_fork);
	if ((rc = rule_members(obj, sub ? known_sub : known, name, e)) != 0 ||
	    (rc = read_style(r, obj, e)) != 0 || (rc = read_flags(r, obj, e)) != 0 ||
	    (rc = read_positional(r, obj, e)) != 0 || (rc = read_examples(r, obj, e)) != 0)
		return rc;
	rc = rule_strings(&r->insert, obj, "insert", e);
	return rc != 0 ? rc : read_subcommands(r, obj, e);
}

int
rule_read(struct rule *r, const cJSON *obj, struct err *e)
{
	return read_rule(r, obj, false, e);
}

void
rule_free(struct rule *r)
{
	for (size_t i = 0; i < r->nflags; i++) {
		free(r->flags[i].name);
		free(r->flags[i].match);
	}
	for (size_t i = 0; i < r->nsub; i++)
		rule_free(&r->sub[i]);
	free(r->flags);
	free(r->sub);
	free(r->name);
	free(r->match);
	rule_strings_free(r->insert);
	rule_strings_free(r->pass);
	rule_strings_free(r->refuse);
	memset(r, 0, sizeof(*r));
}

/* One word more in a paragraph that is indented by 8 and at most 80 columns wide. */
static void
wrap(struct buf *out, size_t *col, const char *word)
{
	size_t len = strlen(word);

	if (*col == 0 || *col + 1 + len > 80) {
		buf_str(out, *col == 0 ? "       " : "\n       ");
		*col = 7;
	}
	buf_char(out, ' ');
	buf_str(out, word);
	*col += 1 + len;
}

static void
describe_flags(const struct rule *r, struct buf *out)
{
	size_t col = 0;

	for (size_t i = 0; i < r->nflags; i++) {
		const struct rule_flag *f = &r->flags[i];
		const char *what = f->match != NULL && *f->match != '!' ? f->match : "X";
		char *word = f->values == 2 ? mem_fmt("%s X Y", f->name) :
		    f->optional ? mem_fmt("%s[=%s]", f->name, what) :
		    f->values == 1 ? mem_fmt("%s %s", f->name, what) :
		    strcmp(f->name, "-#") == 0 ? mem_dup("-NUMBER") : mem_dup(f->name);

		wrap(out, &col, word);
		free(word);
	}
	if (col > 0)
		buf_char(out, '\n');
}

static void
describe(const struct rule *r, const char *before, struct buf *out)
{
	buf_fmt(out, "%s%s%s", before, *before != '\0' ? " " : "", r->name);
	for (char **s = r->insert; s != NULL && *s != NULL; s++)
		buf_fmt(out, " (%s)", *s);
	if (r->style == RULE_FREE)
		buf_str(out, " [any text]");
	else if (r->nsub > 0)
		buf_str(out, " SUBCOMMAND");
	else if (r->max != 0)
		buf_fmt(
		    out, " [%s%s]", r->match != NULL ? r->match : "WORD", r->max == 1 ? "" : "...");
	buf_str(out, r->fork ? " (may start processes)\n" : "\n");
	describe_flags(r, out);
	for (size_t i = 0; i < r->nsub; i++)
		describe(&r->sub[i], r->name, out);
}

void
rule_describe(const struct rule *r, struct buf *out)
{
	describe(r, "", out);
}
