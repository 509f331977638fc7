/*
 * json: cJSON behind the fence of scan.h.
 *
 * Every text that becomes a tree passes scan_check first, so cJSON only ever sees
 * strict JSON. Numbers are IEEE doubles (RFC 8259 section 6): integers are exact up to 2^53.
 */
#include "json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "num.h"
#include "scan.h"

static cJSON *
checked(cJSON *v)
{
	if (v == NULL)
		err_exit(VIV_IO, "out of memory");
	return v;
}

cJSON *
json_parse(const char *s, size_t n, struct err *e)
{
	cJSON *v;

	if (scan_check(s, n, e) != 0)
		return NULL;
	v = cJSON_ParseWithLength(s, n);
	if (v == NULL)
		err_set(e, VIV_CONFIG, "not understood by the JSON parser");
	return v;
}

char *
json_text(const cJSON *v)
{
	char *s = cJSON_PrintUnformatted(v);

	if (s == NULL)
		err_exit(VIV_IO, "out of memory");
	return s;
}

void
json_puts(const cJSON *v)
{
	char *s = json_text(v);

	puts(s);
	free(s);
}

void
json_print(struct buf *b, const cJSON *v)
{
	char *s = json_text(v);

	buf_str(b, s);
	free(s);
}

cJSON *
json_get(const cJSON *obj, const char *name)
{
	return cJSON_IsObject(obj) ? cJSON_GetObjectItemCaseSensitive(obj, name) : NULL;
}

const char *
json_str(const cJSON *obj, const char *name)
{
	return cJSON_GetStringValue(json_get(obj, name));
}

double
json_num(const cJSON *obj, const char *name, double dflt)
{
	const cJSON *v = json_get(obj, name);

	return cJSON_IsNumber(v) ? v->valuedouble : dflt;
}

int64_t
json_int(const cJSON *obj, const char *name, int64_t dflt)
{
	const cJSON *v = json_get(obj, name);

	return cJSON_IsNumber(v) ? num_whole(v->valuedouble, dflt) : dflt;
}

bool
json_bool(const cJSON *obj, const char *name, bool dflt)
{
	const cJSON *v = json_get(obj, name);

	return cJSON_IsBool(v) ? cJSON_IsTrue(v) : dflt;
}

cJSON *
json_obj(const cJSON *obj, const char *name)
{
	cJSON *v = json_get(obj, name);

	return cJSON_IsObject(v) ? v : NULL;
}

cJSON *
json_arr(const cJSON *obj, const char *name)
{
	cJSON *v = json_get(obj, name);

	return cJSON_IsArray(v) ? v : NULL;
}

void
json_set(cJSON *obj, const char *name, cJSON *v)
{
	checked(v);
	if (json_get(obj, name) != NULL)
		cJSON_ReplaceItemInObjectCaseSensitive(obj, name, v);
	else
		cJSON_AddItemToObject(obj, name, v);
}

void
json_set_str(cJSON *obj, const char *name, const char *s)
{
	json_set(obj, name, s != NULL ? cJSON_CreateString(s) : cJSON_CreateNull());
}

void
json_set_num(cJSON *obj, const char *name, double v)
{
	json_set(obj, name, cJSON_CreateNumber(v));
}

void
json_set_bool(cJSON *obj, const char *name, bool v)
{
	json_set(obj, name, cJSON_CreateBool(v));
}

void
json_del(cJSON *obj, const char *name)
{
	cJSON_DeleteItemFromObjectCaseSensitive(obj, name);
}

cJSON *
json_new(void)
{
	return checked(cJSON_CreateObject());
}

cJSON *
json_list(void)
{
	return checked(cJSON_CreateArray());
}

void
json_push(cJSON *arr, cJSON *v)
{
	cJSON_AddItemToArray(arr, checked(v));
}
