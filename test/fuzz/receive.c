/* Any bytes as an answer of a server: whatever it means, it means the same in pieces. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "receive.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct retry_verdict
feed(struct receive *r, const char *p, size_t n, size_t step, uint8_t how, char message[256])
{
	const char *type = how & 1 ? "text/event-stream" : "application/json";
	int status = how & 2 ? 429 : 200;
	enum retry_net net = how & 4 ? RETRY_CLOSED : RETRY_ANSWERED;

	for (size_t i = 0; i < n; i += step)
		if (receive_data(r, status, type, p + i, n - i < step ? n - i : step) != 0) {
			net = RETRY_ABORTED;
			break;
		}
	return receive_end(r, net, status, message, 256);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct receive whole = {0}, pieces = {0};
	struct retry_verdict a, b;
	char *p, ma[256], mb[256];
	size_t n;

	if (size < 2)
		return 0;
	n = size - 2;
	p = mem_ndup((const char *)data + 2, n);
	a = feed(&whole, p, n, n + 1, data[0], ma);
	b = feed(&pieces, p, n, 1 + data[1] % 16, data[0], mb);
	if ((a.class == NULL) != (b.class == NULL) ||
	    (a.class != NULL && (strcmp(a.class, b.class) != 0 || strcmp(a.code, b.code) != 0)) ||
	    whole.answer.text.len != pieces.answer.text.len || strcmp(ma, mb) != 0 ||
	    (whole.answer.text.len > 0 && memcmp(whole.answer.text.p, pieces.answer.text.p,
	    whole.answer.text.len) != 0))
		abort();
	if (a.class == NULL && whole.answer.text.len == 0)
		abort();	/* an empty answer is no success */
	receive_free(&whole);
	receive_free(&pieces);
	free(p);
	return 0;
}
