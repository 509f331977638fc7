/* vectors: core-vectors.json of a directory, the reference's own answers. */
#ifndef TEST_VECTORS_H
#define TEST_VECTORS_H

#include <fcntl.h>
#include <stdlib.h>

#include "buf.h"
#include "file.h"
#include "json.h"

static cJSON *
vectors(const char *dir)
{
	char *path = mem_fmt("%s/core-vectors.json", dir);
	struct buf text = {0};
	struct err e;
	cJSON *v;

	if (file_read(AT_FDCWD, path, 1 << 24, &text, &e) != 0 ||
	    (v = json_parse(text.p, text.len, &e)) == NULL)
		err_die(&e);
	buf_free(&text);
	free(path);
	return v;
}

#endif
