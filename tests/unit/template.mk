# SPDX-License-Identifier: Apache-2.0
if HAVE_CMOCKA
TEMPLATE_TEST_LIBS = src/template/liblf_template.a src/yaml/liblf_yaml.a src/model/liblf_model.a src/profile/liblf_profile.a src/base/liblf_os.a \
	src/base/liblf_base.a $(CMOCKA_LIBS) $(FYAML_LIBS) $(CJSON_LIBS) $(NETTLE_LIBS) -lm
UNIT_TESTS += tests/unit/test_template
tests_unit_test_template_SOURCES = tests/unit/test_template.c tests/unit/template_help.h
tests_unit_test_template_LDADD = $(TEMPLATE_TEST_LIBS)
UNIT_TESTS += tests/unit/test_template_bad
tests_unit_test_template_bad_SOURCES = tests/unit/test_template_bad.c tests/unit/template_help.h
tests_unit_test_template_bad_LDADD = $(TEMPLATE_TEST_LIBS)
UNIT_TESTS += tests/unit/test_template_validate
tests_unit_test_template_validate_SOURCES = tests/unit/test_template_validate.c tests/unit/template_help.h
tests_unit_test_template_validate_LDADD = $(TEMPLATE_TEST_LIBS)
UNIT_TESTS += tests/unit/test_template_loops
tests_unit_test_template_loops_SOURCES = tests/unit/test_template_loops.c tests/unit/template_help.h
tests_unit_test_template_loops_LDADD = $(TEMPLATE_TEST_LIBS)
endif
EXTRA_DIST += tests/templates/full.yaml tests/templates/intrinsics.yaml tests/templates/cloudformation.json
