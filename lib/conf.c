/* conf: read anew each time it is asked for: these files are a page of the cache. */
#include "conf.h"

#include "file.h"
#include "json.h"

int
conf_read(int dir, const char *path, cJSON **out, struct err *e)
{
	struct buf text = {0};
	int rc = file_read(dir, path, CONF_MAX, &text, e);

	*out = NULL;
	if (rc == 0) {
		*out = json_parse(text.p != NULL ? text.p : "", text.len, e);
		if (*out == NULL) {
			rc = err_prefix(e, "'%s'", path);
		} else if (!cJSON_IsObject(*out)) {
			cJSON_Delete(*out);
			*out = NULL;
			rc = err_set(e, VIV_CONFIG, "'%s': not a JSON object", path);
		}
	}
	buf_free(&text);
	return rc;
}
