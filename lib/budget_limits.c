/*
 * budget_limits: which limits hold: those of meta/security/budget.json, else what the
 * environment says (the names of the older system), else the defaults.
 */
#include "budget.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "conf.h"
#include "file.h"
#include "json.h"
#include "lock.h"
#include "num.h"
#include "price.h"

enum { RATE_MAX = 1000000 };

static const struct {
	const char *name, *env;
	int64_t dflt;
} scopes[BUDGET_SCOPES] = {
	[BUDGET_TASK] = {"task", NULL, 100000},	/* reference core.md 1.2: 0.10 */
	[BUDGET_RESIDENT_DAY] = {"resident_day", NULL, -1},
	[BUDGET_WORLD_DAY] = {"world_day", NULL, -1},
	[BUDGET_WORLD] = {"world", "SWARM_BUDGET_LIMIT", 5000000}, /* 5.00 */
	[BUDGET_RATE] = {"rate", "SWARM_RATE_LIMIT", 60},
};

const char *
budget_scope_name(enum budget_scope s)
{
	return scopes[s].name;
}

/* US dollars, or calls a minute: -1 for none, -2 when it is neither. */
static int64_t
amount(enum budget_scope s, double v)
{
	if (s == BUDGET_RATE)
		return v >= 1 && v <= RATE_MAX ? llround(v) : -2;
	return v >= 0 && v <= 1e9 ? price_parse(v) : -2;
}

static int
one_limit(const cJSON *obj, enum budget_scope s, int64_t *out, const char *what, struct err *e)
{
	const cJSON *v = json_get(obj, scopes[s].name);

	if (cJSON_IsNull(v)) {
		*out = -1;
		return 0;
	}
	*out = cJSON_IsNumber(v) ? amount(s, v->valuedouble) : -2;
	return *out == -2 ? err_set(e, VIV_CONFIG, "'%s': %s'%s' is no %s", BUDGET_FILE, what,
	    scopes[s].name, s == BUDGET_RATE ? "number of calls a minute" :
	    "amount in US dollars") : 0;
}

static void
default_limit(enum budget_scope s, struct budget_limits *out)
{
	const char *env = scopes[s].env != NULL ? getenv(scopes[s].env) : NULL;
	int64_t v = -2;
	char *end;

	if (env != NULL && *env != '\0') {
		double d = strtod(env, &end);

		v = *end == '\0' ? amount(s, d) : -2;
	}
	out->hard[s] = v == -2 ? scopes[s].dflt : v;
	out->set_by[s] = v == -2 ? "default" : scopes[s].env;
}

int
budget_limits(const struct world *w, struct budget_limits *out, struct err *e)
{
	cJSON *conf;
	const cJSON *soft;
	int rc = conf_read(w->fd, BUDGET_FILE, &conf, e);

	if (rc == -VIV_NO)
		rc = 0;
	soft = json_get(conf, "soft");
	if (rc == 0 && soft != NULL && !cJSON_IsObject(soft))
		rc = err_set(e, VIV_CONFIG, "'%s': 'soft' is not an object", BUDGET_FILE);
	for (int s = 0; s < BUDGET_SCOPES && rc == 0; s++) {
		out->soft[s] = -1;
		if (json_get(conf, scopes[s].name) != NULL) {
			rc = one_limit(conf, s, &out->hard[s], "", e);
			out->set_by[s] = BUDGET_FILE;
		} else {
			default_limit(s, out);
		}
		if (rc == 0 && json_get(soft, scopes[s].name) != NULL)
			rc = one_limit(soft, s, &out->soft[s], "soft ", e);
	}
	cJSON_Delete(conf);
	return rc;
}

/* --- setting them --- */

static int
set_value(cJSON *obj, enum budget_scope s, const char *value, struct err *e)
{
	double v;

	if (strcmp(value, "default") == 0) {
		json_del(obj, scopes[s].name);
		return 0;
	}
	if (strcmp(value, "none") == 0) {
		json_set(obj, scopes[s].name, cJSON_CreateNull());
		return 0;
	}
	if (!num_real(value, 0, 1e9, &v) || amount(s, v) < 0)
		return err_set(e, VIV_USAGE, "'%s' is no %s", value, s == BUDGET_RATE ?
		    "number of calls a minute" : "amount in US dollars, 'none' or 'default'");
	json_set_num(obj, scopes[s].name, v);
	return 0;
}

static int
store(const struct world *w, const cJSON *conf, struct err *e)
{
	char *text = cJSON_Print(conf);
	struct buf b = {0};
	int rc;

	buf_str(&b, text != NULL ? text : "{}");
	buf_char(&b, '\n');
	cJSON_free(text);
	rc = file_replace(w->fd, BUDGET_FILE, b.p, b.len, 0600, e);
	buf_free(&b);
	return rc;
}

int
budget_set(const struct world *w, enum budget_scope s, bool soft, const char *value, bool dry,
    struct err *e)
{
	struct budget_limits check;
	struct lock lock = {.fd = -1};
	cJSON *conf = NULL, *part;
	int rc = budget_limits(w, &check, e);	/* a damaged file is never replaced */

	if (rc == 0)
		rc = lock_open(&lock, w->fd, WORLD_SECURITY "/.budget.lock", e);
	if (rc == 0)
		rc = lock_take(&lock, LOCK_WAIT_MS, e);
	if (rc == 0 && (rc = conf_read(w->fd, BUDGET_FILE, &conf, e)) == -VIV_NO) {
		conf = json_new();
		rc = 0;
	}
	if (rc == 0) {
		part = soft ? json_obj(conf, "soft") : conf;
		if (part == NULL) {
			part = json_new();
			json_set(conf, "soft", part);
		}
		rc = set_value(part, s, value, e);
	}
	if (rc == 0 && !dry)
		rc = store(w, conf, e);
	cJSON_Delete(conf);
	lock_close(&lock);
	return rc;
}
