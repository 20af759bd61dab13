# SPDX-License-Identifier: Apache-2.0
if HAVE_CMOCKA
MODEL_TEST_LIBS = src/model/liblf_model.a src/profile/liblf_profile.a src/base/liblf_os.a src/base/liblf_base.a \
	$(CMOCKA_LIBS) $(CJSON_LIBS) $(NETTLE_LIBS) -lm
UNIT_TESTS += tests/unit/test_model_function tests/unit/test_model_lines tests/unit/test_model_billing tests/unit/test_model_limits \
	tests/unit/test_model_limits_doc tests/unit/test_model_rules tests/unit/test_url
tests_unit_test_model_rules_SOURCES = tests/unit/test_model_rules.c tests/unit/model_help.h
tests_unit_test_model_rules_LDADD = $(MODEL_TEST_LIBS)
tests_unit_test_url_SOURCES = tests/unit/test_url.c tests/unit/model_help.h
tests_unit_test_url_LDADD = $(MODEL_TEST_LIBS)
tests_unit_test_model_function_SOURCES = tests/unit/test_model_function.c tests/unit/model_help.h
tests_unit_test_model_function_LDADD = $(MODEL_TEST_LIBS)
tests_unit_test_model_lines_SOURCES = tests/unit/test_model_lines.c tests/unit/model_help.h
tests_unit_test_model_lines_LDADD = $(MODEL_TEST_LIBS)
tests_unit_test_model_billing_SOURCES = tests/unit/test_model_billing.c tests/unit/model_help.h
tests_unit_test_model_billing_LDADD = $(MODEL_TEST_LIBS)
tests_unit_test_model_limits_SOURCES = tests/unit/test_model_limits.c tests/unit/model_help.h
tests_unit_test_model_limits_LDADD = $(MODEL_TEST_LIBS)
tests_unit_test_model_limits_doc_SOURCES = tests/unit/test_model_limits_doc.c tests/unit/model_help.h src/model/limits_doc.c src/model/limits_doc.h
tests_unit_test_model_limits_doc_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)
tests_unit_test_model_limits_doc_LDADD = $(MODEL_TEST_LIBS)
endif

TESTS += tests/pure-rooms
EXTRA_DIST += tests/pure-rooms
