/*
 * purse: the money of one call, over the ledger of the world.
 */
#ifndef VIV_PURSE_H
#define VIV_PURSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cjson/cJSON.h>

#include "budget.h"
#include "chat.h"
#include "err.h"
#include "price.h"
#include "world.h"

/* Zero-initialise; set the first part, then price and free before each try. */
struct purse {
	const struct world *w;		/* NULL: no ledger */
	int64_t cap;			/* micro-dollars for all tries, -1: no bound */
	int64_t task_max;		/* the task's, -1: none given */

	const struct price_model *price; /* NULL: not in the list */
	bool free;			/* the server costs nothing */

	int64_t cost;			/* of all tries so far, micro-dollars; */
	bool unpriced;			/* some of it is not known */
	int64_t worst;			/* of the try under way, -1 unknown */
	char reservation[BUDGET_ID];
	bool reserved;
};

/*
 * Before a try: reserve its worst case. request: bytes of its body; line: whose task it
 * is; deadline_s: when it will be over at the latest. 0; -VIV_BUDGET: *no_out says which
 * limit ("call": cap); -VIV_TEMPFAIL: the rate, or the ledger is busy; or another error of
 * the ledger. Durable after budget_sync.
 */
int purse_reserve(struct purse *p, const cJSON *line, const char *model, const char *provider,
    size_t request, int max_tokens, double deadline_s, struct budget_refusal *no_out,
    struct err *e);

/*
 * After it; fault NULL: it was answered. paid: it may have cost something: its usage where
 * that was reported, else the worst case; if not, the reservation is given back.
 */
void purse_settle(struct purse *p, bool paid, const struct chat_answer *a, const char *request_id,
    const char *fault);

#endif
