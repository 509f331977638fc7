/* layout: the directories of a world, and which file names belong in them. */
#ifndef VIV_LAYOUT_H
#define VIV_LAYOUT_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct layout_dir {
	const char *path;
	mode_t mode;		/* less the umask; 0700: nobody else may look */
	const char *files;	/* patterns of what may lie in it, blanks between; NULL: anything */
};

extern const struct layout_dir layout_dirs[];
extern const size_t layout_count;

/* Does a file of that name belong in the directory? Temporary files do. */
bool layout_knows(const struct layout_dir *d, const char *name);

#endif
