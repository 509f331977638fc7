/* price_load: the models that were installed, then those of the world. */
#include "price.h"

#include <fcntl.h>
#include "buf.h"
#include "conf.h"

/* 0, -VIV_NO when there is no such file, or what is wrong with it. */
static int
add_file(struct price_list *l, int dir, const char *path, struct err *e)
{
	cJSON *tree;
	int rc = conf_read(dir, path, &tree, e);

	if (rc == 0)
		rc = price_add(l, tree, path, e);
	cJSON_Delete(tree);
	return rc;
}

int
price_load(const struct world *w, struct price_list **out, struct err *e)
{
	struct price_list *l = mem_zero(1, sizeof(*l));
	int rc;

	l->shared = world_share("models.json");
	if (l->shared == NULL)
		rc = err_set(e, VIV_CONFIG, "'share/models.json' is not installed");
	else
		rc = add_file(l, AT_FDCWD, l->shared, e);
	if (rc == 0 && w != NULL && (rc = add_file(l, w->fd, PRICE_WORLD, e)) == -VIV_NO)
		rc = 0;
	if (rc != 0) {
		price_free(l);
		return rc;
	}
	*out = l;
	return 0;
}
