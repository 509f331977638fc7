/*
 * serial: tasks that must run alone (parallel_safe false).
 *
 * Such a claim also puts a slot of the pseudo-task _serial, which names the claim that it
 * stands for and counts as long as that claim lives. Show ours first, then look at all
 * others: of two that do so at least one sees the other. Both may, and both try again
 * later. The numbers come from the boot clock and are never used twice, so whoever is
 * late removes nobody else's.
 */
#include "serial.h"

#include <string.h>

#include "clock.h"
#include "json.h"
#include "rand.h"

#define SERIAL "_serial"

/* Does the claim (id, generation, token) still run? On doubt yes. */
static bool
claim_runs(const struct world *w, const struct fold *f, const char *id, int64_t generation,
    const char *token)
{
	const struct fold_task *t = fold_get(f, id);
	struct slot s;
	int rc;

	if (t != NULL && (t->generation > generation || (t->generation == generation && t->final)))
		return false;
	rc = slot_mine(w, id, generation, token, NULL);
	if (rc == 0)
		rc = slot_read(w, id, generation, &s, NULL);
	return rc != 0 ? rc != -VIV_REFUSED && rc != -VIV_NO : slot_judge(w, id, &s) == SLOT_HELD;
}

/* Does the claim that the _serial slot stands for still run? */
static bool
serial_busy(const struct world *w, const struct fold *f, int64_t number)
{
	cJSON *event = slot_event(w, SERIAL, number);
	const char *id = json_str(event, "task_id"), *token = json_str(event, "token");
	struct slot s;
	int rc;
	bool busy;

	if (id != NULL && token != NULL) {
		busy = claim_runs(w, f, id, json_int(event, "generation", 0), token);
	} else {
		/* Unreadable now, torn, or gone. */
		rc = slot_read(w, SERIAL, number, &s, NULL);
		busy = rc != 0 ? rc != -VIV_NO : slot_judge(w, SERIAL, &s) == SLOT_HELD;
	}
	cJSON_Delete(event);
	return busy;
}

struct serial {
	const struct world *w;
	const struct fold *f;
	const char *id;			/* the claim that asks, or is to be removed */
	int64_t generation, own;	/* own: number of its slot */
	bool busy;
};

/* Another's slot: busy, or dead and removed. */
static int
serial_look(const char *slot, int64_t number, void *arg)
{
	struct serial *s = arg;

	if (strcmp(slot, SERIAL) != 0 || number == s->own)
		return 0;
	if (serial_busy(s->w, s->f, number))
		s->busy = true;
	else
		slot_remove(s->w, SERIAL, number);
	return 0;
}

int
serial_take(const struct world *w, const struct fold *f, const char *id, int64_t generation,
    const char *token, const struct slot_owner *o, struct err *e)
{
	struct serial s = {w, f, id, generation, clock_boot_ns() / 1000, false};
	char own[33];
	cJSON *stands_for = json_new();
	int rc;

	json_set_str(stands_for, "task_id", id);
	json_set_num(stands_for, "generation", (double)generation);
	json_set_str(stands_for, "token", token);
	rand_hex(own, 16);
	rc = slot_put(w, SERIAL, s.own, 0, SLOT_CLAIM, own, o, stands_for, e);
	cJSON_Delete(stands_for);
	if (rc == 0)
		rc = slot_each(w, serial_look, &s, e);
	else if (rc == -VIV_REFUSED)
		s.busy = true;
	if (rc == 0 && s.busy)
		slot_remove(w, SERIAL, s.own);
	return s.busy ? err_set(e, VIV_REFUSED, "another task that must run alone is running") : rc;
}

static int
serial_remove(const char *slot, int64_t number, void *arg)
{
	struct serial *s = arg;
	cJSON *event = strcmp(slot, SERIAL) == 0 ? slot_event(s->w, SERIAL, number) : NULL;
	const char *id = json_str(event, "task_id");

	if (id != NULL && strcmp(id, s->id) == 0 &&
	    json_int(event, "generation", 0) == s->generation)
		slot_remove(s->w, SERIAL, number);
	cJSON_Delete(event);
	return 0;
}

void
serial_done(const struct world *w, const char *id, int64_t generation)
{
	struct serial s = {.w = w, .id = id, .generation = generation};

	slot_each(w, serial_remove, &s, NULL);
}
