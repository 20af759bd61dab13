# SPDX-License-Identifier: Apache-2.0
if HAVE_CMOCKA
PACKAGE_TEST_LIBS = src/package/liblf_package.a src/model/liblf_model.a src/profile/liblf_profile.a src/base/liblf_os.a src/base/liblf_base.a \
	$(CMOCKA_LIBS) $(ZIP_LIBS) $(ZLIB_LIBS) $(ZSTD_LIBS) $(CJSON_LIBS) $(NETTLE_LIBS)
UNIT_TESTS += tests/unit/test_package tests/unit/test_layer tests/unit/test_watch
tests_unit_test_watch_SOURCES = tests/unit/test_watch.c
tests_unit_test_watch_LDADD = $(PACKAGE_TEST_LIBS)
tests_unit_test_package_SOURCES = tests/unit/test_package.c tests/unit/rawzip.h
tests_unit_test_package_LDADD = $(PACKAGE_TEST_LIBS)
tests_unit_test_layer_SOURCES = tests/unit/test_layer.c tests/unit/rawzip.h
tests_unit_test_layer_LDADD = $(PACKAGE_TEST_LIBS)
endif
