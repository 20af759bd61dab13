# SPDX-License-Identifier: Apache-2.0
if HAVE_CMOCKA
UNIT_TESTS += tests/unit/test_profile
tests_unit_test_profile_SOURCES = tests/unit/test_profile.c
tests_unit_test_profile_LDADD = src/profile/liblf_profile.a src/base/liblf_os.a src/base/liblf_base.a $(CMOCKA_LIBS) $(CJSON_LIBS) $(NETTLE_LIBS) -lm
endif
