/*
 * viv-context: what a model should know besides its task. A stage: each open line for a
 * model gets a "context", a list of texts with names, from a table of sources in a fixed
 * order, what changes least first, so that requests begin alike. In documentation
 * mode the preface that says so stands before everything, in "system".
 *
 * Our own words stand as they are. What others wrote (results of other tasks, tools of the
 * world, a context that came with the line) is quoted (fence.h): a model reads it as
 * data, and nothing in it can end the quotation. It is never screened as the task's own text
 * (viv-guard), so that one hostile text can stop nobody's task.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "docs.h"
#include "fence.h"
#include "file.h"
#include "fold.h"
#include "intent.h"
#include "json.h"
#include "log.h"
#include "opt.h"
#include "product.h"
#include "stage.h"
#include "task.h"
#include "tool.h"
#include "world.h"

enum {
	QUOTE_CHARS = 4000,		/* of one text of others */
	QUOTES = 8,			/* texts of one kind */
	PREFACE_BYTES = 65536
};

struct context {
	struct world *w;		/* NULL: none */
	struct log log;
	struct fold fold;
	bool reading;			/* log and fold are open */
	struct tool_list tools;
	char *preface;			/* of documentation mode, or NULL */
};

static void
push(cJSON *list, const char *name, const char *text)
{
	cJSON *v = json_new();

	json_set_str(v, "name", name);
	json_set_str(v, "text", text);
	json_push(list, v);
}

/* --- the sources --- */

/* Tools that fit the task (none in documentation mode). */
static int
from_tools(struct context *c, const cJSON *line, cJSON *out, struct err *e)
{
	struct tool_route r;
	struct buf b = {0};

	(void)e;
	tool_route(&c->tools, task_prompt(line), &r);
	if (r.n == 0)
		return 0;
	buf_fmt(&b, "What is known of how to do this (%s, confidence %.2f). Use it if it fits.\n",
	    tool_way_name(r.way), r.confidence);
	for (size_t i = 0; i < r.n; i++) {
		const struct tool *t = r.tool[i];
		char *text = mem_fmt("%s\n\n%s", t->description, t->body);
		char *name = mem_fmt("tool %s", t->name);

		if (t->shipped)
			buf_fmt(&b, "\n%s: %s\n", t->name, text);
		else
			fence_quote(&b, name, text, QUOTE_CHARS);
		free(name);
		free(text);
	}
	push(out, "tool", b.p);
	buf_free(&b);
	return 0;
}

static int
from_intent(struct context *c, const cJSON *line, cJSON *out, struct err *e)
{
	cJSON *intent = intent_of(line);
	struct buf b = {0};

	(void)c;
	(void)e;
	intent_block(intent, &b);
	push(out, "intent", b.p);
	buf_free(&b);
	cJSON_Delete(intent);
	return 0;
}

static int
read_log(struct context *c, struct err *e)
{
	int rc = 0;

	if (!c->reading) {
		rc = log_open(&c->log, c->w, e);
		c->reading = rc == 0;
	}
	return rc == 0 ? fold_read(&c->fold, &c->log, true, e) : rc;
}

/* What the tasks have produced that this one waited for. */
static int
from_dependencies(struct context *c, const cJSON *line, cJSON *out, struct err *e)
{
	const cJSON *deps = json_arr(line, "depends_on"), *id;
	struct buf b = {0};
	int n = 0, rc = 0;

	if (c->w == NULL || cJSON_GetArraySize(deps) == 0 || (rc = read_log(c, e)) != 0)
		return rc;
	cJSON_ArrayForEach(id, deps) {
		const char *s = cJSON_GetStringValue(id);
		struct product p;
		char *name;

		if (s == NULL || n == QUOTES || product_read(&c->log, &c->fold, s, &p, e) != 0)
			continue;
		name = mem_fmt("result of task %s", s);
		fence_quote(&b, name, p.text, QUOTE_CHARS);
		n++;
		free(name);
		product_free(&p);
	}
	if (b.len > 0)
		push(out, "results", b.p);
	buf_free(&b);
	return 0;
}

/* What a stage of somebody's own has put there. */
static int
from_line(struct context *c, const cJSON *line, cJSON *out, struct err *e)
{
	const cJSON *v = json_get(line, "context"), *item;
	struct buf b = {0};
	int n = 0;

	(void)c;
	(void)e;
	if (cJSON_IsString(v) && *v->valuestring != '\0')
		fence_quote(&b, "context", v->valuestring, QUOTES * QUOTE_CHARS);
	cJSON_ArrayForEach(item, v) {
		const char *text =
		    cJSON_IsString(item) ? item->valuestring : json_str(item, "text");
		const char *name = json_str(item, "name");

		if (text != NULL && *text != '\0' && n++ < QUOTES)
			fence_quote(&b, name != NULL ? name : "context", text, QUOTE_CHARS);
	}
	if (b.len > 0)
		push(out, "given", b.p);
	buf_free(&b);
	return 0;
}

/* What changes least comes first. */
static int (*const sources[])(struct context *c, const cJSON *line, cJSON *out, struct err *e) = {
    from_tools, from_intent, from_dependencies, from_line};

/* --- the stage --- */

static void
add_preface(const struct context *c, cJSON *line)
{
	const char *own = json_str(line, "system");
	char *all;

	if (c->preface == NULL)
		return;
	all = own != NULL && *own != '\0' ? mem_fmt("%s\n%s", c->preface, own) :
					    mem_dup(c->preface);
	json_set_str(line, "system", all);
	free(all);
}

static int
context_line(cJSON *line, void *arg, struct err *e)
{
	struct context *c = arg;
	cJSON *out;
	int rc = 0;

	if (!stage_open(line) || task_is_local(line) || task_prompt(line) == NULL)
		return 0;
	out = json_list();
	for (size_t i = 0; rc == 0 && i < sizeof(sources) / sizeof(sources[0]); i++)
		rc = sources[i](c, line, out, e);
	json_set(line, "context", out);
	if (rc == 0)
		add_preface(c, line);
	return rc;
}

/* A model that is not told of documentation mode must not be asked. */
static void
load_preface(struct context *c)
{
	char *path = world_share("prompts/docs-only.txt");
	struct buf b = {0};
	struct err e;

	if (path == NULL)
		err_exit(VIV_CONFIG, "share/prompts/docs-only.txt is missing");
	if (file_read(-1, path, PREFACE_BYTES, &b, &e) != 0) {
		err_prefix(&e, "documentation mode");
		err_exit(VIV_CONFIG, "%s", e.msg);
	}
	free(path);
	c->preface = buf_take(&b);
}

static void
print_route(const struct context *c, const char *text)
{
	struct tool_score top[TOOL_ROUTED];
	size_t n = tool_similar(&c->tools, text, top);
	cJSON *v = json_new(), *names = json_list(), *scores = json_list();
	struct tool_route r;

	tool_route(&c->tools, text, &r);
	for (size_t i = 0; i < r.n; i++)
		json_push(names, cJSON_CreateString(r.tool[i]->name));
	for (size_t i = 0; i < n; i++) {
		cJSON *s = json_new();

		json_set_str(s, "name", top[i].tool->name);
		json_set_num(s, "score", top[i].score);
		json_push(scores, s);
	}
	json_set_str(v, "route", tool_way_name(r.way));
	json_set(v, "tools", names);
	json_set_num(v, "confidence", r.confidence);
	json_set(v, "similar", scores);
	json_puts(v);
	cJSON_Delete(v);
}

int
main(int argc, char **argv)
{
	static const struct option longs[] = {
		{"route", required_argument, NULL, 'r'}, {NULL, 0, NULL, 0}};
	struct context c = {0};
	const char *route = NULL;
	struct world world;
	struct err e = {0};
	int opt, found, rc = 0;

	opt_init(argc, argv, "viv-context [-C DIR] [-r TEXT]");
	while ((opt = opt_next(argc, argv, "r:", longs)) != -1)
		if (opt == 'r')
			route = optarg;
	if (optind < argc)
		opt_usage("unexpected argument '%s'", argv[optind]);
	if ((found = world_find(&world, opt_world, &e)) < 0)
		err_die(&e);
	c.w = found > 0 ? &world : NULL;
	if (!docs_only())
		tool_load(&c.tools, c.w);
	else if (route != NULL)
		err_exit(VIV_REFUSED, "documentation mode offers no tools");
	else
		load_preface(&c);
	if (route != NULL)
		print_route(&c, route);
	else
		rc = stage_run(context_line, &c);
	if (c.reading)
		log_close(&c.log);
	fold_free(&c.fold);
	tool_free(&c.tools);
	free(c.preface);
	if (c.w != NULL)
		world_close(c.w);
	return opt_end(rc);
}
