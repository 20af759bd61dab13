# SPDX-License-Identifier: Apache-2.0
if HAVE_CMOCKA
UNIT_TESTS += tests/unit/test_http tests/unit/test_http_client
HTTP_TEST_LIBS = $(HTTP_LIBS) src/base/liblf_os.a src/base/liblf_base.a $(CMOCKA_LIBS) $(CJSON_LIBS) $(NETTLE_LIBS) -lpthread
tests_unit_test_http_SOURCES = tests/unit/test_http.c tests/unit/http_world.c tests/unit/http_world.h
tests_unit_test_http_LDADD = $(HTTP_TEST_LIBS)
tests_unit_test_http_client_SOURCES = tests/unit/test_http_client.c
tests_unit_test_http_client_LDADD = $(HTTP_TEST_LIBS)
endif
