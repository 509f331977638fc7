/*
 * price: a list of models and integer arithmetic.
 *
 * A price in micro-dollars per million tokens times a number of tokens is millionths of
 * micro-dollars; only the sum of a call is rounded, and up, so that no number of small
 * calls is ever for nothing. Ten million tokens at a thousand dollars a million stay
 * four digits below the end of int64_t.
 */
#include "price.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "json.h"

#define MICRO 1000000LL
#define USD_MAX 1e9

enum { TOKENS_MAX = 1 << 30, PRICE_MAX_USD = 100000 };

static void
model_free(struct price_model *m)
{
	for (char **a = m->alias; a != NULL && *a != NULL; a++)
		free(*a);
	free(m->alias);
	free(m->id);
	free(m->provider);
}

void
price_free(struct price_list *l)
{
	if (l == NULL)
		return;
	for (size_t i = 0; i < l->n; i++)
		model_free(&l->v[i]);
	free(l->v);
	free(l->shared);
	free(l);
}

/* A member in US dollars per million tokens: 0, and *out -1 when it is absent. */
static int
get_price(const cJSON *t, const char *name, int64_t *out, const char *file, struct err *e)
{
	const cJSON *v = json_get(t, name);

	*out = -1;
	if (v == NULL || cJSON_IsNull(v))
		return 0;
	if (!cJSON_IsNumber(v) || !(v->valuedouble >= 0 && v->valuedouble <= PRICE_MAX_USD))
		return err_set(e, VIV_CONFIG,
		    "'%s': model '%s': '%s' is no price in US dollars per million tokens", file,
		    json_str(t, "id"), name);
	*out = llround(v->valuedouble * MICRO);
	return 0;
}

static int
get_tokens(const cJSON *t, const char *name, long *out, const char *file, struct err *e)
{
	const cJSON *v = json_get(t, name);

	if (v == NULL)
		return 0;
	if (!cJSON_IsNumber(v) || !(v->valuedouble >= 1 && v->valuedouble <= TOKENS_MAX))
		return err_set(e, VIV_CONFIG, "'%s': model '%s': '%s' is no number of tokens", file,
		    json_str(t, "id"), name);
	*out = (long)v->valuedouble;
	return 0;
}

static int
get_aliases(const cJSON *t, char ***out, const char *file, struct err *e)
{
	const cJSON *list = json_get(t, "aliases"), *item;
	size_t n = 0;

	if (list == NULL)
		return 0;
	if (!cJSON_IsArray(list))
		return err_set(e, VIV_CONFIG, "'%s': model '%s': 'aliases' is no list", file,
		    json_str(t, "id"));
	*out = mem_zero((size_t)cJSON_GetArraySize(list) + 1, sizeof(**out));
	cJSON_ArrayForEach(item, list) {
		if (!cJSON_IsString(item) || *item->valuestring == '\0')
			return err_set(e, VIV_CONFIG, "'%s': model '%s': an alias is no name", file,
			    json_str(t, "id"));
		(*out)[n++] = mem_dup(item->valuestring);
	}
	return 0;
}

static int
read_model(const cJSON *t, const char *file, struct price_model *m, struct err *e)
{
	const char *id = json_str(t, "id"), *provider = json_str(t, "provider");
	int rc;

	if (id == NULL || *id == '\0')
		return err_set(e, VIV_CONFIG, "'%s': a model without an 'id'", file);
	*m = (struct price_model){.id = mem_dup(id), .max_tokens = 4096, .file = file,
	    .provider = provider != NULL ? mem_dup(provider) : NULL,
	    .allowed = json_bool(t, "allowed", true)};
	if ((rc = get_price(t, "input", &m->in, file, e)) != 0 ||
	    (rc = get_price(t, "cached_input", &m->cached, file, e)) != 0 ||
	    (rc = get_price(t, "output", &m->out, file, e)) != 0 ||
	    (rc = get_tokens(t, "max_tokens", &m->max_tokens, file, e)) != 0 ||
	    (rc = get_tokens(t, "context", &m->context, file, e)) != 0)
		return rc;
	m->priced = m->in >= 0 && m->out >= 0;
	if (m->cached < 0)
		m->cached = m->in;
	return get_aliases(t, &m->alias, file, e);
}

/* Later files replace by id; an alias belongs to whoever named it last. */
int
price_add(struct price_list *l, const cJSON *tree, const char *file, struct err *e)
{
	const cJSON *models = json_get(tree, "models"), *t;

	if (!cJSON_IsObject(tree) || (models != NULL && !cJSON_IsArray(models)))
		return err_set(e, VIV_CONFIG, "'%s': not an object with a list 'models'", file);
	l->allow_unpriced = json_bool(tree, "allow_unpriced", l->allow_unpriced);
	cJSON_ArrayForEach(t, models) {
		struct price_model m = {0};
		int rc = read_model(t, file, &m, e);
		size_t i = 0;

		if (rc != 0) {
			model_free(&m);
			return rc;
		}
		while (i < l->n && strcmp(l->v[i].id, m.id) != 0)
			i++;
		if (i < l->n) {
			model_free(&l->v[i]);
		} else {
			l->v = mem_grow(l->v, l->n + 1, sizeof(*l->v));
			l->n++;
		}
		l->v[i] = m;
	}
	return 0;
}

const struct price_model *
price_find(const struct price_list *l, const char *name)
{
	for (size_t i = 0; i < l->n; i++)
		if (strcmp(l->v[i].id, name) == 0)
			return &l->v[i];
	for (size_t i = l->n; i-- > 0;)
		for (char **a = l->v[i].alias; a != NULL && *a != NULL; a++)
			if (strcmp(*a, name) == 0)
				return &l->v[i];
	return NULL;
}

static int64_t
tokens(int64_t n)
{
	return n < 0 ? 0 : n > TOKENS_MAX ? TOKENS_MAX : n;
}

int64_t
price_cost(const struct price_model *m, int64_t input, int64_t cached, int64_t output)
{
	int64_t in = tokens(input), old = tokens(cached), out = tokens(output);

	if (m == NULL || !m->priced)
		return -1;
	if (old > in)
		old = in;
	/* each part has its own headroom: round the sum of two halves */
	return (m->in * (in - old) + m->cached * old) / MICRO + m->out * out / MICRO +
	    ((m->in * (in - old) + m->cached * old) % MICRO + m->out * out % MICRO + MICRO - 1) /
	    MICRO;
}

int64_t
price_worst(const struct price_model *m, size_t bytes, long max_tokens)
{
	int64_t in = bytes > TOKENS_MAX ? TOKENS_MAX : (int64_t)bytes + PRICE_OVERHEAD, dearer;

	if (m == NULL || !m->priced)
		return -1;
	/* a provider may ask more for what it has to put into its cache */
	dearer = m->cached > m->in ? in : 0;
	return price_cost(m, in, dearer, max_tokens);
}

int64_t
price_parse(double usd)
{
	return usd >= 0 && usd <= USD_MAX ? llround(usd * MICRO) : -1;
}

void
price_text(int64_t micro, char out[PRICE_TEXT])
{
	int64_t whole = micro / MICRO, part = micro % MICRO;

	snprintf(out, PRICE_TEXT, "%s%lld.%06lld", micro < 0 ? "-" : "",
	    (long long)(whole < 0 ? -whole : whole), (long long)(part < 0 ? -part : part));
}
