/*
 * post_fill: what a posted task gets before it is checked: the members that the flags
 * give, the documented defaults, the directory it will start in; in the documented
 * order, so that queue.json reads the same whoever posted.
 */
#include <stdlib.h>
#include <string.h>

#include "json.h"
#include "post.h"
#include "task.h"

/* The directory that a local command starts in: its own, -w, or where the poster is. */
static int
put_workdir(struct post_fill *a, cJSON *t, struct err *e)
{
	const char *own = json_str(t, "workdir"), *dir = own != NULL ? own : a->workdir;
	char *real = NULL;
	int rc = 0;

	if (own == NULL &&
	    (json_get(t, "workdir") != NULL || (!task_is_local(t) && !a->workdir_given)))
		return 0;
	if (a->policy == NULL)
		rc = policy_load(&a->policy, a->w, e);
	if (rc == 0 && dir != NULL)
		rc = policy_workdir(a->policy, a->w, dir, &real, e);
	if (rc == 0 && real != NULL)
		json_set_str(t, "workdir", real);
	else if (rc == 0 || (rc == -VIV_REFUSED && own == NULL && !a->workdir_given)) {
		a->scratch = true;
		rc = 0;
	}
	free(real);
	return rc;
}

/* Documented order first, the flags' members where the task has none, the rest behind. */
int
post_fill(struct post_fill *a, cJSON **task, struct err *e)
{
	static const char *const order[] = {"id", "type", "prompt", "command", "mode", "min_budget",
	    "max_budget", "intensity", "depends_on", "parallel_safe", "model", "status"};
	cJSON *old = *task, *new = json_new(), *v;
	const char *mode = a->mode != NULL ? a->mode : task_is_local(old) ? "local" : NULL;
	int rc;

	cJSON_ArrayForEach(v, a->defaults)
		if (json_get(old, v->string) == NULL)
			json_set(old, v->string, cJSON_Duplicate(v, true));
	if (mode != NULL && json_get(old, "mode") == NULL)
		json_set_str(old, "mode", mode);
	if (json_get(old, "type") == NULL)
		json_set_str(old, "type", "cycle");
	if (json_get(old, "depends_on") == NULL)
		json_set(old, "depends_on", json_list());
	if (json_get(old, "parallel_safe") == NULL)
		json_set_bool(old, "parallel_safe", true);
	if (json_get(old, "status") == NULL)
		json_set_str(old, "status", "pending");
	rc = put_workdir(a, old, e);
	if (json_get(old, "id") == NULL)
		json_set(new, "id", cJSON_CreateNull());
	for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++)
		if ((v = cJSON_DetachItemFromObjectCaseSensitive(old, order[i])) != NULL)
			cJSON_AddItemToObject(new, order[i], v);
	while ((v = cJSON_DetachItemFromArray(old, 0)) != NULL)
		cJSON_AddItemToObject(new, v->string, v);
	cJSON_Delete(old);
	*task = new;
	return rc;
}
