# SPDX-License-Identifier: Apache-2.0
noinst_LIBRARIES += src/daemon/liblf_daemon.a
src_daemon_liblf_daemon_a_SOURCES = src/daemon/live.c src/daemon/reserve.c src/daemon/serve.c src/daemon/oneshot.c src/daemon/log_writer.c src/daemon/live.h \
	src/daemon/log_writer.h include/lambdafit/daemon.h
