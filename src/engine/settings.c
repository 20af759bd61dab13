/* SPDX-License-Identifier: Apache-2.0
 *
 * Settings of a function that may change while it is served, and the destinations of its asynchronous events.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "internal.h"

void
lf_engine_end_single_use (lf_live_fn *fn)
{
  lf_fleet_end_single_use (fn->core);
}

int
lf_engine_set_reserved (lf_live_fn *fn, int64_t reserved, lf_error *err)
{
  lf_error ignored = { 0 };
  if (lf_fleet_set_reserved (fn->engine->fleet, fn->core, reserved, err) < 0)
    return -1;
  fn->prep.f.reserved = reserved;
  /* What is in force is in the log; that it could not be written is told with the next answer. */
  if (lf_store_function (fn->engine->store, &fn->prep.f, lf_wall_us (), &ignored) < 0)
    lf_engine_log_failed (fn->engine, &ignored);
  return 0;
}

/* ---- destinations: which ------------------------------------------------------------------------------------------------------- */

static int
check_one (lf_live_fn *fn, const char *dest, lf_error *err)
{
  char *name LF_CLEANUP (lf_freep) = NULL;
  int kind = dest ? lf_destination_parse (dest, &fn->prep.f, &name, err) : 0;
  if (kind <= 0)
    return kind;
  if (strcmp (name, fn->prep.f.name) == 0)
    return LF_FAIL (err, LF_EXIT_USAGE, fn->prep.f.name, "name another function, or a file", "You can't specify the function as a destination for itself.");
  if (!lf_engine_find (fn->engine, name))
    return LF_FAIL (err, LF_EXIT_USAGE, fn->prep.f.name, "serve that function too, or name a file (with a slash or a dot in it)",
                    "The destination ARN %.200s is invalid.", dest);
  return 0;
}

/* One option for several functions: the function that is itself the destination has none. */
static int
drop_own (lf_live_fn *fn, char **dest, lf_error *err)
{
  char *name LF_CLEANUP (lf_freep) = NULL;
  bool alone = fn->engine->fns == fn && !fn->next;
  if (!*dest || alone)
    return 0;
  if (lf_destination_parse (*dest, &fn->prep.f, &name, err) < 0)
    return -1;
  if (name && strcmp (name, fn->prep.f.name) == 0)
    {
      free (*dest);
      *dest = NULL;
    }
  return 0;
}

int
lf_engine_check_destinations (lf_engine *e, lf_error *err)
{
  for (lf_live_fn *fn = e->fns; fn; fn = fn->next)
    {
      lf_function *f = &fn->prep.f;
      if (drop_own (fn, &f->on_success, err) < 0 || drop_own (fn, &f->on_failure, err) < 0 || check_one (fn, f->on_success, err) < 0
          || check_one (fn, f->on_failure, err) < 0)
        return -1;
    }
  return 0;
}

int
lf_engine_set_async (lf_live_fn *fn, const lf_async_settings *s, lf_error *err)
{
  lf_function *f = &fn->prep.f;
  if (check_one (fn, s->on_success, err) < 0 || check_one (fn, s->on_failure, err) < 0)
    return -1;
  char *success = lf_strdup (s->on_success), *failure = lf_strdup (s->on_failure);
  if ((s->on_success && !success) || (s->on_failure && !failure))
    {
      free (success);
      free (failure);
      return LF_FAIL_NOMEM (err);
    }
  free (f->on_success);
  free (f->on_failure);
  f->on_success = success;
  f->on_failure = failure;
  f->async_retries = s->retries;
  f->async_max_age_s = s->max_age_s;
  return 0;
}

int
lf_engine_set_url (lf_live_fn *fn, const lf_url_config *u, lf_error *err)
{
  lf_url_config copy = { 0 };
  if (lf_url_config_copy (&copy, u, err) < 0)
    return -1;
  lf_url_config_fini (&fn->prep.f.url);
  fn->prep.f.url = copy;
  return 0;
}

bool
lf_destination_wanted (const lf_live_fn *fn)
{
  return fn->prep.f.on_success || fn->prep.f.on_failure;
}

/* ---- destinations: telling ------------------------------------------------------------------------------------------------------ */

static int
append (const char *path, const lf_buf *record)
{
  int fd LF_CLEANUP (lf_closep) = open (path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
  size_t done = 0;
  if (fd < 0)
    return -1;
  while (done < record->len)
    {
      ssize_t n = write (fd, record->data + done, record->len - done);
      if (n < 0 && errno != EINTR)
        return -1;
      done += n > 0 ? (size_t) n : 0;
    }
  return 0;
}

static void
failed (lf_live_fn *fn, const char *dest, const char *why)
{
  char text[700];
  int n = snprintf (text, sizeof text, "lambdafit: %.64s: the record for the destination %.200s could not be delivered: %.300s\n", fn->prep.f.name, dest, why);
  lf_engine_say (fn->engine, &fn->prep.f, text, (size_t) n);
}

/* The record is an event of its own from now on; a failure of the log has been told. */
static void
on_accepted (const char *request_id, const lf_error *failure, void *user)
{
  (void) request_id;
  (void) failure;
  (void) user;
}

void
lf_destination_tell (lf_live_fn *fn, const lf_async_record *r)
{
  const char *dest = r->end == LF_AS_SUCCESS ? fn->prep.f.on_success : fn->prep.f.on_failure;
  char *name LF_CLEANUP (lf_freep) = NULL;
  lf_buf record LF_CLEANUP (lf_buf_fini);
  lf_error err = { 0 };
  lf_buf_init (&record, 0);
  if (!dest)
    return;
  int kind = lf_destination_parse (dest, &fn->prep.f, &name, &err);
  lf_live_fn *to = kind == 1 ? lf_engine_find (fn->engine, name) : NULL;
  if (kind < 0 || lf_async_record_json (&record, r, lf_wall_us ()) < 0)
    failed (fn, dest, kind < 0 ? err.why : "the system has no memory left");
  else if (kind == 0)
    {
      lf_buf_addc (&record, '\n');
      if (record.failed || append (dest, &record) < 0)
        failed (fn, dest, strerror (errno));
    }
  else if (!to)
    failed (fn, dest, "that function is not served");
  else if (lf_engine_event_accept (fn->engine, to, &record, on_accepted, NULL, &err) < 0)
    failed (fn, dest, err.why);
}
