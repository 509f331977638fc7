/*
 * tool_load: the tools that are shipped, and those of the world's library.
 *
 * Anybody in the world may write into its folder, so a file there is bounded, never
 * followed when it is a link, and cannot take the name of a shipped tool.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "file.h"
#include "tool.h"

enum { FILE_BYTES = 65536, FILES = 1000 };

static int
is_tool(const struct dirent *d)
{
	size_t n = strlen(d->d_name);

	return d->d_name[0] != '.' && n > 3 && strcmp(d->d_name + n - 3, ".md") == 0;
}

static void
load_dir(struct tool_list *l, int fd, const char *shown, bool shipped)
{
	struct dirent **names;
	int n = scandirat(fd, ".", &names, is_tool, alphasort);

	for (int i = 0; i < n; i++) {
		struct buf text = {0};
		struct tool t;
		struct err e;
		int rc = i < FILES ? file_read(fd, names[i]->d_name, FILE_BYTES, &text, &e) :
		    err_set(&e, VIV_CONFIG, "more than %d tools", FILES);

		if (rc == 0)
			rc = tool_parse(&t, text.p != NULL ? text.p : "", text.len, &e);
		if (rc == 0) {
			t.shipped = shipped;
			tool_add(l, &t);
		} else {
			err_warn("'%s/%s' is passed over: %s", shown, names[i]->d_name, e.msg);
		}
		buf_free(&text);
		free(names[i]);
	}
	if (n >= 0)
		free(names);
}

void
tool_load(struct tool_list *l, const struct world *w)
{
	struct tool_list ours = {0}, theirs = {0};
	char *share = world_share("tools");
	int fd = share != NULL ? open(share, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;

	if (fd >= 0) {
		load_dir(&ours, fd, "share/tools", true);
		close(fd);
	}
	fd = w != NULL ?
	    openat(w->fd, WORLD_TOOLS, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC) :
	    -1;
	if (fd >= 0) {
		load_dir(&theirs, fd, WORLD_TOOLS, false);
		close(fd);
	} else if (w != NULL && errno != ENOENT) {
		err_warn("cannot open '%s': %s", WORLD_TOOLS, strerror(errno));
	}
	for (size_t i = 0; i < theirs.n; i++) {
		bool taken = false;

		for (size_t k = 0; k < ours.n; k++)
			taken |= strcmp(ours.v[k].name, theirs.v[i].name) == 0;
		if (taken)
			err_warn("'%s': a shipped tool is called '%s'", WORLD_TOOLS,
			    theirs.v[i].name);
		else
			tool_add(l, &theirs.v[i]);
	}
	for (size_t i = 0; i < ours.n; i++)
		tool_add(l, &ours.v[i]);
	tool_free(&ours);
	tool_free(&theirs);
	free(share);
}
