/*
 * product: what the approved attempt at a task has produced.
 *
 * An approval is of bytes: the stored result must have the SHA-256 that the final event
 * names. A person's decision is a generation of its own without a result, so the newest
 * result at or below the final generation is the one that was approved. A reviewer of
 * somebody's own may have named no hash; then there is nothing to compare with.
 */
#include "product.h"

#include <stdlib.h>
#include <string.h>

#include "json.h"

enum { RESULT_MAX = 16 * 1024 * 1024 };

/* Read the newest result of the generations up to g into *b, its name in *name_out. */
static int
newest(const struct world *w, const char *id, int64_t g, struct buf *b, char **name_out)
{
	for (; g > 0; g--) {
		char *name = mem_fmt("%s/%s.%lld.json", WORLD_RESULTS, id, (long long)g);
		int rc = file_read(w->fd, name, RESULT_MAX, b, NULL);

		if (rc != -VIV_NO) {
			*name_out = name;
			return rc;
		}
		free(name);
	}
	return -VIV_NO;
}

static char *
text_in(const struct buf *b)
{
	cJSON *file = json_parse(b->p != NULL ? b->p : "", b->len, NULL);
	const cJSON *res = json_obj(file, "result");
	const char *text = json_str(res, "text");
	char *copy;

	if (text == NULL)
		text = json_str(res, "stdout");
	copy = text != NULL ? mem_dup(text) : NULL;
	cJSON_Delete(file);
	return copy;
}

int
product_read(
    const struct log *l, const struct fold *f, const char *id, struct product *out, struct err *e)
{
	const struct fold_task *t = fold_get(f, id);
	struct buf b = {0};
	const char *want;
	cJSON *ev;
	int rc;

	*out = (struct product){0};
	if (!fold_done(t))
		return err_set(e, VIV_NO, "'%s' is not done", id);
	ev = fold_event(f, l, t);
	want = json_str(ev, "result_sha256");
	rc = newest(l->w, id, t->generation, &b, &out->file);
	if (rc == 0) {
		file_sha256(b.p != NULL ? b.p : "", b.len, out->sha256);
		if (want == NULL || strcmp(want, out->sha256) == 0)
			out->text = text_in(&b);
	}
	buf_free(&b);
	cJSON_Delete(ev);
	if (out->text != NULL)
		return 0;
	product_free(out);
	return err_set(e, VIV_NO, "'%s' has no stored result that is what was approved", id);
}

void
product_free(struct product *p)
{
	free(p->text);
	free(p->file);
	*p = (struct product){0};
}
