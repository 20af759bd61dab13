# SPDX-License-Identifier: Apache-2.0
if HAVE_CMOCKA
FLEET_TEST_LIBS = src/model/liblf_model.a src/base/liblf_base.a $(CMOCKA_LIBS) $(CJSON_LIBS) $(NETTLE_LIBS)
FLEET_TEST_WRAP = $(AM_LDFLAGS) -Wl,--wrap=malloc -Wl,--wrap=calloc -Wl,--wrap=realloc
FLEET_TEST_WORLD = tests/unit/fleet_world.c tests/unit/fleet_world.h
UNIT_TESTS += tests/unit/test_fleet tests/unit/test_fleet_random tests/unit/test_async tests/unit/test_fleet_doc
tests_unit_test_fleet_SOURCES = tests/unit/test_fleet.c $(FLEET_TEST_WORLD)
tests_unit_test_fleet_LDADD = $(FLEET_TEST_LIBS)
tests_unit_test_fleet_LDFLAGS = $(FLEET_TEST_WRAP)
tests_unit_test_fleet_random_SOURCES = tests/unit/test_fleet_random.c tests/unit/fleet_oracle.c tests/unit/fleet_oracle.h $(FLEET_TEST_WORLD)
tests_unit_test_fleet_random_LDADD = $(FLEET_TEST_LIBS)
tests_unit_test_fleet_random_LDFLAGS = $(FLEET_TEST_WRAP)
tests_unit_test_async_SOURCES = tests/unit/test_async.c $(FLEET_TEST_WORLD)
tests_unit_test_async_LDADD = $(FLEET_TEST_LIBS)
tests_unit_test_async_LDFLAGS = $(FLEET_TEST_WRAP)
tests_unit_test_fleet_doc_SOURCES = tests/unit/test_fleet_doc.c $(FLEET_TEST_WORLD)
tests_unit_test_fleet_doc_LDADD = $(FLEET_TEST_LIBS)
tests_unit_test_fleet_doc_LDFLAGS = $(FLEET_TEST_WRAP)
endif
