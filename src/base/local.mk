# SPDX-License-Identifier: Apache-2.0
# liblf_base.a is pure; liblf_os.a is what touches clocks and files, and stands before liblf_base.a in a link.
noinst_HEADERS += include/lambdafit/base.h
noinst_LIBRARIES += src/base/liblf_base.a src/base/liblf_os.a
src_base_liblf_base_a_SOURCES = src/base/buf.c src/base/encode.c src/base/error.c src/base/eventstream.c src/base/json.c src/base/json_scan.c \
	src/base/json_scan.h src/base/money.c src/base/str.c src/base/time.c
src_base_liblf_os_a_SOURCES = src/base/os.c src/base/paths.c
