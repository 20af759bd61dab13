# SPDX-License-Identifier: Apache-2.0
noinst_LIBRARIES += src/tui/liblf_tui.a
src_tui_liblf_tui_a_SOURCES = include/lambdafit/tui.h src/tui/app.c src/tui/data.c src/tui/detail.c src/tui/grid.c src/tui/inside.h src/tui/keys.c src/tui/show.c src/tui/table.c \
	src/tui/term.c src/tui/top.c src/tui/view_function.c src/tui/view_invocation.c src/tui/views.c src/tui/work.c
src_tui_liblf_tui_a_CFLAGS = $(AM_CFLAGS) $(NCURSES_CFLAGS)
