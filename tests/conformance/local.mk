# SPDX-License-Identifier: Apache-2.0
check_PROGRAMS += tests/conformance/core
tests_conformance_core_SOURCES = tests/conformance/core.c tests/conformance/core.h tests/conformance/core_time.c
tests_conformance_core_LDADD = src/model/liblf_model.a src/profile/liblf_profile.a src/base/liblf_os.a src/base/liblf_base.a $(CJSON_LIBS) $(NETTLE_LIBS) -lm
EXTRA_DIST += tests/conformance docs/conformance.md
