# SPDX-License-Identifier: Apache-2.0
if HAVE_CMOCKA
UNIT_TESTS += tests/unit/test_tui
tests_unit_test_tui_SOURCES = tests/unit/test_tui.c
tests_unit_test_tui_LDADD = src/tui/liblf_tui.a src/base/liblf_os.a src/base/liblf_base.a $(CMOCKA_LIBS) $(CJSON_LIBS) $(NETTLE_LIBS) -lm
endif
