# SPDX-License-Identifier: Apache-2.0
if HAVE_CMOCKA
CHECK_TEST_LIBS = src/check/file/liblf_check_file.a src/yaml/liblf_yaml.a src/check/liblf_check.a src/model/liblf_model.a src/profile/liblf_profile.a src/base/liblf_os.a \
	src/base/liblf_base.a $(CMOCKA_LIBS) $(FYAML_LIBS) $(CJSON_LIBS) $(NETTLE_LIBS) -lm
UNIT_TESTS += tests/unit/test_check_file
tests_unit_test_check_file_SOURCES = tests/unit/test_check_file.c
tests_unit_test_check_file_LDADD = $(CHECK_TEST_LIBS)
UNIT_TESTS += tests/unit/test_check_match
tests_unit_test_check_match_SOURCES = tests/unit/test_check_match.c
tests_unit_test_check_match_LDADD = $(CHECK_TEST_LIBS)
UNIT_TESTS += tests/unit/test_check_judge
tests_unit_test_check_judge_SOURCES = tests/unit/test_check_judge.c
tests_unit_test_check_judge_LDADD = $(CHECK_TEST_LIBS)
endif
