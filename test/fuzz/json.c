/* Any bytes: the fence of scan.h, the tree behind it, and writing it again. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "json.h"
#include "scan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf in = {0};
	struct err e;
	cJSON *v, *again;
	char *text;

	buf_add(&in, data, size);
	buf_reserve(&in, 1);
	v = json_parse(in.p, in.len, &e);
	if ((v != NULL) != (scan_check(in.p, in.len, &e) == 0))
		abort();	/* the fence and the parser disagree */
	if (v != NULL) {
		text = json_text(v);
		again = json_parse(text, strlen(text), &e);
		if (again == NULL || !cJSON_Compare(v, again, true))
			abort();	/* what we write we must read */
		cJSON_Delete(again);
		free(text);
		cJSON_Delete(v);
	}
	buf_free(&in);
	return 0;
}
