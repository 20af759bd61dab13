# SPDX-License-Identifier: Apache-2.0

if HAVE_CMOCKA
UNIT_TESTS += tests/unit/test_plan tests/unit/test_interpreter
tests_unit_test_plan_SOURCES = tests/unit/test_plan.c
tests_unit_test_plan_LDADD = src/sandbox/liblf_sandbox.a src/profile/liblf_profile.a src/base/liblf_os.a src/base/liblf_base.a \
	$(CMOCKA_LIBS) $(CJSON_LIBS) $(NETTLE_LIBS)
tests_unit_test_interpreter_SOURCES = tests/unit/test_interpreter.c
tests_unit_test_interpreter_LDADD = $(tests_unit_test_plan_LDADD)
UNIT_TESTS += tests/unit/test_cgroup
tests_unit_test_cgroup_SOURCES = tests/unit/test_cgroup.c
tests_unit_test_cgroup_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/src/sandbox
tests_unit_test_cgroup_LDADD = $(tests_unit_test_plan_LDADD)
UNIT_TESTS += tests/unit/test_sandbox
tests_unit_test_sandbox_SOURCES = tests/unit/test_sandbox.c tests/unit/sandbox_world.c tests/unit/sandbox_world.h \
	tests/unit/sandbox_inside.c tests/unit/sandbox_inside.h
tests_unit_test_sandbox_LDADD = src/sandbox/liblf_sandbox.a src/base/liblf_os.a src/base/liblf_base.a $(CMOCKA_LIBS) $(CJSON_LIBS) $(NETTLE_LIBS)
UNIT_TESTS += tests/unit/test_probe
tests_unit_test_probe_SOURCES = tests/unit/test_probe.c
tests_unit_test_probe_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/src/sandbox
tests_unit_test_probe_LDADD = $(tests_unit_test_plan_LDADD)
endif
check_PROGRAMS += tests/unit/sandbox_try
tests_unit_sandbox_try_SOURCES = tests/unit/sandbox_try.c
tests_unit_sandbox_try_LDADD = src/sandbox/liblf_sandbox.a src/base/liblf_os.a src/base/liblf_base.a $(CJSON_LIBS) $(NETTLE_LIBS)
