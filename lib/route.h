/*
 * route: the way of one call through models and providers.
 */
#ifndef VIV_ROUTE_H
#define VIV_ROUTE_H

#include <stdbool.h>
#include <stddef.h>

#include "err.h"
#include "price.h"
#include "provider.h"
#include "world.h"

/* Zero-initialise; set the first two; route_free. */
struct route {
	const char *asked;		/* model, as the task names it */
	const char *only;		/* name of the one provider that may be asked, or NULL */
	struct providers providers;
	struct price_list *prices;
	const struct price_model *price; /* of the model, NULL: not in the list */
	const struct provider *provider; /* whose turn it is; NULL when there is none */
	size_t at;			/* its place in the list */
};

/*
 * Read lists anew, and find the first provider from place `at` on that serves the model;
 * one that the list of models does not allow only where it costs nothing. -VIV_CONFIG:
 * none, or a damaged list; *code_out is a code for results.
 */
int route_find(struct route *r, const struct world *w, const char **code_out, struct err *e);

/* The next one; false: there is none, and everything stays. */
bool route_next(struct route *r);

/* The model by the name that everybody here knows it by. */
const char *route_model(const struct route *r);

void route_free(struct route *r);

#endif
