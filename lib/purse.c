/*
 * purse: the money of one call.
 *
 * No request starts without a reservation. A try that was refused or never left is
 * refunded; one whose usage was reported is settled at it; any other may have cost what was
 * reserved, and is settled at that. If the ledger cannot take the end of a try, its
 * reservation stays and expires into its worst case: never less than was spent.
 */
#include "purse.h"

#include "json.h"

int
purse_reserve(struct purse *p, const cJSON *line, const char *model, const char *provider,
    size_t request, int max_tokens, double deadline_s, struct budget_refusal *no_out,
    struct err *e)
{
	const cJSON *claim = json_obj(line, "claim");
	struct budget_ask ask = {.task_id = json_str(line, "id"),
	    .resident_id = json_str(claim, "resident_id"),
	    .identity_id = json_str(claim, "identity_id"), .model = model, .provider = provider,
	    .task_max = p->task_max, .deadline_s = deadline_s, .who = "viv-llm",
	    .later = true};
	int rc;

	*no_out = (struct budget_refusal){.retry_after_s = -1};
	p->worst = -1;
	if (p->free)
		p->worst = 0;
	else if (p->price != NULL && p->price->priced)
		p->worst = price_worst(p->price, request, max_tokens);
	if (p->cap >= 0 && (p->worst < 0 || p->cost + p->worst > p->cap)) {
		no_out->scope = "call";
		if (p->worst < 0)
			return err_set(e, VIV_BUDGET,
			    "the price of '%s' is not known, so -b cannot be kept", model);
		return err_set(e, VIV_BUDGET, "it may cost %.6f USD, more than the %.6f of -b",
		    (double)(p->cost + p->worst) / 1e6, (double)p->cap / 1e6);
	}
	if (p->w == NULL)
		return 0;
	ask.worst = p->worst;
	rc = budget_reserve(p->w, &ask, p->reservation, no_out, e);
	p->reserved = rc == 0;
	return rc;
}

void
purse_settle(struct purse *p, bool paid, const struct chat_answer *a, const char *request_id,
    const char *fault)
{
	struct budget_use use = {.cost = p->worst, .input_tokens = a->input,
	    .cached_tokens = a->cached, .output_tokens = a->output,
	    .model = a->model[0] != '\0' ? a->model : NULL,
	    .request_id = *request_id != '\0' ? request_id : NULL, .error = fault};
	struct err e = {0};
	int rc = 0;

	if (a->usage && !p->free && p->price != NULL && p->price->priced)
		use.cost = price_cost(p->price, a->input, a->cached, a->output);
	if (paid && use.cost >= 0)
		p->cost += use.cost;
	p->unpriced |= paid && use.cost < 0;
	if (p->reserved)
		rc = !paid ? budget_refund(p->w, p->reservation, fault, &e) :
		    a->usage || fault == NULL ?
			     budget_settle(p->w, p->reservation, &use, &e) :
			     budget_forfeit(p->w, p->reservation, fault, &e);
	if (rc != 0)
		err_warn("the reservation stays: %s", e.msg);
	p->reserved = false;
}
