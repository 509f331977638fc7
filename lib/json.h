/* json: cJSON behind the fence of scan.h, with typed getters and setters. */
#ifndef VIV_JSON_H
#define VIV_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cjson/cJSON.h>

#include "buf.h"
#include "err.h"

/* Strictly checked tree (cJSON_Delete frees), or NULL and -VIV_CONFIG in *e. */
cJSON *json_parse(const char *s, size_t n, struct err *e);

/* Compact text on one line, raw UTF-8; the caller frees. Never NULL. */
char *json_text(const cJSON *v);
void json_puts(const cJSON *v);	/* the same on stdout, with a newline */
void json_print(struct buf *b, const cJSON *v);		/* append it */

/* Getters: NULL, dflt or false when the member is absent or of another type. */
const char *json_str(const cJSON *obj, const char *name);
double json_num(const cJSON *obj, const char *name, double dflt);
int64_t json_int(const cJSON *obj, const char *name, int64_t dflt);	/* num_whole */
bool json_bool(const cJSON *obj, const char *name, bool dflt);
cJSON *json_obj(const cJSON *obj, const char *name);
cJSON *json_arr(const cJSON *obj, const char *name);
cJSON *json_get(const cJSON *obj, const char *name);	/* any type, case-sensitive */

/* Setters replace a member of that name; json_set takes ownership of v.
 * json_set_str with NULL s sets null. */
void json_set(cJSON *obj, const char *name, cJSON *v);
void json_set_str(cJSON *obj, const char *name, const char *s);
void json_set_num(cJSON *obj, const char *name, double v);
void json_set_bool(cJSON *obj, const char *name, bool v);
void json_del(cJSON *obj, const char *name);

/* New object or array; out of memory exits. */
cJSON *json_new(void);
cJSON *json_list(void);
void json_push(cJSON *arr, cJSON *v);

#endif
