/*
 * route: the way of one call through models and providers.
 *
 * Models and providers can change while a call waits for its next try, so the lists are read
 * for each; what is kept between tries is the place in the list of providers.
 */
#include "route.h"

#include <string.h>

const char *
route_model(const struct route *r)
{
	return r->price != NULL ? r->price->id : r->asked;
}

static bool
choose(struct route *r, size_t from)
{
	bool known = r->price != NULL ? r->price->allowed : r->prices->allow_unpriced;

	for (size_t i = from; i < r->providers.n; i++) {
		const struct provider *p = &r->providers.v[i];

		if ((r->only != NULL && strcmp(r->only, p->name) != 0) || (!known && !p->free) ||
		    !provider_serves(p, route_model(r), r->asked))
			continue;
		r->provider = p;
		r->at = i;
		return true;
	}
	return false;
}

int
route_find(struct route *r, const struct world *w, const char **code_out, struct err *e)
{
	const struct price_model *m;

	route_free(r);
	*code_out = "config";
	if (providers_load(&r->providers, w, e) != 0 || price_load(w, &r->prices, e) != 0)
		return -VIV_CONFIG;
	m = r->price = price_find(r->prices, r->asked);
	if (choose(r, r->at))
		return 0;
	*code_out = "unknown_model";
	if (m == NULL && !r->prices->allow_unpriced)
		return err_set(e, VIV_CONFIG, "the model '%.200s' is not in the list of models",
		    r->asked);
	if (m != NULL && !m->allowed)
		return err_set(e, VIV_CONFIG, "the model '%.200s' is not allowed", r->asked);
	*code_out = "no_provider";
	return err_set(e, VIV_CONFIG, "no provider serves the model '%.200s'", r->asked);
}

bool
route_next(struct route *r)
{
	return choose(r, r->at + 1);
}

void
route_free(struct route *r)
{
	providers_free(&r->providers);
	price_free(r->prices);
	r->prices = NULL;
	r->price = NULL;
	r->provider = NULL;
}
