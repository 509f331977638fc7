/* Any object as a task: what the strict check lets in, the lenient reader reads. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "json.h"
#include "task.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct world_limits lim = {1000000, 4000, 64, 16384, 64000};
	struct buf in = {0};
	struct task t;
	struct err e;
	cJSON *v;

	buf_add(&in, data, size);
	buf_reserve(&in, 1);
	v = json_parse(in.p, in.len, &e);
	if (cJSON_IsObject(v)) {
		int strict = task_check(v, &lim, &e);

		task_prompt(v);
		task_command(v);
		if (task_read(&t, scan_text(in.p, in.len), &e) == 0)
			task_free(&t);
		else if (strict == 0 && json_str(v, "id") != NULL)
			abort();	/* posted, but unreadable on the board */
	}
	cJSON_Delete(v);
	buf_free(&in);
	return 0;
}
