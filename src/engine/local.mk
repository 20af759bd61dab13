# SPDX-License-Identifier: Apache-2.0
noinst_LIBRARIES += src/engine/liblf_engine.a
src_engine_liblf_engine_a_SOURCES = src/engine/engine.c src/engine/live_env.c src/engine/call.c src/engine/judge.c src/engine/log.c src/engine/events.c src/engine/settings.c src/engine/change.c src/engine/hold.c src/engine/stream.c src/engine/reload.c src/engine/prepare.c src/engine/refused.c \
	src/engine/internal.h include/lambdafit/engine.h
