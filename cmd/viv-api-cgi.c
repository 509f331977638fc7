/*
 * viv-api-cgi: the execution API over HTTP, one process a request (lib/cgi, lib/api).
 *
 *	POST /cycle, /grind	viv-guard | viv-cycle
 *	POST /plan		viv-plan GOAL | viv-add
 *	GET  /status		counts of the board
 *	GET  /health		is there a world?
 *
 * In this order, and nothing later is looked at before: form of the request (400), peer,
 * host and origin (403), path (404), method (405), token (403), body (411, 413, 422), what
 * it asks. Whatever is refused up to there has touched nothing. The programs that do the
 * work lie beside this one and get an environment without the request's headers and
 * without the token; each decides on its own, as it does without HTTP.
 */
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "cgi.h"
#include "file.h"
#include "json.h"
#include "opt.h"
#include "serve.h"
#include "standing.h"
#include "table.h"
#include "world.h"

enum { TOKEN_MAX = 4096, BODY_MAX = 1 << 20 };

/* --- access --- */

static bool
switched_off(const char *name)
{
	static const char *const off[] = {"0", "false", "no"};
	const char *s = getenv(name);

	for (size_t i = 0; s != NULL && i < sizeof(off) / sizeof(off[0]); i++)
		if (strcasecmp(s, off[i]) == 0)
			return true;
	return false;
}

static int
check_token(const struct world *w, const char *path, struct serve_answer *a)
{
	const char *given = cgi_header("X-Vivarium-Internal-Token");
	const char *env = getenv("VIVARIUM_INTERNAL_EXECUTION_TOKEN");
	struct buf file = {0};
	struct err e = {0};
	char why[128];
	bool same;

	if (switched_off("SWARM_ENFORCE_INTERNAL_TOKEN"))
		return 0;
	if (env != NULL && *env != '\0')
		buf_str(&file, env);
	else if (file_read(w->fd, WORLD_TOKEN, TOKEN_MAX, &file, &e) != 0)
		return serve_say(a, 500, e.msg);
	if (file.p != NULL)
		file.p[strcspn(file.p, " \t\r\n")] = '\0';
	same = cgi_equal(given != NULL ? given : "", file.p != NULL ? file.p : "");
	buf_free(&file);
	snprintf(why, sizeof(why), "'%.32s' requires internal execution token", path);
	return same ? 0 : serve_say(a, 403, why);
}

/* The body, when it is JSON or empty. */
static int
get_body(const struct cgi *c, struct buf *body, struct serve_answer *a)
{
	struct err e = {0};
	int status = cgi_body(c, BODY_MAX, body, &e);

	if (status != 0)
		return serve_say(a, status, e.msg);
	if (body->len == 0 || *c->type == '\0' || cgi_is_type(c, "application/json"))
		return 0;
	/* The reference reads other types as one string, which is no object. */
	buf_clear(body);
	buf_str(body, "\"\"");
	return 0;
}

static int
post(const struct cgi *c, const struct world *w, struct serve_answer *a,
    int fn(const struct world *w, const char *body, size_t n, struct serve_answer *a))
{
	struct buf body = {0};

	if (get_body(c, &body, a) == 0)
		fn(w, body.p, body.len, a);
	buf_free(&body);
	return a->status;
}

/* --- the endpoints --- */

static int
cycle(const struct cgi *c, const struct world *w, struct serve_answer *a)
{
	return post(c, w, a, serve_cycle);
}

static int
plan(const struct cgi *c, const struct world *w, struct serve_answer *a)
{
	return post(c, w, a, serve_plan);
}

static int
board(const struct cgi *c, const struct world *w, struct serve_answer *a)
{
	struct standing s = {0};
	struct err e = {0};

	(void)c;
	if (standing_open(&s, w, true, &e) != 0)
		return serve_say(a, 500, e.msg);
	a->body = table_counts(&s);
	standing_close(&s);
	return a->status = 200;
}

static int
health(const struct cgi *c, const struct world *w, struct serve_answer *a)
{
	(void)c;
	(void)w;
	a->body = json_new();
	json_set_str(a->body, "status", "ok");
	json_set_str(a->body, "version", VIV_VERSION);
	return a->status = 200;
}

static void
answer(const struct cgi *c, struct serve_answer *a, const char **allow_out)
{
	static const struct {
		const char *path, *method;
		bool token;
		int (*fn)(const struct cgi *c, const struct world *w, struct serve_answer *a);
	} routes[] = {{"/cycle", "POST", true, cycle}, {"/grind", "POST", true, cycle},
	    {"/plan", "POST", true, plan}, {"/status", "GET", false, board},
	    {"/health", "GET", false, health}};
	enum { ROUTES = sizeof(routes) / sizeof(routes[0]) };
	struct world w;
	struct err e = {0};
	size_t i;

	for (i = 0; i < ROUTES && strcmp(routes[i].path, c->path) != 0; i++)
		;
	if (i == ROUTES) {
		serve_say(a, 404, "Not Found");
		return;
	}
	if (strcmp(routes[i].method, c->method) != 0) {
		*allow_out = routes[i].method;
		serve_say(a, 405, "Method Not Allowed");
		return;
	}
	if (world_open(&w, opt_world, &e) != 0) {
		serve_say(a, 503, e.msg);
		return;
	}
	if (!routes[i].token || check_token(&w, c->path, a) == 0)
		routes[i].fn(c, &w, a);
	world_close(&w);
}

static int
send_answer(const struct serve_answer *a, const char *allow, struct err *e)
{
	char more[64] = "";

	if (allow != NULL)
		snprintf(more, sizeof(more), "Allow: %s\r\n", allow);
	if (a->retry_s >= 0)
		snprintf(more, sizeof(more), "Retry-After: %.0f\r\n", ceil(fmin(a->retry_s, 1e6)));
	return cgi_json(a->status, more, a->body, e);
}

int
main(int argc, char **argv)
{
	struct serve_answer a = {.retry_s = -1};
	const char *allow = NULL;
	struct cgi c;
	struct err e = {0};
	int status, rc;

	opt_init(argc, argv, "viv-api-cgi [-C DIR]");
	/* A server may make arguments of the query: then they are a stranger's. */
	if (getenv("GATEWAY_INTERFACE") == NULL) {
		while (opt_next(argc, argv, "", NULL) != -1)
			;
		if (optind < argc)
			opt_usage("unexpected argument '%s'", argv[optind]);
		if (getenv("REQUEST_METHOD") == NULL)
			opt_usage("it is run by a web server: see viv-panel(1)");
	}
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if ((status = cgi_read(&c, &e)) != 0 || (status = cgi_access(&c, &e)) != 0)
		serve_say(&a, status, e.msg);
	else
		answer(&c, &a, &allow);
	rc = send_answer(&a, allow, &e);
	if (rc < 0)
		err_warn("%s", e.msg);
	cJSON_Delete(a.body);
	return -rc;
}
