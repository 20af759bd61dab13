# SPDX-License-Identifier: Apache-2.0
if HAVE_CMOCKA
BASE_TEST_LIBS = src/base/liblf_os.a src/base/liblf_base.a $(CMOCKA_LIBS) $(CJSON_LIBS) $(NETTLE_LIBS)
UNIT_TESTS += tests/unit/test_base_buf tests/unit/test_base_json tests/unit/test_base_money tests/unit/test_base_os tests/unit/test_eventstream
tests_unit_test_eventstream_SOURCES = tests/unit/test_eventstream.c
tests_unit_test_eventstream_LDADD = $(BASE_TEST_LIBS)
tests_unit_test_base_buf_SOURCES = tests/unit/test_base_buf.c
tests_unit_test_base_buf_LDADD = $(BASE_TEST_LIBS)
tests_unit_test_base_json_SOURCES = tests/unit/test_base_json.c
tests_unit_test_base_json_LDADD = $(BASE_TEST_LIBS)
tests_unit_test_base_money_SOURCES = tests/unit/test_base_money.c
tests_unit_test_base_money_LDADD = $(BASE_TEST_LIBS)
tests_unit_test_base_os_SOURCES = tests/unit/test_base_os.c
tests_unit_test_base_os_LDADD = $(BASE_TEST_LIBS)
endif
