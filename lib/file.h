/*
 * file: whole files, and nothing half-written.
 * Names are relative to a directory descriptor; the last component is never
 * followed when it is a symbolic link. Messages quote the name.
 */
#ifndef VIV_FILE_H
#define VIV_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "buf.h"
#include "err.h"

/* Append the file to *out: 0; -VIV_NO when there is none (message set);
 * -VIV_CONFIG when over max bytes or not a regular file; -VIV_IO otherwise. */
int file_read(int dir, const char *name, size_t max, struct buf *out, struct err *e);

/* Append n bytes from offset on to *out: 0, or -VIV_IO when they are not there. */
int file_read_at(int dir, const char *name, off_t offset, size_t n, struct buf *out, struct err *e);

/* Replace or create durably: temp file beside it, fsync, rename, fsync directory. */
int file_replace(int dir, const char *name, const void *p, size_t n, mode_t mode, struct err *e);

/* Create a new file whole by link(2), unsynced: -VIV_NO when the name exists. */
int file_create(int dir, const char *name, const void *p, size_t n, mode_t mode, struct err *e);

/* All of it or an error (short writes are continued). */
int file_write(int fd, const void *p, size_t n, const char *name, struct err *e);

/* mkdir -p below dir. */
int file_mkdirs(int dir, const char *path, mode_t mode, struct err *e);

/* fsync the directory that holds name. */
int file_sync_dir(int dir, const char *name, struct err *e);

/* Remove a tree below dir without following links; absent is fine. */
int file_remove_tree(int dir, const char *name, struct err *e);

/* Name of a temporary file beside name: ".<base>.tmp.<hex>"; doctor knows the form.
 * The caller frees. */
char *file_temp_name(const char *name);
bool file_is_temp(const char *base);

/* SHA-256 as 64 hex digits + NUL. */
#define FILE_SHA256 65
void file_sha256(const void *p, size_t n, char out[FILE_SHA256]);

#endif
