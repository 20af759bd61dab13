/* SPDX-License-Identifier: Apache-2.0
 *
 * Event streams: checksums, messages written and read, and every way to be no message.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lambdafit/base.h"

#define S(text) { (text), sizeof (text) - 1 }

static void
checksums (void **state)
{
  char all[256];
  (void) state;
  assert_int_equal (lf_crc32 (0, "", 0), 0);
  assert_int_equal (lf_crc32 (0, "123456789", 9), 0xcbf43926); /* the check value of this CRC */
  assert_int_equal (lf_crc32 (lf_crc32 (0, "12345", 5), "6789", 4), 0xcbf43926);
  for (int i = 0; i < 256; i++)
    all[i] = (char) i;
  assert_int_equal (lf_crc32 (0, all, sizeof all), 0x29058c73);
}

/* A message with no headers and no payload, as the format's description gives it. */
static void
empty_message (void **state)
{
  static const unsigned char want[16] = { 0, 0, 0, 0x10, 0, 0, 0, 0, 0x05, 0xc2, 0x48, 0xeb, 0x7d, 0x98, 0xc8, 0xff };
  lf_buf b LF_CLEANUP (lf_buf_fini);
  (void) state;
  lf_buf_init (&b, 0);
  assert_int_equal (lf_es_encode (&b, NULL, 0, NULL, 0), 0);
  assert_int_equal (b.len, sizeof want);
  assert_memory_equal (b.data, want, sizeof want);
}

static const lf_es_header chunk[] = { { S (":event-type"), S ("PayloadChunk") }, { S (":content-type"), S ("application/octet-stream") },
                                      { S (":message-type"), S ("event") }, { S ("empty"), S ("") } };

static void
round_trip (void **state)
{
  lf_buf b LF_CLEANUP (lf_buf_fini);
  lf_es_message m;
  lf_error err = { 0 };
  (void) state;
  lf_buf_init (&b, 0);
  assert_int_equal (lf_es_encode (&b, chunk, LF_ARRAY_LEN (chunk), "a\0b", 3), 0);
  size_t first = b.len;
  assert_int_equal (lf_es_encode (&b, chunk, 1, NULL, 0), 0);
  for (size_t i = 0; i < first; i++)
    assert_int_equal (lf_es_decode (b.data, i, &m, &err), 0);
  assert_int_equal (lf_es_decode (b.data, b.len, &m, &err), first);
  assert_int_equal (m.headers_n, 4);
  assert_int_equal (m.payload.n, 3);
  assert_memory_equal (m.payload.p, "a\0b", 3);
  assert_int_equal (lf_es_get (&m, ":event-type").n, 12);
  assert_int_equal (lf_es_get (&m, "empty").n, 0);
  assert_non_null (lf_es_get (&m, "empty").p);
  assert_null (lf_es_get (&m, "no").p);
  assert_int_equal (lf_es_decode (b.data + first, b.len - first, &m, &err), b.len - first);
  assert_int_equal (m.payload.n, 0);
}

static void
every_flip_is_noticed (void **state)
{
  lf_buf b LF_CLEANUP (lf_buf_fini);
  lf_es_message m;
  (void) state;
  lf_buf_init (&b, 0);
  assert_int_equal (lf_es_encode (&b, chunk, LF_ARRAY_LEN (chunk), "payload", 7), 0);
  for (size_t i = 0; i < b.len * 8; i++)
    {
      lf_error err = { 0 };
      b.data[i / 8] ^= (char) (1 << i % 8);
      assert_int_equal (lf_es_decode (b.data, b.len, &m, &err), -1);
      assert_int_equal (err.exit, LF_EXIT_IO);
      b.data[i / 8] ^= (char) (1 << i % 8);
    }
}

static void
put32 (char *to, uint32_t v)
{
  for (int i = 0; i < 4; i++)
    to[i] = (char) (v >> (24 - 8 * i));
}

/* A message with right checksums around these bytes of headers. */
static ptrdiff_t
decode_headers (const char *head, size_t n, lf_es_message *m, lf_error *err)
{
  static char b[4096];
  put32 (b, (uint32_t) (16 + n));
  put32 (b + 4, (uint32_t) n);
  put32 (b + 8, lf_crc32 (0, b, 8));
  memcpy (b + 12, head, n);
  put32 (b + 12 + n, lf_crc32 (0, b, 12 + n));
  return lf_es_decode (b, 16 + n, m, err);
}

static void
headers_of_other_types (void **state)
{
  static const char good[] = "\1a\0" "\1b\1" "\1c\2x" "\1d\3xx" "\1e\4xxxx" "\1f\5xxxxxxxx" "\1g\6\0\2xx" "\1h\10xxxxxxxx" "\1i\11xxxxxxxxxxxxxxxx" "\1j\7\0\2ok";
  lf_es_message m;
  lf_error err = { 0 };
  (void) state;
  assert_int_equal (decode_headers (good, sizeof good - 1, &m, &err), 16 + sizeof good - 1);
  assert_int_equal (m.headers_n, 1);
  assert_memory_equal (lf_es_get (&m, "j").p, "ok", 2);
}

static void
broken_headers (void **state)
{
  static const lf_str bad[] = { S ("\0\7\0\1x"), S ("\5ab"), S ("\1a"), S ("\1a\7"), S ("\1a\7\0"), S ("\1a\7\0\5abc"), S ("\1a\6\0"), S ("\1a\6\0\5abc"),
                                S ("\1a\12"), S ("\1a\5xxx") };
  char many[LF_ES_HEADERS_MAX * 5 + 5];
  lf_es_message m;
  (void) state;
  for (size_t i = 0; i < LF_ARRAY_LEN (bad); i++)
    {
      lf_error err = { 0 };
      if (decode_headers (bad[i].p, bad[i].n, &m, &err) != -1)
        fail_msg ("broken headers %zu are taken", i);
    }
  for (size_t i = 0; i < sizeof many; i += 5)
    memcpy (many + i, "\1a\7\0", 5);
  lf_error err = { 0 };
  assert_int_equal (decode_headers (many, sizeof many - 5, &m, &err), 16 + sizeof many - 5);
  assert_int_equal (decode_headers (many, sizeof many, &m, &err), -1);
}

static void
impossible_lengths (void **state)
{
  static const struct { uint32_t total, head; } bad[] = { { 15, 0 }, { 0, 0 }, { 16, 1 }, { 100, 85 }, { 0xffffffff, 0 }, { (16 << 20) + 1, 0 }, { 20, 0xffffffff } };
  (void) state;
  for (size_t i = 0; i < LF_ARRAY_LEN (bad); i++)
    {
      char b[128] = { 0 };
      lf_es_message m;
      lf_error err = { 0 };
      put32 (b, bad[i].total);
      put32 (b + 4, bad[i].head);
      put32 (b + 8, lf_crc32 (0, b, 8));
      assert_int_equal (lf_es_decode (b, sizeof b, &m, &err), -1);
    }
}

static void
refused_by_the_writer (void **state)
{
  char long_name[256], *long_value = calloc (1, 65536);
  memset (long_name, 'n', sizeof long_name);
  lf_buf b LF_CLEANUP (lf_buf_fini);
  (void) state;
  lf_buf_init (&b, 0);
  assert_int_equal (lf_es_encode (&b, &(lf_es_header){ { long_name, 256 }, S ("x") }, 1, NULL, 0), -1);
  assert_int_equal (lf_es_encode (&b, &(lf_es_header){ { "", 0 }, S ("x") }, 1, NULL, 0), -1);
  assert_int_equal (lf_es_encode (&b, &(lf_es_header){ S ("x"), { long_value, 65536 } }, 1, NULL, 0), -1);
  assert_int_equal (b.len, 0);
  assert_int_equal (lf_es_encode (&b, &(lf_es_header){ { long_name, 255 }, { long_value, 65535 } }, 1, NULL, 0), 0);
  free (long_value);
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (checksums), cmocka_unit_test (empty_message), cmocka_unit_test (round_trip), cmocka_unit_test (every_flip_is_noticed),
    cmocka_unit_test (headers_of_other_types), cmocka_unit_test (broken_headers), cmocka_unit_test (impossible_lengths), cmocka_unit_test (refused_by_the_writer),
  };
  return cmocka_run_group_tests (tests, NULL, NULL);
}
