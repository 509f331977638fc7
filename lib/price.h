/*
 * price: which models there are, what they cost, what a call can cost at most. Pure but
 * for price_load. All amounts are integers: micro-dollars (millionths of a US dollar)
 * and, for prices, micro-dollars per million tokens.
 */
#ifndef VIV_PRICE_H
#define VIV_PRICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cjson/cJSON.h>

#include "err.h"
#include "world.h"

#define PRICE_WORLD "meta/security/models.json"

enum {
	PRICE_OVERHEAD = 512	/* tokens that a server's chat template may add to a request */
};

struct price_model {
	char *id;		/* as the provider calls it */
	char *provider;		/* name in providers.json, or NULL: any */
	char **alias;		/* NULL-terminated, or NULL */
	int64_t in, cached, out; /* micro-dollars per million tokens; cached: of input */
	long max_tokens;	/* most it writes in one answer */
	long context;		/* tokens, 0 unknown */
	bool priced;		/* in and out are known */
	bool allowed;		/* in the allow list */
	const char *file;	/* where it was defined: a path for people */
};

struct price_list {
	struct price_model *v;
	size_t n;
	bool allow_unpriced;	/* models outside the list may be called, unpriced */
	char *shared;		/* private */
};

/* share/models.json, then the world's own (w may be NULL), which adds and replaces by
 * id. price_free frees. -VIV_CONFIG names file and member. */
int price_load(const struct world *w, struct price_list **out, struct err *e);
void price_free(struct price_list *l);

/* Add the models of one parsed file: 0 or -VIV_CONFIG. file must outlive the list. */
int price_add(struct price_list *l, const cJSON *tree, const char *file, struct err *e);

/* By id or alias; NULL when it is not in the list. */
const struct price_model *price_find(const struct price_list *l, const char *name);

/* What so many tokens cost, rounded up to a micro-dollar; cached is part of input. -1
 * when the model has no price. */
int64_t price_cost(const struct price_model *m, int64_t input, int64_t cached, int64_t output);

/*
 * The most that a call can cost: a request of so many bytes of text in so many messages
 * has at most as many tokens as bytes (a token covers at least one) and what templates
 * add, and the answer at most max_tokens. -1: no price.
 */
int64_t price_worst(const struct price_model *m, size_t bytes, long max_tokens);

/* US dollars of JSON to micro-dollars and back ("0.000123"): -1 when v is negative, not
 * finite or over a billion. */
int64_t price_parse(double usd);
#define PRICE_TEXT 32
void price_text(int64_t micro, char out[PRICE_TEXT]);

#endif
