/* Any answer about any work: a verdict or none, never a crash, never an approval that the
 * work holds itself. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "utf8.h"
#include "verdict.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct critic v;
	struct buf ask = {0};
	char *answer;

	if (memchr(data, 0, size) != NULL || utf8_invalid((const char *)data, size) != size)
		return 0;
	answer = mem_ndup((const char *)data, size);
	if (verdict_parse(answer, "", &v, NULL) == 0) {
		if (v.accepted != (strcmp(v.verdict, "REJECT") != 0) || v.issues == NULL)
			abort();
		critic_free(&v);
		if (verdict_parse(answer, answer, &v, NULL) == 0)
			abort();
	}
	verdict_ask(&ask, answer, answer);
	buf_free(&ask);
	free(answer);
	return 0;
}
