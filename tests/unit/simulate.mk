# SPDX-License-Identifier: Apache-2.0
if HAVE_CMOCKA
SIMULATE_TEST_LIBS = src/simulate/liblf_simulate.a src/model/liblf_model.a src/profile/liblf_profile.a src/base/liblf_os.a src/base/liblf_base.a \
	$(CMOCKA_LIBS) $(CJSON_LIBS) $(NETTLE_LIBS) -lm
SIMULATE_TEST_WORLD = tests/unit/simulate_world.c tests/unit/simulate_world.h
UNIT_TESTS += tests/unit/test_simulate tests/unit/test_simulate_parts
tests_unit_test_simulate_SOURCES = tests/unit/test_simulate.c $(SIMULATE_TEST_WORLD)
tests_unit_test_simulate_LDADD = $(SIMULATE_TEST_LIBS)
tests_unit_test_simulate_parts_SOURCES = tests/unit/test_simulate_parts.c $(SIMULATE_TEST_WORLD)
tests_unit_test_simulate_parts_LDADD = $(SIMULATE_TEST_LIBS)
endif
