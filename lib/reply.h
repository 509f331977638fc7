/*
 * reply: what a model's answer, or its failure, means for the task line. No I/O; reads
 * the clock and takes chances only for "not_before".
 */
#ifndef VIV_REPLY_H
#define VIV_REPLY_H

#include <stdbool.h>
#include <stddef.h>
#include <cjson/cJSON.h>

/* A result that failed with that error; the caller deletes. */
cJSON *reply_failure(const char *class, const char *code, const char *message);

/*
 * The result as it is recorded, from what the co-process gave (NULL: nothing): known
 * members of a wrong type and those that only viv-cycle may write are gone, the text is
 * measured, hashed and cut to max_chars code points; "status" is "completed" only with
 * text that was not cut off and no "error"; else there is an "error" with a known class.
 * The caller deletes.
 */
cJSON *reply_result(const cJSON *given, size_t max_chars);

bool reply_completed(const cJSON *res);
const char *reply_class(const cJSON *res);	/* of its error, "" when there is none */

/* Has it text, or has it cost money? Then it is kept as evidence. */
bool reply_worth_keeping(const cJSON *res);

/* Set the line's result (taken over), status and events from it. */
void reply_record(cJSON *line, cJSON *res);

/* The same for a line that was cancelled for that reason: it does not count. */
void reply_cancelled(cJSON *line, cJSON *res, const char *reason);

/* The line as it is given to the co-process: without the claim's token and what stages
 * noted, with "ref", and with the length that the attempt before was too short of. */
cJSON *reply_request(const cJSON *line, const char *ref);

#endif
