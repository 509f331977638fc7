/*
 * layout: the directories of a world, and which file names belong in them.
 *
 * One table for those who make a world, check it and clean it up. vivarium-state(5)
 * says what each file holds.
 */
#include "layout.h"

#include <fnmatch.h>
#include <stdio.h>
#include <string.h>

#include "file.h"
#include "world.h"

#define SWARM WORLD_MUTABLE "/.swarm"
#define LIBRARY WORLD_MUTABLE "/library"

const struct layout_dir layout_dirs[] = {
    {WORLD_MUTABLE, 0777,
	"queue.json queue.json.damaged-* .queue.lock queue_archive.jsonl "
	"task_locks results work PAUSE .cache .swarm library quality_gate_queue.json "
	"review_votes.jsonl .*.lock"},
    {WORLD_LOCKS, 0777, "*.lock *.lock.[0-9]*"},
    {WORLD_RESULTS, 0777, "*.[0-9]*.json"},
    {WORLD_WORK, 0777, "*.[0-9]*"},
    {WORLD_CACHE, 0700, NULL},
    {SWARM, 0777,
	"*.json kill_switch.json.damaged *.jsonl .*.lock identities discussions journals "
	"shares"},
    {SWARM "/identities", 0777, "*.json .*.lock"},
    {SWARM "/discussions", 0777, NULL},
    {SWARM "/journals", 0700, NULL},
    {SWARM "/shares", 0777, "*.[0-9]*.json"},
    {LIBRARY, 0777, "community_library creative_works swarm_docs resident_suggestions tools"},
    {LIBRARY "/community_library", 0777, NULL},
    {LIBRARY "/community_library/swarm_docs", 0777, NULL},
    {LIBRARY "/community_library/resident_suggestions", 0777, NULL},
    {LIBRARY "/creative_works", 0777, NULL},
    {LIBRARY "/tools", 0777, NULL},
    {WORLD_PHYSICS, 0777, "*.json shared"},
    {"meta", 0777, "audit security"},
    {WORLD_AUDIT, 0777, "*.jsonl *.log execution_log.torn api_audit.torn .*.lock"},
    {WORLD_SECURITY, 0700, "*.json *.txt *.lock .*.lock"},
};
const size_t layout_count = sizeof(layout_dirs) / sizeof(layout_dirs[0]);

bool
layout_knows(const struct layout_dir *d, const char *name)
{
	char pattern[64];
	int n;

	if (d->files == NULL || file_is_temp(name))
		return true;
	for (const char *p = d->files; sscanf(p, " %63s%n", pattern, &n) == 1; p += n)
		if (fnmatch(pattern, name, FNM_PERIOD) == 0)
			return true;
	return false;
}
