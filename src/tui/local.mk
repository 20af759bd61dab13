# SPDX-License-Identifier: Apache-2.0
noinst_LIBRARIES += src/tui/liblf_tui.a
src_tui_liblf_tui_a_SOURCES = include/lambdafit/tui.h src/tui/app.c src/tui/data.c src/tui/grid.c src/tui/inside.h src/tui/keys.c src/tui/table.c \
	src/tui/term.c src/tui/top.c src/tui/views.c
src_tui_liblf_tui_a_CFLAGS = $(AM_CFLAGS) $(NCURSES_CFLAGS)
