/* product: what the approved attempt at a task has produced. */
#ifndef VIV_PRODUCT_H
#define VIV_PRODUCT_H

#include "err.h"
#include "file.h"
#include "fold.h"
#include "log.h"

struct product {
	char *text;		/* a model's answer, or what a command wrote */
	char *file;		/* below the world's root */
	char sha256[FILE_SHA256];
};

/* 0, *out for product_free; -VIV_NO: not done, or what is stored is not what was approved. */
int product_read(
    const struct log *l, const struct fold *f, const char *id, struct product *out, struct err *e);
void product_free(struct product *p);

#endif
