/* conf: small files that hold one JSON object. */
#ifndef VIV_CONF_H
#define VIV_CONF_H

#include <cjson/cJSON.h>

#include "err.h"

enum { CONF_MAX = 1 << 20 };	/* bytes */

/* The object in the file (path below directory dir), which the caller deletes: 0;
 * -VIV_NO and NULL when there is no such file; -VIV_CONFIG, or -VIV_IO, naming it. */
int conf_read(int dir, const char *path, cJSON **out, struct err *e);

#endif
