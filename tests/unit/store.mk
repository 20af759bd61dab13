# SPDX-License-Identifier: Apache-2.0
if HAVE_CMOCKA
STORE_TEST_LIBS = src/store/liblf_store.a src/model/liblf_model.a src/profile/liblf_profile.a src/base/liblf_os.a \
	src/base/liblf_base.a $(CMOCKA_LIBS) $(SQLITE_LIBS) $(CJSON_LIBS) $(NETTLE_LIBS) -lm -lpthread
UNIT_TESTS += tests/unit/test_store
tests_unit_test_store_SOURCES = tests/unit/test_store.c tests/unit/store_help.h
tests_unit_test_store_LDADD = $(STORE_TEST_LIBS)
UNIT_TESTS += tests/unit/test_store_faults
tests_unit_test_store_faults_SOURCES = tests/unit/test_store_faults.c tests/unit/store_help.h
tests_unit_test_store_faults_LDADD = $(STORE_TEST_LIBS)
UNIT_TESTS += tests/unit/test_store_report
tests_unit_test_store_report_SOURCES = tests/unit/test_store_report.c tests/unit/store_help.h
tests_unit_test_store_report_LDADD = $(STORE_TEST_LIBS)
UNIT_TESTS += tests/unit/test_rollup
tests_unit_test_rollup_SOURCES = tests/unit/test_rollup.c tests/unit/store_help.h
tests_unit_test_rollup_LDADD = $(STORE_TEST_LIBS)
endif
