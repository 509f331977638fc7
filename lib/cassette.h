/*
 * cassette: answers kept as files, to be given again without a network.
 */
#ifndef VIV_CASSETTE_H
#define VIV_CASSETTE_H

#include "buf.h"
#include "err.h"
#include "http.h"
#include "world.h"

enum cassette_mode { CASSETTE_OFF, CASSETTE_RECORD, CASSETTE_REPLAY };

/* "record:DIR", "replay:DIR", or NULL and "": off. *dir_out points into spec.
 * -VIV_CONFIG otherwise. */
int cassette_spec(
    const char *spec, enum cassette_mode *mode_out, const char **dir_out, struct err *e);

/* An answer as it came: status, type and id of *got, and the body. Write it (replacing), or
 * read it: -VIV_NO when there is none, naming the file. A relative dir is below the world,
 * or without one below the working directory. */
int cassette_put(const struct world *w, const char *dir, const char *essence,
    const struct http_result *got, const struct buf *body, struct err *e);
int cassette_get(const struct world *w, const char *dir, const char *essence,
    struct http_result *got, struct buf *body, struct err *e);

#endif
