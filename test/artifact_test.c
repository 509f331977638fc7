/*
 * artifact_test: names and places of documents, without a command.
 * usage: artifact_test slug TEXT | owner IDENTITY | check OWNER PATH | docs
 * prints the slug or name; "yes", "journal", or "no: why".
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "artifact.h"
#include "docs.h"

int
main(int argc, char **argv)
{
	struct err e = {0};
	bool journal;
	char *s;

	if (argc == 2 && strcmp(argv[1], "docs") == 0) {
		puts(docs_only() ? "on" : "off");
		return 0;
	}
	if (argc == 3) {
		s = strcmp(argv[1], "slug") == 0 ? artifact_slug(argv[2], "fallback") :
						  artifact_owner(argv[2]);
		puts(s);
		free(s);
		return 0;
	}
	if (argc != 4)
		return 2;
	if (artifact_check(argv[3], argv[2], &journal, &e) != 0)
		printf("no: %s\n", e.msg);
	else
		puts(journal ? "journal" : "yes");
	return 0;
}
