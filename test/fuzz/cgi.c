/* Any bytes as a body, a form and a Host header: parsed, judged, made a task line. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "api.h"
#include "cgi.h"
#include "json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
judge(struct api_request *r)
{
	const char *why;
	double retry;
	cJSON *line, *out = NULL;
	char *text;

	if (api_mode_first(r, &why) != 0 || api_mode_last(r, &why) != 0)
		return;
	if (r->max_tokens < 1 || r->max_tokens > 65536 || !(r->temperature >= 0))
		abort();	/* out of its bounds */
	if (r->local)
		api_forbidden(r->task);
	line = api_line(r, NULL);
	text = json_text(line);
	if (strchr(text, '\n') != NULL)
		abort();	/* more than one line */
	free(text);
	api_outcome(r, line, &out, &retry);
	cJSON_Delete(out);
	cJSON_Delete(line);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct api_request r;
	cJSON *detail = NULL;
	struct buf in = {0};

	buf_add(&in, data, size);
	buf_reserve(&in, 1);
	in.p[in.len] = '\0';
	if (api_parse(&r, in.p, in.len, &detail) == 0)
		judge(&r);
	else if (!cJSON_IsArray(json_arr(detail, "detail")))
		abort();
	cJSON_Delete(detail);
	api_free(&r);
	free(cgi_param(in.p, in.len, "a"));
	cgi_host_loopback(in.p);
	if (cgi_loopback(in.p) && in.p[0] != '1' && strchr(in.p, ':') == NULL)
		abort();
	buf_free(&in);
	return 0;
}
